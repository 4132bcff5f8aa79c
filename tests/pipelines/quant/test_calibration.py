"""Calibration data and exports that are not as they should be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from checkpoints import TINY_SIDE as SIDE
from inprocess import InProcessExecutor

from guardianflow.contracts.errors import StageFailedError
from pipelines.stage.plan import Planner, RunOptions
from pipelines.stage.stage import StageRequest
from scenario import build_scenario

CLASSES = ["helmet", "head", "vest", "person"]


def label(boxes: list[int]) -> str:
    return "".join(f"{each} 0.5 0.5 0.4 0.4\n" for each in boxes)


def data_set(folder: Path, train: list[list[int]]) -> Path:
    """Images of noise; each train image shows the classes named."""
    import cv2
    import numpy as np

    random = np.random.default_rng(0)
    for split, images in (("train", train), ("val", [[0, 1, 2, 3]] * 2)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for index, classes in enumerate(images):
            pixels = random.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / "images" / split / f"{split}{index}.png"), pixels)
            text = label(classes)
            (folder / "labels" / split / f"{split}{index}.txt").write_text(text, encoding="utf-8")
    file = folder / "data.yaml"
    names = ", ".join(CLASSES)
    file.write_text(f"train: images/train\nval: images/val\nnames: [{names}]\n", encoding="utf-8")
    return file


def request_for(
    executor: InProcessExecutor, source: Path, data: Path, **quantization: Any
) -> StageRequest:
    scenario = build_scenario(
        {
            "name": "demo",
            "site": {"customer": "demo", "region": "seoul"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n", "input_size": SIDE},
            "dataset": {"path": str(data)},
            "benchmark": {"warmup_runs": 1, "benchmark_runs": 10},
            "quantization": {"calibration_method": "minmax", **quantization},
        }
    )
    planner = Planner(scenario, executor.settings, RunOptions(), "")
    return planner.quant(scenario.quantization_variants[0], str(source))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_few_images_and_an_absent_class_are_told_and_the_work_goes_on(
    executor: InProcessExecutor, trained: Path, tmp_path: Path
) -> None:
    data = data_set(tmp_path / "data", [[0], [1], [0, 3]])
    result = executor.run(request_for(executor, trained, data, backend="onnx", calibration_size=40))
    assert "calibrating on all 3 train images; 40 were asked for" in executor.messages
    (said,) = [text for text in executor.messages if "no train image shows" in text]
    assert said.startswith("no train image shows vest: nothing is calibrated")
    tags = executor.store.get_run(result.run_id).tags
    assert tags["quant.calibration_images_missing"] == "37"
    assert tags["quant.classes_without_train_image"] == "vest"
    assert tags["quant.calibration_images"] == "3"
    file = executor.store.download(result.run_id, "results/comparison.json", tmp_path / "got")
    listed = json.loads(file.read_text(encoding="utf-8"))["calibration"]
    assert sorted(listed["images"]) == ["train0.png", "train1.png", "train2.png"]
    lineage_digest = json.loads(
        executor.store.download(result.run_id, "weights/detector.json", tmp_path / "got").read_text(
            encoding="utf-8"
        )
    )["lineage"]["calibration_images_digest"]
    assert listed["sha256"] == lineage_digest != ""


@pytest.mark.parametrize(
    "asked",
    [{"search": {"allow_activations": True}}, {"precision": "fp16", "activation": "hardswish"}],
)
def test_too_few_train_images_to_measure_batch_norms_on_are_refused_before_a_run(
    executor: InProcessExecutor, trained: Path, tmp_path: Path, asked: dict[str, object]
) -> None:
    data = data_set(tmp_path / "data", [[0], [1], [2, 3]])
    request = request_for(executor, trained, data, backend="onnx", **asked)
    said = "on at least 16 train images, but there are 3"
    with pytest.raises(StageFailedError, match=said) as caught:
        executor.run(request)
    assert caught.value.exit_code == 2
    assert executor.store.find_runs(tags={"guardianflow.stage": "quant"}) == []


def test_what_needs_no_calibration_is_told_nothing(
    executor: InProcessExecutor, trained: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    data = data_set(tmp_path / "data", [[0]])
    request = request_for(executor, trained, data, backend="onnx", precision="fp32")
    executor.run(replace(request, check_only=True))
    assert executor.messages == []


@pytest.mark.slow
def test_an_exporter_that_fails_half_way_leaves_no_file_and_no_model(
    executor: InProcessExecutor, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino

    def half_way(model: object, path: str, **_: object) -> None:
        Path(path).write_text("<net", encoding="utf-8")
        raise RuntimeError("no space left on device")

    monkeypatch.setattr(openvino, "save_model", half_way)
    data = data_set(tmp_path / "data", [[0, 1, 2, 3]])
    request = request_for(executor, trained, data, backend="openvino", precision="fp16")
    with pytest.raises(StageFailedError, match="no space left on device") as caught:
        executor.run(request)
    run = executor.store.get_run(str(caught.value.run_id))
    assert run.status == "FAILED"
    assert "no space left on device" in run.tags["guardianflow.error"]
    assert not [key for key in run.metrics if key.startswith(("det.", "comparison."))]
    assert executor.registry.list_models() == []
    assert list(executor.folder.rglob("*.xml")) == []
    assert [p.name for p in executor.folder.rglob("*package*") if "source" not in p.parts] == []
    shutil.rmtree(executor.folder)
