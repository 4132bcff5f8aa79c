"""A suggested name is near what was given, and a slip's name is found again."""

from __future__ import annotations

import string
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guardianflow.support.suggestions import LETTERS_A_SLIP, did_you_mean, nearest, slips

PROJECT = Path(__file__).resolve().parents[2]
NAMES = st.text(string.ascii_letters + string.digits + "_-é가힣동화", min_size=6, max_size=16)


def plain_distance(one: str, other: str) -> int:
    """The textbook's table, whole: what `slips` abbreviates."""
    table = [
        [i + j if 0 in (i, j) else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)
    ]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            steps = [
                table[i - 1][j] + 1,
                table[i][j - 1] + 1,
                table[i - 1][j - 1] + (one[i - 1] != other[j - 1]),
            ]
            if i > 1 and j > 1 and one[i - 2 : i] == other[j - 2 : j][::-1]:
                steps.append(table[i - 2][j - 2] + 1)
            table[i][j] = min(steps)
    return table[-1][-1]


@given(st.text("abc", max_size=9), st.text("abc", max_size=9), st.integers(0, 9))
def test_slips_are_those_of_the_whole_table_up_to_the_limit(
    one: str, other: str, most: int
) -> None:
    distance = plain_distance(one, other)
    assert slips(one, other, most) == (distance if distance <= most else None)


def test_a_wrong_syllable_is_one_slip() -> None:
    assert nearest("00000x", ["@@@@@@@@@@@@", "00000동"]) == ["00000동"]


@given(NAMES, st.data())
def test_one_slip_anywhere_is_forgiven(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from("xyz"))
    kind = data.draw(st.sampled_from(["less", "more", "other", "swapped"]))
    written = {
        "less": name[:place] + name[place + 1 :],
        "more": name[:place] + letter + name[place:],
        "other": name[:place] + letter + name[place + 1 :],
        "swapped": name[:place] + name[place : place + 2][::-1] + name[place + 2 :],
    }[kind]
    # Two syllables that change places are more than one slip: each is two or three letters.
    syllables = kind == "swapped" and any("가" <= each <= "힣" for each in name[place : place + 2])
    assume(not syllables)
    assert nearest(written, ["@@@@@@@@@@@@", name]) == [name]


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=6))
def test_nothing_is_suggested_that_is_not_near(written: str, known: list[str]) -> None:
    def letters(text: str) -> str:
        return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())

    for name in nearest(written, known):
        one, other = letters(written), letters(name)
        begins_or_ends = other.startswith(one) or other.endswith(one)
        near = plain_distance(one, other) * LETTERS_A_SLIP <= max(len(one), len(other))
        stem = one.rpartition(".")[0]
        assert begins_or_ends or near or (stem and other.startswith(stem))


@given(NAMES)
def test_case_and_the_form_of_accents_are_no_difference(name: str) -> None:
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, name).swapcase()
        assert nearest(written, ["@@@@@@@@@@@@", name]) == [name]


@given(
    st.one_of(st.none(), st.integers(), st.lists(st.text()), st.dictionaries(st.text(), st.text()))
)
def test_what_is_no_text_is_near_nothing(value: object) -> None:
    assert nearest(value, ["1", "none", "None", "[]"]) == []


@pytest.mark.parametrize(
    ("written", "known", "meant"),
    [
        ("nope.yaml", ["conda.yaml", "demo.yaml"], []),  # one suffix makes no likeness
        ("dmeo.yaml", ["conda.yaml", "demo.yaml"], ["demo.yaml"]),
        ("other", ["other.yaml"], ["other.yaml"]),
        ("abc1", ["abc123", "abd999"], ["abc123"]),
        ("size", ["input_size", "batch_size", "sized"], ["sized", "input_size", "batch_size"]),
        ("a", ["b"], []),
        ("", ["abc", "xyz"], []),
        ("abd998", ["abc123", "abd999", "xyz"], ["abd999"]),
        ("동화엔택", ["삼표", "동화엔텍"], ["동화엔텍"]),
        ("용첩", ["용접"], ["용접"]),  # one jamo of two syllables
    ],
)
def test_near_is_near(written: str, known: list[str], meant: list[str]) -> None:
    assert nearest(written, known) == meant


def test_the_hint_names_them_in_quotes_or_is_empty() -> None:
    assert did_you_mean("epoch", ["epochs", "batch"]) == "; did you mean 'epochs'?"
    assert did_you_mean("trai", ["train", "trail"]) == "; did you mean 'train' or 'trail'?"
    assert did_you_mean("trai", ["train", "trail"], 1) == "; did you mean 'train'?"
    assert did_you_mean("zzzz", ["train"]) == ""


def test_a_long_text_and_many_names_take_no_time() -> None:
    known = [f"{place:032x}" for place in range(1000)]
    assert nearest("z" * 1_000_000, known) == []


def test_no_room_has_hints_of_its_own() -> None:
    product = ("apps", "pipelines", "experiments_adapters", "scenario", "guardianflow")
    files = [file for room in product for file in (PROJECT / room).rglob("*.py")]
    assert len(files) > 100
    assert [file for file in files if "get_close_matches" in file.read_text("utf-8")] == []
