"""Every page in a real browser: it fits, complains of nothing, asks nobody else, bars nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
import uvicorn
from accessibility import barriers
from chromium import Page, find_chromium
from dashboards import sources_of
from fastapi import FastAPI
from shown_fleet import SITES, shown_log, shown_sources
from stored_runs import judged, row

from apps.dashboard.app import create_app
from apps.dashboard.sources import Sources

pytestmark = pytest.mark.slow
SITE = "/site?" + urlencode(
    dict(zip(("customer", "site", "zone", "task"), SITES[1][:4], strict=True))
)
PAGES = {
    "fleet": "/",
    "site": SITE,
    "compare": "/compare",
    "running": "/running",
    "alerts": "/alerts",
    "automation": "/automation",
    "directories": "/directories",
    "sign-in": "/sign-in",
    "problem": "/site?customer=nobody",
}
EMPTY = ("fleet", "compare", "running", "alerts", "automation", "directories")
STICKING_OUT = """[...document.querySelectorAll('body *')].filter(each => {
  const box = each.getBoundingClientRect();
  const width = document.documentElement.clientWidth;  // innerWidth grows with what sticks out
  return box.width && box.right > width + 1 && !each.closest('.wide, nav, .skip, .unseen');
}).map(each => each.outerHTML.slice(0, 80))"""
# Waits half a minute for it.
SHOWN = """new Promise(done => { const look = (n) => {
  const there = document.querySelector('main').textContent.includes('TEXT');
  there || n === 0 ? done(there) : setTimeout(() => look(n - 1), 100); }; look(300); })"""
UNFOLD = "document.querySelectorAll('details').forEach(each => { each.open = true; })"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return shown_sources(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def address(sources: Sources) -> Iterator[str]:
    with served(create_app(sources, promotion_token="p" * 20, read_log=shown_log)) as where:
        yield where


@pytest.fixture(scope="module")
def nothing_yet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard that no run has been written for."""
    with served(create_app(sources_of(tmp_path_factory.mktemp("empty"), []))) as where:
        yield where


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with Page(program, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def looked_at(page: Page, url: str, told: str = "") -> None:
    """Open a page on a screen and a phone, light and dark, and have it in order everywhere.

    Args:
        told: what the console is told of the page's address, as it must be.
    """
    for width in (1280, 390):
        for dark in (False, True):
            page.requests.clear()
            page.complaints.clear()
            page.resize(width)
            page.dark(dark)
            page.open(url)
            where = f"{url}, {width} px, {'dark' if dark else 'light'}"
            wrong = [each for each in page.complaints if not told or told not in each]
            assert wrong == [], where
            host = url.split("/", 3)[2]
            assert [each for each in page.requests if host not in each] == [], where
            assert page.evaluate(STICKING_OUT) == [], where
            page.evaluate(UNFOLD)
            assert page.evaluate(STICKING_OUT) == [], f"{where}, unfolded"
            assert barriers(page) == [], f"{where}, unfolded"


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("name", list(PAGES))
def test_a_page_fits_keeps_nobody_out_and_asks_nobody_else(
    name: str, language: str, page: Page, address: str
) -> None:
    page.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
    looked_at(page, address + PAGES[name], told="404" if name == "problem" else "")
    assert page.evaluate("document.documentElement.lang") == language


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("name", EMPTY)
def test_so_does_a_page_that_has_nothing_to_show(
    name: str, language: str, page: Page, nothing_yet: str
) -> None:
    page.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
    looked_at(page, nothing_yet + PAGES[name])
    assert page.evaluate("document.querySelectorAll('main .empty').length") == 1


def test_what_keeps_people_out_or_does_not_fit_would_be_found(page: Page, address: str) -> None:
    page.resize(390)
    page.dark(False)
    page.open(f"{address}/alerts")
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<h5>h</h5><input>"
        '<p style="color:#999">faint</p><p style="width:900px;max-width:none">wide</p>\')'
    )
    found = {each.split(":")[0] for each in barriers(page)}
    assert found == {"moderate heading-order", "critical label", "serious color-contrast"}
    assert len(page.evaluate(STICKING_OUT)) == 1
    page.evaluate("console.error('told')")
    assert any("told" in each for each in page.complaints)


def test_charts_are_drawn_and_change_with_the_colours(page: Page, address: str) -> None:
    page.resize(1280)
    page.dark(False)
    page.open(address + SITE)
    drawn = "document.querySelectorAll('.plot .scatterlayer .trace').length"
    ink = "getComputedStyle(document.querySelector('.plot .xtick text')).fill"
    assert page.evaluate(drawn) >= 1
    light = page.evaluate(ink)
    page.dark(True)
    assert page.evaluate(f"new Promise(done => setTimeout(() => done({ink}), 500))") != light


def test_a_chart_is_whole_on_paper(page: Page, address: str) -> None:
    page.resize(1280)
    page.dark(True)
    page.open(address + SITE)
    width = "document.querySelector('.plot .main-svg').getBoundingClientRect().width"
    assert page.evaluate(width) > 1000
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(width) < 186 / 25.4 * 96  # A4 without its margins
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(width) > 1000


def test_what_is_folded_is_whole_on_paper_and_stays_open_in_a_renewed_page(
    page: Page, address: str, sources: Sources
) -> None:
    page.resize(1280)
    page.open(address + SITE)
    folded = "[...document.querySelectorAll('details.more')].map(each => each.open)"
    assert len(page.evaluate(folded)) == 4  # versions, two variants' gates, runs
    assert not any(page.evaluate(folded))
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(page.evaluate(folded))
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not any(page.evaluate(folded))
    page.evaluate("document.querySelector('[data-keep=runs]').open = true")
    page.evaluate("new Promise(done => setTimeout(() => done(1), 3000))")  # it has seen the state
    of_site = dict(zip(("customer", "site", "zone", "task"), SITES[1][:4], strict=True))
    sources.metrics.save_metrics(row("renewed", metrics=judged(0.654), **of_site))
    assert page.evaluate(SHOWN.replace("TEXT", "0.654")) is True
    assert page.evaluate(folded) == [False, False, False, True]


def test_a_search_filters_while_one_types(page: Page, address: str) -> None:
    page.resize(1280)
    page.open(f"{address}/")
    seen = page.evaluate(
        "(() => { const field = document.querySelector('[data-search]'); "
        "field.value = 'GEOJE 크레인';"
        "field.dispatchEvent(new Event('input'));"
        "return [...document.querySelectorAll('.tile')].filter(e => !e.hidden).length; })()"
    )
    assert seen == 1


def test_the_keyboard_reaches_the_content_first(page: Page, address: str) -> None:
    page.open(f"{address}/")
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab",
                  windowsVirtualKeyCode=9)  # fmt: skip
    assert page.evaluate("document.activeElement.className") == "skip"


def test_an_open_page_shows_a_run_that_has_just_ended(
    page: Page, address: str, sources: Sources
) -> None:
    page.open(f"{address}/")
    page.evaluate("new Promise(done => setTimeout(() => done(1), 3000))")  # it has seen the state
    assert "0.123" not in page.evaluate("document.querySelector('main').textContent")
    sources.metrics.save_metrics(row("just-ended", days_ago=-0.001, metrics=judged(0.123)))
    assert page.evaluate(SHOWN.replace("TEXT", "0.123")) is True
