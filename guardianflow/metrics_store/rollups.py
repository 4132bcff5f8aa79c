"""Aggregates of whole months, kept in memory: a Parquet file is never changed, so neither are they.

A question about all ten years adds up some thousand groups of months, and reads rows for the months
that it asks for in part and for the journal alone.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .columns import SHORT, Metric, literal, quoted
from .filters import STANDS, RowFilter
from .snapshot import Snapshot, Source, month_at, select_files, union_of
from .standing import LATEST_SQL
from .tables import utc

if TYPE_CHECKING:
    import duckdb

KEYS = (
    *("customer", "site", "zone", "task"),
    *("experiment_type", "evaluator", "model_architecture"),
)
ROLLED: tuple[Metric, ...] = tuple(
    SHORT[name]
    for name in (
        *("mAP50", "mAP50_95", "precision", "recall", "latency_ms", "latency_p95_ms", "fps"),
        *("gpu_utilization_pct", "cameras", "false_alarms_a_day"),
    )
)
FORGOTTEN_AFTER_S = 600.0
"""Who asks by an older state of the store still finds its months."""
FILES_AT_ONCE = 6
"""Bounds the memory that making them takes."""
TABLE = "rollups"
# No group knows these: rows are read then.
OF_ROWS = ("experiment_design", "directory")
PARTS = ("rows", "sum", "minimum", "maximum", "latest")


def reading_sql(metric: Metric) -> str:
    """A struct of the metric's value, bounds, time and run."""
    return (
        f"{{'value': {metric.value_sql}, 'low': {metric.low_sql}, 'high': {metric.high_sql}, "
        "'timestamp': timestamp, 'run_id': run_id}"
    )


def latest_sql(metric: Metric) -> str:
    """The reading of the latest run that has the metric."""
    return f"arg_max({reading_sql(metric)}, {LATEST_SQL}) FILTER ({metric.value_sql} IS NOT NULL)"


def order_of(reading: str) -> str:
    """SQL that sorts readings as LATEST_SQL does their runs; NULL of none."""
    return (
        f"CASE WHEN {reading} IS NULL THEN NULL ELSE "
        f"{{'timestamp': {reading}.timestamp, 'run_id': {reading}.run_id}} END"
    )


def rolled_sql(source: str, file: str = "''") -> str:
    """A SELECT of a source's groups, as the table of rollups has them.

    Args:
        source: stands after FROM, with its WHERE.
        file: SQL of the file's path.
    """
    parts = []
    for each in ROLLED:
        value = each.value_sql
        latest = latest_sql(each)
        of_part = (f"count({value})", f"sum({value})", f"min({value})", f"max({value})", latest)
        parts += [
            f"{sql} AS {column(each, part)}" for part, sql in zip(PARTS, of_part, strict=True)
        ]
    keys = ", ".join(KEYS)
    return (
        f"SELECT {file} AS file, {keys}, {STANDS} AS stands, count(*) AS runs, "
        "min(timestamp) AS first, "  # nosec B608 # names of our own columns, values as parameters
        f"max(timestamp) AS last, {', '.join(parts)} FROM {source} GROUP BY ALL"
    )


def column(metric: Metric, part: str) -> str:
    return quoted(f"{metric.name}.{part}")


class Rollups:
    """The table of rollups in a database of DuckDB.

    Args:
        database: is given the table; it must read Parquet.
    """

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._used: dict[str, float] = {}
        self._ends: dict[str, datetime] = {}

    def hold(self, paths: Iterable[str]) -> str:
        """Have the rollups of these files, and their sum; old ones go after a while.

        Returns:
            What stands in the column `file` of the sum.
        """
        with self._lock:
            cursor, now = self._database.cursor(), time.monotonic()
            wanted = list(paths)
            self._make(cursor, wanted, now)
            name = f"sum of {hashlib.sha256(repr(wanted).encode()).hexdigest()}"
            if name not in self._used:
                cursor.execute(f"INSERT INTO {TABLE} {_sum_sql(name, wanted)}")
            self._used |= dict.fromkeys([*wanted, name], now)
            gone = [p for p, used in self._used.items() if now - used > FORGOTTEN_AFTER_S]
            if gone:
                listed = ", ".join(map(literal, gone))
                cursor.execute(f"DELETE FROM {TABLE} WHERE file IN ({listed})")  # nosec B608
                for path in gone:
                    del self._used[path]
                    self._ends.pop(path, None)
            return name

    def ends_in_time(self, source: Source, asked: RowFilter) -> bool:
        """Whether no row of a file is after what is asked for."""
        if asked.until is None or source.month < month_at(asked.until):
            return True
        # The month that runs: its file is looked into.
        return source.month == month_at(asked.until) and self._end_of(source.path) < asked.until

    def _end_of(self, path: str) -> datetime:
        """When the last run of a file ended."""
        with self._lock:
            now = time.monotonic()
            if path not in self._ends:
                cursor = self._database.cursor()
                self._make(cursor, [path], now)
                asked = f"SELECT max(last) FROM {TABLE} WHERE file = {literal(path)}"  # nosec B608
                (last,) = cursor.execute(asked).fetchone() or (None,)
                self._ends[path] = utc(last)
            elif path in self._used:
                self._used[path] = now
            return self._ends[path]

    def _make(self, cursor: duckdb.DuckDBPyConnection, paths: list[str], now: float) -> None:
        """The rollups of those files that have none."""
        missing = [path for path in paths if path not in self._used]
        for start in range(0, len(missing), FILES_AT_ONCE):
            part = missing[start : start + FILES_AT_ONCE]
            whole = rolled_sql(f"({select_named(part)})", "filename")
            cursor.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} AS {whole} LIMIT 0")
            cursor.execute(f"INSERT INTO {TABLE} {whole}")
            self._used |= dict.fromkeys(part, now)


