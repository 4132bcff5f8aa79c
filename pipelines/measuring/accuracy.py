"""Evaluates a detector on a split: one evaluator for every format, for infer, quant, release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import DetectionMetrics
from guardianflow.contracts.results import Detections, LabelledImage, LocalDataset

from ..stage.stage import StageContext

if TYPE_CHECKING:
    from guardianflow.detector import Detector


@dataclass(frozen=True)
class Evaluated:
    """One detector's predictions on a split, and what they are worth."""

    predictions: list[Detections]
    metrics: DetectionMetrics


def read_split(dataset: LocalDataset, split: str) -> list[LabelledImage]:
    """The images and truth of a split; an empty one can't be judged on."""
    from guardianflow.site_data.datasets import read_labelled_images

    images = read_labelled_images(dataset, split)
    if not any(len(image.class_ids) for image in images):
        raise DatasetError(
            f"split '{split}' of {dataset.name} has {len(images)} images and no labelled object, "
            f"so nothing can be judged on it"
        )
    return images


def evaluate_split(
    context: StageContext, detector: Detector, images: list[LabelledImage], label: str
) -> Evaluated:
    """Predict once per image and score it; progress is told."""
    from guardianflow.evaluation.accuracy.detection import collect_predictions, evaluate_detections

    def progress(done: int, total: int) -> None:
        context.events.progress(done, total, label)

    predictions = collect_predictions(detector, images, progress=progress)
    metrics = evaluate_detections(
        predictions,
        images,
        detector.class_names,
        conf_threshold=context.scenario.benchmark.conf_threshold,
    )
    return Evaluated(predictions, metrics)


def accuracy_differences(
    context: StageContext,
    before: Evaluated,
    after: Evaluated,
    images: list[LabelledImage],
    class_names: Sequence[str],
    label: str = "",
) -> dict[str, Estimate]:
    """After − before with intervals, on the same images; no key where images are too few.

    Args:
        label: of the progress that is told; '' tells none.
    """
    from guardianflow.evaluation.accuracy.significance import bootstrap_differences

    def progress(done: int, total: int) -> None:
        context.events.progress(done, total, label)

    return bootstrap_differences(
        before.predictions,
        after.predictions,
        images,
        class_names,
        conf_threshold=after.metrics.conf_threshold,
        progress=progress if label else None,
    )


def save_judged(judged: Evaluated, images: list[LabelledImage], name: str, folder: Path) -> None:
    """`results/predictions_{name}` and the pictures that belong to it."""
    from guardianflow.evaluation.accuracy.detection import save_predictions

    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    save_predictions(results / f"predictions_{name}.npz", judged.predictions, images)
