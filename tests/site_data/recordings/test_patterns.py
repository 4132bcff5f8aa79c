"""Regular expressions that tell recordings apart."""

from __future__ import annotations

import time
import unicodedata

import pytest

from guardianflow.contracts.errors import DatasetError
from guardianflow.site_data.recordings.patterns import check_pattern, match_names


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "no regular expression"),
        ("(?P<frame>\\d+)", "names neither camera nor recording; its named groups are frame"),
        ("cam", "names neither camera nor recording; like"),
        ("(?P<camra>x)(?P<recording>y)", "the group 'camra'; did you mean 'camera'?"),
        ("(?P<recordng>y)", "did you mean 'recording'?"),
        ("(?P<camera>x)" + "y" * 1000, "1000 are the most"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_told_before_data_are_read(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check_pattern(pattern)
    assert said in str(caught.value)


def test_groups_of_other_names_are_kept() -> None:
    check_pattern(r"(?P<gate>\w+)_(?P<recording>\d+)_(?P<weather>day|night)")


def test_matches_are_found_anywhere_and_in_any_form_of_hangul() -> None:
    pattern = unicodedata.normalize("NFD", r"(?P<camera>정문)_(?P<frame>\d+)")
    found = match_names(pattern, ["a/정문_12.jpg", "후문_12.jpg"])
    assert found == [{"camera": "정문", "frame": "12"}, None]


def test_a_pattern_that_would_take_for_ever_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(DatasetError, match="took longer than 1 s on 1 names"):
        match_names(r"(?P<camera>(a+)+)b", ["a" * 60], limit_s=1)
    assert time.monotonic() - began < 60  # it would take years
