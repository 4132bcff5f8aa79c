"""Rows as Arrow tables of one fixed schema, in and out of Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..contracts.run_metrics.rows import TEXTS, TIMES, MetricsRow
from .columns import COLUMNS

MORE = "more"
ROWS_A_GROUP = 50_000
SORTED_BY = ("customer", "site", "zone", "task", "timestamp")
"""In a file: who asks for one site reads few of its groups."""
SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.timestamp("ms")) for name in TIMES),  # UTC
        *(pa.field(name, pa.string()) for name in TEXTS),
        *(pa.field(name, pa.float64()) for name in COLUMNS),
        pa.field(MORE, pa.map_(pa.string(), pa.float64())),
    ]
)
_OWN = frozenset(COLUMNS)


def table_of(rows: Iterable[MetricsRow]) -> pa.Table:
    """The rows, one each; columns of SCHEMA."""
    given = list(rows)
    columns: dict[str, list[Any]] = {}
    for name in TIMES:
        columns[name] = [getattr(row, name).replace(tzinfo=None) for row in given]
    for name in TEXTS:
        columns[name] = [getattr(row, name) for row in given]
    for name in COLUMNS:
        columns[name] = [row.metrics.get(name) for row in given]
    columns[MORE] = [
        sorted((key, value) for key, value in row.metrics.items() if key not in _OWN)
        for row in given
    ]
    return pa.table(
        [pa.array(columns[each.name], each.type) for each in SCHEMA],
        schema=SCHEMA,
    )


def rows_of(columns: Sequence[str], records: Iterable[Sequence[Any]]) -> list[MetricsRow]:
    """The rows of a query's answer that has all columns of SCHEMA."""
    found = []
    for record in records:
        values = dict(zip(columns, record, strict=True))
        metrics = {key: values[key] for key in COLUMNS if values[key] is not None}
        more = values[MORE] or {}
        given: dict[str, Any] = {name: values[name] for name in TEXTS}
        given |= {name: utc(values[name]) for name in TIMES}
        others = more.items() if isinstance(more, dict) else more
        found.append(MetricsRow(**given, metrics=metrics | dict(others)))
    return found


def utc(time: datetime) -> datetime:
    """A moment of the store, which has no zone there, as one of UTC."""
    return time.replace(tzinfo=UTC)


def run_id_table(run_ids: Iterable[str]) -> pa.Table:
    return pa.table({"run_id": pa.array(list(run_ids), pa.string())})


def month_of(row: MetricsRow) -> str:
    """'2026-11': the part of the store that it belongs to."""
    return row.timestamp.strftime("%Y-%m")


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table of SCHEMA, sorted."""
    ordered = table.sort_by([(name, "ascending") for name in SORTED_BY])
    pq.write_table(ordered, path, compression="zstd", row_group_size=ROWS_A_GROUP)


def read_parquet(path: Path) -> pa.Table:
    """Read a file; a column that a newer version has is empty, one that is gone is left out."""
    found = pq.read_table(path, partitioning=None)
    arrays = [
        found[each.name].cast(each.type)
        if each.name in found.schema.names
        else pa.nulls(found.num_rows, each.type)
        for each in SCHEMA
    ]
    return pa.table(arrays, schema=SCHEMA)


def run_ids_of(path: Path) -> set[str]:
    """The runs of a file."""
    return set(pq.read_table(path, columns=["run_id"], partitioning=None)["run_id"].to_pylist())


def without(table: pa.Table, run_ids: Iterable[str]) -> pa.Table:
    """The rows of other runs."""
    given = pa.array(list(run_ids), pa.string())
    return table.filter(pc.invert(pc.is_in(table["run_id"], given)))


def other_keys(table: pa.Table) -> list[str]:
    """The keys of metrics that have no column of their own."""
    keys = pa.chunked_array([chunk.keys for chunk in table[MORE].chunks], pa.string())
    return sorted(set(pc.unique(keys).to_pylist()))
