"""MetricsStore: a row for each finished run, written by many, queried by SQL.

    store = MetricsStore("/data/metrics")          # or s3://BUCKET/PREFIX
    store.save_metrics([row])                      # a line of the day's journal
    store.query_metrics(RowFilter(customer="donghwa-entec"))
    store.export_to_parquet(Path("metrics.parquet"))

Saving needs no library; pyarrow and DuckDB are imported when something is read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import platformdirs

from ..contracts.errors import MetricsStoreError
from ..contracts.run_metrics.rows import MetricsRow
from .filters import EVERYTHING, RowFilter
from .journal import lines_of
from .places.opened import open_place
from .places.port import Place

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from .by_file import ByFile
    from .compaction import Compacted
    from .rollups import Rollups
    from .snapshot import Snapshot, SnapshotReader

T = TypeVar("T")

READ_TRIES = 5
QUERIES_AT_ONCE = 2
"""More share the same cores, and the memory that one needs."""
ROWS_AT_ONCE = 10_000
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "400MB",
    "threads": 2,
    # Nothing is ever fetched: all that is needed is in the package.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
COMPACT_FROM_BYTES = 1_000_000
FRESH_S = 0.2
"""How long a look at the place is believed: a page asks several times."""
DEFAULT_LIMIT = 1000


@dataclass(frozen=True)
class Answer:
    """What a query found.

    Args:
        columns: their names.
        records: in the query's order.
    """

    columns: tuple[str, ...]
    records: list[tuple[Any, ...]]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.columns, record, strict=True)) for record in self.records)


class MetricsStore:
    """Rows of finished runs, in a directory or a bucket.

    Args:
        address: a directory, or 's3://BUCKET/PREFIX'; made where it is missing.
        kept: where files of a bucket are kept on this machine; None takes the user's cache.

    Raises:
        ConfigurationError: no such address.
    """

    def __init__(self, address: str | Path, kept: Path | None = None) -> None:
        kept = kept or Path(platformdirs.user_cache_dir("guardianflow")) / "metrics"
        self.place: Place = open_place(address, kept)
        self._lock, self._mine = threading.Lock(), threading.local()
        self._turns = threading.BoundedSemaphore(QUERIES_AT_ONCE)
        self._opened: _Opened | None = None
        self._seen: tuple[float, Snapshot] | None = None

    @property
    def address(self) -> str:
        """For people."""
        return self.place.address

    # --- write --------------------------------------------------------------------------------

    def save_metrics(self, rows: MetricsRow | Iterable[MetricsRow]) -> None:
        """Write rows; there when it returns. A row of a run that has one takes its place.

        Raises:
            MetricsStoreError: the place refuses.
        """
        given = [rows] if isinstance(rows, MetricsRow) else list(rows)
        if given:
            self.place.append(datetime.now(UTC).date(), lines_of(given))
            self._seen = None

    def compact(self) -> Compacted:
        """Bring the journal into Parquet; fine at any time, beside writers and readers.

        Raises:
            TimeoutError: another process is at it.
            MetricsStoreError: the place refuses.
        """
        from .compaction import compact

        done, self._seen = compact(self.place), None
        return done

    def compact_when_due(self) -> bool:
        """Compact where the journal has grown; what another process is at is left to it."""
        if sum(each.size for each in self.place.journals()) < COMPACT_FROM_BYTES:
            return False
        with suppress(TimeoutError):
            self.compact()
            return True
        return False

    def build_anew(self, rows: Iterable[MetricsRow]) -> Compacted:
        """Put these rows in the place of all that the store has; in one step, at the end.

        Raises:
            TimeoutError: another process is compacting.
            MetricsStoreError: the place refuses.
        """
        from .compaction import build_anew

        done, self._seen = build_anew(self.place, rows), None
        return done

    # --- read ---------------------------------------------------------------------------------

    def query_metrics(
        self, asked: RowFilter = EVERYTHING, *, limit: int = DEFAULT_LIMIT, offset: int = 0
    ) -> list[MetricsRow]:
        """The rows that are asked for, the newest first.

        Raises:
            MetricsStoreError: the store can't be read.
        """
        from .tables import rows_of, run_id_table

        where, values = asked.where()
        newest = "timestamp DESC, run_id LIMIT ? OFFSET ?"
        query = f"SELECT * FROM runs WHERE {where} ORDER BY {newest}"  # nosec B608

        def source(snapshot: Snapshot) -> str:
            if asked.run_ids:
                known = self._open().reader.known
                return snapshot.sources_of(run_id_table(asked.run_ids), known)
            return snapshot.source_sql(asked.since)

        answer = self._sql(query, [*values, limit, offset], source)
        return rows_of(answer.columns, answer.records)

    def export_to_parquet(self, destination: Path, asked: RowFilter = EVERYTHING) -> int:
        """Write the rows that are asked for into one Parquet file; returns how many.

        Raises:
            MetricsStoreError: the store can't be read, or the file not be written.
        """
        from .exports import export_parquet

        return export_parquet(self._batches(asked), destination)

    def export_to_csv(self, destination: Path, asked: RowFilter = EVERYTHING) -> int:
        """As export_to_parquet, for spreadsheets."""
        from .exports import export_csv

        return export_csv(self._batches(asked), destination)

    def sql(self, query: str, values: Sequence[Any] = (), since: datetime | None = None) -> Answer:
        """Run one SELECT of DuckDB; its table `runs` has all rows, each run once.

        Args:
            since: rows that are older need not be looked at; the query leaves them out itself.

        Raises:
            MetricsStoreError: the store can't be read.
        """

        return self._sql(query, values, lambda snapshot: snapshot.source_sql(since))

    def _sql(self, query: str, values: Sequence[Any], source: Callable[[Snapshot], str]) -> Answer:
        def answered(cursor: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Answer:
            whole = f"WITH runs AS (FROM {source(snapshot)}) {query}"
            return _answer(cursor.execute(whole, values))

        return self._asked(answered)

    def rolled(self, query: str, asked: RowFilter) -> Answer:
        """Run one SELECT whose table `parts` has aggregates of all rows that are asked for.

        As rollups.rolled_sql makes them: several for each group, to be added up.
        """
        from .rollups import parts_sql

        def answered(cursor: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Answer:
            parts, values = parts_sql(snapshot, asked, self._open().rollups)
            return _answer(cursor.execute(f"WITH parts AS ({parts}) {query}", values))

        return self._asked(answered)

    def by_file(self, query: ByFile[T], asked: RowFilter) -> list[T]:
        """What a query finds in the parts of the store, the newest part first.

        Raises:
            MetricsStoreError: the store can't be read.
        """
        rollups = self._open().rollups
        return self._asked(lambda cursor, snapshot: query.parts(cursor, snapshot, asked, rollups))

    def snapshot(self) -> Snapshot:
        """The store as it is now, or was a moment ago.

        Raises:
            MetricsStoreError: it can't be read.
        """
        seen, now = self._seen, time.monotonic()
        if seen is None or now - seen[0] > FRESH_S:
            seen = self._seen = now, self._open().reader.read()
        return seen[1]

    @property
    def state(self) -> str:
        """Another text where any row is another."""
        return self.snapshot().state

    def _batches(self, asked: RowFilter) -> Iterator[pa.RecordBatch]:
        """The rows that are asked for, the oldest first, never all in memory."""
        import duckdb

        where, values = asked.where()
        query = f"SELECT * FROM runs WHERE {where} ORDER BY timestamp, run_id"  # nosec B608

        def opened(cursor: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> pa.RecordBatchReader:
            whole = f"WITH runs AS (FROM {snapshot.source_sql(asked.since)}) {query}"
            return cursor.sql(whole, params=values).to_arrow_reader(ROWS_AT_ONCE)

        try:
            yield from self._asked(opened)
        except duckdb.Error as exc:
            raise MetricsStoreError(
                f"{self.address} was compacted while it was read: try again ({exc})"
            ) from exc

    def _asked(self, ask: Callable[[duckdb.DuckDBPyConnection, Snapshot], T]) -> T:
        import duckdb

        for attempt in range(READ_TRIES):
            try:
                with self._turns:
                    snapshot = self.snapshot()
                    return ask(self._cursor(snapshot), snapshot)
            except duckdb.IOException as exc:  # a file was compacted away under the query
                self._seen = None
                if attempt == READ_TRIES - 1:
                    raise MetricsStoreError(f"{self.address} can't be read: {exc}") from exc
            except duckdb.Error as exc:
                raise MetricsStoreError(f"{self.address} can't be queried: {exc}") from exc
        raise AssertionError("unreachable")

    def _cursor(self, snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
        """This thread's own, which knows the snapshot's tables."""
        state, cursor = getattr(self._mine, "cursor", ("", None))
        if cursor is None or state != snapshot.state:
            cursor = self._open().database.cursor()
            for name, table in snapshot.tables:
                cursor.register(name, table)
            self._mine.cursor = (snapshot.state, cursor)
        return cursor

    def _open(self) -> _Opened:
        with self._lock:
            if self._opened is None:
                import duckdb

                from .rollups import Rollups
                from .snapshot import SnapshotReader

                database = duckdb.connect(":memory:", config=SETTINGS)
                database.execute("SET parquet_metadata_cache = true")
                reader = SnapshotReader(self.place, database)
                self._opened = _Opened(database, reader, Rollups(database))
            return self._opened


@dataclass(frozen=True)
class _Opened:
    """What reading needs, once it is asked for."""

    database: duckdb.DuckDBPyConnection
    reader: SnapshotReader
    rollups: Rollups


def _answer(found: duckdb.DuckDBPyConnection) -> Answer:
    return Answer(tuple(column[0] for column in found.description), found.fetchall())
