"""Text of others in a table of ours stays text, and its row keeps its columns."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from guardianflow.support.text.markdown import Verbatim, markdown_text, table_head, table_row


@given(st.text())
def test_text_keeps_to_one_line_and_opens_no_markup(text: str) -> None:
    shown = str(markdown_text(text))
    assert "\n" not in shown and "<" not in shown
    assert not re.search(r"(?<!\\)(\\\\)*[|`*\[\]]", shown)
    assert markdown_text(Verbatim(text)) == text


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_a_row_has_as_many_columns_as_cells(cells: list[str]) -> None:
    row = table_row(cells)
    assert len(row.splitlines()) == 1
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == len(cells) + 1


def test_the_line_under_the_headings_has_their_number() -> None:
    assert table_head(("variant", "a|b")) == ["| variant | a\\|b |", "|---|---|"]


def test_underscores_are_escaped_where_they_could_begin_or_end_emphasis() -> None:
    assert markdown_text("plant/ppe__openvino_int8") == "plant/ppe__openvino_int8"
    assert markdown_text("__init__ a_ _b") == r"\_\_init\_\_ a\_ \_b"
