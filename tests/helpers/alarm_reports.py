"""A release's report with alarms of two rules over recordings, counted and judged for real."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from guardianflow.contracts.recordings.alarm_results import KISA, RecordingOutcome
from guardianflow.contracts.recordings.alarms import Alarm, Incident
from guardianflow.contracts.releases import ReleaseLimits
from guardianflow.evaluation.alarms.counting import count_alarms
from guardianflow.evaluation.alarms.differences import paired_differences
from guardianflow.evaluation.alarms.rates import alarm_figures
from guardianflow.release.gates import alarms as alarm_gates
from guardianflow.release.models import AlarmMeasurement
from guardianflow.release.report.content import ReleaseReport

RULES = ("no_helmet", "위험구역_진입")
LIMITS = ReleaseLimits(
    max_missed_alarms=0.2,
    max_false_alarms_per_day=40,
    max_alarm_delay_s=8,
    max_drop_vs_champion={"alarm.recall": 0.05},
    max_rise_vs_champion={"alarm.false_per_camera_day": 5},
)


def outcomes(recordings: int, missed: float, false: float, seed: int) -> list[RecordingOutcome]:
    """Recordings of an hour; the same incidents whatever the seed, other alarms."""
    found = []
    for number in range(recordings):
        name = f"cam{1 + number % 2}/2026030{1 + number // 2}_0{8 + number % 2}1500"
        truth = np.random.default_rng(number)
        incidents = [
            Incident(name, rule, float(start), float(start + truth.integers(15, 90)))
            for rule in RULES
            for start in np.sort(truth.choice(3400, 3, replace=False))
        ]
        chance = np.random.default_rng([seed, number])
        alarms = [
            Alarm(name, each.rule, each.start_s + float(chance.uniform(1, 9)), 0)
            for each in incidents
            if chance.random() > missed
        ]
        alarms += [
            Alarm(name, RULES[int(chance.integers(2))], float(chance.uniform(0, 3600)), 0)
            for _ in range(chance.poisson(false))
        ]
        found.append(
            count_alarms(
                sorted(alarms, key=lambda each: each.at_s),
                incidents,
                recording=name,
                camera=name.partition("/")[0],
                watched_s=3600.0,
            )
        )
    return found


def measured(recordings: int, missed: float, false: float, seed: int) -> AlarmMeasurement:
    found = outcomes(recordings, missed, false, seed)
    figures = alarm_figures(found, rules=RULES, kisa_outcomes=found, counting=KISA)
    return AlarmMeasurement(figures, tuple(found))


def with_alarms(report: ReleaseReport, recordings: int = 12) -> ReleaseReport:
    """The same release, its models judged by alarms and its gates on them."""
    champion = measured(recordings, 0.1, 0.3, 1)
    decided, compared = [], []
    both = zip(report.decision.variants, report.variants, strict=True)
    for index, (verdict, each) in enumerate(both):
        mine = measured(recordings, 0.15, 0.2 + index, 2 + index)
        theirs = each.champion and replace(each.champion, alarms=champion)
        changes = paired_differences(champion.outcomes, mine.outcomes) if theirs else {}
        made = replace(
            each,
            candidate=replace(each.candidate, alarms=mine),
            champion=theirs,
            alarm_differences=changes,
        )
        gates = [*alarm_gates.verdicts(LIMITS, made)]
        gates += [*alarm_gates.champion_verdicts(LIMITS, made)] if theirs else []
        decided.append(replace(verdict, gates=(*verdict.gates, *gates)))
        compared.append(made)
    decision = replace(report.decision, variants=tuple(decided))
    return replace(report, decision=decision, variants=tuple(compared))
