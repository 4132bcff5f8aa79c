"""Intervals from few independent groups, such as recordings, whatever their sizes.

    ratio_interval(numerators, denominators)   of sums that each group gives → (low, high) or None
    share_interval, difference_interval        of any value, from its values without one group each

Frames of one recording are near copies of each other, so a recording is one piece of evidence. The
spread is taken from leaving one group out at a time, and judged by Student's t of as many groups as
there would be if all were of one size (MacKinnon, Nielsen and Webb, "Cluster-robust inference: a
guide to empirical practice", Journal of Econometrics 232, 2023: CV3 and effective numbers of
clusters). Bounds of a share are exact binomial ones of the sample that would spread as much (Korn
and Graubard, "Confidence intervals for proportions with small expected number of positive counts
estimated from survey data", Survey Methodology 24, 1998), those of a rate gamma ones (Fay and
Feuer, Statistics in Medicine 16, 1997).

docs/metrics.md, "How sure the numbers are", says what the intervals mean;
`python -m benchmarks.interval_coverage` measures how often they hold the truth.
"""

from __future__ import annotations

import math

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.estimates import MINIMUM_GROUPS
from .average_precision import Float64

# Up to so many groups that change a value, the others say too little about how many there are.
FEW_CHANGES = 10
# Values that agree may differ by what dividing has rounded away.
ROUNDING = 1e-9

Bounds = tuple[float, float]


def ratio_interval(
    numerators: Float64, denominators: Float64, confidence: float = 0.95, *, highest: float = 1.0
) -> Bounds | None:
    """The interval of sum(numerators) ÷ sum(denominators), with groups as the independent units.

    Args:
        numerators: float64, one for each group, 0 or more: true boxes found, false alarms.
        denominators: float64, one for each group, 0 or more: true boxes, days. Groups of 0 say
            nothing and are left out.
        confidence: of the interval, 0.5 to below 1.
        highest: that the ratio can be: 1 for a share, math.inf for a rate of events.

    Returns:
        Bounds from 0 to `highest` around the ratio; None of fewer than MINIMUM_GROUPS groups.

    Raises:
        EvaluationError: arrays of unequal length, values that can't be, a confidence outside
            0.5…<1, a `highest` that is neither.
    """
    _check(numerators, denominators, confidence, highest)
    known = denominators > 0
    above, below = numerators[known], denominators[known]
    if len(below) < MINIMUM_GROUPS:
        return None
    total = float(below.sum())
    ratio = float(above.sum()) / total
    left_out = (above.sum() - above) / (total - below)
    error = jackknife_error(ratio, left_out)
    effective = effective_groups(below)
    if math.isinf(highest):
        return _rate_interval(ratio, error, effective, 1 / total, confidence)
    low, high = share_interval(ratio, error, effective, confidence)
    rarely_low = unseen_change((below - above) / total, confidence)
    rarely_high = unseen_change(above / total, confidence)
    return max(0.0, min(low, ratio - rarely_low)), min(1.0, max(high, ratio + rarely_high))


def share_interval(value: float, error: float, effective: float, confidence: float) -> Bounds:
    """The interval of a value from 0 to 1, such as recall or average precision.

    The wider of two at each end: exact bounds of a binomial sample that spreads as the groups do,
    which know about shares near 0 and 1, and bounds by Student's t on the scale of the value's log
    odds, which know about values that lean to one side.

    Args:
        error: standard error, of jackknife_error. 0 says that groups all agree, which can't tell
            how many there are that don't: each is taken for one draw then.
        effective: number of groups, as if all were of one size.
    """
    from scipy.special import betaincinv, expit, logit  # scipy.stats takes a second to import

    spread = value * (1 - value)
    if error <= ROUNDING or spread <= ROUNDING:
        sample, reach = effective, 0.0
    else:
        factor = student_t(effective, confidence)
        sample = spread / error**2 * (_normal(confidence) / factor) ** 2
        reach = factor * error / spread
    tail, seen = (1 - confidence) / 2, value * sample
    low, high = 0.0, 1.0
    if seen > ROUNDING:
        low = float(betaincinv(seen, sample - seen + 1, tail))
    if sample - seen > ROUNDING:
        high = float(betaincinv(seen + 1, sample - seen, 1 - tail))
    if reach:
        odds = float(logit(value))
        low, high = min(low, float(expit(odds - reach))), max(high, float(expit(odds + reach)))
    return min(low, value), max(high, value)


