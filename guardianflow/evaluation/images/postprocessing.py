"""From a network's raw output to Detections, one way for every backend. Numpy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.results import Detections

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...contracts.ports import RawOutput
    from ...contracts.results import FloatArray, IntArray
    from .preprocessing import Letterbox

MAX_DETECTIONS = 300
# Boxes beyond this many, lowest scores first, never reach NMS: its cost must stay bounded.
MAX_CANDIDATES = 30_000
# NMS compares this many boxes with each other at once: few numpy calls, and small matrices.
NMS_BLOCK = 128
# Sigmoids computed in 8 or 16 bits may pass 1 by a rounding step; logits pass it by far.
SCORE_TOLERANCE = 0.01


def decode(
    raw_one: RawOutput,
    output: str,
    *,
    letterbox: Letterbox,
    confidence: float,
    iou: float,
    multi_label: bool = False,
    classes: int | None = None,
) -> Detections:
    """Read one image's raw output.

    A detection is kept when its score is at least `confidence`. 'grid' outputs then pass greedy
    non-maximum suppression within each class: a box goes when its IoU with a better one of its
    class is above `iou`. 'end_to_end' outputs have none to suppress. A box of negative width or
    height, which heads that regress distances freely can give, encloses nothing: it is kept,
    without area, as the false alarm that it is. The best MAX_DETECTIONS are kept.

    Args:
        raw_one: float32, (4+classes)×anchors for 'grid' (rows: centre x, centre y, width, height
            in network pixels, then one score in 0…1 for each class) or K×6 for 'end_to_end'
            (x1, y1, x2, y2 in network pixels, score, class id).
        output: 'grid' or 'end_to_end'.
        letterbox: how the image was fitted into the network input.
        confidence, iou: thresholds, 0…1.
        multi_label: a 'grid' box counts for every class above `confidence` (how COCO's mAP is
            usually taken), not only for its best class (how a detector is deployed).
        classes: how many there must be; None takes what the output has.

    Returns:
        Best score first; equal scores keep the output's order.

    Raises:
        EvaluationError: an unknown `output`, a shape that does not fit it, NaN or infinity, a
            score outside 0…1 or a class id that does not exist. Dropping such boxes would turn a
            broken model into a slightly worse one.
    """
    if output == "grid":
        boxes, scores, class_ids = _read_grid(raw_one, confidence, multi_label, classes)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
        if len(scores) > MAX_CANDIDATES:
            best = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
            boxes, scores, class_ids = boxes[best], scores[best], class_ids[best]
        keep = suppress(boxes, scores, class_ids, iou, MAX_DETECTIONS)
    elif output == "end_to_end":
        boxes, scores, class_ids = _read_end_to_end(raw_one, confidence, classes)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
        keep = np.argsort(-scores, kind="stable")[:MAX_DETECTIONS]
    else:
        raise EvaluationError(f"output must be 'grid' or 'end_to_end' but is {output!r}")
    return Detections(
        boxes_xyxy=letterbox.to_image(boxes[keep]),
        scores=np.clip(scores[keep], np.float32(0), np.float32(1)),
        class_ids=class_ids[keep],
    )


def suppress(
    boxes_xyxy: FloatArray,
    scores: FloatArray,
    class_ids: IntArray,
    iou: float,
    max_detections: int,
) -> IntArray:
    """Greedy non-maximum suppression within each class.

    Args:
        boxes_xyxy: float32, K×4.
        scores: float32, K.
        class_ids: int64, K.
        iou: a box goes when its IoU with a kept, better one of its class is above this.
        max_detections: stop when this many are kept.

    Returns:
        int64, indices of the kept boxes, best score first.
    """
    order: IntArray = np.argsort(-scores, kind="stable")
    boxes, groups = boxes_xyxy[order], class_ids[order]
    kept: list[int] = []
    for start in range(0, len(order), NMS_BLOCK):
        block = np.arange(start, min(start + NMS_BLOCK, len(order)))
        if kept:
            beaten = _overlap(boxes[kept], groups[kept], boxes[block], groups[block], iou)
            block = block[~beaten.any(axis=0)]
        beats = _overlap(boxes[block], groups[block], boxes[block], groups[block], iou)
        dead = np.zeros(len(block), dtype=bool)
        for index, candidate in enumerate(block.tolist()):
            if dead[index]:
                continue
            kept.append(candidate)
            if len(kept) == max_detections:
                return order[kept]
            dead |= beats[index]
    return order[kept]


def _overlap(
    better: FloatArray,
    better_groups: IntArray,
    worse: FloatArray,
    worse_groups: IntArray,
    iou: float,
) -> npt.NDArray[np.bool_]:
    """Whether each worse box (column) overlaps each better one (row) of its class by IoU > iou."""
    left, top, right, bottom = better.T[:, :, None]
    other_left, other_top, other_right, other_bottom = worse.T
    width = np.minimum(right, other_right) - np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    area = (right - left) * (bottom - top)
    other_area = (other_right - other_left) * (other_bottom - other_top)
    # IoU > t without the division, which two boxes without area could not survive.
    overlaps: npt.NDArray[np.bool_] = shared > iou * (area + other_area - shared)
    overlaps &= better_groups[:, None] == worse_groups
    return overlaps


def _read_grid(
    raw: RawOutput, confidence: float, multi_label: bool, classes: int | None
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Candidates of a (4+classes)×anchors output: boxes xyxy, scores, class ids."""
    rows = "at least 5" if classes is None else str(4 + classes)
    fits = raw.ndim == 2 and (raw.shape[0] >= 5 if classes is None else raw.shape[0] == 4 + classes)
    if not fits:
        raise EvaluationError(
            f"a 'grid' output must have shape (4+classes)×anchors with {rows} rows but has shape "
            f"{raw.shape}; was the package made with the right class names and output kind?"
        )
    best = raw[4:].max(axis=0)  # NaN wins a maximum, so none can hide
    _check_scores(best)
    anchors = np.flatnonzero(best >= confidence)
    scores = raw[4:, anchors].T
    if multi_label:
        chosen, class_ids = np.nonzero(scores >= confidence)
    else:
        chosen = np.arange(len(anchors))
        class_ids = scores.argmax(axis=1)
    centres, halves = raw[:2, anchors], raw[2:4, anchors] / 2
    boxes = np.ascontiguousarray(np.concatenate([centres - halves, centres + halves]).T)
    _check_boxes(boxes)
    return boxes[chosen], scores[chosen, class_ids], class_ids.astype(np.int64)


