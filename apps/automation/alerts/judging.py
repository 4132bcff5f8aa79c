"""Rules × rows of the metrics store → alerts.

A rule looks at the runs of its window that have its metric and stand for their places:
guardianflow/metrics_store/standing.py says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.questions.aggregates import reading_of
from guardianflow.metrics_store.questions.answers import Certainty, Place, Reading
from guardianflow.metrics_store.questions.asking import Questions
from guardianflow.metrics_store.questions.names import UnknownNameError
from guardianflow.metrics_store.rollups import reading_sql
from guardianflow.metrics_store.standing import (
    CLOCKS_DIFFER,
    Kind,
    Latest,
    is_judged,
    standing,
    standing_kind,
)
from guardianflow.metrics_store.store import MetricsStore

from ..triggers.schema import Rule, Triggers
from .models import AlertList, RuleAlert, alert_id_of

ACCURACY = "mAP50"


@dataclass(frozen=True)
class Judged:
    """A metric of a run, and what says with which others it may be compared."""

    place: Place
    reading: Reading
    kind: Kind


def judge(store: MetricsStore, triggers: Triggers, now: datetime) -> AlertList:
    """Every place and rule whose limit is passed, the worst first.

    Raises:
        MetricsStoreError: the store can't be read.
    """
    questions, found, notes = Questions(store), list[RuleAlert](), list[str]()
    judged = set[Place]()
    for rule in triggers.rules:
        asked = _asked(rule, now)
        try:
            questions.check(replace(asked, experiment_type=None))
        except UnknownNameError as exc:
            notes.append(f"rule '{rule.name}' looks at no run: {exc}")
            continue
        if late := _late(store, rule, asked, now):
            notes.append(
                f"rule '{rule.name}' leaves out {late} runs that ended more than a day from now: "
                "the clock of this machine or of theirs is wrong"
            )
        rows = _rows(store, rule, standing(asked, now))
        found += alerts_of(rule, rows)
        if rule.asked.name == ACCURACY:
            judged |= {row.place for row in rows}
    found.sort(key=lambda each: (-each.excess, each.rule, each.alert_id))
    return AlertList(alerts=tuple(found), notes=tuple(notes), judged=frozenset(judged))


def alerts_of(rule: Rule, rows: Sequence[Judged]) -> list[RuleAlert]:
    """The alerts of a rule.

    Args:
        rows: the newest first.
    """
    places: dict[Place, list[Judged]] = {}
    for row in rows:
        places.setdefault(row.place, []).append(row)
    made = (_alert(rule, place, _comparable(rule, each)) for place, each in places.items())
    return [each for each in made if each is not None]


def _asked(rule: Rule, now: datetime) -> RowFilter:
    return RowFilter(since=now - rule.window, **dict(rule.scope))


def _late(store: MetricsStore, rule: Rule, asked: RowFilter, now: datetime) -> int:
    """How many runs of the rule are dated further ahead than clocks differ."""
    where, values = replace(asked, standing=True, since=now + CLOCKS_DIFFER).where()
    metric = rule.asked
    late = f"{where} AND {metric.value_sql} IS NOT NULL"
    query = f"SELECT count(*) AS late FROM runs WHERE {late}"  # nosec B608
    (found,) = store.sql(query, values, now + CLOCKS_DIFFER)
    return int(found["late"])


def _rows(store: MetricsStore, rule: Rule, asked: RowFilter) -> list[Judged]:
    """The newest first."""
    metric = rule.asked
    where, values = asked.where()
    found = store.sql(
        f"SELECT {reading_sql(metric)} AS reading, customer, site, zone, task, experiment_type, "
        f"evaluator FROM runs WHERE {where} AND {metric.value_sql} IS NOT NULL "
        "ORDER BY timestamp DESC, run_id DESC",  # nosec B608 # own names; values are marks
        values,
        asked.since,
    )
    return [
        Judged(
            Place(**{name: each[name] for name in Place.model_fields}),
            reading_of(each["reading"]),
            Kind(each["experiment_type"], each["evaluator"]),
        )
        for each in found
    ]


def _comparable(rule: Rule, rows: Sequence[Judged]) -> list[Judged]:
    """Those that may be set beside each other, the newest first."""
    if not is_judged(rule.asked):
        return list(rows)
    kind = standing_kind(
        (each.kind, Latest(each.reading.timestamp, each.reading.run_id)) for each in rows
    )
    return [each for each in rows if each.kind == kind]


def _alert(rule: Rule, place: Place, rows: Sequence[Judged]) -> RuleAlert | None:
    last = [row.reading for row in rows[: rule.min_runs]]
    beyond = all(rule.sign * (each.value - rule.threshold) > 0 for each in last)
    if len(last) < rule.min_runs or not beyond:
        return None
    certainties = {certainty_of(rule, each) for each in last}
    certainty = next(each for each in LEAST_CERTAIN_FIRST if each in certainties)
    distance = rule.sign * (last[0].value - rule.threshold)
    return RuleAlert(
        alert_id=alert_id_of(rule.name, place),
        rule=rule.name,
        place=place,
        metric=rule.metric,
        comparison=rule.comparison,
        threshold=rule.threshold,
        reading=last[0],
        runs=len(last),
        certainty=certainty,
        fires=certainty is not Certainty.UNDECIDED,
        excess=distance / (abs(rule.threshold) or 1.0),
        action=rule.action,
    )


LEAST_CERTAIN_FIRST = (Certainty.UNDECIDED, Certainty.NO_INTERVAL, Certainty.CERTAIN)


def certainty_of(rule: Rule, reading: Reading) -> Certainty:
    """Of a value beyond the threshold."""
    nearest = reading.low if rule.sign > 0 else reading.high
    if nearest is None:
        return Certainty.NO_INTERVAL
    beyond = rule.sign * (nearest - rule.threshold) > 0
    return Certainty.CERTAIN if beyond else Certainty.UNDECIDED
