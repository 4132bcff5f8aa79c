"""Both languages say the same, and a visitor gets the one the browser asks for."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from apps.dashboard.pages.texts.en import ENGLISH
from apps.dashboard.pages.texts.ko import KOREAN
from apps.dashboard.pages.texts.wording import Wording, language_of

HANGUL = re.compile("[가-힣]")


def test_both_languages_have_every_text_with_the_same_places() -> None:
    assert set(KOREAN) == set(ENGLISH)
    for key, text in ENGLISH.items():
        places = [sorted(set(re.findall(r"\{(\w+)\}", each))) for each in (text, KOREAN[key])]
        assert places[0] == places[1], key


def test_no_english_text_is_korean() -> None:
    assert [key for key, text in ENGLISH.items() if HANGUL.search(text)] == ["language.ko"]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("en-GB,en;q=0.9,ko;q=0.5", "en"),
        ("en;q=0.3, ko;q=0.4", "ko"),
        ("de,fr;q=0.5", "ko"),
        ("", "ko"),
        (";;q=x,en", "en"),
    ],
)
def test_the_language_that_the_browser_asks_for_first(header: str, language: str) -> None:
    assert language_of(header) == language


def test_times_are_of_korea_unless_asked_otherwise() -> None:
    moment = datetime(2026, 11, 28, 19, 15, tzinfo=UTC)
    assert Wording("ko").moment(moment) == "2026-11-29 04:15"
    assert Wording("ko", "UTC").moment(moment) == "2026-11-28 19:15"
    assert Wording("en").written("2026-11-28T19:15:00+00:00") == "2026-11-29 04:15"
    assert Wording("en").moment(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (59, "under 1 min"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_660, "1 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_spans_of_time(seconds: float, told: str) -> None:
    assert Wording("en").span(seconds) == told
