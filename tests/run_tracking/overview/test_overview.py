"""Lists of a store: what the quick ways read is what mlflow says, and they load no mlflow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import DetectorPackage, RunRequest
from guardianflow.run_tracking.fakes.overview import InMemoryOverview
from guardianflow.run_tracking.fakes.store import InMemoryRegistry, InMemoryStore
from guardianflow.run_tracking.overview import database
from guardianflow.run_tracking.overview.by_mlflow import MlflowOverview
from guardianflow.run_tracking.overview.database import DatabaseOverview
from guardianflow.run_tracking.overview.lines import NotReadableError, Overview
from guardianflow.run_tracking.overview.opening import open_overview
from guardianflow.run_tracking.overview.server import ServerOverview

WELDING, PRESS = "donghwa/busan-plant1/welding", "donghwa/busan-plant1/press"
OTHER = "donghwa-2/ulsan-plant1/full"
EMPTY = "donghwa/busan-plant1/empty"
KEYS = ("det.mAP50", "det.quantized.mAP50")


def fill(uri: str) -> list[str]:
    """Five runs in three experiments, an empty and a deleted one; two models and a prompt."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    ids = {name: client.create_experiment(name) for name in (WELDING, PRESS, OTHER, EMPTY, "gone")}
    runs, place = [], ""
    for number, name in enumerate((WELDING, PRESS, WELDING, OTHER, WELDING, "gone")):
        run = client.create_run(ids[name], start_time=1000 + number, run_name=f"용접-{number}")
        runs.append(run.info.run_id)
        place = place or f"{run.info.artifact_uri}/model"
    client.log_metric(runs[0], "det.mAP50", 0.4, step=2)
    client.log_metric(runs[0], "det.mAP50", 0.3, step=1)
    client.log_metric(runs[0], "sys.fps", 30.0)
    client.log_metric(runs[2], "det.mAP50", float("nan"))
    client.log_metric(runs[2], "det.quantized.mAP50", 0.625)
    client.set_terminated(runs[0], "FINISHED", end_time=2000)
    client.delete_run(runs[4])
    client.delete_experiment(ids["gone"])
    for model in ("donghwa.busan-plant1.welding.ppe", "donghwa-2.ulsan-plant1.full.ppe", "made"):
        client.create_registered_model(model, tags={"of": model})
    for model in ("donghwa.busan-plant1.welding.ppe",) * 3 + ("donghwa-2.ulsan-plant1.full.ppe",):
        client.create_model_version(model, place, run_id=runs[0])
    client.delete_model_version("donghwa.busan-plant1.welding.ppe", "2")
    client.set_registered_model_alias("donghwa.busan-plant1.welding.ppe", "champion", "1")
    client.set_registered_model_alias("donghwa.busan-plant1.welding.ppe", "candidate", "3")
    client.register_prompt("a-prompt", "{{x}}")
    return runs


@pytest.fixture(
    params=["database", "mlflow", pytest.param("server", marks=pytest.mark.slow)],
)
def filled(request: pytest.FixtureRequest) -> tuple[Overview, list[str]]:
    if request.param == "server":
        url = request.getfixturevalue("server").url
        return ServerOverview(url), fill(url)
    uri = request.getfixturevalue("sqlite_uri")
    runs = fill(uri)
    return DatabaseOverview(uri) if request.param == "database" else MlflowOverview(uri), runs


def test_runs_are_those_of_the_customer_the_newest_first(
    filled: tuple[Overview, list[str]],
) -> None:
    overview, runs = filled
    found = overview.runs("donghwa", 10, KEYS)
    assert [line.run_id for line in found] == [runs[2], runs[1], runs[0]]
    newest, _, oldest = found
    assert (newest.experiment, newest.name, newest.status) == (WELDING, "용접-2", "RUNNING")
    assert (oldest.status, oldest.started_ms) == ("FINISHED", 1000)
    assert newest.metrics == {"det.quantized.mAP50": 0.625}, "no number is absent"
    assert oldest.metrics == {"det.mAP50": 0.4}, "of the last step"
    assert [line.run_id for line in overview.runs("", 2, KEYS)] == [runs[3], runs[2]]
    assert overview.runs("dong", 10, KEYS) == overview.runs("", 0, KEYS) == []


