"""Rows as lines of JSON, and reading them back from a file that may end in the middle of one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from ..contracts.run_metrics.rows import MetricsRow

NEWLINE = b"\n"


def lines_of(rows: Iterable[MetricsRow]) -> bytes:
    """One line of UTF-8 for each row."""
    return b"".join(
        json.dumps(row.to_dict(), ensure_ascii=False, allow_nan=False).encode() + NEWLINE
        for row in rows
    )


@dataclass(frozen=True)
class ReadRows:
    """Rows of a part of a journal.

    Args:
        rows: in the order they were written; of one run the last counts.
        damaged: lines that are no row: a writer was killed in the middle of one.
        used: bytes that were read; a line that is not ended yet is none of them.
    """

    rows: tuple[MetricsRow, ...]
    damaged: int
    used: int


def read_rows(content: bytes, *, ended: bool = False) -> ReadRows:
    """Read the lines of a journal.

    Args:
        ended: nobody writes there any more: an unfinished last line is damaged, not under way.
    """
    whole, _, rest = content.rpartition(NEWLINE)
    used = len(content) - len(rest)
    lines = whole.split(NEWLINE)
    if ended and rest:
        lines, used = [*lines, rest], len(content)
    rows, damaged = [], 0
    for line in filter(None, lines):
        try:
            values = json.loads(line)
            rows.append(MetricsRow.from_dict(values))
        except ValueError:  # UnicodeDecodeError and JSONDecodeError are
            damaged += 1
    return ReadRows(tuple(rows), damaged, used)
