"""Grafana's files, without Grafana: their structure, and each of their queries asked of the API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from dashboards import client_of, sources_of
from ruamel.yaml import YAML
from stored_runs import judged, row

PANELS = {"timeseries", "gauge", "table", "histogram", "stat", "barchart"}
"""Those of ours; all are parts of Grafana itself."""
WANTED = {"timeseries", "histogram", "gauge", "table"}
BUILT_IN = {"__all", "__from", "__to"}
FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
FLEET = (
    row("i1", days_ago=2, metrics=judged(0.7) | {"bench.bs1.latency_p95_ms": 41.0}),
    row("i2", days_ago=1, metrics={"sys.inference_time_ms": 40.0, "det.mAP50_95": 0.4,
                                   "sys.fps": 25.0}),
    row("t1", days_ago=1, experiment_type="train", metrics={"sys.gpu_utilization_pct": 40.0}),
)  # fmt: skip
CUSTOMERS = ("", "donghwa-entec")


def loaded(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def targets_of(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for panel in dashboard["panels"]:
        yield from ((panel["title"], target) for target in panel["targets"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["infinityQuery"]


QUERIES = [
    pytest.param(target, customer, id=f"{file.stem}: {title}, '{customer}'")
    for file in DASHBOARDS
    for title, target in targets_of(loaded(file))
    for customer in CUSTOMERS
]


@pytest.mark.parametrize(("target", "customer"), QUERIES)
def test_the_api_answers_each_query(tmp_path: Path, target: dict[str, Any], customer: str) -> None:
    """With all customers and with one; every column is found in what comes."""
    values = {"customer": customer, "task": "ppe" if customer else "", "days": "30"}
    asked = {
        each["key"]: re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], each["value"])
        for each in target["url_options"]["params"]
    }
    answer = client_of(sources_of(tmp_path, FLEET)).get(target["url"], params=asked)
    assert answer.status_code == 200, answer.text
    records = answer.json()[target["root_selector"]]
    assert records
    for column in target["columns"]:
        assert any(value_at(each, column["selector"]) is not None for each in records), column


def value_at(record: Any, selector: str) -> Any:
    for part in selector.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_is_whole(file: Path) -> None:
    dashboard = loaded(file)
    assert dashboard["schemaVersion"] >= 39
    assert re.fullmatch(r"[\w-]{1,40}", dashboard["uid"])
    panels = dashboard["panels"]
    assert len({each["id"] for each in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["type"] in PANELS
        assert panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y)
                 for x in range(place["w"]) for y in range(place["h"])}  # fmt: skip
        assert not cells & taken
        taken |= cells
        assert len({each["refId"] for each in panel["targets"]}) == len(panel["targets"])
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    assert {"customer", "task"} <= variables
    used = set(re.findall(r"\$\{(\w+)", json.dumps(dashboard)))
    assert used <= variables | BUILT_IN


def test_every_kind_of_picture_that_was_asked_for_is_there() -> None:
    assert len({loaded(file)["uid"] for file in DASHBOARDS}) == len(DASHBOARDS) >= 2
    kinds = {panel["type"] for file in DASHBOARDS for panel in loaded(file)["panels"]}
    assert kinds >= WANTED
    asked = {target["url"] for file in DASHBOARDS for _, target in targets_of(loaded(file))}
    assert {f"/api/metrics/{name}" for name in ("trend", "comparison", "alerts")} <= asked


def test_the_data_source_is_the_one_that_is_provided_and_its_token_is_no_text() -> None:
    yaml = YAML(typ="safe")
    text = (FOLDER / "provisioning/datasources/guardianflow.yaml").read_text("utf-8")
    (source,) = yaml.load(text)["datasources"]
    for file in DASHBOARDS:
        named = re.findall(r'"datasource": (\{[^}]*\})', file.read_text("utf-8"))
        assert named
        for each in named:
            assert json.loads(each) == {"type": source["type"], "uid": source["uid"]}
    assert source["secureJsonData"] == {"bearerToken": "$GUARDIANFLOW_DASHBOARD_TOKEN"}
    services = yaml.load((FOLDER.parent / "compose.yaml").read_text("utf-8"))["services"]
    grafana = services["grafana"]
    assert set(re.findall(r"\$(\w+)", text)) <= set(grafana["environment"])
    mounted = dict(each.split(":")[:2] for each in grafana["volumes"])
    provider = yaml.load((FOLDER / "provisioning/dashboards/guardianflow.yaml").read_text("utf-8"))
    assert provider["providers"][0]["options"]["path"] == mounted["./grafana/dashboards"]
    assert mounted["./grafana/plugins"] == grafana["environment"]["GF_PATHS_PLUGINS"]
    assert source["type"] in (FOLDER / "plugins/README.md").read_text("utf-8")
