"""Trained detectors: the one that lies beside the project, and those trained here on drawn scenes.

given      yolo11n of 80 classes at 640 px, ../shared/data; coco128 calibrates and judges
demo       the demo's detector, from scratch, on the demo's images and as long as the demo does
yolov8n …  from scratch on `demo://ppe?images=…`, for minutes
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.detector_package import SPEC_FILE
from guardianflow.contracts.results import DetectorPackage, LabelledImage, LocalDataset
from guardianflow.evaluation.images.preprocessing import load_image
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.sampling import sample_calibration_images
from pipelines.settings import PROJECT_ROOT, load_settings
from pipelines.stage.events import EventSink
from pipelines.stage.plan import Planner, RunOptions
from pipelines.stage.stage import StageContext
from pipelines.train.stage import TrainStage
from pipelines.wiring import connect
from scenario import Scenario, load_scenario

DATA = PROJECT_ROOT.parent / "shared" / "data"
GIVEN, DEMO = "given", "demo"
DRAWN = (DEMO, "yolov8n", "yolo11n", "yolo26n")
DETECTORS = (GIVEN, *DRAWN)
FRAMES = 16


@dataclass(frozen=True)
class Subject:
    """A trained detector and the images that go with it.

    Args:
        source: its PyTorch package.
        data: the data.yaml that it is exported by others with.
        judges: split that judges; calibration and training on see the train split alone.
    """

    name: str
    source: DetectorPackage
    dataset: LocalDataset
    data: Path
    judges: str

    @property
    def side(self) -> int:
        return self.source.spec.input_size

    def judging(self, most: int | None = None) -> list[LabelledImage]:
        return read_labelled_images(self.dataset, self.judges)[:most]

    def frames(self) -> list[np.ndarray]:
        return [load_image(path) for path in self.dataset.splits[self.judges][:FRAMES]]

    def calibration(self, count: int) -> tuple[Path, ...]:
        return sample_calibration_images(self.dataset, count, seed=0)


@dataclass(frozen=True)
class Trainings:
    """How the drawn detectors are trained.

    Args:
        images: drawn in all splits together; 71 % of them are trained on.
        epochs: None: 12, the demo's own number for 'demo'.
    """

    images: int = 350
    epochs: int | None = None

    @property
    def data(self) -> str:
        return f"demo://ppe?images={self.images}"


def given(folder: Path) -> Subject:
    data = DATA / "coco128" / "coco128.yaml"
    dataset = resolve_dataset(str(data), cache_dir=load_settings().datasets_dir)
    weights = DATA / "weights" / "yolo11n_from_int8.pt"
    return Subject(GIVEN, _kept(weights, folder / "source", 640), dataset, data, "val")


def drawn(name: str, folder: Path, trainings: Trainings) -> Subject:
    """Train 'demo' or an architecture from scratch, or take what `folder` keeps of it."""
    dataset = resolve_dataset(trainings.data, cache_dir=load_settings().datasets_dir)
    place = folder / "source"
    if not (place / SPEC_FILE).exists():
        scenario = _scenario_of(name, trainings)
        weights = _trained(scenario, folder / "training")
        _kept(weights, place, scenario.model.input_size, scenario.task.classes)
    return Subject(name, DetectorPackage.load(place), dataset, dataset.data_yaml, "test")


def _kept(weights: Path, place: Path, side: int, classes: Any = None) -> DetectorPackage:
    if (place / SPEC_FILE).exists():
        return DetectorPackage.load(place)
    return package_from_weights(weights, place, input_size=side, class_names=classes)


def _scenario_of(name: str, trainings: Trainings) -> Scenario:
    demo = load_scenario(PROJECT_ROOT / "configs/scenarios/demo.yaml").as_type("train")
    epochs = trainings.epochs or (demo.training.epochs if name == DEMO else 12)
    model = {} if name == DEMO else {"architecture": name}
    return demo.model_copy(
        update={
            "model": demo.model.model_copy(update=model),
            "dataset": demo.dataset.model_copy(update={"path": trainings.data}),
            "training": demo.training.model_copy(update={"epochs": epochs}),
        }
    )


def _trained(scenario: Scenario, folder: Path) -> Path:
    """The best checkpoint of a training; takes minutes."""
    settings = load_settings()
    folder.mkdir(parents=True, exist_ok=True)
    ports = connect(f"sqlite:///{folder / 'mlflow.db'}")
    planner = Planner(scenario, settings, RunOptions(force=True), ports.store.tracking_uri)
    context = StageContext(planner.train(), scenario, settings, ports, EventSink(None), folder)
    stage = TrainStage(context)
    stage.prepare()
    (folder / "weights").mkdir(exist_ok=True)
    began = time.monotonic()
    with contextlib.redirect_stdout(sys.stderr):
        trainer = stage.build_trainer(folder / "weights", lambda _epoch, _metrics: None)
        trainer.train()
    print(f"{scenario.model.architecture}: trained {scenario.training.epochs} epochs in "
          f"{time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    return Path(trainer.get_best_model_path())
