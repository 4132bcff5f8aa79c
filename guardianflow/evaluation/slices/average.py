"""Average precision of a slice, and how far it moves when recordings are left out.

All classes of a slice at once: most have few boxes there, and one by one they would cost more calls
than arithmetic.
"""

from __future__ import annotations

import numpy as np

from ...contracts.estimates import MINIMUM_GROUPS, Estimate
from ..accuracy.average_precision import RECALL_POINTS, Bool, Float64, Int64
from ..accuracy.few_groups import effective_groups, jackknife_error, share_interval

MOST_BLOCKS = 20
"""Units are left out in so many blocks at most: twenty tell how much units differ."""
_SEED = 0


def average_precisions(hits: Bool, counted: Bool, classes: Int64, instances: Int64) -> Float64:
    """Average precision of each class at each IoU threshold, by the rules of precision_at_recalls.

    Precision falls between hits, so that its envelope is known from the hits alone.

    Args:
        hits, counted: bool, D×T, by class, then score, best first: right, and right or wrong;
            others are ignored.
        classes: int64, D: 0…C−1, ascending.
        instances: int64, C: true boxes, at least one.

    Returns:
        float64, C×T.
    """
    needed = _needed(instances)
    starts = np.searchsorted(classes, np.arange(len(instances)))
    result = np.empty((len(instances), hits.shape[1]))
    for threshold in range(hits.shape[1]):
        at = np.flatnonzero(hits[:, threshold])
        of_hit = classes[at]
        sizes = np.bincount(of_hit, minlength=len(instances))
        seen = np.append(0, counted[:, threshold].cumsum())
        ranks = seen[at + 1] - seen[starts][of_hit]
        right = np.arange(1, len(at) + 1) - _before(sizes)[of_hit]
        precision = right / (ranks + np.spacing(1.0))
        result[:, threshold] = _areas(precision, sizes, needed)
    return result


def left_out_averages(
    hits: Bool, counted: Bool, classes: Int64, found_blocks: Int64, truth: Int64
) -> Float64:
    """Average precision of each class without one block each; NaN where no true box is left.

    Args:
        hits, counted, classes: as average_precisions takes them, at one IoU threshold: bool, D.
        found_blocks: int64, D: block of each detection.
        truth: int64, C×B: true boxes of each class in each block.

    Returns:
        float64, C×B.
    """
    count, blocks = truth.shape
    at = np.flatnonzero(hits)
    of_hit, its_block = classes[at], found_blocks[at]
    sizes = np.bincount(of_hit, minlength=count)
    # A detection counts from the hit on that it is, or that comes next in its class.
    rows = np.flatnonzero(counted)
    following = (hits.cumsum() - hits)[rows]
    rows, following = (x[following < len(at)] for x in (rows, following))
    same = of_hit[following] == classes[rows]
    places = found_blocks[rows[same]] * len(at) + following[same]
    new = np.bincount(places, minlength=blocks * len(at)).reshape(blocks, len(at))
    seen = _summed_within(new, of_hit, sizes)
    ranks = seen.sum(axis=0) - seen
    kept = its_block != np.arange(blocks)[:, None]
    right = _summed_within(kept, of_hit, sizes)
    precision = right[kept] / np.maximum(ranks[kept], 1)
    mine = np.bincount(its_block * count + of_hit, minlength=blocks * count).reshape(blocks, count)
    left = truth.sum(axis=1) - truth.T
    areas = _areas(precision, (sizes - mine).ravel(), _needed(left.ravel())).reshape(left.shape)
    return np.ascontiguousarray(np.where(left > 0, areas, np.nan).T)


def blocks_of(units: Int64) -> Int64:
    """The block of each image: each unit its own, or MOST_BLOCKS blocks of units drawn by lot.

    Args:
        units: int64, one for each image, 0 and up without a gap.
    """
    count = int(units.max(initial=-1)) + 1
    if count <= MOST_BLOCKS:
        return units
    places: Int64 = np.random.default_rng(_SEED).permutation(count) % MOST_BLOCKS
    return places[units]


def average_interval(
    value: float, left_out: Float64, sizes: Float64, confidence: float
) -> Estimate | None:
    """The interval of an average precision; None where too few blocks hold a true box.

    Args:
        left_out: float64, one for each block, the value without it.
        sizes: float64, true boxes of each block.
    """
    if np.count_nonzero(sizes) < MINIMUM_GROUPS:
        return None
    known = left_out[np.isfinite(left_out)]
    error = jackknife_error(value, known)
    low, high = share_interval(value, error, effective_groups(sizes), confidence)
    return Estimate(value, low, high)


def _before(sizes: Int64) -> Int64:
    """How many there are in all before each."""
    before: Int64 = np.cumsum(sizes) - sizes
    return before


def _summed_within(values: Int64 | Bool, of_hit: Int64, sizes: Int64) -> Int64:
    """Sums of each row up to each hit, begun anew with each class.

    Args:
        values: B×H, hits by class.
        of_hit: int64, H: its class; sizes: int64, C: hits of each class.
    """
    sums = np.zeros((len(values), len(of_hit) + 1), dtype=np.int64)
    np.cumsum(values, axis=1, out=sums[:, 1:])
    within: Int64 = sums[:, 1:] - sums[:, _before(sizes)[of_hit]]
    return within


def _needed(instances: Int64) -> Int64:
    """Hits that it takes to reach each of the 101 recalls, as their floating-point numbers say.

    Returns:
        int64, K×101.
    """
    whole = np.maximum(instances, 1)[:, None]
    needed = np.maximum((whole * RECALL_POINTS).astype(np.int64), 1)
    needed += needed / whole < RECALL_POINTS
    return needed


def _areas(precision: Float64, sizes: Int64, needed: Int64) -> Float64:
    """Mean over 101 recalls of the best precision there or further on; 0 where not reached.

    Args:
        precision: float64: of K countings one after the other, after each of their hits.
        sizes: int64, K: hits of each counting.
        needed: int64, K×101: hits that it takes to reach each recall.

    Returns:
        float64, K.
    """
    # The best from one recall to the next, and from the last one to the end of the counting.
    places = _before(sizes)[:, None] + np.minimum(needed - 1, sizes[:, None])
    best = np.maximum.reduceat(np.append(precision, 0.0), places.ravel()).reshape(places.shape)
    best[needed > sizes[:, None]] = 0.0
    envelope = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
    areas: Float64 = np.ascontiguousarray(envelope).mean(axis=1)
    return areas
