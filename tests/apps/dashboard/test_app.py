"""Every route over a real store: right figures, real status codes, the known names in refusals."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import stored_runs
from dashboards import TestClient, client_of, sources_of

from apps.dashboard.app import create_app
from apps.dashboard.sources import Sources
from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import RunRequest
from pipelines.wiring import Ports

ROUTES = (
    *(f"/api/metrics/{name}" for name in ("summary", "trend", "comparison", "alerts")),
    *("/api/sites", "/api/models", "/api/fleet", "/api/runs", "/healthz", "/metrics"),
)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return sources_of(tmp_path)


@pytest.fixture
def client(sources: Sources) -> TestClient:
    return client_of(sources)


@pytest.mark.parametrize("path", ROUTES)
def test_every_route_answers_with_an_empty_store_too(tmp_path: Path, path: str) -> None:
    assert client_of(sources_of(tmp_path, [])).get(path).status_code == 200


def test_a_summary_of_a_customer(client: TestClient) -> None:
    found = client.get("/api/metrics/summary", params={"customer": "한국철강"}).json()
    (group,) = found["groups"]
    assert group["place"] == {
        "customer": "한국철강",
        "site": "pohang-plant2",
        "zone": "<b>야적장</b>",
        "task": "fire",
    }
    latest = group["metrics"]["mAP50"]["latest"]
    assert (latest["value"], latest["low"], latest["high"]) == (0.74, 0.71, 0.77)
    assert latest["timestamp"].endswith("Z")


def test_what_was_not_measured_is_absent_and_no_zero(client: TestClient) -> None:
    (tile,) = client.get("/api/sites", params={"task": "fire"}).json()["sites"]
    assert tile["latency"] is None
    assert tile["cameras"] is None


def test_a_page_and_the_next_have_every_group_once(client: TestClient) -> None:
    seen, offset = [], 0
    while offset is not None:
        page = client.get("/api/metrics/summary", params={"limit": 1, "offset": offset}).json()
        assert page["total"] == 4
        seen += [(g["place"]["task"], g["experiment_type"]) for g in page["groups"]]
        offset = page["next_offset"]
    assert len(seen) == len(set(seen)) == 4
    beyond = client.get("/api/metrics/summary", params={"offset": 99}).json()
    assert (beyond["total"], beyond["groups"]) == (4, [])


def test_architectures_by_comma_or_by_name(client: TestClient) -> None:
    one = client.get("/api/metrics/comparison?architectures=yolo11n,yolo11s").json()
    two = client.get("/api/metrics/comparison?architectures=yolo11n&architectures=yolo11s").json()
    assert one == two
    assert {each["model_architecture"] for each in one["groups"]} == {"yolo11n", "yolo11s"}


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (
            "/api/metrics/summary?customer=donghwa",
            404,
            ("did you mean 'donghwa-entec'", "한국철강"),
        ),
        ("/api/metrics/comparison?architectures=yolo99", 404, ("yolo11n",)),
        ("/api/metrics/trend?metric=mAP", 422, ("mAP50",)),
        ("/api/metrics/summary?custmer=x", 422, ("did you mean 'customer'",)),
        ("/api/metrics/summary?days=0&limit=0", 422, ("days", "limit")),
        ("/api/metrics/summary?days=nan", 422, ("days",)),
        ("/api/metrics/alerts?threshold_mAP50=0", 422, ("threshold_mAP50",)),
        ("/api/runs/nobody", 404, ("no run 'nobody'",)),
    ],
)
def test_a_refusal_says_what_was_expected(
    client: TestClient, path: str, status: int, words: tuple[str, ...]
) -> None:
    refused = client.get(path)
    assert refused.status_code == status
    for each in words:
        assert each in refused.json()["detail"]


def test_an_unknown_name_is_told_with_the_known_ones(client: TestClient) -> None:
    refused = client.get("/api/metrics/trend?task=pee").json()
    assert refused["known"] == ["fire", "ppe"]


def test_who_has_the_answer_already_is_sent_nothing(client: TestClient, sources: Sources) -> None:
    first = client.get("/api/metrics/summary")
    again = {"If-None-Match": first.headers["ETag"]}
    kept = client.get("/api/metrics/summary", headers=again)
    assert (kept.status_code, kept.content) == (304, b"")
    sources.metrics.save_metrics(stored_runs.row("new"))
    changed = client.get("/api/metrics/summary", headers=again)
    assert changed.status_code == 200
    assert changed.json()["runs"] == 7


def test_a_run_that_is_under_way_is_shown_as_mlflow_has_it(
    client: TestClient, sources: Sources
) -> None:
    assert client.get("/api/runs/a2").json()["metrics"]["det.mAP50"] == 0.7
    store = sources.ports.store
    run_id = store.start_run(RunRequest("a/b-c/d", "run", {"task.type": "ppe"}))
    store.log_metrics(run_id, {"det.mAP50": 0.5, "train.loss": 1.0})
    found = client.get(f"/api/runs/{run_id}").json()
    assert (found["status"], found["timestamp"], found["task"]) == ("RUNNING", None, "ppe")
    assert found["metrics"] == {"det.mAP50": 0.5}


def test_figures_are_served_while_mlflow_is_away(tmp_path: Path) -> None:
    def away() -> Ports:
        raise TrackingError("the MLflow server does not answer")

    client = client_of(sources_of(tmp_path, connect=away))
    assert client.get("/api/metrics/summary").status_code == 200
    fleet = client.get("/api/fleet").json()
    assert len(fleet["sites"]) == 2
    assert "does not answer" in fleet["problems"][0]
    models = client.get("/api/models")
    assert (models.status_code, "does not answer" in models.text) == (503, True)


def test_old_directories_stand_in_the_fleet(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "ppe").mkdir()
    (tmp_path / "ppe/train.py").write_text("print('mAP50: 0.5')\n")
    sources.registry.write_text(
        f"experiments:\n  old-ppe:\n    path: {tmp_path / 'ppe'}\n"
        "    site: {customer: donghwa-entec, region: busan, plant: plant1, zone: welding}\n"
        "    task: {type: ppe}\n    entry_points: {train: {default: train.py}}\n"
    )
    (directory,) = client_of(sources).get("/api/fleet").json()["directories"]
    assert (directory["name"], directory["last_run_id"], directory["mAP50"]) == (
        "old-ppe",
        None,
        None,
    )


def test_prometheus_reads_every_line(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    values = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"
    }
    assert len(values) == sum(line[0] != "#" for line in lines)
    place = 'customer="donghwa-entec",site="busan-plant1",zone="welding",task="ppe"'
    assert values[f"guardianflow_mAP50{{{place}}}"] == 0.7
    assert values[f'guardianflow_mAP50{{{place},bound="low"}}'] == 0.67
    assert f"guardianflow_cameras{{{place}}}" not in values
    assert all(math.isfinite(each) for each in values.values())


def test_nothing_is_loaded_from_elsewhere_and_the_schema_is_served(client: TestClient) -> None:
    assert client.get("/docs").status_code == 404
    paths = client.get("/openapi.json").json()["paths"]
    assert {*ROUTES, "/api/runs/{run_id}"} == set(paths)


def test_catching_up_goes_on_beside_the_pages(sources: Sources) -> None:
    store = sources.ports.store
    run_id = store.start_run(RunRequest("a/b-c/d", "run", {"exp.type": "infer"}))
    store.log_metrics(run_id, {"det.mAP50": 0.5})
    store.end_run(run_id)
    app = create_app(sources, upkeep_every_s=0.05)
    with TestClient(app, base_url="http://localhost") as client:
        for _ in range(200):
            if client.get("/healthz").json()["caught_up"]:
                break
        assert client.get("/api/metrics/summary?customer=a").json()["runs"] == 1
