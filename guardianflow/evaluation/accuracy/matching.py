"""Pairs detections with true boxes, by COCO's rules: which detection found what.

    match_boxes   predictions + images → MatchedBoxes, all images and classes at once
    assign        one image and class: overlaps → the true box that each detection got

A detection that overlaps one true box enough can get no other, so that most are paired without
looking at them one by one. Where one overlaps several, its image and class are a dispute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...contracts.results import Detections, LabelledImage

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]

IOU_THRESHOLDS: Float64 = np.linspace(0.5, 0.95, 10)
PAIRS_AT_ONCE = 1 << 18
"""Overlaps that are worked out at once: what stays near the processor."""


@dataclass(frozen=True, eq=False)
class FlatBoxes:
    """Boxes of all images in one row: image order, then the order within the image.

    A caller may bring them into another order.
    """

    image_ids: Int64
    class_ids: Int64
    scores: Float64
    boxes_xywh: Float64

    def in_order(self, order: Int64) -> FlatBoxes:
        return FlatBoxes(
            self.image_ids[order],
            self.class_ids[order],
            self.scores[order],
            self.boxes_xywh[order],
        )


@dataclass(frozen=True, eq=False)
class Dispute:
    """Detections of one image and class of which one overlaps several true boxes enough.

    Args:
        found, truth: their rows in MatchedBoxes.
        overlaps: float64, D×G: IoU of one with the other.
    """

    found: slice
    truth: slice
    overlaps: Float64


@dataclass(frozen=True, eq=False)
class MatchedBoxes:
    """All detections and true boxes of a split, and which detection got which.

    Args:
        found: by class, then image, then score, best first.
        truth: by class, then image.
        given: int32, D×T: row in `truth` that each detection got at each IoU threshold; −1: none.
        images: of the split.
    """

    found: FlatBoxes
    truth: FlatBoxes
    given: Int32
    thresholds: Float64
    disputes: tuple[Dispute, ...]
    images: int


def match_boxes(
    predictions: Sequence[Detections],
    images: Sequence[LabelledImage],
    thresholds: Float64 = IOU_THRESHOLDS,
) -> MatchedBoxes:
    """Pair each image's detections with its true boxes, class by class.

    Args:
        predictions: one per image, in the order of `images`; checked as evaluate_detections does.
        thresholds: float64, T ascending IoU thresholds.
    """
    found = flatten([(p.boxes_xyxy, p.class_ids, p.scores) for p in predictions])
    truth = flatten([(i.boxes_xyxy, i.class_ids, np.ones(len(i.class_ids))) for i in images])
    # One key per (class, image), class first: groups are then slices of the sorted arrays. The
    # sort is stable, as pycocotools' is, because ties decide which detection gets a true box.
    keys = found.class_ids * len(images) + found.image_ids
    order = np.lexsort((-found.scores, keys))
    found, keys = found.in_order(order), keys[order]
    true_keys = truth.class_ids * len(images) + truth.image_ids
    true_order = np.argsort(true_keys, kind="stable")
    truth, true_keys = truth.in_order(true_order), true_keys[true_order]
    known: Int64
    known, starts, counts = np.unique(true_keys, return_index=True, return_counts=True)
    firsts = np.searchsorted(keys, known, side="left")
    lasts = np.searchsorted(keys, known, side="right")
    groups = np.stack([firsts, lasts, starts, starts + counts], axis=1)[lasts > firsts]
    given = np.full((len(keys), len(thresholds)), -1, dtype=np.int32)
    limits = _limits(thresholds)
    disputes: list[Dispute] = []
    for some in _portions(groups):
        for first, last, start, end in _give_clear(found, truth, some, limits, given):
            rows, true_rows = slice(first, last), slice(start, end)
            overlaps = iou_matrix(found.boxes_xywh[rows], truth.boxes_xywh[true_rows])
            got = assign(overlaps, thresholds)
            given[rows] = np.where(got >= 0, got + start, -1)
            disputes.append(Dispute(rows, true_rows, overlaps))
    return MatchedBoxes(found, truth, given, thresholds, tuple(disputes), len(images))


def _portions(groups: Int64) -> Iterator[Int64]:
    """As many groups at a time as have PAIRS_AT_ONCE pairs; at least one."""
    firsts, lasts, starts, ends = groups.T
    pairs = np.cumsum((lasts - firsts) * (ends - starts))
    at = 0
    while at < len(groups):
        before = int(pairs[at - 1]) if at else 0
        end = max(at + 1, int(np.searchsorted(pairs, before + PAIRS_AT_ONCE, side="right")))
        yield groups[at:end]
        at = end


def _give_clear(
    found: FlatBoxes, truth: FlatBoxes, groups: Int64, limits: Float64, given: Int32
) -> Int64:
    """Where each detection overlaps one true box at most, the first that does so enough gets it.

    Args:
        groups: int64, N×4: of each image and class the rows from and to which its detections are,
            and those of its true boxes.
        given: written to.

    Returns:
        The other groups, as they came.
    """
    firsts, lasts, starts, ends = groups.T
    widths = ends - starts
    sizes = (lasts - firsts) * widths
    group = np.repeat(np.arange(len(groups)), sizes)
    inside = np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = firsts[group] + inside // widths[group]
    true_rows = starts[group] + inside % widths[group]
    overlaps = _iou(found.boxes_xywh[rows], truth.boxes_xywh[true_rows])
    near = np.flatnonzero(overlaps >= limits[0])
    rows, true_rows, overlaps, group = rows[near], true_rows[near], overlaps[near], group[near]
    disputed = np.zeros(len(groups), dtype=bool)
    disputed[group[1:][rows[1:] == rows[:-1]]] = True
    # By true box, best score first: the first of a true box's detections gets it.
    clear = np.flatnonzero(~disputed[group])
    clear = clear[np.argsort(true_rows[clear], kind="stable")]
    rows, true_rows, overlaps = rows[clear], true_rows[clear], overlaps[clear]
    for column, limit in enumerate(limits):
        enough = overlaps >= limit
        mine, theirs = rows[enough], true_rows[enough]
        is_first = np.diff(theirs, prepend=-1) > 0
        given[mine[is_first], column] = theirs[is_first]
    return groups[disputed]


def assign(overlaps: Float64, thresholds: Float64, preferred: Bool | None = None) -> Int64:
    """Give each detection the free true box it overlaps most, best score first.

    Args:
        overlaps: float64, D×G: IoU of detections (best score first) with true boxes.
        thresholds: float64, T ascending; below its threshold an overlap does not count.
        preferred: bool, G: true boxes that go first: another is given only where none of them is
            left. None: all are alike.

    Returns:
        int64, D×T: index of the true box given to each detection; -1 where it got none.
    """
    given = np.full((len(overlaps), len(thresholds)), -1, dtype=np.int64)
    limits = _limits(thresholds)
    near = overlaps >= limits[0]
    columns = np.arange(len(thresholds))
    if overlaps.shape[1] == 1:  # the usual case: the first that overlaps enough gets it
        enough = overlaps >= limits
        winners = enough.argmax(axis=0)
        given[winners[enough.any(axis=0)], columns[enough.any(axis=0)]] = 0
        return given
    free = np.ones((len(thresholds), overlaps.shape[1]), dtype=bool)
    last = overlaps.shape[1] - 1
    sides = (True,) if preferred is None else (preferred, ~preferred)
    for detection in np.flatnonzero(near.any(axis=1)):
        for side in sides:
            # Among equal overlaps pycocotools takes the last true box: search from the end.
            candidates = np.where(free & side, overlaps[detection], -1.0)[:, ::-1]
            best = last - candidates.argmax(axis=1)
            enough = (candidates.max(axis=1) >= limits) & (given[detection] < 0)
            given[detection, enough] = best[enough]
            free[columns[enough], best[enough]] = False
    return given


def _limits(thresholds: Float64) -> Float64:
    """So that an IoU of 1 less a rounding step counts."""
    limits: Float64 = np.minimum(thresholds, 1 - 1e-10)
    return limits


def iou_matrix(boxes_xywh: Float64, other_xywh: Float64) -> Float64:
    """Intersection over union of each box with each other one.

    Args:
        boxes_xywh, other_xywh: float64, D×4 and G×4: x1, y1, width, height.

    Returns:
        float64, D×G; 0 where nothing is shared, also between boxes without area.
    """
    return _iou(boxes_xywh[:, None], other_xywh[None])


def _iou(boxes_xywh: Float64, other_xywh: Float64) -> Float64:
    """Intersection over union of boxes (…×4) with those beside them."""
    x, y, width, height = np.moveaxis(boxes_xywh, -1, 0)
    other_x, other_y, other_width, other_height = np.moveaxis(other_xywh, -1, 0)
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


def flatten(
    parts: Sequence[tuple[npt.NDArray[np.float32], Int64, npt.NDArray[np.floating]]],
) -> FlatBoxes:
    """One row of the boxes of all images.

    Args:
        parts: of each image the boxes (x1, y1, x2, y2), class ids and scores.
    """
    return FlatBoxes(
        image_ids=np.repeat(np.arange(len(parts)), [len(part[1]) for part in parts]),
        class_ids=np.concatenate([np.zeros(0, np.int64), *(part[1] for part in parts)]),
        scores=np.concatenate([np.zeros(0), *(part[2] for part in parts)]),
        boxes_xywh=to_xywh(np.concatenate([np.zeros((0, 4)), *(part[0] for part in parts)])),
    )
