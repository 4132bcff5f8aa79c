"""Percentiles of measured times, with intervals that assume nothing about their distribution.

Of n independent times, the number that lie at or below the true p-th percentile is binomial with n
and p/100. So two of the sorted times enclose it with a probability that can be computed exactly
(David and Nagaraja, "Order Statistics", 3rd ed., section 7.1). Where not even the fastest and the
slowest enclose it with 95 %, the sample can't carry the percentile: no number is given. That takes
6 times for the median, 59 for p95 and 299 for p99 at least.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from ...contracts.errors import EvaluationError
from ...contracts.estimates import Estimate
from ...contracts.measurements import Timing

CONFIDENCE = 0.95
ROUNDING = 1e-12


def timing_of(samples_ms: Sequence[float]) -> Timing:
    """Sum up the times of one stage.

    Args:
        samples_ms: one per call, in their order; at least one.

    Raises:
        EvaluationError: there are none.
    """
    if not len(samples_ms):
        raise EvaluationError("no time was measured, so there is nothing to sum up")
    ordered = sorted(samples_ms)
    return Timing(
        samples_ms=tuple(samples_ms),
        mean_ms=sum(ordered) / len(ordered),
        p50=percentile_of(ordered, 50),
        p95=percentile_of(ordered, 95),
        p99=percentile_of(ordered, 99),
    )


def percentile_of(
    samples_ms: Sequence[float], percent: int, confidence: float = CONFIDENCE
) -> Estimate | None:
    """A percentile by nearest rank, and its interval.

    Of n times the p-th percentile is the ceil(p·n/100)-th fastest.

    Args:
        samples_ms: in any order.
        percent: 1 to 99.
        confidence: of the interval, above 0 and below 1.

    Returns:
        None where the sample is too small to carry it.
    """
    ordered = sorted(samples_ms)
    ranks = interval_ranks(len(ordered), percent, confidence)
    if ranks is None:
        return None
    low, high = ranks
    rank = -(-len(ordered) * percent // 100)  # ceil, in whole numbers
    return Estimate(ordered[rank - 1], ordered[low - 1], ordered[high - 1])


@functools.lru_cache(maxsize=256)
def interval_ranks(
    count: int, percent: int, confidence: float = CONFIDENCE
) -> tuple[int, int] | None:
    """Ranks (from 1) of the two sorted times that enclose the percentile, at least so surely.

    Of all pairs that do, the one with the fewest times between them; among equals the one that
    encloses it most surely.

    Returns:
        None where no pair does.
    """
    import numpy as np
    from scipy.special import betainc  # scipy.stats takes a second to import

    if not 1 <= percent <= 99:
        raise EvaluationError(f"a percentile must be from 1 to 99 but is {percent}")
    if not 0 < confidence < 1:
        raise EvaluationError(f"confidence must be above 0 and below 1 but is {confidence}")
    if count < 2:
        return None
    ranks = np.arange(count)
    # The binomial distribution's own sum, up to each rank.
    at_most = np.append(betainc(count - ranks, ranks + 1, 1 - percent / 100), 1.0)
    lows = np.arange(1, count)
    below = at_most[lows - 1]
    highs = np.searchsorted(at_most, below + confidence - ROUNDING, side="left") + 1
    possible = (highs <= count) & (highs > lows)
    if not possible.any():
        return None
    lows, highs, below = lows[possible], highs[possible], below[possible]
    coverage = at_most[highs - 1] - below
    best = np.lexsort((-coverage, highs - lows))[0]
    return int(lows[best]), int(highs[best])
