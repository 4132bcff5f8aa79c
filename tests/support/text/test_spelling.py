"""The same letters in another Unicode form are the same text, and the same path."""

from __future__ import annotations

import os
import unicodedata
from itertools import product
from pathlib import Path

import pytest

from guardianflow.contracts.given import given_path
from guardianflow.support.text.spelling import nfc, same_spelling, spelled_on_disk

FORMS = ("NFC", "NFD")


@pytest.mark.parametrize("text", ["안전모", "Mönche", "Ångström", "plain", ""])
def test_every_form_reads_alike(text: str) -> None:
    for one, other in product(FORMS, FORMS):
        assert same_spelling(unicodedata.normalize(one, text), unicodedata.normalize(other, text))
    assert nfc(unicodedata.normalize("NFD", text)) == text
    assert not same_spelling("안전모", "안전화")


@pytest.mark.parametrize(("folder", "name", "typed"), [*product(FORMS, FORMS, FORMS)])
def test_a_path_is_found_whatever_its_parts_are_stored_as(
    tmp_path: Path, folder: str, name: str, typed: str
) -> None:
    there = (
        tmp_path / unicodedata.normalize(folder, "구역") / unicodedata.normalize(name, "학습.py")
    )
    there.parent.mkdir()
    there.write_text("")
    asked = (
        tmp_path / unicodedata.normalize(typed, "구역") / unicodedata.normalize(typed, "학습.py")
    )
    assert spelled_on_disk(asked) == there
    assert given_path(str(asked)) == there


def test_the_very_letters_go_before_another_form_and_two_others_are_not_guessed(
    tmp_path: Path,
) -> None:
    composed, decomposed = (tmp_path / unicodedata.normalize(form, "각.txt") for form in FORMS)
    composed.write_text("")
    decomposed.write_text("")
    assert [spelled_on_disk(path) for path in (composed, decomposed)] == [composed, decomposed]
    half = tmp_path / "가\u11a8.txt"  # neither form: a syllable and a letter
    assert same_spelling(half.name, composed.name)
    assert spelled_on_disk(half) == half


def test_what_is_not_there_stays_as_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / unicodedata.normalize("NFD", "없음") / ".." / "각"
    assert spelled_on_disk(gone) == gone
    monkeypatch.chdir(tmp_path)
    (tmp_path / unicodedata.normalize("NFD", "각")).mkdir()
    found = spelled_on_disk(Path("각"))
    assert os.fspath(found) == unicodedata.normalize("NFD", "각")
