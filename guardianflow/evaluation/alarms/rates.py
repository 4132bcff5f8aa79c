"""Counts of alarms → figures with intervals.

    alarm_figures(outcomes, …)      all figures, over all rules and of each
    exact_rate_bounds, exact_share_bounds
                                    Garwood's and Clopper and Pearson's

Recordings are the independent units: events of one come together. How much so is told by the spread
between recordings, and bounds are taken of the counts that they are worth: 12 false alarms, of
which 10 are of one recording, may say no more than 2 that came by themselves (few_groups.py). So
they hold for few and for none too. Of fewer than five recordings no interval is made.
docs/alarms.md has the coverage as measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...contracts.errors import ConfigurationError, EvaluationError
from ...contracts.estimates import MINIMUM_GROUPS, minimum_runs
from ...contracts.recordings.alarm_results import (
    DAY_S,
    ILIDS,
    AlarmFigure,
    AlarmFigures,
    Counting,
    NoFigure,
    RecordingOutcome,
)
from ...contracts.recordings.groups import EvidenceUnit
from ..accuracy.average_precision import Float64
from ..accuracy.few_groups import ratio_interval
from ..accuracy.groups import group_ids, group_sums

LEAST_WATCHED_S = 60.0
"""Of less footage no rate a day is told."""
SHOWN = 5
Interval = tuple[float, float]


def alarm_figures(
    outcomes: Sequence[RecordingOutcome],
    *,
    rules: Sequence[str] = (),
    kisa_outcomes: Sequence[RecordingOutcome] | None = None,
    counting: Counting = ILIDS,
    confidence: float = 0.95,
    recall_bias: float = 1.0,
    unit: EvidenceUnit = EvidenceUnit.RECORDING,
) -> AlarmFigures:
    """Every figure over the recordings.

    Args:
        outcomes: one per recording, counted as `counting` says.
        rules: names; with two or more each gets its own figures.
        kisa_outcomes: the same recordings counted as KISA does; None leaves its score out.
        recall_bias: α of F1; 1 weighs misses and false alarms alike, more weighs misses.
        unit: that intervals take for independent; an image is none here, its recording is.

    Raises:
        ConfigurationError: cameras are the units and one is not known.
        EvaluationError: no recordings, one twice, a confidence or a bias out of range.
    """
    _check(outcomes, confidence, recall_bias)
    check_unit({each.recording: each.camera for each in outcomes}, unit)
    figures = _figures(outcomes, confidence, recall_bias, unit, counting)
    figures["kisa_score"] = _kisa_score(kisa_outcomes, confidence, unit)
    of_rules = {}
    if len(rules) > 1:
        for rule in rules:
            kisa = kisa_outcomes and [each.of_rule(rule) for each in kisa_outcomes]
            of_rules[rule] = alarm_figures(
                [each.of_rule(rule) for each in outcomes],
                kisa_outcomes=kisa,
                counting=counting,
                confidence=confidence,
                recall_bias=recall_bias,
                unit=unit,
            )
    return AlarmFigures(
        figures=figures,
        incidents=sum(len(each.incidents) for each in outcomes),
        hits=sum(each.hits for each in outcomes),
        false=sum(each.false for each in outcomes),
        neither=sum(each.neither for each in outcomes),
        recordings=len(outcomes),
        cameras=len({each.camera or f"\0{each.recording}" for each in outcomes}),
        camera_days=sum(each.watched_s for each in outcomes) / DAY_S,
        confidence=confidence,
        recall_bias=recall_bias,
        counting=counting,
        rules=of_rules,
    )


def check_unit(cameras: Mapping[str, str], unit: EvidenceUnit) -> None:
    """Refuse cameras as units where not all are known: recordings in their place would look surer.

    Args:
        cameras: recording → camera, '' where it is not known.

    Raises:
        ConfigurationError: it names the recordings.
    """
    unknown = [recording for recording, camera in cameras.items() if not camera]
    if unit is EvidenceUnit.CAMERA and unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        raise ConfigurationError(
            "intervals over cameras need every recording's camera, but it is not known of "
            f"{', '.join(unknown[:SHOWN])}{more}; put recordings into a folder for each camera, or "
            "say how names tell it by a pattern with (?P<camera>…)"
        )


def unit_name(outcome: RecordingOutcome, unit: EvidenceUnit) -> str:
    """The independent unit that a recording is part of."""
    return outcome.camera if unit is EvidenceUnit.CAMERA else outcome.recording


def _check(outcomes: Sequence[RecordingOutcome], confidence: float, recall_bias: float) -> None:
    names = [each.recording for each in outcomes]
    if not names:
        raise EvaluationError("figures of alarms need at least one recording")
    if len(set(names)) < len(names):
        raise EvaluationError(f"each recording must be there once but got {', '.join(names)}")
    if not 0.5 <= confidence < 1:
        raise EvaluationError(f"confidence must be from 0.5 to below 1 but is {confidence}")
    if not 0 <= recall_bias < math.inf:
        raise EvaluationError(f"recall_bias must be 0 or more but is {recall_bias}")


# --- each figure ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums of each group of recordings that counts as one piece of evidence, float64."""

    hits: Float64
    missed: Float64
    false: Float64
    days: Float64

    @property
    def incidents(self) -> Float64:
        return self.hits + self.missed


