"""Evaluates a detector on a split: one evaluator for every format, for infer, quant, release."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import DetectionMetrics
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.results import Detections, LabelledImage, LocalDataset
from guardianflow.support.text.spelling import nfc

from ..stage.stage import StageContext

if TYPE_CHECKING:
    from guardianflow.detector import Detector
    from guardianflow.evaluation.accuracy.average_precision import Int64

CONFIDENCE = 0.95
RESAMPLES = 1000
# Draws beyond an interval's bounds, so that these are not the chance of a few.
DRAWS_BEYOND = 50


@dataclass(frozen=True)
class Evaluated:
    """One detector's predictions on a split's images, and what they are worth."""

    images: list[LabelledImage]
    class_names: Sequence[str]
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
    from guardianflow.evaluation.accuracy.detection import collect_predictions

    predictions = collect_predictions(detector, images, progress=told_by(context, label))
    return judge(context, predictions, images, detector.class_names)


def judge(
    context: StageContext,
    predictions: list[Detections],
    images: list[LabelledImage],
    class_names: Sequence[str],
) -> Evaluated:
    """Score what was found in a split's images, whoever found it."""
    from guardianflow.evaluation.accuracy.detection import evaluate_detections

    threshold = context.scenario.benchmark.conf_threshold
    names = tuple(map(nfc, class_names))  # an older package may have them decomposed
    metrics = evaluate_detections(predictions, images, names, conf_threshold=threshold)
    return Evaluated(images, names, predictions, metrics)


def accuracy_intervals(
    context: StageContext,
    judged: Evaluated,
    basis: EvidenceBasis,
    label: str,
    confidence: float = CONFIDENCE,
) -> dict[str, Estimate]:
    """One detector's accuracy with intervals; no key where images or groups are too few.

    Args:
        basis: what counts as one piece of evidence.
        label: of the progress that is told.
    """
    from guardianflow.evaluation.accuracy.significance import bootstrap_metrics

    return bootstrap_metrics(
        judged.predictions,
        judged.images,
        judged.class_names,
        conf_threshold=judged.metrics.conf_threshold,
        resamples=resamples_for(confidence),
        confidence=confidence,
        groups=_groups(basis),
        progress=told_by(context, label),
    )


def accuracy_differences(
    context: StageContext,
    before: Evaluated,
    after: Evaluated,
    basis: EvidenceBasis,
    label: str = "",
    confidence: float = CONFIDENCE,
) -> dict[str, Estimate]:
    """After − before with intervals, on the same images; no key where they are too few.

    Args:
        basis: what counts as one piece of evidence.
        label: of the progress that is told; '' tells none.
    """
    from guardianflow.evaluation.accuracy.significance import bootstrap_differences

    return bootstrap_differences(
        before.predictions,
        after.predictions,
        after.images,
        after.class_names,
        conf_threshold=after.metrics.conf_threshold,
        resamples=resamples_for(confidence),
        confidence=confidence,
        groups=_groups(basis),
        progress=told_by(context, label) if label else None,
    )


def _groups(basis: EvidenceBasis) -> Int64 | None:
    from guardianflow.evaluation.accuracy.groups import group_ids

    return group_ids(basis.names) if basis.names else None


def resamples_for(confidence: float) -> int:
    """Draws that a bootstrap takes: more, the further out its bounds lie."""
    return max(RESAMPLES, math.ceil(DRAWS_BEYOND / (1 - confidence) - 1e-9))


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


def told_by(context: StageContext, label: str) -> Callable[[int, int], None]:
    """Progress of a stage under this label."""
    return partial(context.events.progress, note=label)
