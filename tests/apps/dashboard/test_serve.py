"""`guardianflow dashboard` listens to this machine, or asks for a token."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from dashboards import client_of, sources_of
from stored_runs import judged, row
from workplace import Workplace, last_json

from apps.automation.ledger.moments import Moment
from apps.automation.ledger.records import Decided, Ended, Outcome
from apps.automation.place import board_if_rules, open_board
from apps.automation.triggers.file import parse_triggers
from apps.dashboard.serve import TOKEN_VARIABLE, checked_token
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.metrics_store.questions.answers import Place
from guardianflow.metrics_store.store import MetricsStore
from pipelines.settings import Settings

FRESH_WITHIN_S = 2.0
STRICTER = """
rules:
  - {name: all, metric: mAP50, comparison: below, threshold: 0.8}
  - {name: ours, metric: mAP50, comparison: below, threshold: 0.9, scope: {customer: 동화엔텍}}
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_needs_no_token(host: str) -> None:
    assert checked_token(host, "") == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.7", "plant.example"])
def test_others_need_one(host: str) -> None:
    with pytest.raises(ConfigurationError, match=TOKEN_VARIABLE):
        checked_token(host, "")


@pytest.mark.parametrize("token", ["short", "x" * 15, "암호" * 10, "x" * 16 + "\n"])
def test_a_token_that_is_easily_guessed_or_can_not_be_sent_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match="16 printable"):
        checked_token("127.0.0.1", token)


