"""Which runs stand for a place: one answer, whoever is asked."""

from __future__ import annotations

import random
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from dashboards import TestClient, client_of, sources_of
from stored_runs import NOW, row

from apps.dashboard.sources import Sources
from guardianflow.contracts.run_metrics.rows import MetricsRow
from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.standing import Kind, Latest, standing_kind

ORDER = ("infer", "quant", "train", "foreign")
EVALUATORS = ("guardianflow-coco/2", "guardianflow-coco/1", None)


def drawn_rows(seed: int) -> list[MetricsRow]:
    """Runs of three places within 25 days, of every kind; some in one millisecond, some ahead."""
    drawn = random.Random(seed)
    return [
        row(
            f"r{drawn.getrandbits(32):08x}",
            timestamp=NOW - timedelta(hours=drawn.choice((-72, -40, *range(1, 600, 40)))),
            site=drawn.choice(("plant-a", "plant-b", "plant-c")),
            experiment_type=drawn.choice(ORDER),
            evaluator=drawn.choice(EVALUATORS),
            experiment_design=drawn.choice((None, "single", "single", "sweep", "comparison")),
            trial_of=drawn.choice((None, None, None, "a-sweep")),
            metrics=drawn.choice(
                (
                    {"det.mAP50": round(drawn.uniform(0.3, 0.74), 4)},
                    {"det.quantized.mAP50": round(drawn.uniform(0.3, 0.74), 4)},
                    {"sys.inference_time_ms": round(drawn.uniform(31, 90), 3)},
                )
            ),
        )
        for _ in range(60)
    ]


def last(rows: list[MetricsRow], *keys: str) -> tuple[MetricsRow, float] | None:
    """What standing.py's docstring says, row by row."""
    there = [
        (each, value)
        for each in rows
        if each.trial_of is None
        and each.experiment_design in (None, "single")
        and each.timestamp < NOW + timedelta(days=1)
        and (value := next((each.metrics[k] for k in keys if k in each.metrics), None)) is not None
    ]
    there.sort(key=lambda each: (each[0].timestamp, each[0].run_id))
    if not there or not keys[0].startswith("det."):
        return there[-1] if there else None
    kind = min(ORDER.index(each.experiment_type or "") for each, _ in there)
    of_kind = [each for each in there if each[0].experiment_type == ORDER[kind]]
    return ([e for e in of_kind if e[0].evaluator is not None] or of_kind)[-1]


def gauge(client: TestClient, name: str, site: str) -> float | None:
    found = re.search(rf'^{name}{{[^}}]*site="{site}"[^}}]*}} (\S+)$', client.get("/metrics").text,
                      re.MULTILINE)  # fmt: skip
    return float(found[1]) if found else None


