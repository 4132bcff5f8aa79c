"""What several trainings of one kind say together: their mean, and how sure that is.

A value changes with the images that it is measured on, and with the seed that a training had. An
interval over images knows the first, the spread between trainings the second; the two have nothing
to do with each other, so their half-widths add up as squares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from .figures import Value

CONFIDENCE = 0.95


def half_width(numbers: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """Of the interval of the mean of two numbers or more (Student's t)."""
    from scipy.stats import t  # late: only repeats need it

    wide = float(t.ppf((1 + confidence) / 2, len(numbers) - 1))
    return wide * stdev(numbers) / math.sqrt(len(numbers))


def over_seeds(values: Sequence[Value], confidence: float = CONFIDENCE) -> Value | None:
    """The mean, with an interval over images and seeds together.

    No interval where there is one training alone, or one whose value has none: nothing is known of
    the next one. Of the images, the mean of the trainings' own is taken, which is rather too wide.

    Args:
        confidence: of the part of the seeds; that of the images has its own already.
    """
    if not values:
        return None
    numbers = [each.value for each in values]
    mean = fmean(numbers)
    bounds = [each.bounds for each in values if each.bounds is not None]
    if len(values) < 2 or len(bounds) < len(values):
        return Value(mean)
    seeds = half_width(numbers, confidence)
    below = mean - fmean(low for low, _ in bounds)
    above = fmean(high for _, high in bounds) - mean
    return Value(mean, (mean - math.hypot(below, seeds), mean + math.hypot(above, seeds)))
