"""Nothing in a report asks outside, and no name breaks out of its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_reports import make_report, verdict
from report_pages import Reader

from guardianflow.contracts.measurements import DoubtKind, TimingDoubt
from guardianflow.contracts.releases import FAIL, PASS, CauseKind, GateCause
from guardianflow.release.report.page import render_report
from guardianflow.release.report.wording import LANGUAGES
from guardianflow.support.text.markdown import Verbatim, markdown_text


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_the_page_asks_for_nothing_outside(language: str) -> None:
    page = render_report(make_report(), language)
    assert "http://" not in page and "https://" not in page and "@import" not in page
    assert re.findall(r"url\(", page) == []
    reader = Reader(page)
    assert reader.addresses and all(each.startswith("data:") for each in reader.addresses)
    assert "script" not in reader.tags
    assert "default-src 'none'" in page


HOSTILE = '<img src="http://evil/x"><script>alert(1)</script>"\'&{{ 7*7 }}{% x %}|`*_[a](b)'


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_names_are_shown_as_they_are_wherever_they_stand(language: str) -> None:
    report = make_report(PASS, ("<u>v</u>",), classes=("사람", HOSTILE, "<u>last</u>"))
    (variant,) = report.decision.variants
    quoted = GateCause(CauseKind.UNAVAILABLE, told=HOSTILE)
    gates = (verdict(FAIL, f"min_recall.{HOSTILE}", measured=None, cause=quoted), *variant.gates)
    decision = replace(report.decision, variants=(replace(variant, gates=gates),), split=HOSTILE)
    assert report.conditions is not None
    doubt = TimingDoubt(DoubtKind.WIDE, name=HOSTILE, slow_ms=3, median_ms=1)
    report = replace(
        report,
        decision=decision,
        scenario=HOSTILE,
        site=HOSTILE,
        device=HOSTILE,
        lineage=replace(report.lineage, data_name=HOSTILE, source_runs={HOSTILE: HOSTILE}),
        conditions=replace(report.conditions, doubts=(doubt,)),
    )
    reader = Reader(render_report(report, language))
    assert "script" not in reader.tags and "u" not in reader.tags
    assert all(each.startswith("data:") for each in reader.addresses)
    assert reader.text.count(HOSTILE) >= 6
    markdown = render_report(report, language, "md")
    assert "<script" not in markdown and "<img" not in markdown
    for row in re.findall(r"^\|.*$", markdown, re.MULTILINE):
        assert row.endswith("|")


@given(st.text())
def test_markdown_text_keeps_to_one_line_and_opens_no_markup(text: str) -> None:
    shown = str(markdown_text(text))
    assert "\n" not in shown and "<" not in shown
    assert not re.search(r"(?<!\\)(\\\\)*[|`*\[\]]", shown)
    assert markdown_text(Verbatim(text)) == text


@pytest.mark.parametrize("form", ["html", "md"])
def test_every_table_row_has_the_columns_of_its_heading(form: str) -> None:
    for report in (make_report(promoted=True), make_report(FAIL, champion=False)):
        for widths in row_widths(render_report(report, "ko", form), form):
            assert len(set(widths)) == 1, widths


def row_widths(page: str, form: str) -> Iterator[list[int]]:
    """Of each table the number of columns in each row, spans counted."""
    if form == "md":
        for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
            yield [len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()]
        return
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        widths, hanging = [], 0
        for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL):
            cells = re.findall(r"<t[dh][^>]*>", row)
            spans = [int(n) for n in re.findall(r'colspan="(\d+)"', row)]
            below = [int(n) for n in re.findall(r'rowspan="(\d+)"', row)]
            widths.append(len(cells) + sum(spans) - len(spans) + (hanging > 0))
            hanging = below[0] - 1 if below else max(0, hanging - 1)
        yield widths
