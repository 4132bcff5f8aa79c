"""Slices in the report: the worst of them, what lost against the champion, and the table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from leaking_reports import with_slices
from release_reports import make_report
from report_pages import Reader
from sliced_models import sliced_site

from guardianflow.contracts.recordings.slices import SliceChanges
from guardianflow.release.report.page import render_report
from guardianflow.release.report.slices import loss_lines, slice_view, worst_lines
from guardianflow.release.report.wording import LANGUAGES, Wording


def test_the_worst_slice_is_told_with_its_interval_and_counts() -> None:
    _, candidate, _ = sliced_site()
    worst = candidate.worst
    assert worst is not None and worst.score.interval is not None
    first, *_ = worst_lines(candidate, Wording("en"))
    score = worst.score
    assert first.startswith(
        f"Worst slice: {score.name.short} × {score.class_name}, recall {score.recall:.2f} "
        f"[{score.interval.low:.2f} … {score.interval.high:.2f}] on {score.boxes} boxes in "
        f"{score.units} recordings; on all images {worst.overall:.2f}."
    )
    assert f"{worst.looks} looks" in first
    assert ("by more than chance" in first) == worst.certain


def test_where_a_size_is_worst_the_worst_of_whole_pictures_stands_beside_it() -> None:
    _, candidate, _ = sliced_site()
    assert candidate.worst is not None
    scene = candidate.worst
    size = replace(scene, score=replace(scene.score, class_name="other"))
    both = worst_lines(replace(candidate, worst=size, worst_scene=scene), Wording("en"))
    assert len(both) == 2
    assert both[1].startswith("Worst by picture")
    assert len(worst_lines(replace(candidate, worst_scene=scene), Wording("en"))) == 1


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_slices_that_lost_are_named_and_those_that_did_not_are_not(language: str) -> None:
    _, candidate, changes = sliced_site()
    (line,) = loss_lines(changes, candidate.unit, Wording(language), "champion")
    night = Wording(language).text("slices.light.night")
    day = Wording(language).text("slices.light.day")
    assert night in line
    assert f"{day} ×" not in line
    assert str(len(changes.worse)) in line


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_nothing_lost_and_nothing_to_compare_are_told_apart(language: str) -> None:
    _, candidate, changes = sliced_site()
    unchanged = replace(changes, changes=tuple(replace(e, p_value=1.0) for e in changes.changes))
    wording = Wording(language)
    told = {
        loss_lines(each, candidate.unit, wording)[0]
        for each in (changes, unchanged, SliceChanges((), 0.95))
    }
    assert len(told) == 3


@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("form", ["html", "md"])
def test_the_report_shows_every_slice_and_escapes_what_others_named(
    language: str, form: str
) -> None:
    report = with_slices(make_report())
    page = render_report(report, language, form)
    text = " ".join(Reader(page).text.split()) if form == "html" else page
    wording = Wording(language)
    view = slice_view(report.variants[0], wording)
    assert view is not None
    for row in view.rows:
        assert row.dimension in text
        if form == "html":
            assert row.value in text
            assert row.cells[0].value in text
    assert "정문 0" in text
    assert "<b>지게차" not in page
    assert wording.text("slices") in text


def test_a_release_without_slices_has_no_such_section() -> None:
    page = render_report(make_report(), "en")
    assert "By slice" not in page


def test_a_slice_of_too_few_is_listed_and_said_to_be_so() -> None:
    champion, candidate, changes = sliced_site(12)
    first = make_report().variants[0]
    assert first.champion is not None
    compared = replace(
        first,
        candidate=replace(first.candidate, slices=candidate),
        champion=replace(first.champion, slices=champion),
        slice_changes=changes,
    )
    view = slice_view(compared, Wording("en"))
    assert view is not None
    (night,) = [row for row in view.rows if row.value == "night"]
    assert night.note == "too few to judge"
    assert night.units == "4"
    assert night.cells[-1].value == "–"
