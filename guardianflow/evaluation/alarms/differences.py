"""Alarms of two models on the same recordings: what the second misses and raises more.

    paired_differences(first, second)   missed and false alarms a day, second − first

Intervals are paired by recording: a hard recording is hard for both. They are the widest, on each
side, of the jackknife over recordings with Student's t; of exact bounds of the counts by which
recordings got worse and better, joined by the square-and-add method (Zou and Donner, "Construction
of confidence limits about effect measures", Statistics in Medicine 27, 2008); and of what
recordings may change of which few were seen (few_groups.py): ten recordings alike don't say that
there is none in which all is missed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.estimates import MINIMUM_GROUPS
from ...contracts.recordings.alarm_results import (
    DAY_S,
    AlarmFigure,
    NoFigure,
    RecordingOutcome,
)
from ...contracts.recordings.groups import EvidenceUnit
from ..accuracy.average_precision import Float64
from ..accuracy.few_groups import (
    effective_groups,
    jackknife_error,
    student_t,
    unseen_change,
)
from ..accuracy.groups import group_ids, group_sums
from .rates import LEAST_WATCHED_S, Interval, check_unit, exact_rate_bounds, unit_name


def paired_differences(
    first: Sequence[RecordingOutcome],
    second: Sequence[RecordingOutcome],
    *,
    confidence: float = 0.95,
    unit: EvidenceUnit = EvidenceUnit.RECORDING,
) -> dict[str, AlarmFigure]:
    """`missed` and `false_per_camera_day` of the second less those of the first.

    Args:
        first, second: the same recordings, counted alike; in any order.

    Raises:
        ConfigurationError: cameras are the units and one is not known.
        EvaluationError: recordings, incidents or footage that are not the same.
    """
    pairs = _pairs(first, second)
    check_unit({each.recording: each.camera for each in first}, unit)
    place = group_ids([unit_name(one, unit) for one, _ in pairs])
    missed = group_sums(place, [other.missed - one.missed for one, other in pairs])
    false = group_sums(place, [other.false - one.false for one, other in pairs])
    incidents = group_sums(place, [len(one.incidents) for one, _ in pairs])
    days = group_sums(place, [one.watched_s / DAY_S for one, _ in pairs])
    return {
        "missed": _difference(missed, incidents, 1.0, NoFigure.NO_INCIDENTS, confidence, 1.0),
        "false_per_camera_day": _difference(
            false, days, LEAST_WATCHED_S / DAY_S, NoFigure.TOO_SHORT, confidence, math.inf
        ),
    }


def _pairs(
    first: Sequence[RecordingOutcome], second: Sequence[RecordingOutcome]
) -> list[tuple[RecordingOutcome, RecordingOutcome]]:
    other = {each.recording: each for each in second}
    if len(other) != len(second) or {each.recording for each in first} != set(other):
        raise EvaluationError(
            "two models can be compared on the same recordings alone, each once; run the second "
            "on those of the first"
        )
    pairs = [(each, other[each.recording]) for each in first]
    for one, two in pairs:
        same = [i.incident for i in one.incidents] == [i.incident for i in two.incidents]
        if not same or not math.isclose(one.watched_s, two.watched_s, abs_tol=1.0, rel_tol=1e-3):
            raise EvaluationError(
                f"recording '{one.recording}' must have the same incidents and length for both "
                "models; its truth or footage has changed since: run both anew"
            )
    return pairs


def _difference(
    change: Float64,
    weights: Float64,
    least: float,
    none: NoFigure,
    confidence: float,
    highest: float,
) -> AlarmFigure:
    total = float(weights.sum())
    if total < least:
        return AlarmFigure(None, cause=none)
    known = weights > 0
    change, weights = change[known], weights[known]
    value, groups = float(change.sum()) / total, len(weights)
    if groups < MINIMUM_GROUPS:
        return AlarmFigure(value, cause=NoFigure.FEW_RECORDINGS, groups=groups)
    left_out = (change.sum() - change) / (total - weights)
    error = jackknife_error(value, left_out)
    reach = error * student_t(effective_groups(weights), confidence)
    low, high = _joined_bounds(change, total, confidence)
    low = min(low, value - reach, value - _unseen(-change / total, confidence, highest))
    high = max(high, value + reach, value + _unseen(change / total, confidence, highest))
    return AlarmFigure(value, max(-highest, low), min(highest, high), groups=groups)


def _unseen(changes: Float64, confidence: float, highest: float) -> float:
    """How much more recordings of a kind may change the value that were seen seldom, or never.

    Of a rate, which has no end, nothing can be said of a change that was never seen.
    """
    if math.isinf(highest) and not (changes > 0).any():
        return 0.0
    return unseen_change(changes, confidence)


def _joined_bounds(change: Float64, total: float, confidence: float) -> Interval:
    worse = round(float(np.maximum(change, 0).sum()))
    better = round(float(np.maximum(-change, 0).sum()))
    worse_low, worse_high = exact_rate_bounds(worse, 1.0, confidence)
    better_low, better_high = exact_rate_bounds(better, 1.0, confidence)
    value = worse - better
    low = value - math.hypot(worse - worse_low, better_high - better)
    high = value + math.hypot(worse_high - worse, better - better_low)
    return low / total, high / total
