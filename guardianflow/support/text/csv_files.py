"""CSV files that people open in a spreadsheet: no cell of them is run as a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Spreadsheets of East Asian systems take the wide forms for the narrow ones."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


def write_csv(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows under the keys of the first; an empty cell for None.

    The mark at the file's start makes a Korean Excel read UTF-8 instead of code page 949.
    """
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([cell(name) for name in rows[0]])
        writer.writerows([cell(row[name]) for name in rows[0]] for row in rows)


def uncelled(text: str) -> str:
    """What `cell` was given: the text without the apostrophe that keeps it from being a formula."""
    return text[1:] if text.startswith("'") and text[1:].startswith(BEGINS_FORMULA) else text


def cell(value: object) -> object:
    """The value; a text that would begin a formula gets an apostrophe before it.

    Numbers, negative ones too, and texts that are nothing but a number stay as they are.
    """
    if not isinstance(value, str) or not value.startswith(BEGINS_FORMULA):
        return value
    return value if _NUMBER.fullmatch(value) else f"'{value}"
