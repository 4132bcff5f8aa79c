"""Metrics that a script writes into CSV, JSON and JSONL files, followed as the files grow.

    CsvFollower    a header, then a row per epoch: Ultralytics' and YOLOv5's results.csv, and others
    JsonFollower   .json: an object, or a list of objects; .jsonl: an object per line

A row's step is its column `epoch`, `step`, `iteration` or `iter`, else the number of the row.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .metric_keys import DECLARED, TABLE, Follower, Reading

STEP_COLUMNS = ("epoch", "global_step", "step", "iteration", "iter")
BYTES_A_POLL = 4_000_000
LARGEST_JSON = 10_000_000
DEEPEST = 6
LARGEST_NUMBER = 1e300


class GrowingText:
    """The complete lines that were appended to a file since the last look.

    Args:
        start: byte to begin at: the size of a file that was there before the script.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self.path = path
        self._offset = start
        self._inode: int | None = None

    def read(self) -> tuple[list[str], bool]:
        """New whole lines, and whether the file began anew: it was cut or replaced.

        Raises:
            OSError: it can't be read; it may be there again the next time.
        """
        with self.path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            anew = status.st_size < self._offset or self._inode not in (None, status.st_ino)
            self._inode = status.st_ino
            if anew:
                self._offset = 0
            stream.seek(self._offset)
            data = stream.read(BYTES_A_POLL)
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode("utf-8-sig", "replace").splitlines(), anew

    def first_line(self) -> str:
        with self.path.open("rb") as stream:
            return stream.readline(64_000).decode("utf-8-sig", "replace").rstrip("\r\n")


class CsvFollower(Follower):
    """Rows appended to a CSV file with a header.

    Args:
        start, series: as for GrowingText and Reading.
        declared: it is named in the experiment's `metrics.files`.
    """

    def __init__(
        self, path: Path, start: int = 0, series: str = "", *, declared: bool = False
    ) -> None:
        super().__init__(path, series)
        self._source = DECLARED if declared else TABLE
        self._text = GrowingText(path, start)
        self._columns: list[str] | None = None
        self._rows = 0
        self._began_inside = start > 0

    def _new(self) -> Iterator[Reading]:
        lines, anew = self._text.read()
        if anew:
            self._columns, self._rows, self._began_inside = None, 0, False
        if self._began_inside and self._columns is None:
            self._columns = _columns(self._text.first_line())
        for line in lines:
            if not line.strip():
                continue
            if self._columns is None:
                self._columns = _columns(line)
            else:
                yield from self._row(line)

    def _row(self, line: str) -> Iterator[Reading]:
        assert self._columns is not None
        try:
            cells = next(csv.reader([line]))
        except (csv.Error, StopIteration):
            return
        self._rows += 1
        values = {
            name: number
            for name, cell in zip(self._columns, cells, strict=False)
            if name and (number := _number(cell)) is not None
        }
        step, values = _step_of(values)
        if step is None:
            step = None if self._began_inside else self._rows
        for name, value in values.items():
            yield Reading(name, value, step, self._source, self.series)


class JsonFollower(Follower):
    """A JSON file read again whenever it changes, or a JSONL file as it grows."""

    def __init__(self, path: Path, start: int = 0) -> None:
        super().__init__(path)
        self._growing = GrowingText(path, start) if path.suffix.lower() == ".jsonl" else None
        self._rows = 0
        self._seen: tuple[int, int] | None = None

    def _new(self) -> Iterable[Reading]:
        return self._whole() if self._growing is None else self._new_lines(self._growing)

    def _new_lines(self, text: GrowingText) -> Iterator[Reading]:
        lines, anew = text.read()
        self._rows = 0 if anew else self._rows
        for line in lines:
            self._rows += 1
            try:
                value = json.loads(line)
            except ValueError:
                self.problem = f"line {self._rows} is no JSON"
                continue
            yield from self._readings(value, self._rows)

    def _whole(self) -> Iterator[Reading]:
        status = self.path.stat()
        now = (status.st_mtime_ns, status.st_size)
        if now == self._seen:
            return
        if status.st_size > LARGEST_JSON:
            self.problem = f"has {status.st_size / 1e6:.0f} MB, over {LARGEST_JSON / 1e6:.0f}"
            return
        try:
            content = json.loads(self.path.read_bytes())
        except (ValueError, RecursionError):
            self.problem = "is no JSON, or is still being written"
            return
        self._seen, self.problem = now, ""
        rows = enumerate(content, 1) if isinstance(content, list) else [(None, content)]
        for number, row in rows:
            yield from self._readings(row, number)

    def _readings(self, content: Any, row: int | None) -> list[Reading]:
        if not isinstance(content, Mapping):
            return []
        step, values = _step_of(dict(_numbers(content)))
        step = row if step is None else step
        return [Reading(n, v, step, DECLARED) for n, v in values.items()]


def _columns(line: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([line]), [])]


def _step_of(values: dict[str, float]) -> tuple[int | None, dict[str, float]]:
    """The row's step, and its values without the columns that only count."""
    counted = {n: v for n, v in values.items() if n.lower() in STEP_COLUMNS and v == int(v)}
    others = {n: v for n, v in values.items() if n not in counted}
    for wanted in STEP_COLUMNS:
        for name, value in counted.items():
            if name.lower() == wanted and value >= 0:
                return int(value), others
    return None, others


def _number(cell: str) -> float | None:
    """A finite number; None for text, an empty cell, nan and infinity."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _numbers(content: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[Any]:
    """(name, number) of an object, nested names joined by '.'."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            if depth < DEEPEST:
                yield from _numbers(value, f"{before}{name}.", depth + 1)
        elif type(value) in (int, float) and abs(value) < LARGEST_NUMBER:  # no infinity, no NaN
            yield f"{before}{name}", float(value)