def _read_end_to_end(
    raw: RawOutput, confidence: float, classes: int | None
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Candidates of a K×6 output: boxes xyxy, scores, class ids."""
    if raw.ndim != 2 or raw.shape[1] != 6:
        raise EvaluationError(
            "an 'end_to_end' output must have shape K×6 (x1, y1, x2, y2, score, class) but has "
            f"shape {raw.shape}; a head that needs NMS is of the 'grid' kind"
        )
    _check_scores(raw[:, 4])
    found = raw[raw[:, 4] >= confidence]
    _check_boxes(found[:, :4])
    numbers = found[:, 5]
    highest = np.inf if classes is None else classes - 1
    if not ((numbers >= 0) & (numbers <= highest) & (numbers == np.round(numbers))).all():
        raise EvaluationError(
            f"class ids must be whole numbers in 0…{highest} but the output has "
            f"{sorted(set(numbers.tolist()))[:5]}"
        )
    return found[:, :4], found[:, 4], numbers.astype(np.int64)


def _check_scores(scores: npt.NDArray[np.float32]) -> None:
    low, high = (scores.min(), scores.max()) if len(scores) else (0.0, 0.0)
    if not (low >= -SCORE_TOLERANCE and high <= 1 + SCORE_TOLERANCE):  # NaN fails both
        raise EvaluationError(
            f"scores must lie in 0…1 but reach from {low:g} to {high:g}; the model is broken on "
            "this machine, or its export leaves out the sigmoid"
        )


def _check_boxes(boxes: FloatArray) -> None:
    if not np.isfinite(boxes).all():
        raise EvaluationError(
            "boxes must be finite but the output has NaN or infinity in them; the model is broken "
            "at this precision or on this machine"
        )
