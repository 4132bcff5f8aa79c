"""Makes a fleet of directories like those that gather in a vision team over the years.

    python examples/legacy/make_fleet.py DIR

Sixteen directories, more than seventy scripts: versions, dates and Hangul in names, backups,
notebooks, Python 2, the marks of a merge, CP949, a binary .py, helpers that others import, a loop
of links, data, weights and runs beside the code. DIR/labels.json says what each script really
does. Nothing in it is meant to be run.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from fleet_scripts import inference, others, quantising, training  # noqa: E402 - after the path

Layout = dict[str, dict[str, tuple[str, object]]]
"""Directory → script → (what it does, its text, the cells of a notebook, or bytes)."""

FLEET: Layout = {
    "donghwa-entec-ppe": {
        "train_yolov11_v2.py": ("train", training.ARGPARSE),
        "train.py": ("train", training.FLAT),
        "train_backup_old.py": ("train", training.FLAT.replace("yolov8m", "yolov5su")),
        "yolo_v11_train_1214.py": ("train", training.GRID),
        "infer_rtsp.py": ("infer", inference.RTSP),
        "추론_테스트.py": ("infer", inference.HUB),
        "quantize_nncf.py": ("quant", quantising.NNCF),
        "config.py": ("other", others.CONFIG),
        "run_night.sh": ("other", others.SHELL),
        "notebooks/experiment.ipynb": ("train", training.NOTEBOOK),
        "tools/convert_labels.py": ("other", others.LABELS),
    },
    "donghwa-entec-fall": {
        "학습_최종_v3.py": ("train", training.TRAIN_THEN_EXPORT),
        "학습_최종_v2.py": ("train", training.TRAIN_THEN_EXPORT.replace("200", "100")),
        "학습_최종_v3 (복사본).py": ("train", training.TRAIN_THEN_EXPORT.replace("200", "10")),
        "추론.py": ("infer", inference.ORT),
        "양자화.py": ("quant", quantising.ORT_STATIC),
        "fix_me.py": ("train", training.BROKEN),
        "run_cli.py": ("infer", inference.CLI),
        "노트북/학습.ipynb": ("train", training.NOTEBOOK_COMMANDS),
    },
    "donghwa-entec-fire": {
        "train.py": ("train", training.TORCH_LOOP),
        "eval.py": ("infer", inference.TORCH_EVAL),
        "net.py": ("other", others.NET),
        "dataset.py": ("other", others.DATASET),
        "to_onnx.py": ("quant", quantising.TORCH_ONNX),
        "qat_train.py": ("quant", quantising.QAT),
        "smoke_keras.py": ("train", training.KERAS),
    },
    "sampyo-gimhae-bct": {
        "main_click.py": ("train", training.CLICK),
        "rtdetr_20241103.py": ("train", training.FIRE),
        "build_engine.py": ("quant", quantising.TENSORRT),
        "calibrator.py": ("other", quantising.CALIBRATOR),
        "bench_engine.py": ("infer", inference.TRT),
        "trtexec_all.py": ("quant", quantising.TRTEXEC),
        "tracking.py": ("infer", inference.TRACK),
    },
    "sampyo-dangjin-collision": {
        "go.py": ("train", training.THROUGH_HELPER),
        "trainer_lib.py": ("other", training.HELPER),
        "extract_frames.py": ("other", others.FRAMES),
        "검증.py": ("infer", inference.VAL),
        "sliced.py": ("infer", inference.SAHI),
    },
    "hanil-pohang-fire": {
        "train_cli_241102.py": ("train", training.SHELL_OUT),
        "train_cli_241211.py": ("train", training.SHELL_OUT.replace("100", "300")),
        "alarm.py": ("infer", inference.ENGINE_IF_MISSING),
        "send_alarm.py": ("other", others.ALARM),
        "int8.ipynb": ("quant", quantising.NOTEBOOK),
    },
    "끼임 감지 (울산 2공장)": {
        "학습 시작.py": ("train", training.WRAPPER_CLASS),
        "stuck_all_in_one.py": ("train", training.MODES),
        "변환.py": ("quant", quantising.OVC),
        "라벨변환.py": ("other", others.LABELS),
        "성능측정.py": ("infer", inference.OPENVINO),
    },
    "legacy_py2": {
        "train_darknet.py": ("train", training.PYTHON_2),
        "net.py": ("other", others.NET),
        "cam.py": ("infer", inference.PYTHON_2),
        "yolov4_fire.py": ("infer", inference.OPENCV),
    },
    "yolov5-1080ti": {
        "run_train.py": ("train", training.SYSTEM_CALL),
        "detect.py": ("infer", inference.DETECT_PY),
        "autoanchor.py": ("other", others.ANCHORS),
        "check_gpu.py": ("other", others.CHECK_CUDA),
    },
    "ppe_server": {
        "app.py": ("infer", inference.FASTAPI),
        "draw.py": ("other", others.DRAW),
        "web.py": ("infer", inference.STREAMLIT),
        "tests/test_model.py": ("other", others.PYTEST),
        "get_weights.py": ("other", others.DOWNLOAD),
    },
    "merge-conflict-ppe": {
        "train_v1.py": ("train", training.FLAT.replace("150", "80")),
        "train_v2.py": ("train", training.MERGE),
        "prepare/split.py": ("other", others.SPLIT),
        "prepare/stats.ipynb": ("other", others.NOTEBOOK),
    },
    "kim_daeri": {
        "학습_cp949.py": ("train", training.CP949.encode("cp949")),
        "old_model.py": ("other", b"\x00\x01\xf3\r\n\x00\x00PYZ\x00binary\xff\xfe\x00" * 40),
        "새 파일 (1).py": ("quant", quantising.YOLO_LOOP),
    },
    "amp-ssd": {
        "run.py": ("train", training.AMP_LOOP),
        "lib/build.py": ("other", others.BUILD),
        "quant_dynamic.py": ("quant", quantising.DYNAMIC),
    },
    "yolo11-custom-trainer": {
        "weighted.py": ("train", training.DETECTION_TRAINER),
        "cli_typer.py": ("train", training.TYPER),
        "bench.py": ("infer", inference.BENCH),
        "export_check.py": ("quant", quantising.EXPORT_AND_CHECK),
    },
    "export-only": {
        "export_v1.py": ("quant", quantising.YOLO_EXPORT),
        "export_v2.py": ("quant", quantising.YOLO_EXPORT.replace("train7", "train12")),
        "export_final.py": ("quant", quantising.YOLO_EXPORT.replace("640", "960")),
        "check.ipynb": ("infer", inference.NOTEBOOK),
        "plot.py": ("other", others.PLOT),
    },
    "reports": {
        "plot_map.py": ("other", others.PLOT),
    },
}


def make_fleet(target: Path) -> dict[str, dict[str, str]]:
    """Write the fleet below `target`, which must be empty or absent.

    Returns:
        directory → script → train, infer, quant or other; labels.json holds the same.
    """
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise SystemExit(f"DIR must be empty but {target} holds files; name a new directory")
    for directory, scripts in FLEET.items():
        for name, (_, content) in scripts.items():
            file = target / directory / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(as_bytes(content))
        surround(target / directory)
    labels = {d: {name: kind for name, (kind, _) in s.items()} for d, s in FLEET.items()}
    text = json.dumps(labels, ensure_ascii=False, indent=1)
    (target / "labels.json").write_text(text + "\n", "utf-8")
    return labels


def as_bytes(content: object) -> bytes:
    """A script's file: bytes as they are, text in UTF-8, cells as a notebook."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode("utf-8")
    assert isinstance(content, tuple)
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# 실험 노트\n"]}
    ]
    for cell in content:
        code = {"execution_count": None, "outputs": [], "source": cell.splitlines(keepends=True)}
        cells.append({"cell_type": "code", "metadata": {}, **code})
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False).encode("utf-8")


