"""A quant stage with `method: qat`: trained epochs in the run, an INT8 model that says how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.results import RunRequest
from pipelines.quant.qat import require_trainable
from pipelines.quant.stage import QuantStage
from pipelines.settings import Settings
from pipelines.stage.events import EventSink
from pipelines.stage.stage import StageContext, StageRequest, execute
from pipelines.wiring import in_memory
from scenario import QuantizationParams, build_scenario

EXPERIMENT = "demo/seoul-plant1/full"
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


class Desk:
    """A store and a registry in memory that hold a detector, and quant stages on them."""

    def __init__(self, folder: Path) -> None:
        self.ports = in_memory()
        self.store, self.registry = self.ports.store, self.ports.registry
        self.folder = folder
        self._data = write_dataset(folder / "data")
        source = package_from_weights(
            untrained(folder / "weights.pt"), folder / "source", input_size=SIDE
        )
        self.trained = self.store.start_run(RunRequest(EXPERIMENT, "ppe-yolo11n-train-v1"))
        self.registry.register(self.trained, source, f"{EXPERIMENT}/ppe")
        self.store.end_run(self.trained)
        self._count = 0

    def run(self, **quantization: object) -> Any:
        self._count += 1
        scratch = self.folder / f"stage{self._count}"
        scratch.mkdir()
        scenario = build_scenario(
            {
                "name": "demo",
                "site": {"customer": "demo", "region": "seoul"},
                "task": {"type": "ppe"},
                "model": {"architecture": "yolo11n", "input_size": SIDE},
                "dataset": {"path": str(self._data)},
                "environment": {"device": "cpu"},
                "benchmark": {"warmup_runs": 1, "benchmark_runs": 10},
                "quantization": {"calibration_size": 4, **quantization},
            }
        )
        variant = scenario.quantization_variants[0]
        request = StageRequest(
            stage="quant",
            title="quant",
            run_name=f"quant-{variant.variant}",
            experiment_name=EXPERIMENT,
            scenario_yaml="",
            base_dir=str(self.folder),
            tracking_uri="",
            work_dir=str(self.folder / "work"),
            source=f"runs:/{self.trained}",
            variant=variant.model_dump(mode="json"),
            variant_name=variant.variant,
        )
        context = StageContext(
            request,
            scenario,
            Settings(work_dir=self.folder / "work"),
            self.ports,
            EventSink(None),
            scratch,
        )
        return execute(QuantStage(context), context)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_trained_variant_is_registered_and_says_how_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
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


def test_training_is_refused_before_any_work_where_it_can_t_be() -> None:
    require_trainable(QuantizationParams(method="qat"))
    require_trainable(QuantizationParams(backend="onnx"))
    with pytest.raises(ScenarioError, match="not available for onnx, only for openvino"):
        require_trainable(QuantizationParams(backend="onnx", method="qat"))
