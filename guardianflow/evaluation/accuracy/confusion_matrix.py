"""Counts which class is taken for which, for every true box and every detection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...contracts.results import Detections, LabelledImage
from .detection import check_judgeable
from .matching import IOU_THRESHOLDS, Int64, assign, iou_matrix, to_xywh


def confusion_matrix(
    predictions: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    *,
    conf_threshold: float = 0.25,
) -> Int64:
    """Count what each true box was taken for, and what each detection lay on.

    In each image detections with at least the deployed confidence are taken from the best score
    down, whatever their class; each gets the free true box of any class that it overlaps most, if
    the IoU reaches 0.5. A box reported for several classes counts for its best score alone, as a
    deployed detector shows it. So a class's diagonal can differ from its recall, where only boxes
    of the same class are matched.

    Args:
        predictions: one per image, in the order of `images`.
        images: at least one, with at least one true box among them.
        class_names: index = class id.
        conf_threshold: the deployed confidence.

    Returns:
        int64, (C+1)×(C+1). Row: the true class; column: the class reported. The last column counts
        missed boxes, the last row false alarms; their corner is 0, for nobody counts what is not
        there and was not reported.

    Raises:
        EvaluationError: as evaluate_detections.
    """
    check_judgeable(predictions, images, class_names)
    classes = len(class_names)
    matrix = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    for found, image in zip(predictions, images, strict=True):
        kept = _shown(found, conf_threshold)
        overlaps = iou_matrix(to_xywh(found.boxes_xyxy[kept]), to_xywh(image.boxes_xyxy))
        given = np.full(len(kept), -1, dtype=np.int64)
        if overlaps.size:
            given = assign(overlaps, IOU_THRESHOLDS[:1])[:, 0]
        lies_on = np.append(image.class_ids, classes)[given]  # -1, no true box: background
        np.add.at(matrix, (lies_on, found.class_ids[kept]), 1)
        missed = np.delete(image.class_ids, given[given >= 0])
        matrix[:, classes] += np.bincount(missed, minlength=classes + 1)
    return matrix


def _shown(found: Detections, conf_threshold: float) -> Int64:
    """Rows with at least the deployed confidence, best first, no box twice."""
    order = np.argsort(-found.scores, kind="stable")
    order = order[found.scores[order] >= np.float32(conf_threshold)]
    _, first = np.unique(found.boxes_xyxy[order], axis=0, return_index=True)
    kept: Int64 = order[np.sort(first)]
    return kept
