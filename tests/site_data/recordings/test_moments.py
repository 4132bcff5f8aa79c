"""Times as recorders write them."""

from __future__ import annotations

import pytest

from guardianflow.site_data.recordings.moments import seconds_of

MORNING = 1767514500.0  # 2026-01-04 08:15:00


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("20260104_081500", MORNING),
        ("20260104T081500", MORNING),
        ("20260104081500", MORNING),
        ("20260104081500123", MORNING + 0.123),
        ("2026-01-04 08:15:00", MORNING),
        ("2026-01-04_08-15-00", MORNING),
        ("2026-01-04T08:15:00+00:00", MORNING),
        ("260104_081500", MORNING),
        ("2026년01월04일08시15분00초", MORNING),
        ("1767514500", MORNING),
        ("1767514500.25", MORNING + 0.25),
        ("1767514500123", MORNING + 0.123),
        ("12.04", 12.04),
        ("081500", 29_700.0),
    ],
)
def test_known_forms(written: str, seconds: float) -> None:
    assert seconds_of(written) == pytest.approx(seconds, abs=1e-6)


def test_a_day_beside_its_time() -> None:
    assert seconds_of("081500", "20260104") == MORNING
    assert seconds_of("", "2026-01-04") == MORNING - 29_700


@pytest.mark.parametrize(
    "written", ["99999999_999999", "noon", "", "20261304_081500", "0001-01-01"]
)
def test_what_is_no_time(written: str) -> None:
    with pytest.raises(ValueError, match=r"is no time|is of the year|does not match"):
        seconds_of(written)
