"""Rows from MLflow: of what others wrote there, and of what could not be written at a run's end.

catch_up   runs that ended since the last time, and two days before it: clocks differ, and a run
           may reach MLflow late; once a day all runs
rebuild    the whole store anew; what MLflow has no more is gone
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice

from guardianflow.contracts.ports import RunHistory
from guardianflow.contracts.run_metrics.rows import MetricsRow
from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.run_rows import row_of
from guardianflow.metrics_store.store import MetricsStore

MARK = "caught_up.json"
DAY_MS = 86_400_000
LOOKED_BACK_MS = 2 * DAY_MS
ROWS_AT_ONCE = 500
Progress = Callable[[int], None]
"""Told how many runs were read."""


@dataclass(frozen=True)
class CaughtUp:
    """What came of it.

    Args:
        runs: finished ones that were read from MLflow.
        written: rows that were new or other than before.
        whole: all runs were looked at.
    """

    runs: int
    written: int
    whole: bool


@dataclass(frozen=True)
class _Mark:
    """When the store was last made equal to MLflow, by this machine's clock."""

    until_ms: int = 0
    whole_ms: int = 0


def catch_up(
    metrics: MetricsStore,
    runs: RunHistory,
    *,
    whole: bool = False,
    progress: Progress = lambda _count: None,
) -> CaughtUp:
    """Write the rows that are missing, or other than MLflow's.

    Args:
        whole: look at all runs, however long that takes.

    Raises:
        GuardianFlowError: one of the two stores refuses; what was written is right.
    """
    began, mark = int(time.time() * 1000), _mark(metrics)
    # A clock that was set back makes both differences negative: then all is looked at.
    whole = whole or not 0 <= began - mark.whole_ms < DAY_MS or mark.until_ms > began
    since = None if whole else mark.until_ms - LOOKED_BACK_MS
    read, written = 0, 0
    rows = _rows(runs, since)
    while part := list(islice(rows, ROWS_AT_ONCE)):
        read += len(part)
        asked = RowFilter(run_ids=tuple(row.run_id for row in part))
        there = {row.run_id: row for row in metrics.query_metrics(asked, limit=len(part))}
        new = [row for row in part if there.get(row.run_id) != row]
        metrics.save_metrics(new)
        written += len(new)
        progress(read)
    _put_mark(metrics, _Mark(began, began if whole else mark.whole_ms))
    metrics.compact_when_due()
    return CaughtUp(read, written, whole)


def rebuild(
    metrics: MetricsStore, runs: RunHistory, *, progress: Progress = lambda _count: None
) -> CaughtUp:
    """Make the store anew; it is as it was until all is read.

    Raises:
        TimeoutError: another process is compacting.
        GuardianFlowError: one of the two stores refuses.
    """
    began = int(time.time() * 1000)

    def counted() -> Iterator[MetricsRow]:
        for number, row in enumerate(_rows(runs, None), 1):
            yield row
            if number % ROWS_AT_ONCE == 0:
                progress(number)

    made = metrics.build_anew(counted())
    _put_mark(metrics, _Mark(began, began))
    return CaughtUp(made.rows, made.rows, whole=True)


def _rows(runs: RunHistory, since_ms: int | None) -> Iterator[MetricsRow]:
    found = map(row_of, runs.finished_runs(since_ms))
    return (row for row in found if row is not None)


def _mark(metrics: MetricsStore) -> _Mark:
    """The mark; one of no time where there is none that can be read."""
    try:
        return _Mark(**json.loads(metrics.place.read(MARK) or b"{}"))
    except (TypeError, ValueError):
        return _Mark()


def _put_mark(metrics: MetricsStore, mark: _Mark) -> None:
    metrics.place.put(MARK, json.dumps(asdict(mark)).encode())
