"""Gates on alarms: missed incidents, false alarms a day, delay, and losses against the champion.

    verdicts(limits, compared) → GateVerdict, one for each gate on alarms that is asked

As every gate, one is judged on the whole interval. What it takes to decide it is told in what a
site can record: more incidents, more days of a camera, or more recordings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ...contracts.estimates import Estimate, minimum_runs
from ...contracts.recordings.alarm_results import AlarmFigure, AlarmFigures, NoFigure
from ...contracts.releases import (
    ALARM_FALSE,
    ALARM_RECALL,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseLimits,
)
from ..models import ComparedModels
from .deciding import decided, reach_and_distance

MISSED, FALSE, DELAY = "max_missed_alarms", "max_false_alarms_per_day", "max_alarm_delay_s"
FIGURES = {MISSED: "missed", FALSE: "false_per_camera_day", DELAY: "delay_p95_s"}
"""Gate → the figure that it is judged on."""
DIFFERENCES = {ALARM_RECALL: "missed", ALARM_FALSE: "false_per_camera_day"}
"""Metric of a gate against the champion → the difference that says how much worse it is."""
LEAST_RECORDINGS = 5
"""From so many recordings on there is an interval."""
MOST_MORE = {
    CauseKind.MORE_FOOTAGE: 3650.0,
    CauseKind.MORE_INCIDENTS: 10_000.0,
    CauseKind.MORE_RECORDINGS: 10_000.0,
}
"""More than a plant records: "record more" would be no advice."""
_CAUSES = {
    NoFigure.NO_INCIDENTS: CauseKind.NO_INCIDENTS,
    NoFigure.NO_ALARMS: CauseKind.NO_ALARMS,
    NoFigure.NO_HITS: CauseKind.NO_ALARMS,
    NoFigure.TOO_SHORT: CauseKind.SHORT_FOOTAGE,
    NoFigure.FEW_RECORDINGS: CauseKind.FEW_RECORDINGS,
    NoFigure.FEW_HITS: CauseKind.FEW_ALARMS,
}


@dataclass(frozen=True)
class _Sample:
    """How much a figure rests on, and what more of would decide it."""

    kind: CauseKind
    amount: float


def verdicts(limits: ReleaseLimits, compared: ComparedModels) -> Iterator[GateVerdict]:
    """Judge the gates on alarms that are asked; those against a champion where there is one."""
    mine = compared.candidate.alarms
    for gate, key in FIGURES.items():
        limit = getattr(limits, gate)
        if limit is not None:
            stored = compared.stored.get(f"alarm.{key}")
            if mine is None:
                cause = GateCause(CauseKind.NOT_MEASURED)
                yield GateVerdict(gate, UNDECIDED, limit, None, cause, stored)
            else:
                sample = _sample(gate, mine.figures)
                yield _judge(gate, limit, mine.figures[key], sample, stored, limits.confidence)


def champion_verdicts(limits: ReleaseLimits, compared: ComparedModels) -> Iterator[GateVerdict]:
    """Judge what may be worse than the champion: alarms of both on the same recordings."""
    asked = [
        (f"{rule}.{key}", DIFFERENCES[key], limit)
        for rule in ("max_drop_vs_champion", "max_rise_vs_champion")
        for key, limit in getattr(limits, rule).items()
        if key in DIFFERENCES
    ]
    for gate, key, limit in asked:
        change = compared.alarm_differences.get(key)
        if change is None:
            none = compared.champion is None
            kind = CauseKind.NO_CHAMPION if none else CauseKind.NOT_MEASURED
            yield GateVerdict(gate, UNDECIDED, limit, None, GateCause(kind))
        else:
            sample = _Sample(CauseKind.MORE_RECORDINGS, change.groups)
            yield _judge(gate, limit, change, sample, None, limits.confidence)


def _sample(gate: str, figures: AlarmFigures) -> _Sample:
    if gate == FALSE:
        return _Sample(CauseKind.MORE_FOOTAGE, figures.camera_days)
    held = figures.incidents if gate == MISSED else figures.hits
    return _Sample(CauseKind.MORE_INCIDENTS, held)


def _judge(
    gate: str,
    limit: float,
    figure: AlarmFigure,
    sample: _Sample,
    stored: float | None,
    confidence: float,
) -> GateVerdict:
    if figure.value is None or figure.low is None or figure.high is None:
        cause = _no_interval(figure, sample, confidence)
        return GateVerdict(gate, UNDECIDED, limit, None, cause, stored)
    measured = Estimate(figure.value, figure.low, figure.high)
    outcome, cause = decided(measured, limit, least=False) or (
        UNDECIDED,
        _what_decides(measured, limit, sample),
    )
    return GateVerdict(gate, outcome, limit, measured, cause, stored)


def _no_interval(figure: AlarmFigure, sample: _Sample, confidence: float) -> GateCause:
    kind = _CAUSES[figure.cause] if figure.cause else CauseKind.NOT_MEASURED
    held, needed, more = figure.groups, None, None
    if kind is CauseKind.FEW_RECORDINGS:
        needed, more = LEAST_RECORDINGS, float(max(1, LEAST_RECORDINGS - held))
    elif kind is CauseKind.FEW_ALARMS:
        held, needed = round(sample.amount), minimum_runs(95, confidence)
        more = _rounded(max(1, needed - held), whole=True)
    return GateCause(kind, held=held, needed=needed, bare=figure.value, more=more)


def _what_decides(measured: Estimate, limit: float, sample: _Sample) -> GateCause:
    """Taking the value seen for the true one, how much more decides it."""
    reach, distance = reach_and_distance(measured, limit)
    if distance <= 0:
        return GateCause(CauseKind.AT_LIMIT)
    # Bounds of nothing seen shrink with the amount itself, others with its root.
    times = reach / distance if measured.value == 0 else (reach / distance) ** 2
    more = sample.amount * (times - 1)
    if not 0 < more <= MOST_MORE[sample.kind]:
        return GateCause(CauseKind.AT_LIMIT)
    return GateCause(sample.kind, more=_rounded(more, whole=sample.kind != CauseKind.MORE_FOOTAGE))


def _rounded(amount: float, *, whole: bool) -> float:
    """Up to two leading digits; a whole number of what can't be halved."""
    step = 10.0 ** (math.floor(math.log10(amount)) - 1)
    if whole:
        step = max(1.0, step)
    return round(math.ceil(amount / step - 1e-9) * step, 10)
