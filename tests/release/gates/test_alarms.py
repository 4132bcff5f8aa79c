"""Gates on alarms: judged on the whole interval, and what would decide an undecided one."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.recordings.alarm_results import (
    KEYS,
    AlarmFigure,
    AlarmFigures,
    NoFigure,
)
from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    CauseKind,
    GateVerdict,
    ReleaseLimits,
)
from guardianflow.release.explanation import explain_gate
from guardianflow.release.gates import alarms as alarm_gates
from guardianflow.release.gates import check_limits, judge_gates
from guardianflow.release.models import (
    AlarmMeasurement,
    ComparedModels,
    JudgedSplit,
    ModelMeasurement,
    ReleaseModel,
)


def none(cause: NoFigure) -> AlarmFigure:
    return AlarmFigure(None, cause=cause)


NOTHING = none(NoFigure.NO_ALARMS)
SPLIT = JudgedSplit("test", 100)


def compared(champion: bool = False, **figures: AlarmFigure) -> ComparedModels:
    """A candidate of these figures over 10 camera-days with 40 incidents, 30 of them hit."""
    known = {key: figures.get(key, NOTHING) for key in KEYS}
    measured = AlarmFigures(known, 40, 30, 20, 0, 12, 2, 10.0)
    model = ModelMeasurement(
        ReleaseModel("pytorch_fp32", "r", "a/b/c"), alarms=AlarmMeasurement(measured, ())
    )
    other = ModelMeasurement(ReleaseModel("pytorch_fp32", "s", "a/b/c", "1"))
    changes = {key: figures[key] for key in ("missed", "false_per_camera_day") if key in figures}
    return ComparedModels(
        model, other if champion else None, alarm_differences=changes if champion else {}
    )


def judged(limits: ReleaseLimits, models: ComparedModels) -> GateVerdict:
    (verdict,) = alarm_gates.verdicts(limits, models)
    return verdict


@pytest.mark.parametrize(
    ("low", "high", "outcome"), [(1.0, 1.9, PASS), (2.1, 3.0, FAIL), (1.0, 3.0, UNDECIDED)]
)
def test_the_whole_interval_decides(low: float, high: float, outcome: str) -> None:
    figure = AlarmFigure((low + high) / 2 - 0.1, low, high, groups=12)
    limits = ReleaseLimits(max_false_alarms_per_day=2)
    assert judged(limits, compared(false_per_camera_day=figure)).outcome == outcome


def test_the_advice_counts_what_a_site_records() -> None:
    # Half-width 1.5 must shrink to 0.5: nine times the footage, that is 80 days more.
    figure = AlarmFigure(1.5, 0.5, 3.0, groups=12)
    gate = judged(ReleaseLimits(max_false_alarms_per_day=2), compared(false_per_camera_day=figure))
    assert gate.cause.kind is CauseKind.MORE_FOOTAGE
    assert gate.cause.more == pytest.approx(10 * (1.5**2 / 0.5**2 - 1))
    assert "needs about 80 more recorded days of a camera" in explain_gate(gate)
    # Nothing false in ten days, 0.369 at most: for 0.1 it takes 36.9 days.
    figure = AlarmFigure(0.0, 0.0, 0.369, groups=12)
    limits = ReleaseLimits(max_false_alarms_per_day=0.1)
    gate = judged(limits, compared(false_per_camera_day=figure))
    assert gate.cause.more == pytest.approx(27)
    figure = AlarmFigure(0.2, 0.1, 0.34, groups=12)
    gate = judged(ReleaseLimits(max_missed_alarms=0.3), compared(missed=figure))
    assert (gate.cause.kind, gate.cause.more) == (CauseKind.MORE_INCIDENTS, 39)
    gate = judged(ReleaseLimits(max_missed_alarms=0.2), compared(missed=figure))
    assert gate.cause.kind is CauseKind.AT_LIMIT
    assert "no number of recordings will settle it" in explain_gate(gate)


@pytest.mark.parametrize(
    ("figure", "kind", "told"),
    [
        (
            AlarmFigure(None, cause=NoFigure.NO_INCIDENTS),
            CauseKind.NO_INCIDENTS,
            "show no incident",
        ),
        (AlarmFigure(None, cause=NoFigure.NO_HITS), CauseKind.NO_ALARMS, "no incident was alarmed"),
        (
            AlarmFigure(None, cause=NoFigure.TOO_SHORT),
            CauseKind.SHORT_FOOTAGE,
            "too little footage",
        ),
        (
            AlarmFigure(3.0, cause=NoFigure.FEW_RECORDINGS, groups=3),
            CauseKind.FEW_RECORDINGS,
            "3 recordings can't tell how much recordings differ, and an interval of the delay of "
            "alarms takes 5 (the bare value is 3): needs about 2 more recordings.",
        ),
        (
            AlarmFigure(3.0, cause=NoFigure.FEW_HITS, groups=12),
            CauseKind.FEW_ALARMS,
            "30 alarmed incidents can't tell the delay of alarms with an interval, which takes 59",
        ),
    ],
)
def test_what_has_no_interval_is_undecided_and_says_why(
    figure: AlarmFigure, kind: CauseKind, told: str
) -> None:
    gate = judged(ReleaseLimits(max_alarm_delay_s=5), compared(delay_p95_s=figure))
    assert (gate.outcome, gate.measured, gate.cause.kind) == (UNDECIDED, None, kind)
    assert told in explain_gate(gate)
    assert GateVerdict.from_dict(_as_row(gate)) == gate


def test_a_scenario_without_alarms_leaves_the_gate_undecided() -> None:
    bare = ComparedModels(ModelMeasurement(ReleaseModel("pytorch_fp32", "r", "a/b/c")))
    gate = judged(ReleaseLimits(max_missed_alarms=0.1), bare)
    assert (gate.outcome, gate.cause.kind) == (UNDECIDED, CauseKind.NOT_MEASURED)


def test_what_is_worse_than_the_champion_is_judged_paired() -> None:
    limits = ReleaseLimits(
        max_drop_vs_champion={"alarm.recall": 0.05},
        max_rise_vs_champion={"alarm.false_per_camera_day": 1.0},
    )
    worse = compared(
        champion=True,
        missed=AlarmFigure(0.01, -0.02, 0.04, groups=12),
        false_per_camera_day=AlarmFigure(3.0, 1.5, 4.5, groups=12),
    )
    drop, rise = judge_gates(limits, worse, SPLIT)
    assert (drop.gate, drop.outcome) == ("max_drop_vs_champion.alarm.recall", PASS)
    assert (rise.gate, rise.outcome) == ("max_rise_vs_champion.alarm.false_per_camera_day", FAIL)
    assert "the share of alarmed incidents drops by 0.010" in explain_gate(drop)
    unsure = compared(
        champion=True,
        missed=AlarmFigure(0.01, -0.09, 0.11, groups=12),
        false_per_camera_day=AlarmFigure(0.5, -1, 2, groups=12),
    )
    drop, _ = judge_gates(limits, unsure, SPLIT)
    assert (drop.cause.kind, drop.cause.more) == (CauseKind.MORE_RECORDINGS, 63)


def test_without_a_champion_these_gates_are_left_out_where_another_is_asked() -> None:
    relative = ReleaseLimits(max_rise_vs_champion={"alarm.false_per_camera_day": 1.0})
    (alone,) = judge_gates(relative, compared(), SPLIT)
    assert (alone.outcome, alone.cause.kind) == (UNDECIDED, CauseKind.NO_CHAMPION)
    both = ReleaseLimits(
        max_missed_alarms=0.5, max_rise_vs_champion={"alarm.false_per_camera_day": 1.0}
    )
    figure = AlarmFigure(0.1, 0.0, 0.3, groups=12)
    (only,) = judge_gates(both, compared(missed=figure), SPLIT)
    assert (only.gate, only.outcome) == ("max_missed_alarms", PASS)


def test_limits_that_cant_be_ones_are_refused_together() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_limits(
            ReleaseLimits(
                max_missed_alarms=1.5,
                max_false_alarms_per_day=0,
                max_alarm_delay_s=-1,
                max_rise_vs_champion={"mAP50": 1, "alarm.false_per_camera_day": -1},
            )
        )
    told = str(caught.value)
    assert told.startswith("5 problems")
    assert "max_rise_vs_champion must name alarm.false_per_camera_day but got 'mAP50'" in told


def _as_row(gate: GateVerdict) -> dict[str, object]:
    return asdict(gate)
