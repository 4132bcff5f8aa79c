"""Evaluates a detector on a split: one evaluator for every format, for infer, quant, release."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import DatasetError, ScenarioError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import DetectionMetrics
from guardianflow.contracts.results import Detections, LabelledImage, LocalDataset

from ..stage.stage import StageContext

if TYPE_CHECKING:
    from guardianflow.detector import Detector


@dataclass(frozen=True)
class Evaluated:
    """One detector's predictions on a split's images, and what they are worth."""

    images: list[LabelledImage]
    class_names: Sequence[str]
    predictions: list[Detections]
    metrics: DetectionMetrics


def require_split(dataset: LocalDataset, split: str) -> str:
    """Raises ScenarioError where the data set has no such split."""
    if split not in dataset.splits:
        raise ScenarioError(
            f"split '{split}' is not in {dataset.name}, which has {sorted(dataset.splits)}; "
            f"set dataset.split"
        )
    return split


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

    predictions = collect_predictions(detector, images, progress=_progress(context, label))
    metrics = evaluate_detections(
        predictions,
        images,
        detector.class_names,
        conf_threshold=context.scenario.benchmark.conf_threshold,
    )
    return Evaluated(images, detector.class_names, predictions, metrics)


def accuracy_intervals(context: StageContext, judged: Evaluated, label: str) -> dict[str, Estimate]:
    """One detector's accuracy with intervals; no key where images are too few."""
    from guardianflow.evaluation.accuracy.significance import bootstrap_metrics

    return bootstrap_metrics(
        judged.predictions,
        judged.images,
        judged.class_names,
        conf_threshold=judged.metrics.conf_threshold,
        progress=_progress(context, label),
    )


def accuracy_differences(
    context: StageContext, before: Evaluated, after: Evaluated, label: str = ""
) -> dict[str, Estimate]:
    """After − before with intervals, on the same images; no key where images are too few.

    Args:
        label: of the progress that is told; '' tells none.
    """
    from guardianflow.evaluation.accuracy.significance import bootstrap_differences

    return bootstrap_differences(
        before.predictions,
        after.predictions,
        after.images,
        after.class_names,
        conf_threshold=after.metrics.conf_threshold,
        progress=_progress(context, label) if label else None,
    )


def save_judged(judged: Evaluated, name: str, folder: Path) -> None:
    """`results/predictions_{name}.npz`."""
    from guardianflow.evaluation.accuracy.detection import save_predictions

    path = folder / "results" / f"predictions_{name}.npz"
    save_predictions(path, judged.predictions, judged.images)


def draw_misses(judged: Evaluated, path: Path) -> Path:
    """The images where the detector does worst."""
    from guardianflow.evaluation.pictures.contact_sheet import detections_contact_sheet

    return detections_contact_sheet(
        judged.images,
        judged.predictions,
        judged.class_names,
        path,
        conf_threshold=judged.metrics.conf_threshold,
    )


def _progress(context: StageContext, label: str) -> Callable[[int, int], None]:
    return partial(context.events.progress, note=label)
