"""A quant stage with `method: qat`: trained epochs in the run, an INT8 model that says how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contexts import EXPERIMENT, QuantDesk

from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import DatasetError, ScenarioError
from pipelines.quant.qat import require_trainable, trains_on_labels
from scenario import QuantizationParams

SIDE = 96
NAMES = ("helmet", "head")


def write_dataset(folder: Path) -> Path:
    """Six images to train on and four to judge, each with one bright square."""
    import cv2

    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 4)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for index in range(count):
            image = rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
            left, top = rng.integers(4, 50, 2)
            image[top : top + 40, left : left + 40] = 230
            cv2.imwrite(str(folder / "images" / split / f"{index}.png"), image)
            row = f"{index % 2} {(left + 20) / SIDE} {(top + 20) / SIDE} {40 / SIDE} {40 / SIDE}\n"
            (folder / "labels" / split / f"{index}.txt").write_text(row, encoding="utf-8")
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(NAMES))
    yaml = folder / "data.yaml"
    yaml.write_text(
        f"path: {folder}\ntrain: images/train\nval: images/val\nnames:\n{names}", encoding="utf-8"
    )
    return yaml


def untrained(file: Path) -> Path:
    from guardianflow.backends.weights.ultralytics_models import import_ultralytics

    import_ultralytics()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    model = DetectionModel("yolo11n.yaml", nc=len(NAMES), verbose=False)
    model.names = dict(enumerate(NAMES))
    # As if it were sure of something everywhere: else nothing is found, and nothing to judge.
    for branch in model.model[-1].cv3:
        torch.nn.init.zeros_(branch[-1].bias)
    torch.save({"model": model.eval(), "train_args": {}}, file)
    return file


def make_desk(folder: Path) -> QuantDesk:
    weights = untrained(folder / "weights.pt")
    return QuantDesk(
        folder,
        package_from_weights(weights, folder / "source", input_size=SIDE),
        write_dataset(folder / "data"),
        calibration_size=4,
        environment={"device": "cpu"},
        benchmark={"warmup_runs": 1, "benchmark_runs": 10},
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_trained_variant_is_registered_and_says_how_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(tmp_path)
    logged: list[tuple[int | None, dict[str, float]]] = []
    log = desk.store.log_metrics

    def listen(run_id: str, metrics: Any, *, step: int | None = None) -> None:
        logged.append((step, dict(metrics)))
        log(run_id, metrics, step=step)

    monkeypatch.setattr(desk.store, "log_metrics", listen)
    training = {"epochs": 2, "batch_size": 3, "learning_rate": 0.0001}
    result = desk.run(method="qat", calibration_method="minmax", qat=training)
    epochs = {step: each for step, each in logged if "train.loss" in each}
    assert sorted(epochs) == [1, 2]
    assert {"train.box_loss", "train.cls_loss", "train.dfl_loss"} <= epochs[1].keys()
    run = desk.store.get_run(result.run_id)
    assert run.status == "FINISHED"
    assert run.tags["quant.qat_epochs"] == "2"
    assert run.tags["quant.qat_images"] == "6"
    (model,) = result.models
    assert model.display_name == f"{EXPERIMENT}/ppe__openvino_int8"
    assert model.tags["quant_method"] == "qat"


def searching(**allowed: bool) -> QuantizationParams:
    return QuantizationParams.model_validate({"backend": "onnx", "search": allowed})


def test_only_training_needs_labels(tmp_path: Path) -> None:
    """Calibrating and distilling take pictures of a site that nobody has labelled."""
    assert not trains_on_labels(QuantizationParams())
    assert not trains_on_labels(searching(allow_qat=True, allow_activations=True))
    assert trains_on_labels(searching(allow_qat=True))
    yaml = write_dataset(tmp_path / "data")
    for label in (tmp_path / "data/labels/train").iterdir():
        label.write_text("")
    source = package_from_weights(untrained(tmp_path / "best.pt"), tmp_path / "s", input_size=SIDE)
    desk = QuantDesk(tmp_path, source, yaml, calibration_size=4)
    with pytest.raises(DatasetError, match="'train': its 6 images must have labelled objects"):
        desk.run(method="qat")
    assert desk.store.find_runs(tags={"guardianflow.stage": "quant"}) == []


def test_training_is_refused_before_any_work_where_it_can_t_be() -> None:
    require_trainable(QuantizationParams(method="qat"))
    require_trainable(QuantizationParams(backend="onnx"))
    require_trainable(searching(allow_qat=True, allow_activations=True))  # distils, anywhere
    with pytest.raises(ScenarioError, match="not available for onnx, only for openvino"):
        require_trainable(QuantizationParams(backend="onnx", method="qat"))
