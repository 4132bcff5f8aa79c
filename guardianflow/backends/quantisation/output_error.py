"""Measures how far a quantised network's raw output is from the float one's.

No labels and no matching of boxes to objects: cheap enough to be asked once for each group of
layers. It ranks; whether a model is good enough is for mAP on held-out images to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...contracts.errors import EvaluationError

if TYPE_CHECKING:
    from ...contracts.ports import RawOutput

Float64 = npt.NDArray[np.float64]

# Enough to hold every object of a picture, few enough that background does not drown them.
ANCHORS = 100
WHOLLY_WRONG = 1.0


def output_error(reference: RawOutput, output: RawOutput, form: str) -> float:
    """Mean change of scores plus mean (1 - IoU) of boxes, over each image's best anchors.

    The best anchors are the 100 of the highest class score in the reference. For 'grid' outputs
    the same anchor is compared in both, and its score's change is the largest over all classes,
    so that a wrong class that rises counts too. End-to-end outputs have no anchors: their rows
    are put in the order of scores, scores are compared place by place, and each of the
    reference's boxes with the box of the output that fits it best. A number that is not finite
    counts as wholly wrong.

    Args:
        reference, output: float32, N×(4+classes)×anchors with boxes as centre and size ('grid'),
            or N×K×6 with x1, y1, x2, y2, score, class ('end_to_end').
        form: which of the two, as DetectorSpec.output says.

    Returns:
        0 for equal outputs; at most about 2.

    Raises:
        EvaluationError: shapes that differ, no image, or a reference that is not finite.
    """
    if reference.shape != output.shape or reference.ndim != 3 or 0 in reference.shape:
        raise EvaluationError(
            "both outputs must have one shape, N×rows×columns with N of 1 or more, but got "
            f"{'×'.join(map(str, reference.shape))} and {'×'.join(map(str, output.shape))}"
        )
    if not np.isfinite(reference).all():
        raise EvaluationError(
            "the float network's output must be finite but holds NaN or infinity; train or export "
            "the detector anew before it is quantised"
        )
    of_image = _error_of_grid if form == "grid" else _error_of_rows
    pairs = zip(reference.astype(np.float64), output.astype(np.float64), strict=True)
    return float(np.mean([of_image(*pair) for pair in pairs]))


def _error_of_grid(reference: Float64, output: Float64) -> float:
    best = np.argsort(-reference[4:].max(axis=0), kind="stable")[:ANCHORS]
    reference, output = reference[:, best], output[:, best]
    changes = _or_wrong(np.abs(output[4:] - reference[4:])).max(axis=0)
    overlap = overlaps(_corners(reference[:4].T), _corners(output[:4].T))
    return float(changes.mean() + 1 - overlap.mean())


def _error_of_rows(reference: Float64, output: Float64) -> float:
    reference, output = _by_score(reference)[:ANCHORS], _by_score(output)
    changes = _or_wrong(np.abs(output[: len(reference), 4] - reference[:, 4]))
    pairs = overlaps(reference[:, None, :4], output[None, :, :4])
    return float(changes.mean() + 1 - pairs.max(axis=1).mean())


def overlaps(first: Float64, second: Float64) -> Float64:
    """IoU of boxes that broadcast against each other; 0 where a number is not finite.

    Args:
        first, second: …×4, x1, y1, x2, y2. Boxes without area overlap only where they are equal.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        low = np.maximum(first[..., :2], second[..., :2])
        high = np.minimum(first[..., 2:], second[..., 2:])
        shared = np.clip(high - low, 0, None).prod(axis=-1)
        union = _areas(first) + _areas(second) - shared
        equal = np.asarray((first == second).all(axis=-1), np.float64)
        ratio = np.divide(shared, union, out=equal, where=union > 0)
    return np.where(np.isfinite(ratio), np.clip(ratio, 0, 1), 0.0)


def _areas(boxes: Float64) -> Float64:
    areas: Float64 = np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(axis=-1)
    return areas


def _corners(boxes: Float64) -> Float64:
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    with np.errstate(invalid="ignore", over="ignore"):
        return np.concatenate([centre - half, centre + half], axis=1)


def _by_score(rows: Float64) -> Float64:
    # a score that is not finite comes last; argsort would put a NaN there and an infinity first
    scores = np.where(np.isfinite(rows[:, 4]), rows[:, 4], -np.inf)
    return rows[np.argsort(-scores, kind="stable")]


def _or_wrong(changes: Float64) -> Float64:
    return np.where(np.isfinite(changes), changes, WHOLLY_WRONG)
