"""The kinds of file that `benchmarks.fuzz` changes, each with who reads it and what it promises.

A reader gives '' where the promise holds, else what is wrong; it raises what the product raises.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from ultralytics.data.utils import verify_image_label

from apps.automation.triggers.durations import LONGEST
from apps.automation.triggers.file import load_triggers
from experiments_adapters.legacy.registry import load_registry
from guardianflow.contracts.detector_package import DetectorPackage, DetectorSpec, sha256_of
from guardianflow.contracts.errors import ConfigurationError, DatasetError, UnsignedReleaseError
from guardianflow.release.bundle.check import check_bundle
from guardianflow.release.signing.minisign import SecretKey, read_public_key
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.labels import label_path_of, parse_labels
from guardianflow.site_data.mot.track_results import read_truth_and_results
from scenario import dump_scenario, load_scenario
from scenario.loader import parse_scenario

SIZE = (32, 24)
IMAGES = {"train": ("a", "b", "현장"), "val": ("c", "d")}
CLASSES = 3
POSE_COLUMNS = 11
SAME = 1e-5
"""Shares of an image: Ultralytics keeps labels in single precision."""


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Args:
        plain: as people write it.
        tokens: what is put into it, beside what is put into every kind.
        prepare: makes its folder ready.
        read: (folder, content) → '' or the promise that is broken.
    """

    name: str
    plain: tuple[bytes, ...]
    tokens: tuple[bytes, ...]
    prepare: Callable[[Path], None]
    read: Callable[[Path, bytes], str]


# --- data sets ----------------------------------------------------------------------------------

YAML = f"""path: .
train: images/train
val: images/val
names: [안전모, head, vest]
nc: {CLASSES}
""".encode()
YAMLS = (
    YAML,
    b"train: ['images/train', images/val]\nval: val.txt\nnames: {0: a, 1: b, 2: c}\n",
    b"# site\npath: ../set\ntrain: images/train\nvalidation: images/val\ntest: ../test/images\n"
    b"names:\n  '0': helmet\n  '1': head\n  '2': 'bare head'\nnc: 3.0\nkpt_shape: [2, 3]\n",
    b"base: &a {train: images/train, val: images/val}\n<<: *a\nnames: [x, y, z]\n",
)
LABELS = (
    b"0 0.5 0.5 0.2 0.3\n1 0.25 0.75 0.1 0.1\n2 0.4 0.4 0.4 0.4\n",
    b"0 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n1 0.5 0.5 0.6 0.5 0.55 0.7\n",
    b"0 0.1 0.1 0.4 0.1 0.4 0.4\n2 0.5 0.5 0.2 0.2\n1 1.005 0.5 0.1 0.2\n",
    b"2 0.5 0.5 0.5 0.5 0.4 0.4 2 0.6 0.6 1\n",
    b"",
)
LISTS = (
    b"images/val/c.png\nimages/val/d.png\n",
    "./images/val/c.png\r\n\r\nimages/train/현장.png\nimages/val/c.png\n".encode(),
)
LABEL_TOKENS = (b"0 0.5 0.5 0.1 0.1\n", b" 0.5 0.5", b"1.0", b"0.99999999", b"1.01", b"-0.01", b"3")


def _images(folder: Path) -> None:
    for split, stems in IMAGES.items():
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number, stem in enumerate(stems):
            noise = np.random.default_rng([len(split), number]).integers(0, 255, (*SIZE[::-1], 3))
            image = folder / "images" / split / f"{stem}.png"
            Image.fromarray(noise.astype(np.uint8)).save(image)
            label_path_of(image).write_bytes(LABELS[0])
    (folder / "val.txt").write_bytes(LISTS[0])
    (folder / "data.yaml").write_bytes(YAML)


def _as_data_yaml(folder: Path, content: bytes) -> str:
    (folder / "data.yaml").write_bytes(content)
    return _resolved(folder)


def _as_list(folder: Path, content: bytes) -> str:
    (folder / "data.yaml").write_bytes(YAMLS[1])
    (folder / "val.txt").write_bytes(content)
    return _resolved(folder)


