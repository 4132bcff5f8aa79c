"""A measured value with its interval, and how much measuring an interval takes.

Every interval is a 95 % confidence interval unless its maker was told otherwise. Standard library
only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# A handful of images can't tell how much images differ, and no correction mends that.
MINIMUM_IMAGES = 20
# Nor can a handful of recordings, or cameras.
MINIMUM_GROUPS = 5
# More test images than a plant collects and labels: "collect more" would be no advice.
MOST_MORE_IMAGES = 100_000
# Of recordings and cameras, too.
MOST_MORE_GROUPS = 1000


@dataclass(frozen=True)
class Estimate:
    """A value and its interval.

    Args:
        value: on all images.
        low, high: bounds of the interval.
    """

    value: float
    low: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Estimate:
        """A value that was counted, or one whose interval is not known."""
        return cls(float(value), float(value), float(value))

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, float], key: str) -> Estimate | None:
        """Reads what `as_metrics(key)` wrote; None where the value or a bound is absent."""
        try:
            return cls(metrics[key], metrics[f"{key}_low"], metrics[f"{key}_high"])
        except KeyError:
            return None

    def __neg__(self) -> Estimate:
        """The same difference seen from the other side: the sign turns and the bounds swap."""
        return Estimate(-self.value, -self.high, -self.low)

    def as_metrics(self, key: str, unit: str = "") -> dict[str, float]:
        """`{key}{unit}`, `{key}_low{unit}` and `{key}_high{unit}`, ready to log."""
        return {
            f"{key}{unit}": self.value,
            f"{key}_low{unit}": self.low,
            f"{key}_high{unit}": self.high,
        }


def difference_of_independent(one: Estimate, other: Estimate) -> Estimate:
    """One less the other, of two that nothing joins: measured on different images, say.

    Zou and Donner, "Construction of confidence limits about effect measures: a general approach",
    Statistics in Medicine 27, 2008. Of two that rise and fall together it is too wide.
    """
    value = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, value - below, value + above)


def estimates_as_metrics(estimates: Mapping[str, Estimate], prefix: str) -> dict[str, float]:
    """`{prefix}{key}` of each with its bounds, ready to log."""
    metrics: dict[str, float] = {}
    for key, estimate in estimates.items():
        metrics |= estimate.as_metrics(f"{prefix}{key}")
    return metrics


def minimum_runs(percent: int, confidence: float) -> int:
    """Calls from which on a percentile has an interval: 59 for p95 at 95 %.

    The fastest and the slowest of n enclose it with 1 − q^n − (1−q)^n (David and Nagaraja, "Order
    Statistics", 3rd ed., section 7.1).
    """
    share, runs = percent / 100, 2
    while 1 - share**runs - (1 - share) ** runs < confidence:
        runs += 1
    return runs


def more_images(reach: float, distance: float, images: int) -> int | None:
    """About how many more images let an interval end before the limit.

    An interval's half-width shrinks with the square root of the number of images, so it takes
    images · (reach ÷ distance)² in all. It takes the value seen for the true one and new images
    for ones like these.

    Args:
        reach: from the value to the interval's end on the limit's side.
        distance: from the value to the limit.
        images: that the interval was made of.

    Returns:
        Rounded up to two digits, at least 10; None where it is more than MOST_MORE_IMAGES.
    """
    if distance <= 0 or reach / distance > math.sqrt(1 + MOST_MORE_IMAGES / images):
        return None
    return rounded_up(images * ((reach / distance) ** 2 - 1))


def more_groups(reach: float, distance: float, groups: int) -> int | None:
    """About how many more recordings, or cameras, let an interval end before the limit.

    As more_images, whole and at least 1; None where it is more than MOST_MORE_GROUPS. An interval
    of few groups shrinks faster than that, so it is rather too many than too few.
    """
    if distance <= 0 or reach / distance > math.sqrt(1 + MOST_MORE_GROUPS / groups):
        return None
    return rounded_up(groups * ((reach / distance) ** 2 - 1), least=1)


def rounded_up(count: float, least: int = 10) -> int:
    """To two leading digits, and not below `least`: more would be a precision that isn't there."""
    whole = max(least, math.ceil(count))
    step = int(10 ** max(0, len(str(whole)) - 2))
    return -(-whole // step) * step
