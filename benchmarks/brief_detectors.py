"""Detectors trained for a few minutes on the drawn demo scenes, to see how each architecture bears
INT8: heads with and without distribution focal loss, with and without non-maximum suppression.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from guardianflow.backends.catalogue import get_backend
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.measurements import DetectionMetrics
from guardianflow.contracts.results import DetectorPackage, ExportRequest, LabelledImage
from guardianflow.detector import Detector
from guardianflow.evaluation.accuracy.detection import collect_predictions, evaluate_detections
from guardianflow.evaluation.images.preprocessing import LetterboxedImages
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.sampling import sample_calibration_images
from pipelines.settings import PROJECT_ROOT, load_settings
from pipelines.stage.events import EventSink
from pipelines.stage.plan import Planner, RunOptions
from pipelines.stage.stage import StageContext
from pipelines.train.stage import TrainStage
from pipelines.wiring import connect
from scenario import Scenario, load_scenario

BRIEF_EPOCHS = 12
BACKENDS = ("openvino", "onnx")
CALIBRATION_IMAGES = 64


@dataclass(frozen=True)
class Kept:
    """How much of a detector's accuracy INT8 keeps.

    Args:
        before, after: of float32 and of INT8, on the demo's test split.
    """

    detector: str
    backend: str
    before: DetectionMetrics
    after: DetectionMetrics

    @property
    def share(self) -> float:
        return self.after.mAP50_95 / self.before.mAP50_95 if self.before.mAP50_95 else 0.0

    def __str__(self) -> str:
        return (
            f"{self.detector} on {self.backend}: mAP50 {self.before.mAP50:.3f} → "
            f"{self.after.mAP50:.3f}, mAP50-95 {self.before.mAP50_95:.3f} → "
            f"{self.after.mAP50_95:.3f} ({self.share:.1%} kept)"
        )


def scenario_of(detector: str, epochs: int | None) -> Scenario:
    """The demo's scenario for 'demo', else for that architecture and fewer epochs."""
    scenario = load_scenario(PROJECT_ROOT / "configs/scenarios/demo.yaml")
    if detector != "demo":
        model = scenario.model.model_copy(update={"architecture": detector})
        epochs = epochs or BRIEF_EPOCHS
        scenario = scenario.model_copy(update={"model": model})
    training = scenario.training.model_copy(update={"epochs": epochs or scenario.training.epochs})
    return scenario.model_copy(update={"training": training})


def trained(detector: str, folder: Path, epochs: int | None = None) -> DetectorPackage:
    """Train 'demo' or an architecture from scratch; takes minutes."""
    scenario = scenario_of(detector, epochs).as_type("train")
    settings = load_settings()
    folder.mkdir(parents=True)
    ports = connect(f"sqlite:///{folder / 'mlflow.db'}")
    planner = Planner(scenario, settings, RunOptions(force=True), ports.store.tracking_uri)
    context = StageContext(planner.train(), scenario, settings, ports, EventSink(None), folder)
    stage = TrainStage(context)
    stage.prepare()
    (folder / "training").mkdir()
    began = time.monotonic()
    with contextlib.redirect_stdout(sys.stderr):
        trainer = stage.build_trainer(folder / "training", lambda _epoch, _metrics: None)
        trainer.train()
    print(f"{detector}: trained {scenario.training.epochs} epochs in "
          f"{time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    return package_from_weights(
        Path(trainer.get_best_model_path()),
        folder / "package",
        input_size=scenario.model.input_size,
        class_names=scenario.task.classes,
    )


def accuracy(package: DetectorPackage, images: list[LabelledImage]) -> DetectionMetrics:
    with Detector.open(package) as detector:
        predictions = collect_predictions(detector, images)
        return evaluate_detections(predictions, images, detector.class_names)


def kept_by_int8(detector: str, folder: Path, epochs: int | None = None) -> list[Kept]:
    """Train one detector and judge its INT8 of each backend beside the float32 one."""
    source = trained(detector, folder, epochs)
    dataset = resolve_dataset("demo://ppe", cache_dir=load_settings().datasets_dir)
    images = read_labelled_images(dataset, "test")
    paths = sample_calibration_images(dataset, CALIBRATION_IMAGES, seed=0)
    calibration = LetterboxedImages(paths, source.spec.input_size)
    before = accuracy(source, images)
    rows = []
    for backend in BACKENDS:
        made = get_backend(backend).export(
            source, ExportRequest("int8"), folder / f"{backend}_int8", calibration
        )
        rows.append(Kept(detector, backend, before, accuracy(made, images)))
        print(rows[-1], flush=True)
    return rows
