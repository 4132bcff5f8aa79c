"""What only the store on MLflow does; the promises it shares are in test_conformance.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from guardianflow.contracts.errors import SourceError, TrackingError
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore


def test_artifacts_lie_beside_the_database_whatever_the_working_directory(
    sqlite_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    store = MlflowStore(sqlite_uri)
    run_id = store.start_run(RunRequest("동화/부산-1공장/용접 구역", "x"))
    (elsewhere / "a.txt").write_text("1")
    store.log_files(run_id, elsewhere / "a.txt")
    assert list((tmp_path / "store" / "mlruns").rglob("a.txt"))
    assert [path.name for path in elsewhere.iterdir()] == ["a.txt"]


def test_a_deleted_experiment_is_not_brought_back_but_told_how(sqlite_uri: str) -> None:
    client = MlflowClient(tracking_uri=sqlite_uri)
    number = client.create_experiment("a/b/c")
    client.delete_experiment(number)
    with pytest.raises(TrackingError, match=f"mlflow experiments restore --experiment-id {number}"):
        MlflowStore(sqlite_uri).start_run(RunRequest("a/b/c", "x"))
    client.restore_experiment(number)
    assert MlflowStore(sqlite_uri).start_run(RunRequest("a/b/c", "x"))


def test_a_deleted_run_is_told_how_to_bring_back(sqlite_uri: str) -> None:
    store = MlflowStore(sqlite_uri)
    run_id = store.start_run(RunRequest("a/b/c", "x"))
    MlflowClient(tracking_uri=sqlite_uri).delete_run(run_id)
    with pytest.raises(SourceError, match=f"mlflow runs restore --run-id {run_id}"):
        store.get_run(run_id)
    assert store.find_runs() == []


def test_a_run_whose_start_fails_is_not_left_running(sqlite_uri: str) -> None:
    store = MlflowStore(sqlite_uri)

    class Unprintable:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(RuntimeError, match="no text"):
        store.start_run(RunRequest("a/b/c", "x", tags={"t": Unprintable()}))  # type: ignore[dict-item]
    assert [run.status for run in store.find_runs()] == ["FAILED"]


def test_no_fluent_run_is_made_active(sqlite_uri: str) -> None:
    import mlflow

    store = MlflowStore(sqlite_uri)
    run_id = store.start_run(RunRequest("a/b/c", "x"))
    store.log_metrics(run_id, {"a": 1.0})
    assert mlflow.active_run() is None


def test_more_runs_than_a_page_are_searched(
    sqlite_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardianflow.run_tracking import mlflow_store

    monkeypatch.setattr(mlflow_store, "PAGE", 2)
    store = MlflowStore(sqlite_uri)
    made = [store.start_run(RunRequest("a/b/c", f"r{i}")) for i in range(5)]
    assert {run.run_id for run in store.find_runs()} == set(made)
    assert len(store.find_runs(limit=3)) == 3


def test_the_nearest_id_is_looked_for_among_a_bounded_number(
    sqlite_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardianflow.run_tracking import mlflow_store

    monkeypatch.setattr(mlflow_store, "IDS_FOR_NEAREST", 1)
    store = MlflowStore(sqlite_uri)
    for _ in range(2):
        store.start_run(RunRequest("a/b/c", "x"))
    with pytest.raises(SourceError, match="no run"):
        store.get_run("no such id")


def test_an_experiment_made_by_another_process_a_moment_ago_is_taken(
    sqlite_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = MlflowClient(tracking_uri=sqlite_uri).create_experiment("a/b/c")
    find = MlflowClient.get_experiment_by_name
    asked: list[str] = []

    def too_early(self: MlflowClient, name: str) -> object:
        asked.append(name)
        return None if len(asked) == 1 else find(self, name)

    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", too_early)
    store = MlflowStore(sqlite_uri)
    run_id = store.start_run(RunRequest("a/b/c", "x"))
    client = MlflowClient(tracking_uri=sqlite_uri)
    assert client.get_run(run_id).info.experiment_id == number
    assert len(asked) == 2


def test_a_run_that_can_be_neither_started_nor_ended_is_named(
    sqlite_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: object, **kwargs: object) -> None:
        raise MlflowException("the server went away")

    store = MlflowStore(sqlite_uri)
    monkeypatch.setattr(MlflowClient, "log_batch", gone)
    monkeypatch.setattr(MlflowClient, "set_terminated", gone)
    with pytest.raises(TrackingError, match="the server went away") as caught:
        store.start_run(RunRequest("a/b/c", "x", tags={"a": "b"}))
    (run,) = store.find_runs()
    assert caught.value.__notes__[0].startswith(f"Run {run.run_id} is left RUNNING")