@pytest.mark.slow
def test_it_serves_until_it_is_asked_to_stop_and_tells_where(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "apps.cli.main", "dashboard"]
    with subprocess.Popen(
        [*command, "--port", "0"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None
        said = served.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert found, said
        port = int(found[1])
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
                    assert json.load(answer)["status"] == "ok"
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError("it never answered")
        taken = subprocess.run(
            [*command, "--port", str(port)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (taken.returncode, "can't be listened at" in taken.stderr) == (2, True)
        served.send_signal(signal.SIGTERM)
        assert served.wait(60) in (0, -signal.SIGTERM, 130, 143)
    with socket.socket() as one:
        assert one.connect_ex(("127.0.0.1", port)) != 0


class Served:
    """`guardianflow dashboard` in a process of its own."""

    def __init__(self, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "apps.cli.main", "dashboard", "--port", "0"]
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith("http://127.0.0.1:"), self.address
        read_when_ready(f"{self.address}/healthz")

    def read(self, path: str) -> str:
        return read_when_ready(self.address + path)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        with self.process:  # closes its output, and waits
            self.process.wait(60)


def read_when_ready(address: str) -> str:
    asked = urllib.request.Request(address, headers={"Accept-Language": "en"})
    for _ in range(600):
        try:
            with urllib.request.urlopen(asked) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} never answered")


def journal_with(store: Path, run_id: str) -> Path | None:
    """The file of the metrics store that has the run's row; None while none has."""
    files = (each for each in store.rglob("*.jsonl") if run_id.encode() in each.read_bytes())
    return next(files, None)


@pytest.mark.slow
def test_the_automation_page_shows_what_optimize_did(tmp_path: Path) -> None:
    """An order of `guardianflow optimize` in the ledger of this store, and its end."""
    metrics = MetricsStore(tmp_path / "mlflow-metrics")
    metrics.save_metrics(row("a", metrics=judged(0.6)))
    settings = Settings(work_dir=tmp_path / "work")
    board = open_board(settings, metrics)
    (alert,) = board.alerts().alerts
    order = Decided(
        at=Moment.now(), order_id="0" * 12, alert_id=alert.alert_id, rule=alert.rule,
        place=alert.place, action=alert.action, run_id="a", why="mAP50 0.6: six trials",
    )  # fmt: skip
    board.ledger.append(order)
    served = Served(tmp_path, {**os.environ, "GUARDIANFLOW_WORK_DIR": str(tmp_path / "work")})
    try:
        page = served.read("/automation")
        assert "mAP50 0.6: six trials" in page
        assert ">decided<" in page
        state = served.read("/state")
        ended = Ended(
            at=Moment.now(), order_id="0" * 12, outcome=Outcome.FAILED, reason="no such images"
        )
        board.ledger.append(ended)
        assert served.read("/state") != state
        page = served.read("/automation")
        assert ">failed<" in page
        assert "no such images" in page
        assert "1 not acknowledged" in served.read("/alerts")
        board.acknowledge(alert.alert_id, "new images are labelled", "kim")
        assert "✓ kim" in served.read("/alerts")
    finally:
        served.stop()


@pytest.mark.slow
def test_pages_are_right_two_seconds_after_a_training_s_end(
    tmp_path: Path, repository: Path
) -> None:
    """The demo's detector is trained by the command, while pages of a dashboard are asked.

    A page counts only where it was asked for two seconds or more after the row was in the journal,
    by the file's own time: how long a busy machine then takes to answer, or took to train, says
    nothing of whether the page was fresh. An open page in a browser asks /state every two seconds,
    and loads itself anew where that is another text.
    """
    place = Workplace(tmp_path, tmp_path / "work", repository)
    scenario = place.write_scenario()
    served = Served(tmp_path, place.full_environment())
    try:
        before = served.read("/state")
        assert "seoul-plant1" not in served.read("/")
        training = place.start(
            *(sys.executable, "-m", "apps.cli.main", "train", str(scenario)),
            *("-p", "training.epochs=1", "-p", "model.input_size=64", "--json"),
        )
        asked: list[tuple[float, str, str]] = []
        while training.poll() is None:
            asked.append((time.time(), served.read("/state"), served.read("/")))
            time.sleep(0.3)
        out, err = training.communicate()
        assert training.returncode == 0, err
        done = last_json(out)
        journal = journal_with(tmp_path / "mlflow-metrics", done["run_id"])
        assert journal is not None, "the row must be there when the command has ended"
        written = journal.stat().st_mtime
        while time.time() < written + FRESH_WITHIN_S:
            time.sleep(0.1)
        asked.append((time.time(), served.read("/state"), served.read("/")))
        late = [each for each in asked if each[0] >= written + FRESH_WITHIN_S]
        accuracy = f"{done['metrics']['det.mAP50']:.3f}"
        for _, state, page in late:
            assert state != before
            assert "seoul-plant1" in page
            assert f"<b>{accuracy}</b>" in page
        assert all("seoul-plant1" not in page for at, _, page in asked if at < written - 1)
        run = json.loads(served.read(f"/api/runs/{done['run_id']}"))
        assert run["status"] == "FINISHED"
        assert datetime.fromisoformat(run["timestamp"]).timestamp() <= written
        (tile,) = json.loads(served.read("/api/sites"))["sites"]
        assert (tile["accuracy"]["run_id"], tile["accuracy_type"]) == (done["run_id"], "train")
        assert "accuracy-low" in served.read("/alerts")  # one epoch: it finds next to nothing
    finally:
        served.stop()


def test_without_a_file_of_rules_pages_say_so(tmp_path: Path) -> None:
    sources = replace(sources_of(tmp_path), board=None)
    client = client_of(sources)
    english = {"Accept-Language": "en"}
    assert "There are no rules" in client.get("/alerts", headers=english).text
    fleet = client.get("/", headers=english).text
    assert 'class="tile unknown"' in fleet
    assert not {'class="tile good"', 'class="tile bad"'} & set(
        re.findall(r'class="tile \w+"', fleet)
    )
    assert client.get("/api/metrics/alerts").json()["total"] == 3  # limits of its own: 0.75, 30 ms


def test_rules_are_those_of_the_directory_else_the_shipped_ones_else_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings, metrics = Settings(work_dir=tmp_path / "work"), MetricsStore(tmp_path / "metrics")
    shipped = board_if_rules(settings, metrics)
    assert shipped is not None
    assert shipped.triggers.limit("mAP50") == 0.75
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/triggers.yaml").write_text(STRICTER)
    own = board_if_rules(settings, metrics)
    assert own is not None
    assert own.triggers.limit("mAP50") == 0.8
    ours = Place(customer="동화엔텍", site="busan-plant1", zone="용접", task="ppe")
    assert own.triggers.limit("mAP50", ours) == 0.9
    assert own.triggers.limit("latency_ms", ours) is None
    (tmp_path / "configs/triggers.yaml").write_text("rules: [{name: a}]")
    with pytest.raises(ConfigurationError, match="metric"):
        board_if_rules(settings, metrics)
    (tmp_path / "configs/triggers.yaml").unlink()
    with pytest.raises(ConfigurationError, match="gone"):
        board_if_rules(settings, metrics, "gone.yaml")
    monkeypatch.setattr("apps.automation.place.PROJECT_ROOT", tmp_path)  # as a wheel has it
    assert board_if_rules(settings, metrics) is None


def test_the_api_s_own_limits_are_those_of_the_rules_unless_given(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, [row("a", metrics=judged(0.78))])
    assert sources.board is not None
    stricter = replace(sources.board, triggers=parse_triggers(STRICTER, "t.yaml"))
    client = client_of(replace(sources, board=stricter))
    (alert,) = client.get("/api/metrics/alerts").json()["alerts"]
    assert alert["threshold"] == 0.8
    asked = {"threshold_mAP50": 0.7}
    assert client.get("/api/metrics/alerts", params=asked).json()["total"] == 0
