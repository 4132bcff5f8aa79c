"""Rows as lines of JSON, and reading them back from a file that may end in the middle of one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from ..contracts.run_metrics.rows import MetricsRow

NEWLINE = b"\n"
LAST_BYTES = 4096
"""More than most rows: each names its run, so that no two are alike."""


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
        last: the last of these bytes: they tell whether a file that has grown is still the same.
    """

    rows: tuple[MetricsRow, ...]
    damaged: int
    used: int
    last: bytes = b""

    @property
    def resumes_at(self) -> int:
        """From which byte on a file that has grown is to be read."""
        return self.used - len(self.last)

    def grown(self, content: bytes) -> ReadRows | None:
        """With what was written since.

        Args:
            content: from `resumes_at` on.

        Returns:
            None where these rows are not what the content goes on from.
        """
        if not content.startswith(self.last):
            return None
        more = read_rows(content[len(self.last) :])
        return ReadRows(
            self.rows + more.rows,
            self.damaged + more.damaged,
            self.used + more.used,
            (self.last + more.last)[-LAST_BYTES:],
        )


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
    return ReadRows(tuple(rows), damaged, used, content[:used][-LAST_BYTES:])
