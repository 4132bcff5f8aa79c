"""Text files of tracks, MOTChallenge's layout in the variants that occur, checked row by row.

    frame, id, left, top, width, height [, mark or confidence [, class [, visibility [, …]]]]

Columns are parted by commas or by white space. MOT15 has ten columns, of which the last three are
a place in the world (or -1) and not a class.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...contracts.errors import Problem, Problems
from ...contracts.sequences import TrackRows
from ...support.text.encodings import NotUtf8Error, decode_utf8

FEWEST, MOST = 6, 10
WORLD_COLUMNS = 10  # MOT15: column 8 is x of a place in the world
MARK, CLASS = 6, 7  # places of the columns, from 0
SHOWN_PROBLEMS = 50
MOST_FRAMES = 1_000_000  # 11 hours at 25 a second

LARGEST_CLASS = 2**53
"""From there on a float64 is no exact number, and later none that 64 bits hold."""


@dataclass(frozen=True, eq=False)
class TrackTable:
    """A file's rows, sorted by frame, rows of one frame in the file's order.

    Args:
        values: float64, N×columns.
        lines: int64, N: number of the row's line in the file.
    """

    path: Path
    values: npt.NDArray[np.float64]
    lines: npt.NDArray[np.int64]

    @property
    def columns(self) -> int:
        return int(self.values.shape[1])

    def at(self, row: int, message: str) -> Problem:
        """A problem of one row, with its place."""
        return Problem(message, f"{self.path}:{self.lines[row]}")

    def class_column(self) -> npt.NDArray[np.int64]:
        """Column 8 as it stands, -1 where there is none or it is no whole number."""
        if self.columns <= CLASS:
            return np.full(len(self.values), -1, dtype=np.int64)
        column = self.values[:, CLASS]
        whole = (column == np.trunc(column)) & (np.abs(column) < LARGEST_CLASS)
        return np.where(whole, column, -1).astype(np.int64)

    def rows(self, class_ids: npt.NDArray[np.int64]) -> TrackRows:
        """The rows with their classes; a mark is a confidence, and 1 where there is none."""
        values = self.values
        marks = values[:, MARK] if self.columns > MARK else np.ones(len(values))
        return TrackRows(
            frames=values[:, 0].astype(np.int64),
            ids=values[:, 1].astype(np.int64),
            boxes_ltwh=values[:, 2:6].copy(),
            class_ids=class_ids,
            confidences=marks.astype(np.float64),
        )

    def check_frames(self, length: int, frames: str, problems: Problems, advice: str = "") -> None:
        """Add a problem where frames lie beyond the sequence's length.

        Args:
            frames: those there are, in words.
            advice: behind the message.
        """
        beyond = np.flatnonzero(self.values[:, 0] > length)
        if len(beyond):
            first = int(beyond[0])
            problems.append(
                self.at(
                    first,
                    f"frame {self.values[first, 0]:.0f} lies beyond {frames}, as do "
                    f"{len(beyond) - 1} more rows{advice}",
                )
            )


def read_table(path: Path, problems: Problems) -> TrackTable:
    """Read and check a file of tracks; what is wrong is added to `problems`, up to a bound.

    Rows that something is wrong with are left out.
    Blank lines, a byte order mark, lines that begin with '#' and one line of column names at the
    top are passed over. Frames need not be sorted.
    """
    before = len(problems)
    rows: list[list[float]] = []
    lines: list[int] = []
    expected, may_be_header = 0, True
    for number, words in _split(path, problems):
        if len(problems) - before >= SHOWN_PROBLEMS:
            problems.add(f"more than {SHOWN_PROBLEMS} problems; not read on", path)
            break
        numbers = _numbers(words)
        # Column names: not one of the words is a number.
        is_header = may_be_header and all(_numbers([word]) is None for word in words)
        may_be_header = False
        if is_header:
            continue
        wrong = _row_problem(words, numbers, expected)
        if wrong or numbers is None:
            problems.add(wrong, f"{path}:{number}")
            continue
        expected = len(numbers)
        rows.append(numbers)
        lines.append(number)
    values = np.array(rows, dtype=np.float64).reshape(len(rows), -1 if rows else FEWEST)
    order = np.argsort(values[:, 0], kind="stable")
    table = TrackTable(path, values[order], np.array(lines, dtype=np.int64)[order])
    problems += _repeated_ids(table)
    return table


def _split(path: Path, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Number and words of every line that says something."""
    try:
        text = decode_utf8(path.read_bytes(), path.name)
    except OSError as exc:
        problems.add(f"can't be read: {exc.strerror or exc}", path)
        return
    except NotUtf8Error as exc:
        problems.add(str(exc), path)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if "," in stripped:
            yield number, [word.strip() for word in stripped.removesuffix(",").split(",")]
        else:
            yield number, stripped.split()


def _numbers(words: list[str]) -> list[float] | None:
    try:
        return [float(word) for word in words]
    except ValueError:
        return None


def _row_problem(words: list[str], numbers: list[float] | None, expected: int) -> str:
    """The fault of one row; '' when it has none."""
    if not FEWEST <= len(words) <= MOST:
        return (
            f"a row must have {FEWEST} to {MOST} columns, frame, id, left, top, width, height …, "
            f"but got {len(words)}"
        )
    if numbers is None:
        return f"a row must be numbers but got '{' '.join(words)[:80]}'"
    if expected and len(words) != expected:
        return f"a row must have {expected} columns like those before but got {len(words)}"
    frame, identity, *box = numbers[:6]
    if not (frame.is_integer() and 1 <= frame <= MOST_FRAMES):
        return f"the frame must be a whole number from 1 to {MOST_FRAMES} but got {words[0]}"
    if not (identity.is_integer() and 0 <= identity <= 2**53):
        detections = " (boxes without identities are no tracks)" if identity == -1 else ""
        return f"the id must be a whole number from 0 up but got {words[1]}{detections}"
    if not all(math.isfinite(value) for value in (*box, *numbers[6:])):
        return f"values must be finite numbers but got '{' '.join(words)[:80]}'"
    if box[2] <= 0 or box[3] <= 0:
        return f"a box's width and height must be above 0 but got {words[4]} and {words[5]}"
    return ""


def _repeated_ids(table: TrackTable) -> list[Problem]:
    """An object can be in one place of a frame alone."""
    if not len(table.values):
        return []
    order = np.lexsort((table.values[:, 1], table.values[:, 0]))
    keys = table.values[order, :2]
    again = np.flatnonzero((keys[1:] == keys[:-1]).all(axis=1))
    return [
        table.at(
            int(order[place + 1]),
            f"id {keys[place, 1]:.0f} is in frame {keys[place, 0]:.0f} already (line "
            f"{table.lines[order[place]]}); every object of a frame must have an id of its own, "
            f"whatever its class",
        )
        for place in again[:SHOWN_PROBLEMS]
    ]