def _sum_sql(name: str, files: Iterable[str]) -> str:
    """A SELECT of the groups of several files as those of one."""
    sums = {"rows": "sum", "sum": "sum", "minimum": "min", "maximum": "max"}
    parts = []
    for each in ROLLED:
        parts += [f"{how}({column(each, part)})" for part, how in sums.items()]
        latest = column(each, "latest")
        parts.append(f"arg_max({latest}, {order_of(latest)})")
    listed = ", ".join(map(literal, files))
    return (
        f"SELECT {literal(name)} AS file, {', '.join(KEYS)}, stands, sum(runs), "
        "min(first), max(last), "  # nosec B608 # names of our own columns, values as parameters
        f"{', '.join(parts)} FROM {TABLE} WHERE file IN ({listed}) GROUP BY ALL"
    )


def select_named(paths: Iterable[str]) -> str:
    """Rows of files, with the file's path in the column `filename`."""
    return select_files(paths, ", filename = true").replace("SELECT ", "SELECT filename, ", 1)


def parts_sql(snapshot: Snapshot, asked: RowFilter, rollups: Rollups) -> tuple[str, list[Any]]:
    """A SELECT of the groups of all rows that are asked for, and what its marks stand for."""
    where, values = asked.where()
    since = asked.since
    if asked.run_ids or any(getattr(asked, name) is not None for name in OF_ROWS):
        return rolled_sql(f"{snapshot.source_sql(since)} WHERE {where}"), values
    first = month_at(since)
    whole = [
        each
        for each in snapshot.sources
        if each.path and first < each.month and rollups.ends_in_time(each, asked)
    ]
    if not whole:
        return rolled_sql(f"{snapshot.source_sql(since)} WHERE {where}"), values
    paths = [each.path for each in whole]
    held = rollups.hold(paths)
    of_keys, key_values = replace(asked, since=None, until=None, standing=False).where()
    if asked.standing:
        of_keys += " AND stands"
    others = [each for each in snapshot.parts_since(since) if each not in whole]
    return (
        f"SELECT * FROM {TABLE} WHERE file = {literal(held)} AND {of_keys} UNION ALL "
        f"{rolled_sql(f'{union_of(others)} WHERE {where}')}",  # nosec B608
        [*key_values, *values],
    )


def direct_sql(metrics: Iterable[Metric]) -> str:
    """Columns of metrics' aggregates over rows, named as those of `added_sql`."""
    return ", ".join(
        f"{sql} AS {column(each, name)}"
        for each in metrics
        for name, sql in (
            ("rows", f"count({each.value_sql})"),
            ("mean", f"avg({each.value_sql})"),
            ("minimum", f"min({each.value_sql})"),
            ("maximum", f"max({each.value_sql})"),
            ("latest", latest_sql(each)),
        )
    )


def added_sql(metrics: Iterable[Metric]) -> str:
    """Columns of metrics' aggregates over groups of parts."""
    added = {
        "rows": "sum({rows})",
        "mean": "sum({sum}) / sum({rows})",
        "minimum": "min({minimum})",
        "maximum": "max({maximum})",
        "latest": "arg_max({latest}, {order})",
    }

    def parts_of(metric: Metric) -> dict[str, str]:
        named = {part: column(metric, part) for part in PARTS}
        return named | {"order": order_of(named["latest"])}

    return ", ".join(
        f"{sql.format(**parts_of(each))} AS {column(each, name)}"
        for each in metrics
        for name, sql in added.items()
    )