def _resolved(folder: Path) -> str:
    found = resolve_dataset(str(folder / "data.yaml"), cache_dir=folder.parent / "cache")
    if not found.class_names or len({*found.class_names}) != len(found.class_names):
        return f"classes {found.class_names}"
    if not all("\n" not in name and name == name.strip() for name in found.class_names):
        return f"classes {found.class_names!a}"
    for split, images in found.splits.items():
        if len({*images}) != len(images) or not all(image.is_file() for image in images):
            return f"images of {split}: {images}"
        for image in read_labelled_images(found, split):
            if not _inside(image.boxes_xyxy / [*SIZE, *SIZE]):
                return f"boxes of {image.path}: {image.boxes_xyxy}"
    return ""


def _inside(boxes: npt.NDArray[np.floating[Any]]) -> bool:
    return bool(np.isfinite(boxes).all() and (boxes >= 0).all() and (boxes <= 1).all())


def _as_label(folder: Path, content: bytes) -> str:
    """What we judge by is what Ultralytics trains on."""
    image = folder / "images" / "val" / "c.png"
    label = label_path_of(image)
    rows = parse_labels(content, label, CLASSES, POSE_COLUMNS)
    if rows.problems:
        raise DatasetError(rows.problems)
    label.write_bytes(content if rows.trainable_as_written else rows.as_text().encode())
    answer = verify_image_label((str(image), str(label), "", False, CLASSES, 0, 0, False))
    if answer[0] is None:
        return f"we read it, Ultralytics does not: {answer[-1]}"
    theirs = answer[1].reshape(-1, 5)
    ours = np.hstack([rows.class_ids[:, None], rows.boxes_cxcywh])
    if theirs.shape != ours.shape or not np.allclose(_ordered(theirs), _ordered(ours), atol=SAME):
        return f"we read {ours.tolist()}, Ultralytics {theirs.tolist()}"
    return ""