def _sums(outcomes: Sequence[RecordingOutcome], unit: EvidenceUnit) -> _Sums:
    place = group_ids([unit_name(each, unit) for each in outcomes])

    def summed(value: Callable[[RecordingOutcome], float]) -> Float64:
        return group_sums(place, [value(each) for each in outcomes])

    return _Sums(
        hits=summed(lambda each: each.hits),
        missed=summed(lambda each: each.missed),
        false=summed(lambda each: each.false),
        days=summed(lambda each: each.watched_s / DAY_S),
    )


def _figures(
    outcomes: Sequence[RecordingOutcome],
    confidence: float,
    recall_bias: float,
    unit: EvidenceUnit,
    counting: Counting,
) -> dict[str, AlarmFigure]:
    sums = _sums(outcomes, unit)
    incidents = NoFigure.NO_INCIDENTS
    return {
        "missed": _share(sums.missed, sums.incidents, confidence, incidents),
        "false_per_camera_day": _rate(sums.false, sums.days, confidence),
        "delay_p50_s": _delay(outcomes, 50, confidence, unit, counting),
        "delay_p95_s": _delay(outcomes, 95, confidence, unit, counting),
        "precision": _share(sums.hits, sums.hits + sums.false, confidence, NoFigure.NO_ALARMS),
        "recall": _share(sums.hits, sums.incidents, confidence, incidents),
        "f1": _f1(sums, recall_bias, confidence),
    }


def _share(above: Float64, below: Float64, confidence: float, none: NoFigure) -> AlarmFigure:
    """Of events: sum(above) ÷ sum(below)."""
    if not below.sum():
        return AlarmFigure(None, cause=none)
    return _figure(above, below, confidence, highest=1.0)


def _f1(sums: _Sums, recall_bias: float, confidence: float) -> AlarmFigure:
    """(α + 1)·R·P ÷ (R + α·P) = (1 + α)·hits ÷ ((1 + α)·hits + α·missed + false)."""
    if not sums.incidents.sum():
        return AlarmFigure(None, cause=NoFigure.NO_INCIDENTS)
    above = (1 + recall_bias) * sums.hits
    below = above + recall_bias * sums.missed + sums.false
    if not below.sum():  # a bias of 0 looks at precision alone
        return AlarmFigure(None, cause=NoFigure.NO_ALARMS)
    return _figure(above, below, confidence, highest=1.0)


def _rate(false: Float64, days: Float64, confidence: float) -> AlarmFigure:
    if days.sum() * DAY_S < LEAST_WATCHED_S:
        return AlarmFigure(None, cause=NoFigure.TOO_SHORT)
    return _figure(false, days, confidence, highest=math.inf)


def _figure(above: Float64, below: Float64, confidence: float, highest: float) -> AlarmFigure:
    value, groups = float(above.sum() / below.sum()), int((below > 0).sum())
    interval = ratio_interval(above, below, confidence, highest=highest)
    if interval is None:
        return AlarmFigure(value, cause=NoFigure.FEW_RECORDINGS, groups=groups)
    return AlarmFigure(value, *interval, groups=groups)


