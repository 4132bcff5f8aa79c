"""Stores that are not there, not ours, busy, or being made by somebody else."""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from databases import copy_database

from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking import connection
from guardianflow.run_tracking.connection import (
    prepare_environment,
    resolve_tracking_uri,
    shown_uri,
    sqlite_path,
)
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.support.stop_signals import stop_signals


def test_the_uri_is_absolute_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "현장 a"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert sqlite_path(resolve_tracking_uri()) == place / "mlflow.db"
    assert sqlite_path(resolve_tracking_uri("sqlite:///a/runs.db")) == place / "a" / "runs.db"
    assert resolve_tracking_uri("sqlite:///a.db?timeout=5").endswith("/a.db?timeout=5")
    assert resolve_tracking_uri("sqlite:////data/runs.db") == "sqlite:////data/runs.db"
    assert resolve_tracking_uri("http://mlflow:5000/") == "http://mlflow:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    assert sqlite_path(resolve_tracking_uri()) == place / "other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", " ")
    assert sqlite_path(resolve_tracking_uri()) == place / "mlflow.db"
    assert sqlite_path("http://mlflow:5000") is None
    assert sqlite_path("sqlite:///:memory:") is None


def test_the_default_store_is_the_one_mlflow_itself_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    place = tmp_path / "현장 a"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert resolve_tracking_uri() == mlflow.get_tracking_uri()


def test_a_password_in_the_uri_is_not_shown() -> None:
    assert shown_uri("https://kim:secret@mlflow:5000/a") == "https://mlflow:5000/a"
    assert shown_uri("http://mlflow:5000") == "http://mlflow:5000"


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "6")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    prepare_environment()
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "6"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(TrackingError, match="can't be reached") as caught:
        MlflowStore(f"http://kim:secret@127.0.0.1:{free_port()}")
    assert "MLFLOW_TRACKING_URI" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is not None


def test_a_file_that_is_no_database_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("these are notes, and long ones")
    with pytest.raises(TrackingError, match="not a SQLite database"):
        MlflowStore(f"sqlite:///{tmp_path}/mlflow.db")
    assert (tmp_path / "mlflow.db").read_text().startswith("these are notes")
    with pytest.raises(TrackingError, match="can't be written"):
        MlflowStore(f"sqlite:///{tmp_path}")
    with pytest.raises(TrackingError, match="can't be written"):
        MlflowStore(f"sqlite:///{tmp_path}/mlflow.db/inside.db")


def test_a_directory_without_write_permission_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(TrackingError, match="no right to write"):
        MlflowStore(f"sqlite:///{tmp_path}/mlflow.db")


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "ftp://mlflow/a"])
def test_a_store_that_mlflow_refuses_is_refused_with_its_reason(uri: str) -> None:
    with pytest.raises(TrackingError, match="could not open the store") as caught:
        MlflowStore(uri)
    assert caught.value.__cause__ is not None


