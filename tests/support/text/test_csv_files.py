"""A spreadsheet runs no cell of ours, and reads numbers as numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.support.text.csv_files import BEGINS_FORMULA, cell, write_csv


def read(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1+1", "'＝1+1"),
        ("-3", "-3"),  # nothing but a number can do nothing
        ("+1.5e3", "+1.5e3"),
        ("openvino_int8", "openvino_int8"),
        ("a=b", "a=b"),
        (-0.25, "-0.25"),
        (None, ""),
        (True, "True"),
        ("안전모", "안전모"),
    ],
)
def test_cells(tmp_path: Path, value: object, written: str) -> None:
    file = tmp_path / "table.csv"
    write_csv(file, [{"=name": value, "b": 1}])
    assert read(file) == [["'=name", "b"], [written, "1"]]
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")  # or a Korean Excel reads code page 949


@given(st.text())
def test_no_text_begins_a_formula(text: str) -> None:
    written = str(cell(text))
    assert not written.startswith(BEGINS_FORMULA) or float(written) is not None
    assert written.removeprefix("'") == text or written == text


@given(st.floats(allow_nan=False) | st.integers())
def test_numbers_stay_numbers(value: float) -> None:
    assert cell(value) is value