def _kisa_score(
    outcomes: Sequence[RecordingOutcome] | None, confidence: float, unit: EvidenceUnit
) -> AlarmFigure:
    if outcomes is None:
        return AlarmFigure(None)
    f1 = _f1(_sums(outcomes, unit), 1.0, confidence)
    value, low, high = (
        None if each is None else 100 * each for each in (f1.value, f1.low, f1.high)
    )
    return replace(f1, value=value, low=low, high=high)


def _delay(
    outcomes: Sequence[RecordingOutcome],
    percent: int,
    confidence: float,
    unit: EvidenceUnit,
    counting: Counting,
) -> AlarmFigure:
    """A percentile of the delays of hits; what was missed has none and is told by `missed`."""
    groups: dict[str, list[float]] = {}
    for outcome in outcomes:
        delays = [each.delay_s for each in outcome.incidents if each.delay_s is not None]
        if delays:
            groups.setdefault(unit_name(outcome, unit), []).extend(delays)
    if not groups:
        incidents = any(each.incidents for each in outcomes)
        return AlarmFigure(None, cause=NoFigure.NO_HITS if incidents else NoFigure.NO_INCIDENTS)
    together = np.sort(np.concatenate([np.asarray(each) for each in groups.values()]))
    value = percentile(together, percent)
    if len(groups) < MINIMUM_GROUPS:
        return AlarmFigure(value, cause=NoFigure.FEW_RECORDINGS, groups=len(groups))
    if len(together) < minimum_runs(percent, confidence):
        return AlarmFigure(value, cause=NoFigure.FEW_HITS, groups=len(groups))
    limits = -counting.early_s, counting.tolerance_s
    low, high = _percentile_bounds(list(groups.values()), percent, confidence, limits)
    low, high = min(low, value), max(high, value)
    return AlarmFigure(value, low, high, groups=len(groups))


# --- exact bounds ---------------------------------------------------------------------------------


def exact_rate_bounds(count: int, exposure: float, confidence: float = 0.95) -> Interval:
    """Two-sided bounds of a Poisson rate: chi-square quantiles (Garwood, Biometrika 28, 1936).

    Of no event in T days the rate is below −ln(0.025) ÷ T = 3.69 ÷ T, at 95 %.
    """
    from scipy.special import gammaincinv  # scipy.stats takes a second to import

    tail = (1 - confidence) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low / exposure, float(gammaincinv(count + 1, 1 - tail)) / exposure


def exact_share_bounds(count: int, total: int, confidence: float = 0.95) -> Interval:
    """Two-sided bounds of a share (Clopper and Pearson, Biometrika 26, 1934)."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(count, total - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - tail)) if count < total else 1.0
    return low, high


def percentile(values: Float64, percent: int) -> float:
    """The smallest value that `percent` of all do not exceed; no value is made up between two."""
    return float(np.percentile(values, percent, method="inverted_cdf"))


def _percentile_bounds(
    groups: Sequence[Sequence[float]], percent: int, confidence: float, limits: Interval
) -> Interval:
    """Woodruff's: the values at the ends of the interval of the share below the percentile.

    The share of values at or below it is a ratio over groups, whose interval is known
    (Woodruff, "Confidence intervals for medians and other position measures", JASA 47, 1952).

    Args:
        limits: within which every value lies; where too few are known to go further, they bound.
    """
    together = np.sort(np.concatenate([np.asarray(each) for each in groups]))
    value = percentile(together, percent)
    below = np.array([sum(x <= value for x in each) for each in groups], dtype=np.float64)
    sizes = np.array([len(each) for each in groups], dtype=np.float64)
    share, total = percent / 100, len(together)
    over_groups = ratio_interval(below, sizes, confidence)
    assert over_groups is not None  # there are enough groups
    found = float(below.sum()) / total
    exact = exact_share_bounds(round(share * total), total, confidence)
    reach_down = max(found - over_groups[0], share - exact[0])
    reach_up = max(over_groups[1] - found, exact[1] - share)
    ranks = (share - reach_down) * total, (share + reach_up) * total
    below_it, above_it = math.floor(ranks[0]) - 1, math.ceil(ranks[1])
    low = float(together[below_it]) if below_it >= 0 else limits[0]
    high = float(together[above_it]) if above_it < total else limits[1]
    return low, high