def difference_interval(value: float, error: float, effective: float, confidence: float) -> Bounds:
    """The interval of the difference of two shares, both of the same groups: from −1 to 1."""
    reach = student_t(effective, confidence) * error
    return max(-1.0, value - reach), min(1.0, value + reach)


def jackknife_error(value: float, left_out: Float64) -> float:
    """Standard error of a value: √((G − 1) ÷ G · Σ(value without group g − value)²).

    Args:
        left_out: float64, one for each group: the value of all others together.
    """
    groups = len(left_out)
    return math.sqrt((groups - 1) / groups * float(((left_out - value) ** 2).sum()))


def effective_groups(sizes: Float64) -> float:
    """Groups of one size that tell as much as these: (Σ size)² ÷ Σ size²."""
    return float(sizes.sum()) ** 2 / float((sizes**2).sum())


def student_t(effective: float, confidence: float) -> float:
    """How many standard errors a two-sided interval reaches to each side."""
    from scipy.special import stdtrit

    return float(stdtrit(max(1.0, effective - 1), (1 + confidence) / 2))


def _normal(confidence: float) -> float:
    """The same for ever so many groups."""
    from scipy.special import ndtri

    return float(ndtri((1 + confidence) / 2))


def most_groups_bound(seen: int, groups: int, confidence: float) -> float:
    """The largest share of groups of a kind when `seen` of `groups` are of it.

    The upper end of a two-sided interval of `confidence`, exact (Clopper and Pearson, 1934): for
    0.95 it is 97.5 % sure. For none seen it is 1 − 0.025^(1/n), near 3.7 ÷ n.
    """
    from scipy.special import betaincinv

    if seen >= groups:
        return 1.0
    return float(betaincinv(seen + 1, groups - seen, (1 + confidence) / 2))


def unseen_change(changes: Float64, confidence: float) -> float:
    """By how much groups like those that change a value may change it beyond what was seen.

    Args:
        changes: of each group that could, by how much it changes the value; those above 0 count.
    """
    groups, seen = len(changes), changes[changes > 0]
    if len(seen) > FEW_CHANGES:
        return 0.0
    # Of a change that was never seen the worst is assumed: all of a group at once.
    size = float(seen.mean()) if len(seen) else 1 / groups
    bound = most_groups_bound(len(seen), groups, confidence)
    return (bound - len(seen) / groups) * groups * size


def _rate_interval(
    rate: float, error: float, effective: float, smallest: float, confidence: float
) -> Bounds:
    """Bounds by a gamma distribution that spreads as the groups do, and by Student's t of the log.

    Args:
        smallest: by how much one more event raises the rate.
    """
    from scipy.special import gammaincinv

    tail = (1 - confidence) / 2
    # Groups that differ less than chance makes them differ prove nothing.
    spread = max(error * student_t(effective, confidence) / _normal(confidence), 0.0) ** 2
    spread = max(spread, rate * smallest)
    more, wider = rate + smallest, spread + smallest**2
    high = float(gammaincinv(more**2 / wider, 1 - tail)) * wider / more
    if rate <= 0:
        return 0.0, high
    low = float(gammaincinv(rate**2 / spread, tail)) * spread / rate
    reach = math.exp(min(700.0, student_t(effective, confidence) * error / rate))
    return min(low, rate / reach), max(high, rate * reach)


def _check(numerators: Float64, denominators: Float64, confidence: float, highest: float) -> None:
    problems = []
    if numerators.shape != denominators.shape or numerators.ndim != 1:
        problems.append(
            "there must be one numerator and one denominator for each group but they are "
            f"{numerators.shape} and {denominators.shape}"
        )
    elif not _possible(numerators, denominators, highest):
        problems.append(
            f"each group's ratio must lie from 0 to {highest:g} but got {numerators.tolist()[:5]} "
            f"to {denominators.tolist()[:5]}; a rate that may be above 1 takes highest=math.inf"
        )
    if highest not in (1.0, math.inf):
        problems.append(f"highest must be 1 for a share or math.inf for a rate but is {highest}")
    if not 0.5 <= confidence < 1:
        problems.append(f"confidence must be from 0.5 to below 1 but is {confidence}")
    if problems:
        raise EvaluationError("; ".join(problems))


def _possible(numerators: Float64, denominators: Float64, highest: float) -> bool:
    known = denominators > 0
    least = min(numerators.min(initial=0.0), denominators.min(initial=0.0))
    return bool(
        np.isfinite(numerators).all()
        and np.isfinite(denominators).all()
        and least >= 0
        and (numerators[known] <= highest * denominators[known]).all()
        and not numerators[~known].any()
    )
