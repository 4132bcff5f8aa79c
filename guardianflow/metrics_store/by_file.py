"""What a query finds in each Parquet file, kept in memory: files are never changed.

For answers of which each file has a short part, as the last readings of every place. Aggregates of
all files are in rollups.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .filters import RowFilter
from .rollups import FORGOTTEN_AFTER_S, OF_ROWS, Rollups
from .snapshot import Snapshot, select_files, union_of

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")
NOT_KEPT = (*OF_ROWS, "run_ids", "architectures")
"""Who asks for these has every row looked at."""


class ByFile(Generic[T]):
    """Runs one SELECT over files, over each once.

    Args:
        query: its table `runs` has the rows of one file, or of what is no whole file.
        made: what is kept of its records.
    """

    def __init__(self, query: str, made: Callable[[list[tuple[Any, ...]]], T]) -> None:
        self._query, self._made = query, made
        self._kept: dict[str, tuple[float, T]] = {}

    def parts(
        self,
        cursor: duckdb.DuckDBPyConnection,
        snapshot: Snapshot,
        asked: RowFilter,
        rollups: Rollups,
    ) -> list[T]:
        """What is found in rows that no file has whole, then in each file, the newest first.

        Files are looked at as a whole: what is of another place or before `since` is found too.
        """
        there = snapshot.parts_since(asked.since)
        whole = [e for e in there if e.path and rollups.ends_in_time(e, asked)]
        if any(getattr(asked, name) for name in NOT_KEPT):
            whole = []
        where, values = asked.where()
        rest = f"{union_of(each for each in there if each not in whole)} WHERE {where}"
        newest = sorted(whole, key=lambda each: each.month, reverse=True)
        found = [self._found(cursor, rest, values), *(self._of(cursor, e.path) for e in newest)]
        oldest = time.monotonic() - FORGOTTEN_AFTER_S
        for path in [path for path, (used, _) in list(self._kept.items()) if used < oldest]:
            self._kept.pop(path, None)
        return found

    def _of(self, cursor: duckdb.DuckDBPyConnection, path: str) -> T:
        kept = self._kept.get(path)
        found = kept[1] if kept else self._found(cursor, f"({select_files([path])})", [])
        self._kept[path] = time.monotonic(), found
        return found

    def _found(self, cursor: duckdb.DuckDBPyConnection, source: str, values: list[Any]) -> T:
        return self._made(
            cursor.execute(f"WITH runs AS (FROM {source}) {self._query}", values).fetchall()
        )