def surround(directory: Path) -> None:
    """Puts beside the code: data, weights, runs, an environment, and a loop of links."""
    train = directory / "runs" / "detect" / "train7"
    (train / "weights").mkdir(parents=True)
    (train / "weights" / "best.pt").write_bytes(b"PK\x03\x04 not a real checkpoint")
    (train / "results.csv").write_text("epoch,metrics/mAP50(B)\n1,0.41\n2,0.57\n", "utf-8")
    for number in range(3):
        image = directory / "data" / "images" / f"{number:04}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(b"\xff\xd8\xff\xe0 not a real picture")
    # A script inside an environment or a data set is not the experiment's own.
    library = directory / ".venv" / "lib" / "python3.9" / "site-packages" / "ultralytics"
    library.mkdir(parents=True)
    (library / "train.py").write_text("def train():\n    pass\n", "utf-8")
    (directory / "__pycache__").mkdir()
    (directory / "__pycache__" / "config.cpython-39.pyc").write_bytes(b"\x00\x00")
    (directory / "loop").symlink_to(directory, target_is_directory=True)
    (directory / "latest.py").symlink_to(directory / "deleted_last_year.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, metavar="DIR", help="is made; must be empty")
    target = parser.parse_args().directory
    labels = make_fleet(target)
    scripts = sum(map(len, labels.values()))
    sys.stdout.write(f"{len(labels)} directories with {scripts} scripts in {target}\n")


if __name__ == "__main__":
    main()
