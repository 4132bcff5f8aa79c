"""Alarms in the report: figures, rules, timelines and reasons, in both languages alike."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from alarm_reports import with_alarms
from release_reports import make_report

from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.recordings.alarm_results import AlarmFigure, NoFigure
from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
)
from guardianflow.release.explanation import explain_decision
from guardianflow.release.report.alarms import SHOWN_RECORDINGS, alarm_intro, alarms_view
from guardianflow.release.report.next_steps import next_steps
from guardianflow.release.report.page import render_report
from guardianflow.release.report.wording import Wording, remedy

EN, KO = Wording("en"), Wording("ko")


def test_what_happened_and_what_was_alarmed_stands_in_the_page() -> None:
    report = with_alarms(make_report(UNDECIDED))
    mine = report.variants[0].candidate.alarms
    assert mine is not None
    view = alarms_view(report.variants[0], EN)
    assert view is not None
    bars = [bar for line in view.timelines for strip in line.strips for bar in strip.bars]
    of_candidate = [
        strip
        for line in view.timelines
        for strip in line.strips
        if strip.label.endswith("candidate")
    ]
    assert len(bars) == 2 * mine.figures.incidents  # the champion's and the candidate's
    hollow = sum(not bar.is_hit for strip in of_candidate for bar in strip.bars)
    below = sum(stroke.kind == "false" for strip in of_candidate for stroke in strip.strokes)
    assert (hollow, below) == (mine.figures.incidents - mine.figures.hits, mine.figures.false)
    assert sum(row.hits for row in view.rules if row.role == "candidate") == mine.figures.hits
    assert [row.kind for row in view.rows] == ["champion", "candidate", "difference"]
    for language in ("en", "ko"):
        page = render_report(report, language)
        assert page.count('class="bar-missed"') >= hollow
        assert "위험구역_진입" in page
        assert f"{mine.figures['missed'].value:.3f}" in page
        assert f"{mine.figures['missed'].value:.3f}" in render_report(report, language, "md")


def test_the_recordings_with_most_amiss_are_shown_where_there_are_many() -> None:
    report = with_alarms(make_report(PASS), recordings=40)
    view = alarms_view(report.variants[-1], EN)
    assert view is not None
    assert len(view.timelines) == SHOWN_RECORDINGS
    assert view.more == 40 - SHOWN_RECORDINGS
    mine = report.variants[-1].candidate.alarms
    assert mine is not None
    amiss = {each.recording: each.missed + each.false for each in mine.outcomes}
    shown = [amiss[line.recording] for line in view.timelines]
    assert shown == sorted(amiss.values(), reverse=True)[:SHOWN_RECORDINGS]


def test_a_release_without_alarms_says_nothing_of_them() -> None:
    report = make_report(PASS)
    assert alarms_view(report.variants[0], EN) is None
    assert alarm_intro(report, EN) == ""
    assert 'class="timeline"' not in render_report(report)


@pytest.mark.parametrize("cause", list(NoFigure))
def test_why_a_figure_is_absent_is_told_in_both_languages(cause: NoFigure) -> None:
    report = with_alarms(make_report(PASS))
    each = report.variants[0]
    mine = each.candidate.alarms
    assert mine is not None
    mine.figures.figures["f1"] = AlarmFigure(None, cause=cause)  # type: ignore[index]
    for wording in (EN, KO):
        view = alarms_view(each, wording)
        assert view is not None
        assert len(view.absent) == 1
        assert view.absent[0].startswith("F1: ")


REASONS = (
    (CauseKind.MORE_FOOTAGE, 3.5, "needs about 3.5 more recorded days", "약 3.5일 분량"),
    (CauseKind.MORE_FOOTAGE, 0.1, "about 2.4 more recorded hours of a camera", "약 2.4시간 분량"),
    (CauseKind.MORE_FOOTAGE, 0.0009, "about 2 more recorded minutes of a camera", "약 2분 분량"),
    (CauseKind.MORE_INCIDENTS, 40.0, "needs about 40 more recorded incidents", "약 40건"),
    (CauseKind.MORE_RECORDINGS, 12.0, "needs about 12 more recordings", "약 12개"),
)


@pytest.mark.parametrize(("kind", "more", "english", "korean"), REASONS)
def test_what_would_decide_a_gate_is_told_in_what_a_site_records(
    kind: CauseKind, more: float, english: str, korean: str
) -> None:
    gate = GateVerdict(
        "max_false_alarms_per_day",
        UNDECIDED,
        2.0,
        Estimate(1.5, 0.5, 3.0),
        GateCause(kind, more=more),
    )
    assert english in EN.gate_reason(gate)
    assert korean in KO.gate_reason(gate)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (CauseKind.NO_INCIDENTS, {}),
        (CauseKind.NO_ALARMS, {}),
        (CauseKind.SHORT_FOOTAGE, {}),
        (CauseKind.FEW_RECORDINGS, {"held": 3, "needed": 5, "more": 2.0}),
        (CauseKind.FEW_ALARMS, {"held": 16, "needed": 59, "more": 43.0}),
    ],
)
def test_a_gate_without_an_interval_says_why_in_both_languages(
    kind: CauseKind, values: dict[str, float]
) -> None:
    cause = GateCause(kind, **values)  # type: ignore[arg-type]
    gate = GateVerdict("max_alarm_delay_s", UNDECIDED, 5.0, None, cause)
    korean = KO.gate_reason(gate)
    assert not re.search(r"[A-Za-z]{3,}", korean), korean
    for number in values.values():
        assert f"{number:g}" in korean
        assert f"{number:g}" in EN.gate_reason(gate)


def test_gates_on_alarms_have_names_and_advice() -> None:
    report = with_alarms(make_report(FAIL))
    for wording in (EN, KO):
        names = [wording.gate_name(gate.gate) for gate in report.decision.variants[0].gates]
        assert len(set(names)) == len(names)
    assert "guardianflow alarms tune" in render_report(
        with_alarms(make_report(FAIL, variants=("pytorch_fp32", "openvino_int8")))
    )


@pytest.mark.parametrize(("kind", "more"), [each[:2] for each in REASONS])
def test_what_to_record_is_a_next_step(kind: CauseKind, more: float) -> None:
    report = make_report(UNDECIDED, variants=("pytorch_fp32",))
    gate = GateVerdict(
        "max_missed_alarms", UNDECIDED, 0.1, Estimate(0.05, 0.0, 0.2), GateCause(kind, more=more)
    )
    variant = replace(report.decision.variants[0], gates=(gate,))
    decision = replace(report.decision, variants=(variant,))
    for wording in (EN, KO):
        steps = next_steps(replace(report, decision=decision), wording)
        number = f"{remedy(gate)[1]:g}"
        assert any(number in step.text and f"{number}.0" not in step.text for step in steps)
    assert f"(about {remedy(gate)[1]:g} more" in explain_decision(decision)
