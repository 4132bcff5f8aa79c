"""Detectors of known quality for the demo site's test split, and runs that hold them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from inprocess import InProcessExecutor
from recalling_detector import recalling_detector

from guardianflow.contracts.results import DetectorPackage, RunRequest
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from pipelines.stage.inputs.sources import (
    log_weights,
)

DATA = "demo://ppe?images=120&size=96"
NAME = "demo/seoul-plant1/full/ppe"
EXPERIMENT = "demo/seoul-plant1/full"
Make = Callable[..., DetectorPackage]


def detectors_of(work_dir: Path, folder: Path) -> Make:
    """(missed share, seed, class names) → package, made once."""
    dataset = resolve_dataset(DATA, cache_dir=work_dir / "datasets", base_dir=Path.cwd())
    images = read_labelled_images(dataset, "test")
    made: dict[tuple[Any, ...], DetectorPackage] = {}

    def package(missed: float, seed: int = 0, names: Any = dataset.class_names) -> DetectorPackage:
        key = (missed, seed, names)
        if key not in made:
            place = folder / str(len(made))
            made[key] = recalling_detector(place, images, names, missed=missed, seed=seed)
        return made[key]

    return package


def sections(**more: Any) -> dict[str, Any]:
    """A scenario of the site, as a file would have it."""
    values: dict[str, Any] = {
        "name": "gate-house",
        "site": {"customer": "demo", "region": "seoul"},
        "task": {"type": "ppe"},
        "model": {"architecture": "yolo11n", "input_size": 96},
        "dataset": {"path": DATA},
        "environment": {"device": "cpu"},
        "benchmark": {"warmup_runs": 1, "benchmark_runs": 20},
    }
    return values | more


def train_run(
    executor: InProcessExecutor, package: DetectorPackage, name: str = "ppe-train", **tags: str
) -> str:
    """A run as a train stage leaves it that was told not to register."""
    described = {"guardianflow.stage": "train", **tags}
    params = {"model.architecture": "yolo11s", "model.input_size": "96"}
    run = executor.store.start_run(RunRequest(EXPERIMENT, name, described, params))
    log_weights(executor.store, run, package.directory)
    executor.store.end_run(run)
    return run


TRAINER = """
import time
from pathlib import Path


class Trainer:
    def __init__(self, model_config, training_config, dataset_config):
        values = {"architecture": model_config.architecture, **dict(training_config)}
        self.name = "-".join(str(values[each]) for each in CHOSEN_BY)

    def train(self):
        if self.name == "broken":
            raise RuntimeError("the loss went through the roof")
        here = Path(__file__).parent
        (here / f"{self.name}.begun").touch()
        deadline = time.monotonic() + 300
        while len(list(here.glob("*.begun"))) < MEETS and time.monotonic() < deadline:
            time.sleep(0.05)
        self.on_epoch_end(1, {"mAP50": 0.5, "met": len(list(here.glob("*.begun")))})

    def get_best_model_path(self):
        return str(Path(__file__).parent / f"{self.name}.onnx")
"""


def experiment(
    folder: Path, chosen_by: tuple[str, ...], made: dict[str, DetectorPackage], meets: int = 1
) -> Path:
    """An author's experiment whose training ends with one of these detectors.

    Args:
        chosen_by: 'architecture', or fields of training, whose values name the detector.
        meets: a training goes on only once so many have begun.
    """
    folder.mkdir()
    values = f"CHOSEN_BY, MEETS = {chosen_by!r}, {meets}"
    (folder / "train.py").write_text(f"{values}\n{TRAINER}", encoding="utf-8")
    for name, package in made.items():
        weights = (package.directory / package.spec.weights).read_bytes()
        (folder / f"{name}.onnx").write_bytes(weights)
    return folder
