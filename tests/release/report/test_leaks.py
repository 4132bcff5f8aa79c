"""A split that leaks: the report says so above all figures, and what must be done first."""

from __future__ import annotations

import pytest
from leaking_reports import with_leaks
from release_reports import make_report
from report_pages import shown

from guardianflow.contracts.releases import UNDECIDED
from guardianflow.release.report.next_steps import next_steps
from guardianflow.release.report.wording import LANGUAGES, Wording


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_the_data_is_split_anew_before_anything_else(language: str) -> None:
    wording = Wording(language)
    keep, split, *others = next_steps(with_leaks(make_report(UNDECIDED)), wording)
    assert keep.text == wording.text("next.keep")
    assert split.command == "guardianflow data split '/data/동화/welding/data.yaml' --by recording"
    assert not others, "more images beside those that leak would decide nothing"
    # Without leaks the same gates ask for images.
    assert "2,400" in next_steps(make_report(UNDECIDED), wording)[1].text


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_the_share_and_the_figures_on_the_rest_stand_above_the_tables(language: str) -> None:
    text = shown(with_leaks(make_report(UNDECIDED)), language)
    told, tables = text.index("259"), text.rindex("max_leak")
    assert told < text.index("0.612 (0.551") < tables
    assert "221" in text[told:tables]
