"""Journals → Parquet, by month. Killed at any moment, the store has every row, and once.

seal      nobody writes to the journals that are taken
write     new Parquet files, under names that nobody reads yet
switch    the manifest names them, and the journals that they hold: one step
clear     what the manifest does not name any more is removed; who was about to read it finds
          it gone, and looks at the manifest again
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from secrets import token_hex

import pyarrow as pa

from ..contracts.errors import MetricsStoreError
from ..contracts.run_metrics.rows import MetricsRow
from ..support.files import scratch_folder
from .journal import lines_of, read_rows
from .manifest import DataFile, Manifest, read_manifest
from .places.port import MANIFEST, ROWS, JournalFile, Place
from .tables import (
    SCHEMA,
    month_of,
    other_keys,
    read_parquet,
    run_ids_of,
    table_of,
    without,
    write_parquet,
)

COLUMNS_DIGEST = hashlib.sha256(str(SCHEMA).encode()).hexdigest()[:12]
ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Compacted:
    """What a compaction did.

    Args:
        rows: taken from journals, or written anew.
        damaged: lines of journals that are no row.
    """

    rows: int = 0
    damaged: int = 0


def compact(place: Place) -> Compacted:
    """Bring the journals' rows into Parquet.

    Raises:
        TimeoutError: another process is at it.
    """
    with place.compacting() as still_held:
        manifest = _readable(place)
        sealed = [each for each in place.seal() if each.name not in manifest.consumed]
        rows, damaged = _newest(place, sealed)
        stale = any(each.columns != COLUMNS_DIGEST for each in manifest.files)
        if sealed or stale:
            _merge(place, manifest, rows, sealed, still_held)
        clear(place)
    return Compacted(len(rows), damaged)


def build_anew(place: Place, rows: Iterable[MetricsRow]) -> Compacted:
    """Put these rows in the place of all that the store has.

    Args:
        rows: may be many: never all in memory. Of one run the first counts.

    Raises:
        TimeoutError: another process is compacting.
    """
    with place.compacting() as still_held:
        sealed = place.seal()  # rows that are written from now on stay in the journal
        with scratch_folder("guardianflow-metrics-") as scratch:
            months, count = _by_month(rows, scratch)
            files = tuple(
                _write(place, month, table_of(read_rows(path.read_bytes(), ended=True).rows))
                for month, path in sorted(months.items())
            )
        still_held()
        _switch(place, Manifest(files, frozenset(each.name for each in sealed)))
        clear(place)
    return Compacted(count)


def clear(place: Place) -> None:
    """Remove journals that are taken, and Parquet files that do not count."""
    manifest = read_manifest(place)
    for name in sorted(manifest.consumed):
        place.delete(name)
    counted = {each.name for each in manifest.files}
    for name in place.parquet_files():
        if name not in counted:
            place.delete(name)


def _readable(place: Place) -> Manifest:
    manifest = read_manifest(place)
    for each in manifest.files:
        try:
            place.local(each.name)
        except FileNotFoundError as exc:
            raise MetricsStoreError(
                f"{each.name} of the metrics store at {place.address} is gone. Make the store anew "
                "with `guardianflow metrics rebuild`"
            ) from exc
    return manifest


def _newest(place: Place, journals: Iterable[JournalFile]) -> tuple[dict[str, MetricsRow], int]:
    """The last row of each run, and how many lines were damaged."""
    rows: dict[str, MetricsRow] = {}
    damaged = 0
    for each in journals:
        read = read_rows(place.read(each.name), ended=True)
        damaged += read.damaged
        rows |= {row.run_id: row for row in read.rows}
    return rows, damaged


def _merge(
    place: Place,
    manifest: Manifest,
    rows: Mapping[str, MetricsRow],
    sealed: Iterable[JournalFile],
    still_held: Callable[[], None],
) -> None:
    by_month: dict[str, list[MetricsRow]] = {}
    for row in rows.values():
        by_month.setdefault(month_of(row), []).append(row)
    files = []
    for each in manifest.files:
        path = place.local(each.name)
        replaced = run_ids_of(path) & rows.keys()
        new = by_month.pop(each.month, [])
        if not (replaced or new or each.columns != COLUMNS_DIGEST):
            files.append(each)
            continue
        table = pa.concat_tables([without(read_parquet(path), replaced), table_of(new)])
        if table.num_rows:
            files.append(_write(place, each.month, table))
    files += [_write(place, month, table_of(new)) for month, new in sorted(by_month.items())]
    consumed = frozenset(each.name for each in sealed)
    still_held()
    ordered = tuple(sorted(files, key=lambda each: each.month))
    _switch(place, replace(manifest, files=ordered, consumed=consumed))


def _write(place: Place, month: str, table: pa.Table) -> DataFile:
    name = f"{ROWS}/month={month}/{token_hex(8)}.parquet"
    with scratch_folder("guardianflow-metrics-") as scratch:
        path = scratch / "rows.parquet"
        write_parquet(table, path)
        place.upload(name, path)
    return DataFile(name, month, table.num_rows, COLUMNS_DIGEST, tuple(other_keys(table)))


def _switch(place: Place, manifest: Manifest) -> None:
    try:
        before = read_manifest(place).built
    except MetricsStoreError:
        before = 0
    place.put(MANIFEST, replace(manifest, built=before + 1).to_json())


def _by_month(rows: Iterable[MetricsRow], scratch: Path) -> tuple[dict[str, Path], int]:
    """Each month's rows in a file of lines; how many there are."""
    months: dict[str, Path] = {}
    seen: set[str] = set()
    fresh = _unseen(rows, seen)
    while part := list(islice(fresh, ROWS_AT_ONCE)):
        for month in {month_of(row) for row in part}:
            path = months.setdefault(month, scratch / f"{month}.jsonl")
            with path.open("ab") as file:
                file.write(lines_of(row for row in part if month_of(row) == month))
    return months, len(seen)


def _unseen(rows: Iterable[MetricsRow], seen: set[str]) -> Iterator[MetricsRow]:
    """The rows of runs that were not seen yet."""
    for row in rows:
        if row.run_id not in seen:
            seen.add(row.run_id)
            yield row