def test_a_start_waits_for_another_first_start_and_not_for_ever(
    sqlite_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    lock = Path(sqlite_uri.removeprefix("sqlite:///") + "-lock")
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        monkeypatch.setattr(connection, "LOCK_WAIT_S", 0.2)
        with pytest.raises(TrackingError, match=r"another process has held .*mlflow\.db-lock"):
            MlflowStore(sqlite_uri)
        monkeypatch.setattr(connection, "LOCK_WAIT_S", 30.0)
        releasing = threading.Timer(0.3, fcntl.flock, (held, fcntl.LOCK_UN))
        releasing.start()
        assert MlflowStore(sqlite_uri).list_experiments() == ["Default"]
        releasing.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself answers 'locked' at once, instead of after mlflow's 20 s."""
    import sqlalchemy

    def no_wait(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if "busy_timeout" in statement:
            cursor.execute("PRAGMA busy_timeout = 0")  # type: ignore[attr-defined]

    sqlalchemy.event.listen(sqlalchemy.Engine, "after_cursor_execute", no_wait)
    yield
    sqlalchemy.event.remove(sqlalchemy.Engine, "after_cursor_execute", no_wait)


def test_a_locked_database_is_tried_again(sqlite_uri: str, impatient: None) -> None:
    store = MlflowStore(sqlite_uri)
    run_id = store.start_run(RunRequest("a/b/c", "x"))
    other = sqlite3.connect(
        sqlite_uri.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    released = threading.Event()

    def release() -> None:
        released.set()
        other.execute("COMMIT")

    releasing = threading.Timer(0.5, release)
    releasing.start()
    store.log_metrics(run_id, {"a": 1.0})
    assert released.is_set()
    releasing.join()
    other.close()
    assert store.get_run(run_id).metrics == {"a": 1.0}


def test_an_interruption_leaves_no_lock_behind(
    sqlite_uri: str, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut in a call, SQLite's lock would stay with it: what ends the run would wait for itself."""
    monkeypatch.setattr(connection, "BUSY_WAIT_S", 1.0)
    store, rng = MlflowStore(sqlite_uri), random.Random(29)
    run_id = store.start_run(RunRequest("a/b/c", "x"))
    began = time.perf_counter()
    store.log_metrics(run_id, {f"m{number}": 1.0 for number in range(20)})
    one_s = time.perf_counter() - began
    for step in range(100):
        sending = threading.Timer(rng.uniform(0, one_s), os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt), stop_signals(own_process=True):
            sending.start()
            while True:
                store.log_metrics(run_id, {f"m{number}": 1.0 for number in range(20)}, step)
        store.end_run(run_id, RunStatus.KILLED)
    assert store.get_run(run_id).status == RunStatus.KILLED


def test_a_server_whose_connections_are_all_taken_is_asked_again(sqlite_uri: str) -> None:
    """What a server on PostgreSQL answered to 32 workers: with 400, though the call is right."""
    from mlflow.exceptions import RestException

    answers = ["QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00"]

    def log() -> str:
        if answers:
            raise RestException({"error_code": "BAD_REQUEST", "message": answers.pop()})
        return "logged"

    assert MlflowStore(sqlite_uri).connection.call("log to run 1", log) == "logged"


def test_a_database_locked_for_ever_is_an_error_in_the_end(
    sqlite_uri: str, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_WAIT_S", 0.3)
    store = MlflowStore(sqlite_uri)
    run_id = store.start_run(RunRequest("a/b/c", "x"))
    other = sqlite3.connect(sqlite_uri.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TrackingError, match=r"log to run .*database is locked") as caught:
        store.log_metrics(run_id, {"a": 1.0})
    other.close()
    assert "[SQL" not in str(caught.value)


FIRST_START = """
import sys
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore
store = MlflowStore(sys.argv[1])
for number in range(5):
    run = store.start_run(RunRequest("donghwa/busan-plant1/full", f"run-{number}"))
    store.log_metrics(run, {"a": number})
    store.end_run(run)
"""


@pytest.mark.slow
def test_first_starts_at_once_and_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_START, uri],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
    runs = MlflowStore(uri).find_runs(experiment_name="donghwa/busan-plant1/full")
    assert len(runs) == 15
    assert {run.status for run in runs} == {"FINISHED"}
    assert not (tmp_path / "mlruns").exists()


LOADING_START = """
import sys, threading, time
def watch():
    while "mlflow.store.model_registry.sqlalchemy_store" not in sys.modules:
        time.sleep(0.05)
    print("loaded", flush=True)
threading.Thread(target=watch).start()
from guardianflow.run_tracking.mlflow_store import MlflowStore
MlflowStore(sys.argv[1])
print("opened", flush=True)
"""


@pytest.mark.slow
def test_mlflow_is_loaded_while_another_process_holds_the_lock(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path / "mlflow.db-lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [sys.executable, "-c", LOADING_START, f"sqlite:///{tmp_path}/mlflow.db"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
        reader.start()
        deadline = time.monotonic() + 120
        while not lines and time.monotonic() < deadline:
            time.sleep(0.1)
        assert lines == ["loaded\n"], "seconds in which nobody else need wait"
        assert not (tmp_path / "mlflow.db").exists()
    assert process.wait(120) == 0
    reader.join(10)
    process.stdout.close()
    assert lines == ["loaded\n", "opened\n"]


@pytest.mark.acceptance
def test_a_dozen_starts_at_once_all_get_through(tmp_path: Path) -> None:
    """On a new store, then on the one that is there."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    code = FIRST_START.replace("range(5)", "range(1)")
    for times in (1, 2):
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", code, uri], cwd=tmp_path, stderr=subprocess.PIPE, text=True
            )
            for _ in range(12)
        ]
        for process in processes:
            _, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors
        runs = MlflowStore(uri).find_runs(experiment_name="donghwa/busan-plant1/full")
        assert [run.status for run in runs] == ["FINISHED"] * 12 * times


@pytest.mark.slow
def test_a_server_that_goes_away_is_told_and_its_run_goes_on_when_it_is_back(
    empty_store: Path, tmp_path: Path, serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    database = tmp_path / "server.db"
    copy_database(empty_store, database)
    with serving(database, tmp_path / "artifacts") as (url, process):
        store = MlflowStore(url)
        run_id = store.start_run(RunRequest("a/b/c", "x"))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        with pytest.raises(TrackingError, match=r"log to run .*does not answer") as caught:
            store.log_metrics(run_id, {"a": 1.0})
        assert url in str(caught.value)
    with serving(database, tmp_path / "artifacts") as (url, _):
        store = MlflowStore(url)
        store.log_metrics(run_id, {"a": 2.0})
        assert store.get_run(run_id).metrics == {"a": 2.0}
