"""Matching and average precision: the arithmetic of COCO's box evaluation, vectorised.

The rules are those of pycocotools' COCOeval with area 'all', no crowds and no limit on detections
for each image, down to the order of ties and of floating-point operations, so that the numbers
agree. The protocol is described with the COCO data set (Lin et al., "Microsoft COCO: Common
Objects in Context", 2014, and its detection evaluation page).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...contracts.results import Detections, LabelledImage

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

IOU_THRESHOLDS: Float64 = np.linspace(0.5, 0.95, 10)
RECALL_POINTS: Float64 = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """All detections of one class over all images, best score first.

    Args:
        scores: float64, K.
        hits: bool, K×T: whether the detection found a true box at each IoU threshold.
        instances: true boxes of the class.
        image_ids: int64, K: index of the image of each detection.
        true_image_ids: int64, one per true box: index of its image, ascending.
    """

    scores: Float64
    hits: Bool
    instances: int
    image_ids: Int64
    true_image_ids: Int64


def match_all(
    predictions: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_count: int,
    thresholds: Float64 = IOU_THRESHOLDS,
) -> list[ClassMatches]:
    """Match every image's detections with its true boxes, class by class.

    Args:
        predictions: one per image, in the order of `images`.
        thresholds: float64, T ascending IoU thresholds.

    Returns:
        One ClassMatches per class id.
    """
    found = _flatten([(p.boxes_xyxy, p.class_ids, p.scores) for p in predictions])
    truth = _flatten([(i.boxes_xyxy, i.class_ids, np.ones(len(i.class_ids))) for i in images])
    # One key per (class, image), class first: groups are then slices of the sorted arrays. The
    # sort is stable, as pycocotools' is, because ties decide which detection gets a true box.
    keys = found.class_ids * len(images) + found.image_ids
    order = np.lexsort((-found.scores, keys))
    keys, boxes = keys[order], found.boxes_xywh[order]
    true_keys = truth.class_ids * len(images) + truth.image_ids
    true_order = np.argsort(true_keys, kind="stable")
    true_boxes = truth.boxes_xywh[true_order]
    groups: Int64
    groups, starts, counts = np.unique(true_keys[true_order], return_index=True, return_counts=True)
    firsts = np.searchsorted(keys, groups, side="left")
    lasts = np.searchsorted(keys, groups, side="right")
    hits = np.zeros((len(keys), len(thresholds)), dtype=bool)
    for start, count, first, last in zip(starts, counts, firsts, lasts, strict=True):
        if last > first:
            overlaps = iou_matrix(boxes[first:last], true_boxes[start : start + count])
            hits[first:last] = assign(overlaps, thresholds) >= 0
    return _by_class(found, truth, order, hits, class_count)


def assign(overlaps: Float64, thresholds: Float64) -> Int64:
    """Give each detection the free true box it overlaps most, best score first.

    Args:
        overlaps: float64, D×G: IoU of detections (best score first) with true boxes.
        thresholds: float64, T ascending; below its threshold an overlap does not count.

    Returns:
        int64, D×T: index of the true box given to each detection; -1 where it got none.
    """
    given = np.full((len(overlaps), len(thresholds)), -1, dtype=np.int64)
    limits = np.minimum(thresholds, 1 - 1e-10)  # so that an IoU of 1 less a rounding step counts
    near = overlaps >= limits[0]
    columns = np.arange(len(thresholds))
    if overlaps.shape[1] == 1:  # the usual case: the first that overlaps enough gets it
        enough = overlaps >= limits
        winners = enough.argmax(axis=0)
        given[winners[enough.any(axis=0)], columns[enough.any(axis=0)]] = 0
        return given
    free = np.ones((len(thresholds), overlaps.shape[1]), dtype=bool)
    last = overlaps.shape[1] - 1
    for detection in np.flatnonzero(near.any(axis=1)):
        # Among equal overlaps pycocotools takes the last true box: search from the end.
        candidates = np.where(free, overlaps[detection], -1.0)[:, ::-1]
        best = last - candidates.argmax(axis=1)
        enough = candidates.max(axis=1) >= limits
        given[detection, enough] = best[enough]
        free[columns[enough], best[enough]] = False
    return given


def iou_matrix(boxes_xywh: Float64, other_xywh: Float64) -> Float64:
    """Intersection over union of each box with each other one.

    Args:
        boxes_xywh, other_xywh: float64, D×4 and G×4: x1, y1, width, height.

    Returns:
        float64, D×G; 0 where nothing is shared, also between boxes without area.
    """
    x, y, width, height = boxes_xywh.T[:, :, None]
    other_x, other_y, other_width, other_height = other_xywh.T
    shared_width = np.minimum(width + x, other_width + other_x) - np.maximum(x, other_x)
    shared_height = np.minimum(height + y, other_height + other_y) - np.maximum(y, other_y)
    shared = np.maximum(shared_width, 0) * np.maximum(shared_height, 0)
    union = width * height + other_width * other_height - shared
    result: Float64 = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return result


def to_xywh(boxes_xyxy: npt.NDArray[np.floating]) -> Float64:
    """Corners → x1, y1, width, height, in float64."""
    boxes = boxes_xyxy.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return boxes


def precision_at_recalls(matches: ClassMatches) -> Float64:
    """Interpolated precision at recall 0, 0.01 … 1.

    The precision at a recall is the highest at that recall or a higher one; 0 where the recall is
    never reached. Its mean over the 101 points is the average precision.

    Args:
        matches: of a class with at least one true box.

    Returns:
        float64, T×101.
    """
    true_positives = matches.hits.cumsum(axis=0, dtype=np.float64)
    found = np.arange(1, len(matches.scores) + 1, dtype=np.float64)[:, None]
    precision = true_positives / (found + np.spacing(1.0))
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    recall = true_positives / matches.instances
    result = np.zeros((matches.hits.shape[1], len(RECALL_POINTS)))
    for threshold in range(len(result)):
        at = np.searchsorted(recall[:, threshold], RECALL_POINTS, side="left")
        reached = at < len(envelope)
        result[threshold, reached] = envelope[at[reached], threshold]
    return result


@dataclass(frozen=True, eq=False)
class _Flat:
    """Boxes of all images in one row: image order, then the order within the image."""

    image_ids: Int64
    class_ids: Int64
    scores: Float64
    boxes_xywh: Float64


def _flatten(
    parts: Sequence[tuple[npt.NDArray[np.float32], Int64, npt.NDArray[np.floating]]],
) -> _Flat:
    return _Flat(
        image_ids=np.repeat(np.arange(len(parts)), [len(part[1]) for part in parts]),
        class_ids=np.concatenate([np.zeros(0, np.int64), *(part[1] for part in parts)]),
        scores=np.concatenate([np.zeros(0), *(part[2] for part in parts)]),
        boxes_xywh=to_xywh(np.concatenate([np.zeros((0, 4)), *(part[0] for part in parts)])),
    )


def _by_class(
    found: _Flat, truth: _Flat, order: Int64, hits: Bool, class_count: int
) -> list[ClassMatches]:
    """Cut the rows sorted by (class, image, score) into classes and sort each by score."""
    class_ids, scores = found.class_ids[order], found.scores[order]
    image_ids = found.image_ids[order]
    edges = np.searchsorted(class_ids, np.arange(class_count + 1))
    result: list[ClassMatches] = []
    for class_id in range(class_count):
        rows = slice(edges[class_id], edges[class_id + 1])
        best_first = np.argsort(-scores[rows], kind="stable")
        true_image_ids = truth.image_ids[truth.class_ids == class_id]
        result.append(
            ClassMatches(
                scores=scores[rows][best_first],
                hits=hits[rows][best_first],
                instances=len(true_image_ids),
                image_ids=image_ids[rows][best_first],
                true_image_ids=true_image_ids,
            )
        )
    return result
