"""Pages show what the store and MLflow have: the worst first, names as they are, no more."""

from __future__ import annotations

import gzip
import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import owners
import pytest
from dashboards import HERE, TestClient, client_of, sources_of
from shown_fleet import SITES, shown_log, shown_sources
from stored_runs import judged, row

from apps.dashboard.app import create_app
from apps.dashboard.sources import Sources
from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import MetricPoint, RunRequest
from pipelines.wiring import Ports

PAGES = ("/", "/compare", "/running", "/alerts", "/automation", "/directories", "/sign-in")
HTML = {"Accept": "text/html"}
ENGLISH = HTML | {"Accept-Language": "en"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return shown_sources(tmp_path_factory.mktemp("fleet"))


@pytest.fixture
def client(shown: Sources) -> TestClient:
    return TestClient(create_app(shown, read_log=shown_log), base_url=HERE)


def read(client: TestClient, path: str, **more: str) -> str:
    answer = client.get(path, headers=ENGLISH | more)
    assert answer.status_code == 200, answer.text
    return answer.text


def site_path(number: int, **more: str) -> str:
    names = dict(zip(("customer", "site", "zone", "task"), SITES[number][:4], strict=True))
    return f"/site?{urlencode(names | more)}"


def figure_of(page: str) -> Any:
    return json.loads(re.findall(r'<script type="application/json">(.*?)</script>', page)[0])


def titles(page: str) -> list[str]:
    return [unescape(each) for each in re.findall(r"<h2><a [^>]*>(.*?)</a></h2>", page)]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_page_opens_with_an_empty_store(tmp_path: Path, path: str, language: str) -> None:
    client = client_of(sources_of(tmp_path, []))
    answer = client.get(path, headers=HTML | {"Accept-Language": language})
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_worst_site_stands_first(client: TestClient) -> None:
    page = read(client, "/")
    states = re.findall(r'<li class="tile (\w+)"', page)
    assert states[:4] == ["bad", "watch", "watch", "unknown"]
    order = ("bad", "watch", "unknown", "good")
    assert states == sorted(states, key=order.index)
    assert len(states) == len(SITES)
    assert titles(page)[0] == "busan-plant1 · 도장"  # 0.688 ± 0.03 lies below 0.75 wholly
    assert "mAP50 0.688 is below 0.75 (certain" in page


def test_a_search_and_a_state_leave_the_others_out(client: TestClient) -> None:
    assert titles(read(client, "/?q=GEOJE+크레인")) == ["geoje-yard1 · 크레인"]
    assert titles(read(client, "/?state=bad")) == ["busan-plant1 · 도장"]
    assert "No site fits" in read(client, "/?q=nowhere")
    names = titles(read(client, "/?sort=name"))
    assert len(names) == len(SITES)


def test_a_name_is_shown_as_it_is_and_is_never_html(client: TestClient) -> None:
    for path in ("/", "/compare?by=site", "/alerts", site_path(9)):
        assert "<b>furnace" not in read(client, path)
    assert "&lt;b&gt;furnace&lt;/b&gt;" in read(client, "/")
    assert "incheon-plant7 · <b>furnace</b>" in titles(read(client, "/"))


def test_champions_stand_with_the_day_since_when(client: TestClient) -> None:
    assert re.search(r"Champion v3</b> · since \d{4}-\d\d-\d\d", read(client, "/"))


def test_a_site_has_its_trend_with_intervals_and_release_marks(client: TestClient) -> None:
    figure = figure_of(read(client, site_path(1)))
    (trace,) = (each for each in figure["traces"] if each["name"] == "Evaluation")
    assert len(trace["y"]) == 16
    assert trace["y"][-1] == 0.688
    assert trace["above"][-1] == pytest.approx(0.03)
    assert [word for _, word in figure["marks"]] == ["v3", "v2", "v1"]
    assert figure["limit"] == 0.75


def test_a_site_has_versions_gates_slices_and_promotions(client: TestClient) -> None:
    page = read(client, site_path(0))
    for told in ("openvino_int8", "candidate", "rollback", "Release report", "김민수@plant-gw"):
        assert told in page
    slices = re.findall(r"<tr><td>([^<]+)</td><td class=\"n\">(0\.\d+)<span", page)
    assert slices[0] == ("small boxes", "0.610")
    assert [float(value) for _, value in slices] == sorted(float(value) for _, value in slices)


def test_a_site_shows_a_few_lines_of_each_list_and_folds_the_others(client: TestClient) -> None:
    page = read(client, site_path(1))
    assert "Earlier versions (1)" in page
    assert "Earlier runs (15)" in page
    assert "Earlier promotions" not in page
    before, folded = page.split("Earlier runs (15)")
    assert before.count("-infer-v") + before.count("-quant-v") == 5
    assert folded.count("-infer-v") + folded.count("-quant-v") == 15


def test_an_unknown_name_is_told_in_the_visitor_s_language(client: TestClient) -> None:
    for language, told in (("en", "No run has the name"), ("ko", "이름을 가진 실행이 없습니다")):
        answer = client.get("/site?customer=nobody", headers=HTML | {"Accept-Language": language})
        assert told in answer.text
    assert "must be one that a run" in client.get("/api/sites?customer=nobody").json()["detail"]
    assert "no page at this address" in client.get("/nowhere", headers=ENGLISH).text


@pytest.mark.parametrize(
    ("language", "told"), [("en", "Correct the values"), ("ko", "값을 고친 뒤")]
)
def test_what_to_do_about_a_wrong_value_is_told_in_the_visitor_s_language(
    client: TestClient, language: str, told: str
) -> None:
    answer = client.get("/compare?nonsense=1", headers=HTML | {"Accept-Language": language})
    assert answer.status_code == 422
    assert told in answer.text and "nonsense" in answer.text


def test_the_release_report_is_served_in_the_visitor_s_language(client: TestClient) -> None:
    found = re.search(r"/report/\w+", read(client, site_path(0)))
    assert found
    assert '<html lang="en">' in read(client, found[0])
    korean = client.get(found[0], headers=HTML | {"Accept-Language": "ko"})
    assert '<html lang="ko">' in korean.text
    assert "script" not in korean.headers["Content-Security-Policy"]
    assert client.get("/report/nobody", headers=HTML).status_code == 404


def test_another_metric_and_time(client: TestClient) -> None:
    figure = figure_of(read(client, site_path(0, metric="latency_ms", days="30")))
    assert figure["limit"] == 30
    assert sum(len(each["x"]) for each in figure["traces"]) < 8


def test_an_unknown_site_is_told_with_the_known_ones(client: TestClient) -> None:
    answer = client.get("/site?customer=nobody", headers=ENGLISH)
    assert answer.status_code == 404
    assert "한국철강" in answer.text
    assert client.get("/nowhere", headers=ENGLISH).status_code == 404
    slip = client.get("/?srt=name", headers=ENGLISH)
    assert (slip.status_code, "did you mean" in slip.text) == (422, True)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"yolo11n", "yolo11s", "yolo11m", "yolo11l", "yolo26n", "yolov8s"}),
        ("by=variant&kind=quant", {"openvino int8", "openvino fp16", "onnx fp32"}),
        ("by=site&task=fire", {"busan-plant1 · 도장 · fire · 동화엔텍",
                               "incheon-plant7 · <b>furnace</b> · fire · Acme Steel & Sons"}),
    ],
)  # fmt: skip
def test_things_are_compared_by_accuracy_and_latency(
    client: TestClient, query: str, names: set[str]
) -> None:
    (trace,) = figure_of(read(client, f"/compare?{query}"))["traces"]
    assert set(trace["text"]) == names
    assert all(x > 1 and 0 < y < 1 for x, y in zip(trace["x"], trace["y"], strict=True))


