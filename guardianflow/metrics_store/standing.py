"""Which runs stand for a place: the one rule of pages, API, Prometheus, Grafana and triggers.

left out       trials of sweeps, comparisons, ablations and searches for a quantisation; the runs of
               those designs themselves; runs dated more than a day ahead: a clock is wrong
accuracy,      runs of one type and one evaluator: infer's where there are any, else quant's, else a
tracking,      trainer's own; an evaluator's before a trainer's numbers; of several the newest
alarms
the rest       all that are not left out
the latest     that ended last; of several in one millisecond the one whose id sorts last
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from .columns import Metric
from .filters import RowFilter

JUDGED = ("det.", "mot.", "alarm.")
"""Beginnings of the keys that runs of several types or evaluators must not be mixed in."""
TYPES_OF_ACCURACY = ("infer", "quant", "train")
"""Whose accuracy stands for a place, the first that there is."""
CLOCKS_DIFFER = timedelta(days=1)
"""A run that ended later than so far ahead was written by a clock that is wrong, or ours is."""


class Kind(NamedTuple):
    """What says which runs may be compared.

    Args:
        evaluator: None: a trainer's own numbers.
    """

    experiment_type: str | None
    evaluator: str | None


class Latest(NamedTuple):
    """Of several runs the greatest is the latest."""

    timestamp: datetime
    run_id: str


LATEST_SQL = "{'timestamp': timestamp, 'run_id': run_id}"
"""SQL: sorts as Latest does."""


def standing(asked: RowFilter, now: datetime | None = None) -> RowFilter:
    """The rows of a question that may stand for their places."""
    ahead = (now or datetime.now(UTC)) + CLOCKS_DIFFER
    until = min(filter(None, (ahead, asked.until)))
    return replace(asked, standing=True, until=until)


def is_judged(metric: Metric) -> bool:
    """Whether the metric compares within one kind of run alone."""
    return metric.keys[0].startswith(JUDGED)


def standing_kind(kinds: Iterable[tuple[Kind, Latest]]) -> Kind:
    """The kind whose runs stand for a place.

    Args:
        kinds: each with its latest run that has the metric; at least one.
    """

    def rank(found: tuple[Kind, Latest]) -> tuple[int, bool, Latest]:
        (experiment_type, evaluator), latest = found
        known = experiment_type in TYPES_OF_ACCURACY
        order = TYPES_OF_ACCURACY.index(experiment_type or "") if known else len(TYPES_OF_ACCURACY)
        return -order, evaluator is not None, latest

    return max(kinds, key=rank)[0]
