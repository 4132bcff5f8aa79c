"""`guardianflow alerts` and `guardianflow optimize`, for people and programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from listening import webhook
from stored_runs import FLEET

from apps.cli.main import cli
from guardianflow.metrics_store.store import MetricsStore


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    MetricsStore(tmp_path / "mlflow-metrics").save_metrics(FLEET)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def alerts() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("alerts", "list", "--json").stdout)["alerts"]
    return found


def test_alerts_of_the_shipped_rules_the_worst_first() -> None:
    told = [(each["rule"], each["certainty"], each["fires"]) for each in alerts()]
    assert told == [
        ("latency-high", "no_interval", True),
        ("accuracy-low", "certain", True),
        ("accuracy-low", "undecided", False),
    ]
    table = run("alerts", "list", "--customer", "한국철강").stdout
    assert "야적장" in table
    assert "donghwa" not in table


def test_a_note_is_shown_afterwards() -> None:
    first = alerts()[0]
    done = run("alerts", "ack", str(first["alert_id"]), "--note", "새 카메라")
    assert done.exit_code == 0, done.output
    (kept, *_) = alerts()
    assert kept["acknowledged"]["note"] == "새 카메라"  # type: ignore[index]


def test_who_is_told_and_how_often(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("alerts", "notify").exit_code == 2
    with webhook(200) as hook:
        monkeypatch.setenv("GUARDIANFLOW_ALERTS_WEBHOOK", hook.url)
        monkeypatch.setenv("GUARDIANFLOW_PRIVATE_HOSTS", "127.0.0.1")
        assert json.loads(run("alerts", "notify", "--json").stdout)["sent"] == 2
        assert json.loads(run("alerts", "notify", "--json").stdout)["sent"] == 0
    assert len(hook.taken) == 2


def test_nothing_was_decided_yet_and_nothing_is_paused() -> None:
    assert "nothing was decided yet" in run("optimize", "log").stdout
    refused = run("optimize", "resume", "0123456789ab")
    assert refused.exit_code == 2
    assert "paused or at work" in refused.stderr


@pytest.mark.parametrize(
    "words", [("alerts", "list"), ("optimize", "check"), ("optimize", "run"), ("optimize", "watch")]
)
def test_a_wrong_file_ends_with_2_and_all_that_is_wrong(
    place: Path, words: tuple[str, str]
) -> None:
    (place / "t.yaml").write_text("rules:\n  - {name: a, metric: mAP5}\n", encoding="utf-8")
    refused = run(*words, "--rules", "t.yaml")
    assert refused.exit_code == 2
    assert "3 problems" in refused.stderr
    assert "t.yaml:2:" in refused.stderr


def test_a_watch_looks_no_faster_than_each_second() -> None:
    refused = run("optimize", "watch", "--every", "0")
    assert refused.exit_code == 2
    assert "--every must be from 1 to 86400 seconds" in refused.stderr
