"""The experiments under examples/ are what an author would write: here they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments_adapters.base import to_metric_keys
from experiments_adapters.code_path import load_experiment
from experiments_adapters.trainers import build_trainer, check_result
from guardianflow.contracts.errors import TrainerError

Configs = Callable[..., dict[str, Any]]


class Reports:
    """What arrived while the training was under way; may stop it after an epoch."""

    def __init__(self) -> None:
        self.by_epoch: dict[int, Mapping[str, float]] = {}
        self.training = False
        self.stop_after: int | None = None

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> None:
        assert self.training
        self.by_epoch[epoch] = metrics
        if epoch == self.stop_after:
            raise KeyboardInterrupt

    def of(self, trainer: Any) -> dict[int, Mapping[str, float]]:
        self.training = True
        trainer.train()
        self.training = False
        return self.by_epoch


def example(
    repository: Path,
    name: str,
    configs: dict[str, Any],
    work_dir: Path,
    resume_from: Path | None = None,
) -> tuple[Any, Reports]:
    path = repository / "examples" / "experiments" / name
    before = sorted(path.rglob("*"))
    code = load_experiment(str(path), cache_dir=work_dir)
    reports = Reports()
    trainer = build_trainer(
        code, **configs, work_dir=work_dir, resume_from=resume_from, on_epoch_end=reports
    )
    assert sorted(path.rglob("*")) == before
    return trainer, reports


@pytest.mark.slow
@pytest.mark.parametrize("unfreeze_epoch", [2, 99])
def test_the_frozen_backbone_wakes_when_it_shall(
    repository: Path, configs: Configs, tmp_path: Path, unfreeze_epoch: int
) -> None:
    import torch
    from ultralytics import YOLO

    weights = tmp_path / "start.pt"
    YOLO("yolo11n.yaml").save(str(weights))
    # nbs 4: a step after every batch, or so short a training would hardly move a weight
    options = {"unfreeze_epoch": unfreeze_epoch, "plots": False, "nbs": 4, "warmup_epochs": 0}
    given = configs(weights_path=str(weights), epochs=2, learning_rate=0.05, options=options)
    trainer, reports = example(repository, "frozen_backbone", given, tmp_path / "work")
    heard = reports.of(trainer)

    assert list(heard) == [1, 2]
    assert {"det.mAP50", "det.box_loss", "train.backbone_awake"} <= set(to_metric_keys(heard[2]))
    assert heard[2]["backbone_awake"] == float(unfreeze_epoch == 2)
    before = YOLO(weights).model.state_dict()
    after = YOLO(check_result(trainer).with_name("last.pt")).model.state_dict()
    moved = {
        int(name.split(".")[1])
        for name, value in before.items()
        if value.shape == after[name].shape and not torch.equal(value, after[name])
    }
    assert max(moved) > 10
    assert (min(moved) <= 10) == (unfreeze_epoch == 2)


def test_the_frozen_backbone_needs_weights(
    repository: Path, configs: Configs, tmp_path: Path
) -> None:
    with pytest.raises(TrainerError, match=r"set model\.weights_path"):
        example(repository, "frozen_backbone", configs(), tmp_path)


@pytest.mark.slow
def test_plain_torch_learns_and_its_file_opens(
    repository: Path, configs: Configs, data_yaml: Path, tmp_path: Path
) -> None:
    from guardianflow.backends.weights.packages import package_from_weights
    from guardianflow.detector import Detector
    from guardianflow.evaluation.accuracy.detection import collect_predictions, evaluate_detections
    from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset

    given = configs(epochs=60, learning_rate=0.01)
    trainer, reports = example(repository, "plain_torch", given, tmp_path / "work")
    heard = reports.of(trainer)
    assert list(heard) == list(range(1, 61))
    assert set(heard[1]) == {"box_loss", "cls_loss", "val_loss"}
    assert heard[60]["cls_loss"] < heard[1]["cls_loss"] / 2

    best = check_result(trainer)
    package = package_from_weights(best, tmp_path / "package", input_size=96)
    assert (package.spec.backend, package.spec.output) == ("onnx", "grid")
    assert package.spec.class_names == ("box", "disc")
    dataset = resolve_dataset(str(data_yaml), cache_dir=tmp_path)
    images = read_labelled_images(dataset, "val")
    with Detector.open(package, batch_size=4) as detector:
        found = collect_predictions(detector, images, batch_size=4)
    metrics = evaluate_detections(found, images, dataset.class_names)
    assert metrics.mAP50 > 0.5


def test_plain_torch_exports_what_detectors_speak(
    repository: Path, configs: Configs, tmp_path: Path
) -> None:
    import onnxruntime

    trainer, reports = example(repository, "plain_torch", configs(epochs=1), tmp_path)
    reports.of(trainer)
    session = onnxruntime.InferenceSession(
        check_result(trainer), providers=["CPUExecutionProvider"]
    )
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["names"] == "{0: 'box', 1: 'disc'}"
    assert facts["imgsz"] == "[96, 96]"
    for batch in (1, 3):
        (output,) = session.run(None, {"images": np.zeros((batch, 3, 96, 96), np.float32)})
        assert output.shape == (batch, 4 + 2, 12 * 12)
        assert output.dtype == np.float32
        assert (output[:, 2:4] > 0).all()
        assert ((output[:, 4:] >= 0) & (output[:, 4:] <= 1)).all()


def test_plain_torch_resumes(repository: Path, configs: Configs, tmp_path: Path) -> None:
    given = configs(epochs=3)
    trainer, reports = example(repository, "plain_torch", given, tmp_path / "first")
    reports.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        reports.of(trainer)
    last = tmp_path / "first" / "last.pth"
    trainer, reports = example(repository, "plain_torch", given, tmp_path / "second", last)
    assert list(reports.of(trainer)) == [3]
    assert check_result(trainer) == tmp_path / "second" / "best.onnx"


@pytest.mark.slow
def test_plain_torch_reads_the_demo_set(repository: Path, configs: Configs, tmp_path: Path) -> None:
    from guardianflow.site_data.datasets import resolve_dataset

    dataset = resolve_dataset("demo://ppe?images=10&size=96", cache_dir=tmp_path / "cache")
    given = configs(epochs=1, path=str(dataset.data_yaml))
    trainer, reports = example(repository, "plain_torch", given, tmp_path / "work")
    assert list(reports.of(trainer)) == [1]