def answers_of(sources: Sources, client: TestClient, metric: str, site: str) -> dict[str, Any]:
    """Who is asked → the run (or the value, where no run is told) that stands for the place."""
    (tile,) = (e for e in client.get("/api/sites").json()["sites"] if e["place"]["site"] == site)
    name = "accuracy" if metric == "mAP50" else "latency"
    served = client.get("/api/metrics/alerts").json()["alerts"]
    assert sources.board is not None
    fired = [e for e in sources.board.alerts().alerts if e.metric == metric]
    trend = client.get("/api/metrics/trend", params={"metric": metric, "site": site}).json()
    points = trend["points"]
    if metric == "mAP50":
        points = [p for p in points if p["experiment_type"] == tile["accuracy_type"]]
        points = [p for p in points if p["evaluator"] == tile["evaluator"]]
        assert [p["run_id"] for p in points][-20:] == [e["run_id"] for e in tile["history"]]
    fleet = client.get("/api/fleet").json()["sites"]
    return {
        "tile": tile[name]["run_id"],
        "fleet": next(e[name]["run_id"] for e in fleet if e["place"]["site"] == site),
        "API": next(
            e["reading"]["run_id"]
            for e in served
            if (e["metric"], e["place"]["site"]) == (metric, site)
        ),
        "rules": next(e.reading.run_id for e in fired if e.place.site == site),
        "trend": points[-1]["run_id"],
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("compacted", [False, True])
def test_pages_api_prometheus_and_rules_take_the_same_run(
    tmp_path: Path, seed: int, compacted: bool
) -> None:
    rows = drawn_rows(seed)
    sources = sources_of(tmp_path, rows[:40])
    if compacted:
        sources.metrics.compact()
    sources.metrics.save_metrics(rows[40:])
    client, compared = client_of(sources), 0
    for site in ("plant-a", "plant-b", "plant-c"):
        mine = [each for each in rows if each.site == site]
        for metric, keys, name in (
            ("mAP50", ("det.mAP50", "det.quantized.mAP50"), "guardianflow_mAP50"),
            ("latency_ms", ("sys.inference_time_ms",), "guardianflow_latency_ms"),
        ):
            if (expected := last(mine, *keys)) is None:
                continue
            run, value = expected
            found = answers_of(sources, client, metric, site)
            assert set(found.values()) == {run.run_id}, (site, metric, found)
            assert gauge(client, name, site) == value
            place = {"customer": run.customer, "site": site, "zone": run.zone, "task": run.task}
            page = client.get(f"/site?{urlencode(place)}", headers={"Accept-Language": "en"}).text
            shown = f"{value:.3f} is below 0.75" if metric == "mAP50" else "is above 30"
            assert shown in page
            compared += 1
    assert compared >= 5


def test_a_limit_s_certainty_and_distance_are_the_same_by_api_and_by_rule(tmp_path: Path) -> None:
    for seed in range(6):
        sources = sources_of(tmp_path / str(seed), drawn_rows(seed))
        assert sources.board is not None
        by_rule = {
            (e.place.site, e.metric, e.threshold, e.certainty.value, round(e.excess, 9))
            for e in sources.board.alerts().alerts
            if e.metric in ("mAP50", "latency_ms")
        }
        by_api = {
            (e.place.site, e.metric, e.threshold, e.certainty.value, round(e.excess, 9))
            for e in sources.questions.alerts().alerts
        }
        assert by_rule == by_api != set()


def test_a_place_of_trials_alone_is_there_and_unjudged(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, [row("t", trial_of="s"), row("t2", trial_of="s")])
    (tile,) = sources.questions.sites().sites
    assert (tile.runs, tile.accuracy, tile.history) == (2, None, ())
    page = client_of(sources).get("/", headers={"Accept-Language": "en"}).text
    assert 'class="tile unknown"' in page


def test_a_trial_is_compared_and_listed_and_stands_for_nothing(tmp_path: Path) -> None:
    trial = row("t", trial_of="s", model_architecture="yolo11m", metrics={"det.mAP50": 0.9})
    ask = sources_of(tmp_path, [row("a", days_ago=1), trial]).questions
    assert {e.model_architecture for e in ask.comparison().groups} == {"yolo11n", "yolo11m"}
    assert ask.summary().runs == 1
    assert [e.run_id for e in ask.trend("mAP50").points] == ["a"]
    assert len(ask.store.query_metrics()) == 2
    assert [e.run_id for e in ask.store.query_metrics(RowFilter(standing=True))] == ["a"]


def test_an_evaluator_stands_before_a_trainer_s_newer_numbers() -> None:
    old, new = Latest(NOW, "a"), Latest(NOW, "b")
    assert standing_kind([(Kind("infer", "e/1"), old), (Kind("infer", None), new)])[1] == "e/1"
    assert standing_kind([(Kind("infer", "e/1"), old), (Kind("infer", "e/2"), new)])[1] == "e/2"
    assert standing_kind([(Kind("other", "e/1"), new), (Kind("train", None), old)])[0] == "train"
