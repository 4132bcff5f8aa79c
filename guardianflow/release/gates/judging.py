"""Gates: what a model must keep to be released, each judged on an interval.

    judge_gates(limits, compared, split) → GateVerdict, one for each gate asked, in the scenario's
    order

A bare value says nothing about the next thousand images, so no gate that was measured on a sample
is decided by it. The whole interval must lie on the good side to pass, and on the bad side to fail;
else the gate is undecided and its cause says what would decide it. What was counted and not sampled
(files' size, cameras found by bisection) is judged as it is. What was not measured is undecided,
never passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from ...contracts.errors import ConfigurationError
from ...contracts.estimates import (
    MINIMUM_GROUPS,
    MINIMUM_IMAGES,
    Estimate,
    minimum_runs,
    more_images,
    rounded_up,
)
from ...contracts.releases import (
    ALARM_FALSE,
    ALARM_RECALL,
    RECALL,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseLimits,
    is_least,
)
from ..models import ComparedModels, JudgedSplit, ModelMeasurement
from . import alarms, leaks, slices
from .deciding import decided, more_that_decides, reach_and_distance

DROP_METRICS = ("mAP50", "mAP50_95", ALARM_RECALL)


def judge_gates(
    limits: ReleaseLimits, compared: ComparedModels, split: JudgedSplit
) -> tuple[GateVerdict, ...]:
    """Judge every gate that is asked.

    Drop gates are left out where there is no champion and another gate is asked; alone they are
    undecided.

    Raises:
        ConfigurationError: a limit that can't be one, an unknown metric, a confidence outside
            0.5…<1. All problems at once.
    """
    check_limits(limits)
    return tuple(_verdicts(limits, compared, split))


def check_limits(limits: ReleaseLimits) -> None:
    """Raises ConfigurationError for limits no gate can be judged by; all problems at once."""
    problems = []
    if not 0.5 <= limits.confidence < 1:
        problems.append(f"confidence must be from 0.5 to below 1 but is {limits.confidence}")
    shares = {
        "min_mAP50": limits.min_mAP50,
        "min_mAP50_95": limits.min_mAP50_95,
        "max_missed_alarms": limits.max_missed_alarms,
        "max_leak": limits.max_leak,
    }
    shares |= {f"min_recall.{name}": value for name, value in limits.min_recall.items()}
    shares |= slices.slice_limits(limits.min_recall_in)
    for key, value in limits.max_drop_vs_champion.items():
        shares[f"max_drop_vs_champion.{key}"] = value
        if key not in DROP_METRICS and not (key.startswith(RECALL) and key != RECALL):
            problems.append(
                f"max_drop_vs_champion must name mAP50, mAP50_95, {ALARM_RECALL} or recall.CLASS "
                f"but got '{key}'"
            )
    for key, value in limits.max_rise_vs_champion.items():
        if key != ALARM_FALSE:
            problems.append(f"max_rise_vs_champion must name {ALARM_FALSE} but got '{key}'")
        if not (math.isfinite(value) and value >= 0):
            problems.append(f"max_rise_vs_champion.{key} must be a number ≥ 0 but is {value}")
    for gate, share in shares.items():
        if share is not None and not 0 <= share <= 1:
            problems.append(f"{gate} must be a number from 0 to 1 but is {share}")
    amounts = ("max_latency_p95_ms", "min_fps", "min_cameras", "max_size_mb")
    for gate in (*amounts, "max_false_alarms_per_day", "max_alarm_delay_s"):
        amount = getattr(limits, gate)
        if amount is not None and not (math.isfinite(amount) and amount > 0):
            problems.append(f"{gate} must be a number above 0 but is {amount}")
    if problems:
        raise ConfigurationError(problems)


# --- one gate after the other --------------------------------------------------------------------


def _verdicts(
    limits: ReleaseLimits, compared: ComparedModels, split: JudgedSplit
) -> Iterator[GateVerdict]:
    mine, stored = compared.candidate, compared.stored
    asked = {"mAP50": limits.min_mAP50, "mAP50_95": limits.min_mAP50_95}
    asked |= {f"{RECALL}{name}": limit for name, limit in limits.min_recall.items()}
    for key, least in asked.items():
        if least is not None:
            found = mine.intervals.get(key) or _too_few(key, mine, split)
            yield _judge(f"min_{key}", least, found, split=split, stored=stored.get(key))
    yield from slices.verdicts(limits, compared, split)
    # Alone and without a champion nothing would be judged, and all would pass.
    if compared.champion is not None or not _asks_absolutely(limits):
        for key, most in limits.max_drop_vs_champion.items():
            if key != ALARM_RECALL:
                lost = _lost(key, compared, split)
                yield _judge(f"max_drop_vs_champion.{key}", most, lost, split=split)
        yield from alarms.champion_verdicts(limits, compared)
    yield from alarms.verdicts(limits, compared)
    if limits.max_latency_p95_ms is not None:
        yield _judge(
            "max_latency_p95_ms",
            limits.max_latency_p95_ms,
            _latency(mine, limits.confidence),
            by=CauseKind.MORE_RUNS,
            sample=mine.latency.runs if mine.latency else 0,
            stored=stored.get("latency_p95_ms"),
        )
    cameras = Estimate.exactly(mine.cameras.cameras) if mine.cameras else None
    size = None if mine.size_mb is None else Estimate.exactly(mine.size_mb)
    for gate, key, measured in (
        ("min_fps", "fps", mine.fps),
        ("min_cameras", "cameras", cameras),
        ("max_size_mb", "size_mb", size),
    ):
        limit = getattr(limits, gate)
        if limit is not None:
            known = measured or _not_measured(gate, mine)
            yield _judge(gate, limit, known, by=CauseKind.QUIETER_MACHINE, stored=stored.get(key))
    yield from leaks.verdicts(limits, compared.leak)


def _asks_absolutely(limits: ReleaseLimits) -> bool:
    """True where a gate is asked that needs no champion."""
    left_out = replace(
        limits,
        max_drop_vs_champion={},
        max_rise_vs_champion={},
        max_leak=None,
        confidence=ReleaseLimits.confidence,
    )
    return left_out != ReleaseLimits()


def _judge(
    gate: str,
    limit: float,
    measured: Estimate | GateCause,
    *,
    by: CauseKind = CauseKind.QUIETER_MACHINE,
    sample: int = 0,
    split: JudgedSplit | None = None,
    stored: float | None = None,
) -> GateVerdict:
    """Judge by the whole interval.

    Args:
        measured: a cause instead of an interval says why there is none.
        by: what would decide it where the limit lies within the interval.
        sample: calls that the interval was made of.
        split: images that it was made of, of a gate of accuracy; their unit says what decides it.
    """
    if isinstance(measured, GateCause):
        return GateVerdict(gate, UNDECIDED, limit, None, measured, stored)
    # The same files lose nothing at all, whatever images count for.
    sampled = measured.low < measured.high
    if split is not None and split.unknown_recordings and sampled:
        cause = GateCause(CauseKind.UNKNOWN_RECORDINGS, unit=split.unit)
        return GateVerdict(gate, UNDECIDED, limit, measured, cause, stored)
    outcome, cause = decided(measured, limit, least=is_least(gate)) or (
        UNDECIDED,
        _what_decides(measured, limit, by, sample, split),
    )
    return GateVerdict(gate, outcome, limit, measured, cause, stored)


def _what_decides(
    measured: Estimate, limit: float, by: CauseKind, sample: int, split: JudgedSplit | None
) -> GateCause:
    if split is not None:
        groups = split.basis.groups if split.basis is not None and split.by_groups else None
        return more_that_decides(measured, limit, split, split.unit, groups)
    if by is CauseKind.QUIETER_MACHINE:
        return GateCause(by)
    more = more_images(*reach_and_distance(measured, limit), sample)
    return GateCause(CauseKind.AT_LIMIT) if more is None else GateCause(by, needed=sample + more)


def _lost(key: str, compared: ComparedModels, split: JudgedSplit) -> Estimate | GateCause:
    if compared.champion is None:
        return GateCause(CauseKind.NO_CHAMPION)
    if key in compared.differences:
        return -compared.differences[key]
    return _too_few(key, compared.candidate, split)


def _latency(mine: ModelMeasurement, confidence: float) -> Estimate | GateCause:
    if mine.latency is None:
        return _not_measured("max_latency_p95_ms", mine)
    if mine.latency_p95 is not None:
        return mine.latency_p95
    return GateCause(
        CauseKind.FEW_RUNS,
        held=mine.latency.runs,
        needed=minimum_runs(95, confidence),
        confidence=confidence,
    )


def _too_few(key: str, mine: ModelMeasurement, split: JudgedSplit) -> GateCause:
    """The cause of a metric of accuracy without an interval, and what would give it one."""
    of_class = key.removeprefix(RECALL) if key.startswith(RECALL) else ""
    held = split.holding.get(of_class, 0)
    if not held:
        return GateCause(CauseKind.NO_IMAGES, needed=MINIMUM_IMAGES, split=split.name)
    groups = split.holding_groups.get(of_class, 0)
    if split.by_groups and groups < MINIMUM_GROUPS:
        return GateCause(
            CauseKind.FEW_GROUPS,
            more=MINIMUM_GROUPS - groups,
            held=groups,
            needed=MINIMUM_GROUPS,
            split=split.name,
            bare=mine.metrics.get(key),
            unit=split.unit,
        )
    return GateCause(
        CauseKind.FEW_IMAGES,
        more=rounded_up(max(1.0, split.images * (MINIMUM_IMAGES / held - 1))),
        held=held,
        needed=MINIMUM_IMAGES,
        split=split.name,
        bare=mine.metrics.get(key),
    )


def _not_measured(gate: str, mine: ModelMeasurement) -> GateCause:
    return mine.missing.get(gate, GateCause(CauseKind.NOT_MEASURED))
