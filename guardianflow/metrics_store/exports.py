"""Rows of a store into one file: Parquet for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contracts.errors import MetricsStoreError
from ..support.files import whole_file
from ..support.text.csv_files import cell
from .columns import COLUMNS
from .tables import MORE, SCHEMA

if TYPE_CHECKING:
    import pyarrow as pa


def export_parquet(batches: Iterable[pa.RecordBatch], destination: Path) -> int:
    """Write the rows with the store's columns, whatever length; returns how many."""
    import pyarrow.parquet as pq

    count = 0
    try:
        with whole_file(destination) as path, pq.ParquetWriter(path, SCHEMA) as writer:
            for batch in batches:
                writer.write_batch(batch.cast(SCHEMA))
                count += batch.num_rows
    except OSError as exc:
        raise MetricsStoreError(f"{destination} can't be written: {exc}") from exc
    return count


def export_csv(batches: Iterable[pa.RecordBatch], destination: Path) -> int:
    """Write the rows, an empty cell for what is absent; `more` is JSON.

    The mark at the file's start makes a Korean Excel read it as UTF-8.
    """
    count = 0
    try:
        with (
            whole_file(destination) as path,
            path.open("w", encoding="utf-8-sig", newline="") as stream,
        ):
            writer = csv.writer(stream)
            writer.writerow(SCHEMA.names)
            for batch in batches:
                for record in batch.to_pylist():
                    writer.writerow([_cell(name, record[name]) for name in SCHEMA.names])
                    count += 1
    except OSError as exc:
        raise MetricsStoreError(f"{destination} can't be written: {exc}") from exc
    return count


def _cell(name: str, value: Any) -> object:
    if name == MORE:
        return json.dumps(dict(value), ensure_ascii=False) if value else ""
    if name in COLUMNS or value is None:
        return value
    return cell(value if isinstance(value, str) else value.isoformat(timespec="milliseconds") + "Z")