def _ordered(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return rows[np.lexsort(np.round(rows, 4).T[::-1])]


# --- what we write ourselves ----------------------------------------------------------------------


WEIGHTS = b"weights"
SPEC = DetectorSpec(
    backend="onnx",
    precision="fp32",
    architecture="yolo11n",
    class_names=("안전모", "head"),
    input_size=640,
    output="grid",
    weights="model.onnx",
    files={"model.onnx": hashlib.sha256(WEIGHTS).hexdigest()},
    lineage={"source": "made up"},
)
SPEC_TEXT = SPEC.to_json().encode()


def _package(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(WEIGHTS)


def _as_detector(folder: Path, content: bytes) -> str:
    (folder / "detector.json").write_bytes(content)
    spec = DetectorPackage.load(folder).spec
    return "" if DetectorSpec.from_json(spec.to_json()) == spec else f"not kept: {spec}"


def _nothing(_: Path) -> None:
    pass


REGISTRY = """experiments:
  donghwa-entec-ppe:
    path: scripts
    site: {customer: 동화엔텍, region: busan}
    task: {type: ppe, classes: [안전모, head]}
    entry_points:
      train: {default: train_v3.py, patterns: ["train*.py"], args_template: "--epochs {epochs}"}
    env: {variables: {CUDA_VISIBLE_DEVICES: "0"}}
    metrics: {patterns: ['mAP50=(?P<mAP50>[0-9.]+)']}
  TODO-2:
    path: TODO
""".encode()


def _as_registry(folder: Path, content: bytes) -> str:
    file = folder / "experiments.yaml"
    file.write_bytes(content)
    for experiment in load_registry(file):
        if not experiment.name or "\n" in experiment.name:
            return f"name {experiment.name!a}"
        experiment.todos()
    return ""


SCENARIO = """name: ppe-v1
site: {customer: donghwa-entec, region: busan}
task: {type: ppe, classes: [안전모, head]}
model: {architecture: yolo11n, input_size: 640}
dataset: {path: data.yaml, split: val}
training: {epochs: 50, batch_size: 16, learning_rate: 0.001}
quantization:
  variants: [{backend: onnx, precision: int8}, {backend: openvino, precision: fp16}]
benchmark: {batch_sizes: [1, 8], warmup_runs: 10}
release: {min_mAP50: 0.5, min_recall: {안전모: 0.9}, max_drop_vs_champion: {recall.head: 0.01}}
""".encode()


def _as_scenario(folder: Path, content: bytes) -> str:
    file = folder / "scenario.yaml"
    file.write_bytes(content)
    scenario = load_scenario(file)
    scenario.to_all_params("train")
    try:
        again = parse_scenario(dump_scenario(scenario), "dumped")
    except ConfigurationError as exc:
        return f"what is written of it can't be read: {exc}"
    return "" if again == scenario else "what is written of it is another one"


TRIGGERS = """budget: 4
at_once: 1
rules:
  - name: accuracy-low
    metric: mAP50
    comparison: below
    threshold: 0.75
    window: 30d
    min_runs: 2
    scope: {customer: 동화, experiment_type: train}
    cooldown: 48h
    action: sweep
    sweep: {parameters: {learning_rate: [0.001, 0.003], optimizer: [adamw, sgd]}, strategy: grid}
  - {name: slow, metric: latency_ms, comparison: '>', threshold: 30, budget: 2, action: quantise,
     quantise: {backend: openvino, precision: int8}}
  - {name: 안전모, metric: det.ap.helmet, comparison: <, threshold: 1e-1, cooldown: 90s}
  - {name: idle, metric: gpu_utilization_pct, comparison: below, threshold: 50,
     action: larger_batch, larger_batch: {factor: 2, most: 128}}
""".encode()


def _as_triggers(folder: Path, content: bytes) -> str:
    """Limits that can be compared with, spans that end, and a section for each action."""
    file = folder / "triggers.yaml"
    file.write_bytes(content)
    found = load_triggers(file)
    names = [rule.name for rule in found.rules]
    if not names or len({*names}) < len(names):
        return f"rules {names}"
    for rule in found.rules:
        if not np.isfinite(rule.threshold) or rule.comparison not in ("below", "above"):
            return f"{rule.name}: {rule.comparison} {rule.threshold}"
        if not timedelta(0) < min(rule.window, rule.cooldown) <= LONGEST:
            return f"{rule.name}: {rule.window}, {rule.cooldown}"
        if min(rule.budget, rule.min_runs, found.budget, found.at_once) < 1:
            return f"{rule.name}: counts below 1"
        if rule.action == "sweep" and rule.sweep is None:
            return f"{rule.name}: a sweep of nothing"
    return ""


# --- tracking -------------------------------------------------------------------------------------


TRUTH = (
    b"1,1,2,3,10,12,1,1,1\n2,1,3,3,10,12,1,1,1\n2,2,8,4,6,6,1,2,0.9\n3,1,4,3,10,12,0,1,1\n",
    b"1, 1, 2.5, 3, 10, 12, 1, 1, 1\r\n3, 7, 2, 3, 10, 12, 1, 2, 0.5\r\n",
)
RESULTS = (
    b"1,1,2,3,10,12,0.9,1,-1,-1\n2,1,3,3,10,12,0.8,1,-1,-1\n3,4,4,4,10,12,0.7,2,-1,-1\n",
    b"1, 1, 2.5, 3, 10, 12, 0.9, 1, -1, -1\r\n",
    b"",
)
INFO = (
    b"[Sequence]\nname=gate\nimDir=img1\nframeRate=10\nseqLength=3\nimWidth=64\nimHeight=48\n",
    "[Sequence]\nname = 정문\nframeRate = 12.5\nseqLength = 3\n".encode(),
)


def _tracked(folder: Path) -> None:
    (folder / "gate" / "gt").mkdir(parents=True)
    (folder / "results").mkdir()
    (folder / "gate" / "gt" / "gt.txt").write_bytes(TRUTH[0])
    (folder / "gate" / "gt" / "labels.txt").write_text("helmet\nhead\n", encoding="utf-8")
    (folder / "gate" / "seqinfo.ini").write_bytes(INFO[0])
    (folder / "results" / "gate.txt").write_bytes(RESULTS[0])


def _as_tracked(name: str) -> Callable[[Path, bytes], str]:
    """Reads truth and results where one of their files has the content, the others are plain."""

    def read(folder: Path, content: bytes) -> str:
        (folder / name).write_bytes(content)
        sequences, tracks = read_truth_and_results(folder / "gate", folder / "results")
        for rows in (*(each.truth for each in sequences), *tracks.values()):
            if not np.isfinite(rows.boxes_ltwh).all() or (rows.boxes_ltwh[:, 2:] <= 0).any():
                return f"boxes {rows.boxes_ltwh.tolist()}"
            if len(rows.frames) and rows.frames.min() < 1:
                return f"frames {rows.frames.tolist()}"
        return ""

    return read


# --- bundles --------------------------------------------------------------------------------------


SUMS_FILES = ("detector.json", "labels.txt", "model.onnx", "model.yaml", "run_detector.py")


def _bundle(folder: Path) -> None:
    _package(folder)
    (folder / "detector.json").write_bytes(SPEC_TEXT)
    (folder / "labels.txt").write_text("".join(f"{n}\n" for n in SPEC.class_names), "utf-8")
    for name in ("model.yaml", "run_detector.py"):
        (folder / name).write_text("", encoding="utf-8")


def _sums() -> bytes:
    with tempfile.TemporaryDirectory() as home:
        _bundle(Path(home))
        return "".join(f"{sha256_of(Path(home, n))}  {n}\n" for n in SUMS_FILES).encode()


SUMS = _sums()


def _as_sums(folder: Path, content: bytes) -> str:
    """Whole only where every line is there that counts."""
    (folder / "SHA256SUMS").write_bytes(content)
    found = check_bundle(folder)
    # Its folder has no bundle's name: that is a problem by itself, and the only one allowed here.
    wrong = [each for each in found.problems if not each.startswith("the bundle is named")]
    wrong += [*found.missing, *found.extra, *found.changed]
    lines = sorted(content.decode("utf-8", "replace").splitlines())
    same = [each.replace(" *", "  ") for each in lines] == sorted(SUMS.decode().splitlines())
    if same is bool(wrong):
        return f"taken for {'damaged' if wrong else 'whole'}: {found}"
    if wrong:
        raise ConfigurationError(wrong[:20])  # as many as the command shows
    return ""


KEY = SecretKey.make()
SIGNED = b"released"
SIGNATURE = KEY.sign(SIGNED, "2026-11-28 kim@office").encode()


def _as_signature(_: Path, content: bytes) -> str:
    """Only the comment that nobody signs may differ, and how lines end."""
    try:
        comment = KEY.public.check(SIGNED, content.decode("utf-8", "surrogateescape"))
    except UnsignedReleaseError as exc:
        raise ConfigurationError(str(exc)) from exc
    return "" if comment == "2026-11-28 kim@office" else f"signed: {comment}"


def _as_key(folder: Path, content: bytes) -> str:
    file = folder / "team.pub"
    file.write_bytes(content)
    read_public_key(str(file), file)
    return ""


KINDS = (
    Kind("data.yaml", YAMLS, (b"images/val", b"val.txt", b"nc: "), _images, _as_data_yaml),
    Kind("label", LABELS, LABEL_TOKENS, _images, _as_label),
    Kind("list", LISTS, (b"images/val/d.png", b"d.png", b"images\\val\\c.png"), _images, _as_list),
    Kind("detector.json", (SPEC_TEXT,), (b'"x"', b"NaN", b"{}"), _package, _as_detector),
    Kind("registry", (REGISTRY,), (b"TODO", b"{epochs}", b"(?P<", b"[["), _nothing, _as_registry),
    Kind("mot truth", TRUTH, (b"1,1,", b"-1"), _tracked, _as_tracked("gate/gt/gt.txt")),
    Kind("mot result", RESULTS, (b"1,1,", b"-1"), _tracked, _as_tracked("results/gate.txt")),
    Kind("seqinfo", INFO, (b"seqLength=", b"[x]"), _tracked, _as_tracked("gate/seqinfo.ini")),
    Kind("SHA256SUMS", (SUMS,), (b"../x", b"  ", b" *"), _bundle, _as_sums),
    Kind("signature", (SIGNATURE,), (b"RUQ", b"trusted comment: "), _nothing, _as_signature),
    Kind("key", (KEY.public.text().encode(),), (b"RWQ", b"="), _nothing, _as_key),
    Kind("triggers", (TRIGGERS,), (b"48h", b"0s", b"tell", b"!="), _nothing, _as_triggers),
    Kind("scenario", (SCENARIO,), (b"auto", b"native", b"int8"), _nothing, _as_scenario),
)
