"""The report in a real Chromium: no request, no complaint, for everybody on screen, phone, A4."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from accessibility import barriers
from alarm_reports import with_alarms
from chromium import Page, find_chromium
from leaking_reports import with_leaks, with_pictures, with_slices
from PIL import Image
from release_reports import make_report

from guardianflow.contracts.releases import FAIL, PASS, UNDECIDED
from guardianflow.release.report.content import ReleaseReport
from guardianflow.release.report.page import report_name, write_release_report
from guardianflow.release.report.wording import LANGUAGES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SIX = ("pytorch_fp32", "openvino_fp32", "openvino_fp16", "openvino_int8", "onnx_fp32", "onnx_int8")
REPORTS = {
    "passed and promoted": make_report(PASS, promoted=True),
    "failed, first of its name": make_report(FAIL, champion=False, pictures=False, quiet=True),
    "six variants, eighty classes": make_report(
        UNDECIDED, SIX, classes=[f"{number}번 클래스 이름이 긴 것" for number in range(80)]
    ),
    "alarms": with_alarms(make_report(UNDECIDED)),
    "leaks and slices": with_leaks(with_slices(make_report(UNDECIDED))),
}
A4_POINTS = (595, 842)
# CSS pixels between the margins of @page: (210 − 2·12) mm at 96 a inch.
A4_CONTENT = 703

# Elements that stick out of the window, tables that stick out of what holds them, and text that
# is cut. Wide tables may scroll on a screen; paper can't.
STICKING_OUT = """
(() => {
  const wide = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > wide + 1) found.push("page");
  for (const each of document.querySelectorAll("body *")) {
    if (SCROLLS && each.closest(".wide, svg")) continue;
    const box = each.getBoundingClientRect();
    if (box.width && (box.right > wide + 1 || box.left < -1))
      found.push(each.tagName + " " + each.textContent.slice(0, 40));
  }
  return found;
})()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with Page(program, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {name: tmp_path_factory.mktemp("report") for name in REPORTS}
    for name, folder in made.items():
        report = REPORTS[name]
        if report.variants[0].candidate.slices is not None:
            report = with_pictures(report, tmp_path_factory.mktemp("pictures"))
        write_release_report(report, folder)
    return made


def sticking_out(page: Page, *, scrolls: bool) -> list[str]:
    return list(page.evaluate(STICKING_OUT.replace("SCROLLS", str(scrolls).lower())))


@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("name", list(REPORTS))
def test_the_page_opens_alone_and_fits_screen_phone_and_paper(
    name: str, language: str, page: Page, folders: dict[str, Path]
) -> None:
    file = folders[name] / report_name(language)
    page.requests.clear()
    page.complaints.clear()
    page.resize(1280)
    page.open(file)
    assert page.requests == [file.as_uri()]
    assert page.complaints == []
    widths = page.evaluate("[...document.images].map(each => each.naturalWidth)")
    assert widths.count(640) == len(REPORTS[name].pictures) and 0 not in widths
    assert sticking_out(page, scrolls=True) == []
    assert not page.evaluate(
        "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth).length"
    ), "at 1280 px no table needs to be scrolled"
    page.resize(390, 800)
    assert sticking_out(page, scrolls=True) == []
    page.resize(A4_CONTENT)
    page.print_media(True)
    assert sticking_out(page, scrolls=False) == []
    page.print_media(False)


@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("name", [name for name in REPORTS if "eighty" not in name])
def test_the_page_bars_nobody(
    name: str, language: str, page: Page, folders: dict[str, Path]
) -> None:
    """But for the eighty classes: the same elements again, which take axe minutes."""
    for width in (1280, 390):
        page.resize(width)
        page.open(folders[name] / report_name(language))
        assert barriers(page) == [], f"{width} px"


def test_the_decision_and_the_next_step_are_on_the_first_screen(
    page: Page, folders: dict[str, Path]
) -> None:
    page.resize(1280, 900)
    for name, folder in folders.items():
        page.open(folder / "release.ko.html")
        places = page.evaluate(
            "['.headline', '.reason', '.steps li'].map(s => "
            "document.querySelector(s).getBoundingClientRect().bottom)"
        )
        assert max(places) < 900, name
        assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 14
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L"))
    assert shot.shape == (900, 1280)
    assert shot.min() < 60 and np.median(shot) > 240  # dark on white


def test_hangul_is_drawn_with_a_font_that_has_it(page: Page, folders: dict[str, Path]) -> None:
    listed = subprocess.run(
        ["fc-list", ":lang=ko", "family"], capture_output=True, text=True, check=False
    )
    korean = {family for line in listed.stdout.splitlines() for family in line.split(",")}
    if not korean:
        pytest.skip("needs a Korean font: apt-get install fonts-nanum")
    page.open(folders["passed and promoted"] / "release.ko.html")
    used = page.fonts(".decision .headline")
    text = page.evaluate("document.querySelector('.decision .headline').textContent")
    hangul = len(re.findall(r"[가-힣]", text))
    assert hangul > 5
    assert sum(count for family, count in used.items() if family in korean) >= hangul


@pytest.mark.parametrize("name", list(REPORTS))
def test_it_prints_on_a4_with_all_its_text(
    name: str, page: Page, folders: dict[str, Path], tmp_path: Path
) -> None:
    page.resize(1280)
    page.open(folders[name] / "release.ko.html")
    printed = tmp_path / "release.pdf"
    printed.write_bytes(page.pdf())
    assert printed.read_bytes().startswith(b"%PDF-")
    if shutil.which("pdftotext") is None or shutil.which("pdfinfo") is None:
        pytest.skip("needs pdftotext: apt-get install poppler-utils")
    info = subprocess.run(["pdfinfo", printed], capture_output=True, text=True, check=True).stdout
    size = re.search(r"Page size: +([\d.]+) x ([\d.]+)", info)
    assert size and [round(float(each)) for each in size.groups()] == list(A4_POINTS)
    words = ["pdftotext", "-layout", printed, "-"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    joined = "".join(text.split())
    for said in said_once_a_variant(REPORTS[name]):
        assert "".join(said.split()) in joined, said


def said_once_a_variant(report: ReleaseReport) -> list[str]:
    """What must not be lost on paper: every variant, every class, every gate's name."""
    gates = {gate.gate for variant in report.decision.variants for gate in variant.gates}
    names = [each.variant for each in report.decision.variants]
    plain = [each for each in report.class_names if "<" not in each]
    return [*names, *plain, *(each.partition(".")[0] for each in gates)]


def test_a_page_that_asks_outside_would_be_caught(page: Page, tmp_path: Path) -> None:
    """The other tests could not fail if the browser told nothing."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<!doctype html><img src="http://127.0.0.1:9/x.png"><script>console.error("no")</script>'
        '<div style="width:3000px">wide</div>',
        encoding="utf-8",
    )
    page.requests.clear()
    page.complaints.clear()
    page.resize(1280)
    page.open(bad)
    assert "http://127.0.0.1:9/x.png" in page.requests
    assert any("no" in each for each in page.complaints)
    assert "page" in sticking_out(page, scrolls=True)
