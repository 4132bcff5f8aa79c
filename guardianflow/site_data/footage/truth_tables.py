"""Truth as a table: recording,rule,start_s,end_s, one incident a row, seconds or hh:mm:ss.

Instead of start_s,end_s a table may have start_frame,end_frame: pictures counted from 0, the last
one belonging to the incident. Other columns are not read. CP949, as a Korean Excel saves, is
understood too: a wrong guess would name recordings that aren't there, which is told.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from ...contracts.errors import Problems
from ...support.suggestions import did_you_mean
from ...support.text.encodings import NotUtf8Error, decode_table, decode_utf8
from ...support.text.spelling import nfc
from .moments import seconds_of

COLUMNS = ("recording", "rule")
SECONDS = ("start_s", "end_s")
FRAMES = ("start_frame", "end_frame")
DELIMITERS = ",;\t"


@dataclass(frozen=True)
class ToldInterval:
    """An interval as a truth file tells it.

    Args:
        recording: as written; '' where the file is about one recording and doesn't name it.
        label: the rule, as written.
        start, end: seconds; or pictures counted from 0, `end` being the first one after it.
        in_frames: which of the two.
        where: file and line.
    """

    recording: str
    label: str
    start: float
    end: float
    in_frames: bool
    where: str


def read_table(file: Path, problems: Problems) -> list[ToldInterval]:
    """The rows of a CSV; what is wrong with any of them is added to `problems`."""
    text = _text_of(file, problems)
    if text is None:
        return []
    first_line = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first_line.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as exc:
        problems.add(f"is no table that can be read: {exc}", file)
        return []
    header = [nfc(cell).strip().lower() for cell in rows[0]] if rows else []
    in_frames = all(each in header for each in FRAMES) and not all(s in header for s in SECONDS)
    wanted = (*COLUMNS, *(FRAMES if in_frames else SECONDS))
    lacking = [each for each in wanted if each not in header]
    if lacking:
        near = "".join(did_you_mean(each, header, 1) for each in lacking)
        problems.add(
            f"must have the columns {','.join(wanted)} but lacks {', '.join(lacking)}{near}",
            f"{file}:1",
        )
        return []
    at = [header.index(each) for each in wanted]
    found = []
    for line, row in enumerate(rows[1:], start=2):
        if any(cell.strip() for cell in row):
            cells = [nfc(row[place].strip()) if place < len(row) else "" for place in at]
            told = _interval(cells, in_frames, f"{file}:{line}", problems)
            if told is not None:
                found.append(told)
    return found


def _interval(
    cells: list[str], in_frames: bool, where: str, problems: Problems
) -> ToldInterval | None:
    recording, label, *texts = cells
    before = len(problems)
    for name, text in zip(COLUMNS, (recording, label), strict=True):
        if not text:
            problems.add(f"{name} must not be empty", where)
    values = []
    for name, text in zip(FRAMES if in_frames else SECONDS, texts, strict=True):
        value = seconds_of(text)
        if value is None or (in_frames and not value.is_integer()):
            kind = "a picture's number" if in_frames else "seconds, mm:ss or hh:mm:ss"
            problems.add(f"{name} must be {kind} but got '{text}'", where)
        else:
            values.append(value)
    if len(problems) > before:
        return None
    start, end = values
    return ToldInterval(recording, label, start, end + in_frames, in_frames, where)


def _text_of(file: Path, problems: Problems) -> str | None:
    try:
        content = file.read_bytes()
        decode = decode_utf8 if b"\0" in content else decode_table  # zero bytes are UTF-16's
        return decode(content, file.name)
    except OSError as exc:
        problems.add(f"can't be read: {exc.strerror or exc}", file)
    except NotUtf8Error as exc:
        problems.add(str(exc), file)
    return None
