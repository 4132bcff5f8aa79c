"""Text that goes into a message or a line."""

from __future__ import annotations

import pytest

from guardianflow.support.text.shortening import on_one_line, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [("안전모", "안전모"), ("x" * 8, "x" * 8), ("x" * 9, "x" * 7 + "…")],
)
def test_a_text_is_cut_where_it_is_too_long(text: str, shown: str) -> None:
    assert shortened(text, 8) == shown


def test_a_name_with_line_breaks_and_escapes_stays_on_its_line() -> None:
    assert on_one_line("용접\n#1\x1b[31m", "?") == "용접?#1?[31m"
