"""What a store holds at one moment, as DuckDB reads it: Parquet and journals, each run once.

Nothing is locked for it. The journals are read before the manifest: rows that are brought from one
into the other meanwhile are then seen twice and counted once, never missed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..contracts.errors import MetricsStoreError
from ..contracts.run_metrics.rows import MetricsRow
from .columns import literal, quoted
from .compaction import COLUMNS_DIGEST
from .journal import ReadRows, read_rows
from .known_runs import KnownRuns
from .manifest import DataFile, Manifest, parse_manifest
from .places.port import MANIFEST, JournalFile, Place
from .tables import SCHEMA, read_parquet, table_of, without
from .tables import other_keys as other_keys_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

TRIES = 20
ALL_COLUMNS = ", ".join(map(quoted, SCHEMA.names))


@dataclass(frozen=True)
class Source:
    """A part of the rows.

    Args:
        sql: a SELECT of all columns.
        month: of its rows, '2026-11'; '' of any.
        path: of a Parquet file whose rows all count; '' of what is none.
    """

    sql: str
    month: str = ""
    path: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The rows at one moment.

    Args:
        state: another one where any row is another.
        tables: what the sources name, to be registered.
        other_keys: of metrics without a column.
        damaged: lines of journals that are no row.
        journal_bytes: not compacted yet.
    """

    state: str
    sources: tuple[Source, ...]
    tables: tuple[tuple[str, pa.Table], ...]
    other_keys: frozenset[str]
    damaged: int
    journal_bytes: int

    def sources_of(self, run_ids: pa.Table, known: KnownRuns) -> str:
        """The parts that these runs can stand in: stands after FROM."""
        there = known.among([each.path for each in self.sources if each.path], run_ids)
        return union_of(each for each in self.sources if not each.path or each.path in there)

    def source_sql(self, since: datetime | None = None) -> str:
        """All rows, or those that can be of the time since a moment: stands after FROM."""
        return union_of(self.parts_since(since))

    def parts_since(self, moment: datetime | None) -> list[Source]:
        """The parts that rows of the time since a moment can stand in."""
        first = month_at(moment)
        return [each for each in self.sources if not each.month or each.month >= first]


def month_at(moment: datetime | None) -> str:
    """'2026-11', as of a Source; '' of none, which is before all."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m")


def union_of(sources: Iterable[Source]) -> str:
    """Sources as one, their Parquet files read together: stands after FROM."""
    given = list(sources)
    paths = [each.path for each in given if each.path]
    parts = [each.sql for each in given if not each.path]
    if paths:
        parts.append(select_files(paths))
    return f"({' UNION ALL '.join(parts)})"


def select_files(paths: Iterable[str], more: str = "") -> str:
    listed = ", ".join(map(literal, paths))
    files = f"read_parquet([{listed}], hive_partitioning = false{more})"
    return f"SELECT {ALL_COLUMNS} FROM {files}"  # nosec B608 # own names; values are marks


class SnapshotReader:
    """Reads snapshots; what has not changed is not read again.

    Args:
        database: for looking into Parquet files.

    Attributes:
        known: tells in which file a run stands.
    """

    def __init__(self, place: Place, database: duckdb.DuckDBPyConnection) -> None:
        self._place, self.known = place, KnownRuns(database)
        self._lock = threading.Lock()
        self._journals: dict[JournalFile, ReadRows] = {}
        self._manifest = (b"", Manifest())
        self._last: Snapshot | None = None

    def read(self) -> Snapshot:
        """The store as it is now.

        Raises:
            MetricsStoreError: it can't be read.
        """
        with self._lock:
            for _ in range(TRIES):
                try:
                    if (found := self._try()) is not None:
                        return found
                except FileNotFoundError:  # compacted once more
                    continue
        raise MetricsStoreError(
            f"the metrics store at {self._place.address} can't be read: a file that its manifest "
            "names is gone. Make it anew with `guardianflow metrics rebuild`"
        )

    def _try(self) -> Snapshot | None:
        """A snapshot; None where a compaction came in between."""
        listed = self._place.journals()
        contents = {each: self._journals.get(each) or self._read(each) for each in listed}
        manifest = self._current_manifest()
        still = {_identity(each) for each in self._place.journals()}
        gone = [e for e in listed if _identity(e) not in still and e.name not in manifest.consumed]
        if gone:
            return None
        self._journals = contents
        counted = [each for each in listed if each.name not in manifest.consumed]
        state = _state(manifest, counted)
        if self._last is None or self._last.state != state:
            self._last = self._made(state, manifest, counted)
        return self._last

    def _current_manifest(self) -> Manifest:
        content = self._place.read(MANIFEST)
        if content != self._manifest[0]:
            self._manifest = content, parse_manifest(content, self._place.address)
        return self._manifest[1]

    def _read(self, journal: JournalFile) -> ReadRows:
        for earlier, rows in self._journals.items():
            if _identity(earlier) == _identity(journal) and earlier.size < journal.size:
                more = rows.grown(self._place.read(journal.name, rows.resumes_at))
                if more is not None:
                    return more
        content = self._place.read(journal.name)
        if journal.size and not content:
            raise FileNotFoundError(journal.name)
        return read_rows(content, ended=journal.sealed)

    def _made(self, state: str, manifest: Manifest, journals: list[JournalFile]) -> Snapshot:
        rows: dict[str, MetricsRow] = {}
        for each in journals:
            rows |= {row.run_id: row for row in self._journals[each].rows}
        newer = table_of(rows.values())
        tables = [(f"journal_{state}", newer)]
        sources = [Source(f"SELECT {ALL_COLUMNS} FROM journal_{state}")]  # nosec B608
        paths: dict[str, DataFile] = {
            str(self._place.local(each.name)): each for each in manifest.files
        }
        replaced = self.known.among(paths, newer) if rows else {}
        for path, file in paths.items():
            left_out = replaced.get(path, [])
            if file.columns != COLUMNS_DIGEST:  # of another version, until the next compaction
                name = f"file_{state}_{len(tables)}"
                tables.append((name, without(read_parquet(Path(path)), left_out)))
                query = f"SELECT {ALL_COLUMNS} FROM {name}"  # nosec B608
                sources.append(Source(query, file.month))
            elif left_out:
                listed = ", ".join(map(literal, left_out))
                less = f"{select_files([path])} WHERE run_id NOT IN ({listed})"
                sources.append(Source(less, file.month))
            else:
                sources.append(Source("", file.month, path))
        other_keys = {key for each in manifest.files for key in each.other_keys}
        return Snapshot(
            state,
            tuple(sources),
            tuple(tables),
            frozenset(other_keys | set(other_keys_of(newer))),
            sum(self._journals[each].damaged for each in journals),
            sum(each.size for each in journals),
        )


def _identity(journal: JournalFile) -> tuple[str, str]:
    return journal.name, journal.version.partition("-")[0]


def _state(manifest: Manifest, journals: Iterable[JournalFile]) -> str:
    text = repr((manifest.digest, [(e.name, e.size, e.version) for e in journals]))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