def test_experiments_come_with_their_newest_run(filled: tuple[Overview, list[str]]) -> None:
    overview, _ = filled
    found = overview.experiments("donghwa", 10)
    assert [(line.name, line.last_ms) for line in found] == [
        (WELDING, 1002),
        (PRESS, 1001),
        (EMPTY, None),
    ]
    counted = {line.name: line.runs for line in found}
    assert counted in ({WELDING: 2, PRESS: 1, EMPTY: 0}, dict.fromkeys(counted))
    assert (counted[WELDING] is None) != isinstance(overview, DatabaseOverview)
    assert {line.name for line in overview.experiments("", 1)} >= {WELDING, PRESS, OTHER, EMPTY}
    assert overview.experiments("", 1)[0].name == OTHER


def test_versions_and_models_are_there_with_aliases_and_without_prompts(
    filled: tuple[Overview, list[str]],
) -> None:
    overview, runs = filled
    welding = "donghwa.busan-plant1.welding.ppe"
    found = sorted(overview.versions("", 10), key=lambda line: (line.name, line.version))
    assert [(line.name, line.version, line.aliases) for line in found] == [
        ("donghwa-2.ulsan-plant1.full.ppe", "1", ()),
        (welding, "1", ("champion",)),
        (welding, "3", ("candidate",)),
    ]
    assert found[1].uri == f"models:/{welding}/1"
    assert {line.run_id for line in found} == {runs[0]}
    assert len(overview.versions("", 2)) == 2
    assert [line.name for line in overview.versions("donghwa", 10)] == [welding] * 2
    (model,) = overview.models("welding/ppe", "donghwa")
    assert (model.name, model.versions) == (welding, 2)
    assert model.aliases == {"champion": "1", "candidate": "3"}
    assert model.tags == {"of": welding}
    assert model.created_ms == max(line.created_ms for line in found[1:])
    assert len(overview.models("", "")) == 2, "one without versions is none"
    assert overview.models("", "nobody") == []


def test_the_stores_in_memory_give_the_same_lines(package: DetectorPackage) -> None:
    store = InMemoryStore()
    registry = InMemoryRegistry(store)
    run_id = store.start_run(RunRequest(WELDING, "ppe"))
    store.log_metrics(run_id, {"det.mAP50": 0.4, "sys.fps": 30.0})
    registry.register(run_id, package, "donghwa/busan-plant1/welding/ppe")
    registry.models.set_model_tag("donghwa/busan-plant1/welding/ppe", "of", "us")
    overview = InMemoryOverview(store, registry)
    (run,) = overview.runs("donghwa", 5, KEYS)
    assert (run.run_id, run.metrics) == (run_id, {"det.mAP50": 0.4})
    assert [(each.name, each.runs) for each in overview.experiments("donghwa", 5)] == [(WELDING, 1)]
    (version,) = overview.versions("donghwa", 5)
    (model,) = overview.models("", "donghwa")
    assert (version.aliases, model.aliases) == (("candidate",), {"candidate": "1"})
    assert (model.versions, model.tags["of"]) == (1, "us")
    assert overview.versions("other", 5) == []
    assert overview.models("", "other") == []


def test_the_installed_mlflow_has_a_schema_that_was_looked_at(sqlite_uri: str) -> None:
    """It fails when mlflow's tables change: compare them, then add the revision."""
    assert DatabaseOverview(sqlite_uri).runs("", 5, KEYS) == []


def test_an_unknown_schema_is_read_by_mlflow(
    sqlite_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = fill(sqlite_uri)
    monkeypatch.setattr(database, "SCHEMAS", frozenset({"another"}))
    with pytest.raises(NotReadableError, match="not known"):
        DatabaseOverview(sqlite_uri).runs("", 5, KEYS)
    assert open_overview(sqlite_uri).runs("", 1, KEYS)[0].run_id == runs[3]


def test_what_can_t_be_read_is_said_in_the_words_of_every_command(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("notes of a colleague, no database" * 40)
    with pytest.raises(TrackingError, match="not a SQLite database"):
        open_overview(f"sqlite:///{tmp_path / 'store.db'}").experiments("", 5)


@pytest.mark.parametrize("words", [["list", "runs"], ["list", "models"], ["models"]])
def test_lists_load_no_mlflow(
    words: list[str], sqlite_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = fill(sqlite_uri)
    monkeypatch.setenv("GUARDIANFLOW_TRACKING_URI", sqlite_uri)
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom apps.cli.main import cli\n"
        f"result = CliRunner().invoke(cli, {[*words, '--json']!r})\n"
        "assert not {'mlflow', 'pandas', 'torch'} & set(sys.modules)\n"
        "print(result.stdout)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    rows: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    assert rows
    assert runs[0] in [row.get("run_id", runs[0]) for row in rows]
