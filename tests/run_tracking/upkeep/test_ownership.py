"""A run names its process from its first moment on, and tells that it is alive without harm."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.fakes.store import InMemoryStore
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.run_records import BaseStore
from guardianflow.run_tracking.upkeep import ownership
from guardianflow.run_tracking.upkeep.ownership import (
    HEARTBEAT_TAG,
    PROCESS_TAG,
    STARTER_TAG,
    Life,
    last_sign_ms,
    life_of,
    owner_of,
    owner_tags,
    signs_of_life,
)
from guardianflow.support.process_identity import ProcessIdentity

REQUEST = RunRequest("demo/seoul-plant1/full", "run")


@pytest.fixture(params=["fake", "mlflow"])
def store(request: pytest.FixtureRequest) -> BaseStore:
    if request.param == "fake":
        return InMemoryStore()
    return MlflowStore(request.getfixturevalue("sqlite_uri"))


def as_tags(process: ProcessIdentity) -> dict[str, str]:
    return {PROCESS_TAG: process.to_json()}


def test_a_run_names_this_process_and_when_it_was_heard_of(store: BaseStore) -> None:
    run = store.get_run(store.start_run(REQUEST))
    assert owner_of(run.tags) == ProcessIdentity.of_this_process()
    assert life_of(run.tags) is Life.LIVES
    assert 0 <= last_sign_ms(run) - run.start_time_ms < 60_000


def test_it_names_it_before_anything_else_can_fail(
    store: BaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at once after the store has made it, a run can still be told to be gone."""

    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    monkeypatch.setattr(store, "annotate", killed)
    with pytest.raises(SystemExit):
        store.start_run(REQUEST)
    (run,) = store.find_runs()
    assert owner_of(run.tags) == ProcessIdentity.of_this_process()


def test_a_request_that_names_an_owner_keeps_it(store: BaseStore) -> None:
    """What was written down while the server was away, and is sent by another process later."""
    other = replace(ProcessIdentity.of_this_process(), pid=2**22 + 7)
    run_id = store.start_run(replace(REQUEST, tags=as_tags(other)))
    assert owner_of(store.get_run(run_id).tags) == other


def test_a_resumed_run_is_the_resuming_process_s(store: BaseStore) -> None:
    gone = replace(ProcessIdentity.of_this_process(), pid=2**22 + 7)
    run_id = store.start_run(replace(REQUEST, tags=as_tags(gone)))
    assert life_of(store.get_run(run_id).tags) is Life.GONE
    store.end_run(run_id, "KILLED")
    store.reopen_run(run_id)
    assert life_of(store.get_run(run_id).tags) is Life.LIVES


def test_what_can_be_told_of_a_process() -> None:
    mine = ProcessIdentity.of_this_process()
    assert life_of(as_tags(replace(mine, pid=2**22 + 7))) is Life.GONE
    assert life_of(as_tags(replace(mine, machine="x y", hardware="z"))) is Life.ELSEWHERE
    assert life_of({}) is Life.UNMARKED
    assert life_of({PROCESS_TAG: "root"}) is Life.UNMARKED


def test_a_dead_process_s_run_is_its_starter_s_to_end_while_that_one_lives() -> None:
    """Two that end one run would give it two causes, and one of them has no log of it."""
    mine = ProcessIdentity.of_this_process()
    dead = replace(mine, pid=2**22 + 7)
    started_by = {STARTER_TAG: mine.to_json()}
    assert life_of(as_tags(dead) | started_by) is Life.LIVES
    for other in (dead, replace(mine, machine="x y"), ProcessIdentity.of(-1)):
        assert life_of(as_tags(dead) | {STARTER_TAG: other.to_json()}) is Life.GONE
    assert life_of(as_tags(dead) | {STARTER_TAG: "root"}) is Life.GONE


def test_it_is_heard_of_again_and_again_while_it_works(
    store: BaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "BEAT_EVERY_S", 0.02)
    run_id = store.start_run(replace(REQUEST, tags={**owner_tags(), HEARTBEAT_TAG: "long ago"}))
    beaten = threading.Event()
    annotate = store.annotate

    def seen(run_id: str, *, tags: Mapping[str, object]) -> None:
        annotate(run_id, tags=tags)
        beaten.set()

    monkeypatch.setattr(store, "annotate", seen)
    with signs_of_life(store, run_id):
        assert beaten.wait(60)
    assert store.get_run(run_id).tags[HEARTBEAT_TAG] != "long ago"
    assert not [each for each in threading.enumerate() if each.name == "heartbeat"]


def test_a_store_that_refuses_or_hangs_costs_a_beat_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ownership, "BEAT_EVERY_S", 0.01)
    monkeypatch.setattr(ownership, "LAST_BEAT_S", 0.1)
    tried, released = threading.Semaphore(0), threading.Event()

    class Away(InMemoryStore):
        beats = 0

        def annotate(self, *_: object, **__: object) -> None:
            Away.beats += 1
            tried.release()
            if Away.beats > 2:
                released.wait(60)
            raise TrackingError("the server is away")

    with signs_of_life(Away(), "1234"):
        for _ in range(3):  # two were refused, the third hangs
            assert tried.acquire(timeout=60)
    released.set()
    assert Away.beats == 3


def test_damaged_signs_are_none() -> None:
    store = InMemoryStore()
    run = store.get_run(store.start_run(REQUEST))
    damaged = replace(run, tags={HEARTBEAT_TAG: "yesterday"})
    assert last_sign_ms(damaged) == last_sign_ms(replace(run, tags={})) == run.start_time_ms


KILLED = """
import os, signal, sys
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.mlflow_store import MlflowStore
print(MlflowStore(sys.argv[1]).start_run(RunRequest("a/b/c", "x")), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_the_run_of_a_killed_process_is_gone(sqlite_uri: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, sqlite_uri],
        cwd=tmp_path,
        env={**os.environ},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -9, ended.stderr
    run = MlflowStore(sqlite_uri).get_run(ended.stdout.strip())
    assert (run.status, life_of(run.tags)) == ("RUNNING", Life.GONE)


@pytest.mark.parametrize("experiment", ["mlflow run's own", REQUEST.experiment_name])
def test_the_run_that_mlflow_run_made_is_this_process_s_too(
    store: BaseStore, monkeypatch: pytest.MonkeyPatch, experiment: str
) -> None:
    """Adopted, or led from to ours: with `mlflow run` killed as well nobody else would end it."""
    other = replace(ProcessIdentity.of_this_process(), pid=2**22 + 7)
    made = store.start_run(RunRequest(experiment, "launched", as_tags(other)))
    monkeypatch.setenv("MLFLOW_RUN_ID", made)
    ours = store.start_run(replace(REQUEST, adopt_launcher=True))
    assert (ours == made) is (experiment == REQUEST.experiment_name)
    for run_id in (made, ours):
        assert owner_of(store.get_run(run_id).tags) == ProcessIdentity.of_this_process()