def test_a_training_says_how_far_it_is_and_a_sweep_has_its_trials(client: TestClient) -> None:
    page = read(client, "/running")
    assert re.search(r"<b>23</b> / 60", page)
    assert "about 2 h 32 min" in page or "about 2 h 33 min" in page  # 95 min for 23 of 60
    assert figure_of(page)["traces"][0]["x"] == list(range(1, 24))
    assert re.search(r"<b>4</b> / 8", page)
    assert page.count("fall-sweep-v1-00") == 5


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        (owners.gone(), "Its process is gone"),
        (owners.elsewhere(), "No sign of life for"),
        (owners.living(), "No sign of life for"),
        ({}, ""),
    ],
)
def test_a_run_that_is_not_heard_of_is_told(
    tmp_path: Path, tags: dict[str, str], told: str
) -> None:
    sources = sources_of(tmp_path, [])
    store = sources.ports.store
    run_id = store.start_run(RunRequest("a/b-c/d", "run", tags))
    store._runs[run_id].start_time_ms -= 10 * 60_000  # type: ignore[attr-defined]
    store.log_points(run_id, [MetricPoint("det.mAP50", 0.5, 1, 0)])
    page = read(client_of(sources), "/running")
    assert "0.500" in page
    assert "Time left" not in page  # nobody said how many epochs
    found = [each for each in ("Its process is gone", "No sign of life for") if each in page]
    assert found == ([told] if told else [])


