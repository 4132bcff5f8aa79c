"""`guardianflow reap` on a real store: a table for people, an object for programs, exit codes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from databases import copy_database
from once_per_run import OncePerRun
from owners import elsewhere, gone, living

from apps.cli.main import cli
from apps.cli.upkeep.reap import age_of, seconds_of
from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.results import RunRequest
from pipelines.wiring import Ports, connect

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def empty(once_per_run: OncePerRun) -> Path:
    def fill(folder: Path) -> None:
        connect(f"sqlite:///{folder / 'mlflow.db'}")

    return once_per_run.made("migrated", fill) / "mlflow.db"


@pytest.fixture
def ports(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ports:
    copy_database(empty, tmp_path / "mlflow.db")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return connect(f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.fixture
def call(ports: Ports) -> Call:
    def called(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(cli, ["reap", *arguments])
        return result.exit_code, result.stdout, result.stderr

    return called


def running(ports: Ports, tags: dict[str, str]) -> str:
    return ports.store.start_run(RunRequest("demo/seoul-plant1/full", "ppe-v1", tags))


def test_people_see_what_was_ended_and_what_was_left_and_why(ports: Ports, call: Call) -> None:
    dead, there = running(ports, gone()), running(ports, elsewhere("gate-3"))
    running(ports, living())
    code, out, _ = call("--dry-run")
    assert code == 0
    assert "would be KILLED" in out
    assert "nothing was done" in out
    assert ports.store.get_run(dead).status == "RUNNING"
    code, out, _ = call()
    assert code == 0
    rows = {line.split()[3]: line for line in out.splitlines() if " run " in line}
    assert "KILLED" in rows[dead]
    assert "is gone" in rows[dead]
    for words in ("left", "gate-3", "ago", "run `guardianflow reap` there"):
        assert words in rows[there]
    assert "1 runs ended" in out
    assert "1 live" in out
    assert ports.store.get_run(dead).status == "KILLED"
    assert ports.store.get_run(there).status == "RUNNING"


def test_programs_get_one_object(ports: Ports, call: Call) -> None:
    dead = running(ports, gone())
    code, out, _ = call("--json")
    answer = json.loads(out.splitlines()[-1])
    assert code == 0
    (run,) = answer["runs"]
    assert (run["run_id"], run["fate"], run["problem"]) == (dead, "ended", None)
    assert answer["counts"]["ended"] == 1
    assert answer["dry_run"] is False
    code, out, _ = call("--json")
    assert json.loads(out.splitlines()[-1])["runs"] == []


def test_an_age_that_is_none_is_bad_input_and_nothing_is_done(ports: Ports, call: Call) -> None:
    dead = running(ports, gone())
    code, _, errors = call("--older-than", "an hour")
    assert code == 2
    assert "90s, 30m, 1h or 2d" in errors
    assert ports.store.get_run(dead).status == "RUNNING"


def test_a_run_that_can_not_be_ended_on_a_word_is_bad_input(ports: Ports, call: Call) -> None:
    alive, dead = running(ports, living()), running(ports, gone())
    code, _, errors = call("--gone", alive, "--gone", "abc")
    assert code == 2
    assert "lives" in errors
    assert "there is no run 'abc'" in errors
    assert ports.store.get_run(dead).status == "RUNNING"


def test_ages_are_read_and_shown() -> None:
    assert [seconds_of(age) for age in ("", "90s", "1.5m", "1h", "2d")] == [0, 90, 90, 3600, 172800]
    assert [age_of(s) for s in (5, 90, 7200, 200_000)] == ["5 s", "90 s", "2 h", "2 d"]
    for wrong in ("1", "h", "-1h", "1 h 5 m", "1w"):
        with pytest.raises(ConfigurationError):
            seconds_of(wrong)
