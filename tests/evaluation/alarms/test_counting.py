"""Alarms against incidents: hit, false or neither, as docs/alarms.md says it with examples."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from alarm_timelines import alarm_lists, counted_slowly, countings, truths
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.recordings.alarm_results import (
    ILIDS,
    KISA,
    AlarmOutcome,
    Counting,
    RecordingOutcome,
)
from guardianflow.contracts.recordings.alarms import Alarm, Incident
from guardianflow.evaluation.alarms.counting import count_alarms
from guardianflow.evaluation.alarms.rates import alarm_figures

HIT, FALSE, NEITHER = AlarmOutcome.HIT, AlarmOutcome.FALSE, AlarmOutcome.NEITHER


def counted(
    alarms: list[float], incidents: list[tuple[float, float]], counting: Counting = ILIDS
) -> RecordingOutcome:
    return count_alarms(
        [Alarm("gate", "no_helmet", at_s, 0) for at_s in alarms],
        [Incident("gate", "no_helmet", *each) for each in incidents],
        recording="gate",
        watched_s=600,
        counting=counting,
    )


def what(outcome: RecordingOutcome) -> list[AlarmOutcome]:
    return [each.outcome for each in outcome.alarms]


DOCS = Path(__file__).parents[3] / "docs" / "alarms.md"
INCIDENTS = [(60.0, 90.0), (200.0, 203.0), (300.0, 420.0), (500.0, 560.0)]


def rows_of(heading: str) -> list[list[str]]:
    """The table under a heading row of docs/alarms.md, cell by cell."""
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    start = lines.index(heading) + 2
    table = itertools.takewhile(lambda line: line.startswith("|"), lines[start:])
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_worked_example_of_the_docs() -> None:
    """63 hits 60…90; 208 hits 200…203; 315 is 15 s late; 504 hits 500…560. KISA takes 58.5 too."""
    rows = rows_of("| alarm at | i-LIDS | KISA | why |")
    alarms = [float(row[0].removesuffix(" s")) for row in rows]
    assert alarms == [58.5, 63.0, 75.0, 208.0, 212.0, 315.0, 504.0, 511.0, 580.0]
    ilids, kisa = (counted(alarms, INCIDENTS, counting) for counting in (ILIDS, KISA))
    assert what(ilids) == [row[1] for row in rows]
    assert what(ilids) == [FALSE, HIT, NEITHER, HIT, FALSE, FALSE, HIT, NEITHER, FALSE]
    assert what(kisa) == [row[2] for row in rows]
    assert what(kisa) == [HIT, NEITHER, NEITHER, HIT, FALSE, FALSE, HIT, NEITHER, FALSE]
    assert [each.delay_s for each in ilids.incidents] == [3.0, 8.0, None, 4.0]
    assert [each.delay_s for each in kisa.incidents] == [-1.5, 8.0, None, 4.0]
    heading = (
        "| | hits | missed | false | neither | recall | precision | F1 (α = 1) | F1 (α = 0.65) | "
        "score |"
    )
    for row, outcome in zip(rows_of(heading), (ilids, kisa), strict=True):
        counts = [outcome.hits, outcome.missed, outcome.false, outcome.neither]
        assert [int(cell) for cell in row[1:5]] == counts
        figures = alarm_figures([outcome], kisa_outcomes=[kisa])
        shown = [figures[key].value for key in ("recall", "precision", "f1")]
        assert [float(cell) for cell in row[5:8]] == pytest.approx(shown, abs=5e-5)
    assert alarm_figures([ilids], recall_bias=0.65)["f1"].value == pytest.approx(0.5156, abs=5e-5)
    assert alarm_figures([ilids], kisa_outcomes=[kisa])["kisa_score"].value == pytest.approx(60)


@pytest.mark.parametrize(
    ("at_s", "counting", "outcome"),
    [
        (60.0, ILIDS, HIT),
        (70.0, ILIDS, HIT),
        (70.01, ILIDS, FALSE),
        (59.99, ILIDS, FALSE),
        (58.0, KISA, HIT),
        (57.99, KISA, FALSE),
        (70.0, KISA, HIT),
    ],
)
def test_both_ends_of_the_tolerance_are_hits(
    at_s: float, counting: Counting, outcome: AlarmOutcome
) -> None:
    assert what(counted([at_s], [(60.0, 90.0)], counting)) == [outcome]


def test_one_alarm_hits_one_incident_where_two_are_near() -> None:
    """Two short incidents 5 s apart and one alarm near both: one of them was missed."""
    outcome = counted([8.0], [(0.0, 3.0), (5.0, 9.0)])
    assert (outcome.hits, outcome.missed, outcome.false) == (1, 1, 0)
    both = counted([8.0, 12.0], [(0.0, 3.0), (5.0, 9.0)])
    assert (both.hits, both.missed, both.false) == (2, 0, 0)
    assert [each.delay_s for each in both.incidents] == [8.0, 7.0]


def test_a_long_incident_swallows_its_repeats_until_it_ends() -> None:
    outcome = counted([5.0, 65.0, 125.0, 301.0], [(0.0, 300.0)])
    assert what(outcome) == [HIT, NEITHER, NEITHER, FALSE]


def test_alarms_late_in_a_missed_incident_are_false() -> None:
    assert what(counted([65.0, 125.0], [(0.0, 300.0)])) == [FALSE, FALSE]


def test_rules_are_counted_each_on_its_own() -> None:
    outcome = count_alarms(
        [Alarm("gate", "fire", 61.0, 1)],
        [Incident("gate", "no_helmet", 60.0, 90.0)],
        recording="gate",
        watched_s=100,
    )
    assert what(outcome) == [FALSE]
    assert outcome.of_rule("no_helmet").missed == 1
    assert outcome.of_rule("no_helmet").alarms == ()
    assert outcome.of_rule("fire").false == 1


@settings(max_examples=1000, deadline=None)
@given(alarms=alarm_lists, incidents=truths(), counting=countings)
def test_equal_to_trying_every_pairing(
    alarms: list[Alarm], incidents: list[Incident], counting: Counting
) -> None:
    outcome = count_alarms(alarms, incidents, recording="gate", watched_s=60, counting=counting)
    delays = sorted(
        (each.incident.rule, each.incident.start_s, each.delay_s)
        for each in outcome.incidents
        if each.delay_s is not None
    )
    assert counted_slowly(alarms, incidents, counting) == {
        "hits": outcome.hits,
        "missed": outcome.missed,
        "false": outcome.false,
        "neither": outcome.neither,
        "delays": delays,
    }


@settings(max_examples=200, deadline=None)
@given(alarms=alarm_lists, incidents=truths(), data=st.data())
def test_the_order_in_which_they_are_given_does_not_matter(
    alarms: list[Alarm], incidents: list[Incident], data: st.DataObject
) -> None:
    first = count_alarms(alarms, incidents, recording="gate", watched_s=60)
    shuffled = data.draw(st.permutations(alarms)), data.draw(st.permutations(incidents))
    assert count_alarms(*shuffled, recording="gate", watched_s=60) == first


@settings(max_examples=200, deadline=None)
@given(alarms=alarm_lists, incidents=truths(), at_s=st.integers(0, 240).map(lambda n: n / 4))
def test_one_more_alarm_never_takes_a_hit_away(
    alarms: list[Alarm], incidents: list[Incident], at_s: float
) -> None:
    """…and every alarm is exactly one of hit, false, neither."""
    few = count_alarms(alarms, incidents, recording="gate", watched_s=60)
    more = count_alarms(
        [*alarms, Alarm("gate", "a", at_s, 0)], incidents, recording="gate", watched_s=60
    )
    assert few.hits <= more.hits <= few.hits + 1
    assert more.hits + more.false + more.neither == len(alarms) + 1
    assert more.hits + more.missed == len(incidents)


@settings(max_examples=200, deadline=None)
@given(alarms=alarm_lists, incidents=truths(), cut=st.integers(1, 239).map(lambda n: n / 4))
def test_cutting_a_recording_far_from_incidents_changes_nothing(
    alarms: list[Alarm], incidents: list[Incident], cut: float
) -> None:
    """Both halves count what the whole does, unless an incident's window lies on the seam."""
    incidents = [
        each
        for each in incidents
        if not each.start_s - 1 <= cut <= max(each.end_s, each.start_s + 10) + 1
    ]
    whole = count_alarms(alarms, incidents, recording="gate", watched_s=60)
    halves = [
        count_alarms(
            [a for a in alarms if (a.at_s < cut) is first],
            [i for i in incidents if (i.start_s < cut) is first],
            recording="gate",
            watched_s=30,
        )
        for first in (True, False)
    ]
    for name in ("hits", "missed", "false", "neither"):
        assert getattr(whole, name) == sum(getattr(half, name) for half in halves)


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(EvaluationError, match="recording 'gate' but some are of yard"):
        count_alarms([Alarm("yard", "a", 1.0, 1)], [], recording="gate", watched_s=1)
    with pytest.raises(EvaluationError, match="numbers of seconds"):
        counted([math.nan], [])
    with pytest.raises(EvaluationError, match="0 or more seconds"):
        counted([1.0], [], Counting(tolerance_s=-1))
