"""Intervals of accuracy with groups of images, such as recordings, as the independent units.

    group_ids         a name for each image → a number for each image
    group_sums        a value for each image → a sum for each group
    group_intervals   every metric's interval, from its values without one group each

few_groups.py has the arithmetic and says where it is from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...contracts.estimates import MINIMUM_GROUPS, MINIMUM_IMAGES, Estimate
from .average_precision import RECALL_POINTS, ClassMatches, Float64, Int64
from .few_groups import (
    ROUNDING,
    difference_interval,
    effective_groups,
    jackknife_error,
    most_groups_bound,
    share_interval,
)
from .rare_changes import counts_by_unit, unseen_recall_changes
from .resampling import leave_each_out

MEANS = ("mAP50", "mAP50_95", "recall")
# Above so many groups several are left out together: more values tell no more about their spread.
MOST_LEFT_OUT = 1000


def group_ids(names: Sequence[str]) -> Int64:
    """Number groups in the order in which they first come.

    Args:
        names: of the group of each image.

    Returns:
        int64, one for each image.
    """
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def group_sums(groups: Int64, values: Sequence[float]) -> Float64:
    """float64, one for each group: the sum of the values of its images, or recordings."""
    return np.bincount(groups, values).astype(np.float64)


def group_intervals(
    models: Sequence[Sequence[ClassMatches]],
    names: Sequence[str],
    values: Mapping[str, float],
    groups: Int64,
    *,
    conf_threshold: float,
    confidence: float,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Estimate]:
    """The interval of each metric, or of its difference between two models.

    Args:
        models: one or two; for each the matches of each class, all classes with truth, same truth.
        names: of these classes.
        values: key → what the metric is: of the one model, or of the second less the first.
        groups: int64, one for each image; any numbers.
        conf_threshold: the deployed confidence, for recall.
        confidence: of the intervals.
        progress: called with (groups done, groups in all).

    Returns:
        Keys as in significance.bootstrap_metrics. A key is absent where fewer than MINIMUM_GROUPS
        groups or MINIMUM_IMAGES images hold a true box (of the class; of any class for the means).
    """
    groups = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    left_out_groups = _bundled(groups)
    drawn = [
        each.by_key(names)
        for each in leave_each_out(
            models, left_out_groups, conf_threshold=conf_threshold, progress=progress
        )
    ]
    counts = counts_by_unit(models, groups, conf_threshold)
    unseen = unseen_recall_changes(names, counts, confidence, minimum=MINIMUM_GROUPS)
    if len(models) == 1:
        # Boxes that a kind of group would lose are lost to average precision as well.
        unseen |= {f"ap50.{name}": unseen[f"recall.{name}"] for name in names}
        unseen |= {"mAP50": unseen["recall"]} if "recall" in unseen else {}
    sizes = sizes_by_key(counts_by_unit(models, left_out_groups, conf_threshold).truth, names)
    holding = sizes_by_key(counts.truth, names)
    images = sizes_by_key(
        counts_by_unit(models, np.arange(len(groups)), conf_threshold).truth, names
    )
    rounded = _rounded(names, models[0][0].hits.shape[1])
    interval = share_interval if len(models) == 1 else difference_interval
    estimates = {}
    for key in drawn[0]:
        held = int(np.count_nonzero(holding[key]))
        if held < MINIMUM_GROUPS or np.count_nonzero(images[key]) < MINIMUM_IMAGES:
            continue
        value, size = values[key], sizes[key]
        judged = drawn[0][key] if len(drawn) == 1 else drawn[1][key] - drawn[0][key]
        whole, left_out = float(judged[0]), judged[1:]
        speaks = (size > 0) | (np.abs(left_out - whole) > ROUNDING)
        error = jackknife_error(whole, left_out[speaks])
        if error > ROUNDING and key in rounded:
            error = math.sqrt(error**2 + len(models) * rounded[key])
        low, high = interval(value, error, effective_groups(size[size > 0]), confidence)
        below, above = unseen.get(key, (0.0, 0.0))
        if len(models) == 2 and error <= ROUNDING:
            # Where no group tells the two apart, others may.
            below = above = most_groups_bound(0, held, confidence)
        lowest = 0.0 if len(models) == 1 else -1.0
        low, high = min(low, value - below), max(high, value + above)
        estimates[key] = Estimate(value, max(lowest, low), min(1.0, high))
    return estimates


def _bundled(groups: Int64) -> Int64:
    """As many groups as are left out; the largest ones go to different bundles."""
    counts = np.bincount(groups)
    if len(counts) <= MOST_LEFT_OUT:
        return groups
    place = np.empty(len(counts), dtype=np.int64)
    place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return place[groups] % MOST_LEFT_OUT


def _rounded(names: Sequence[str], thresholds: int) -> dict[str, float]:
    """Key → variance of what COCO's 101 points round, which areas under the curve don't have.

    They round the recall that a curve ends at: by up to half a point to either side, alike often,
    for each class and IoU threshold by itself. 0.003 at most: it is seen in differences alone.
    """
    one = 1 / (12 * len(RECALL_POINTS) ** 2)
    rounded = {"mAP50": one / len(names), "mAP50_95": one / len(names) / thresholds}
    for name in names:
        rounded |= {f"ap50.{name}": one, f"ap.{name}": one / thresholds}
    return rounded


def sizes_by_key(truth: Int64, names: Sequence[str]) -> dict[str, Float64]:
    """Key → how much of what it is about each unit holds; for a mean, the classes' mean share.

    Args:
        truth: classes×units, true boxes.
    """
    shares = truth / truth.sum(axis=1, keepdims=True)
    sizes: dict[str, Float64] = dict.fromkeys(MEANS, shares.mean(axis=0))
    for name, share in zip(names, shares, strict=True):
        sizes |= dict.fromkeys((f"ap.{name}", f"ap50.{name}", f"recall.{name}"), share)
    return sizes