def test_pages_open_while_mlflow_is_away_and_say_so(tmp_path: Path) -> None:
    def away() -> Ports:
        raise TrackingError("the MLflow server does not answer")

    client = client_of(sources_of(tmp_path, connect=away))
    assert "Champions can&#39;t be shown" in read(client, "/")
    assert "MLflow does not answer" in read(client, "/running")
    asked = {"customer": "donghwa-entec", "site": "busan-plant1", "zone": "welding", "task": "ppe"}
    assert "A part can&#39;t be shown" in read(client, f"/site?{urlencode(asked)}")


def test_nobody_waits_again_and_again_for_an_mlflow_that_is_away(tmp_path: Path) -> None:
    tries = []

    def away() -> Ports:
        tries.append(1)
        raise TrackingError("the MLflow server does not answer")

    client = client_of(sources_of(tmp_path, connect=away))
    for path in ("/", "/running", "/directories"):
        read(client, path)
    assert len(tries) == 1


def test_a_finished_run_is_on_the_next_page(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, [row("one", metrics=judged(0.9))])
    client = client_of(sources)
    before = client.get("/state").text
    assert "0.900" in read(client, "/")
    sources.metrics.save_metrics(row("two", days_ago=-0.0005, metrics=judged(0.61)))
    assert client.get("/state").text != before
    assert "0.610" in read(client, "/")


def test_automation_s_log_says_what_was_done_and_why(client: TestClient) -> None:
    page = read(client, "/automation")
    assert page.count("mAP50 0.688 &lt; 0.75") == 2
    assert "the data set is not here" in page


def test_old_directories_have_their_state(client: TestClient) -> None:
    page = read(client, "/directories")
    assert "old-ppe" in page
    assert "never ran" in page


def test_plotly_comes_from_its_own_package_and_is_kept_by_browsers(client: TestClient) -> None:
    (address,) = re.findall(r'src="(/static/plotly[^"]+)"', read(client, "/compare"))
    sent = client.get(address)
    assert "immutable" in sent.headers["Cache-Control"]
    assert sent.headers["Content-Encoding"] == "gzip"
    plain = client.get(address, headers={"Accept-Encoding": "identity"}).content
    assert b"plotly.js" in plain[:500]
    assert len(gzip.compress(plain, 1)) < len(plain)
    assert client.get("/static/plotly.min.js?v=old").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/passwd").status_code == 404
