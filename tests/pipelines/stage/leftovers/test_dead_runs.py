"""Only a run whose process is gone for certain is ended, and as KILLED, with the reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest
from contexts import RememberingSink, context_of, request_of
from databases import copy_database
from owners import elsewhere, gone, living

from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import RunRequest, StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.fakes.store import InMemoryStore
from guardianflow.run_tracking.upkeep.ownership import HEARTBEAT_TAG, PROCESS_TAG, owner_tags
from pipelines.chain import Chain, Run, Work
from pipelines.reuse.lookup import ReuseLookup
from pipelines.settings import Settings
from pipelines.stage.execution.execute import execute
from pipelines.stage.leftovers.dead_runs import Fate, end_dead_runs, end_gone, running_runs
from pipelines.stage.plan import Planner, RunOptions
from pipelines.stage.stage import StageIdentity, StageOutcome, StagePlan, StageRequest
from pipelines.wiring import Ports, connect, in_memory
from scenario import load_scenario

HERE, THERE = "demo/seoul-plant1/full", "demo/seoul-plant1/other"


def running(store: InMemoryStore, tags: dict[str, str], experiment: str = HERE) -> str:
    return store.start_run(RunRequest(experiment, "run", tags))


def unmarked(store: InMemoryStore) -> str:
    run_id = running(store, {})
    store._runs[run_id].tags.clear()
    return run_id


def test_of_many_runs_the_dead_one_of_the_experiment_is_ended_alone() -> None:
    store, told = InMemoryStore(), []
    dead = running(store, gone())
    left = [
        running(store, living()),
        running(store, elsewhere()),
        unmarked(store),
        running(store, gone(), THERE),
    ]
    end_dead_runs(store, HERE, told.append)
    run = store.get_run(dead)
    assert run.status == "KILLED"
    assert "is gone" in run.tags["guardianflow.error"]
    assert run.tags["failure.reason"] == "killed"
    assert [store.get_run(each).status for each in left] == ["RUNNING"] * 4
    assert len(told) == 1
    assert dead in told[0]


def test_runs_that_have_ended_are_left_as_they_are() -> None:
    store = InMemoryStore()
    for status in (RunStatus.FINISHED, RunStatus.FAILED):
        store.end_run(running(store, gone()), status)
    end_dead_runs(store, HERE, pytest.fail)
    assert sorted(run.status for run in store.find_runs()) == ["FAILED", "FINISHED"]


def test_each_run_has_its_fate_and_nothing_is_changed_by_looking() -> None:
    store = InMemoryStore()
    fates = {
        running(store, gone()): Fate.TO_END,
        running(store, living()): Fate.LIVES,
        running(store, elsewhere()): Fate.ELSEWHERE,
        unmarked(store): Fate.UNMARKED,
    }
    assert {each.run.run_id: each.fate for each in running_runs(store)} == fates
    assert {run.status for run in store.find_runs()} == {"RUNNING"}


def test_one_that_was_heard_of_since_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    store = InMemoryStore()
    running(store, {**gone(), HEARTBEAT_TAG: owner_tags()[HEARTBEAT_TAG]})
    (found,) = running_runs(store, older_than_s=3600)
    assert found.fate is Fate.RECENT
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    (found,) = running_runs(store, older_than_s=3600)
    assert found.fate is Fate.TO_END


def test_a_clock_that_was_set_back_ends_no_living_run_and_spares_no_dead_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = InMemoryStore()
    dead, alive = running(store, gone()), running(store, living())
    for year in (-20, 20):
        now = time.time()
        monkeypatch.setattr(time, "time", lambda now=now, year=year: now + year * 3.2e7)
        assert all(each.silent_s >= 0 for each in running_runs(store))
        end_dead_runs(store, HERE, lambda _: None)
        assert store.get_run(alive).status == "RUNNING"
    assert store.get_run(dead).status == "KILLED"


def test_a_run_that_another_process_has_taken_up_meanwhile_is_not_ended() -> None:
    store = InMemoryStore()
    resumed, ended = running(store, gone()), running(store, gone())
    found = {each.run.run_id: each for each in running_runs(store)}
    store.annotate(resumed, tags=owner_tags())
    store.end_run(ended, RunStatus.FINISHED)
    for run_id in (resumed, ended):
        assert end_gone(store, found[run_id], pytest.fail) is None
    assert store.get_run(resumed).status == "RUNNING"
    assert store.get_run(ended).status == "FINISHED"


def test_a_store_that_refuses_is_told_and_stops_nothing() -> None:
    class Refusing(InMemoryStore):
        def end_run(self, run_id: str, status: RunStatus = RunStatus.FINISHED) -> None:
            raise TrackingError(f"no end of {run_id}")

    class Away(InMemoryStore):
        def find_runs(self, **_: object) -> list[object]:  # type: ignore[override]
            raise TrackingError("no answer")

    told: list[str] = []
    store = Refusing()
    run_id = running(store, gone())
    end_dead_runs(store, HERE, told.append)
    end_dead_runs(Away(), HERE, told.append)
    assert f"no end of {run_id}" in told[0]
    assert "no answer" in told[1]
    (found,) = running_runs(store)
    failed = end_gone(store, found, told.append)
    assert failed is not None
    assert (failed.fate, f"no end of {run_id}" in failed.problem) == (Fate.FAILED, True)


def test_a_damaged_tag_names_no_process() -> None:
    store = InMemoryStore()
    run_id = running(store, {PROCESS_TAG: '{"pid": '})
    end_dead_runs(store, HERE, pytest.fail)
    assert store.get_run(run_id).status == "RUNNING"


# --- who ends them ----------------------------------------------------------------------------


class Idle:
    """A stage with nothing to do."""

    def identify(self) -> StageIdentity:
        return StageIdentity({})

    def prepare(self) -> StagePlan:
        return StagePlan({}, {}, {})

    def work(self, run_id: str) -> StageOutcome:
        return StageOutcome({"sys.runs": float(bool(run_id))})


@pytest.mark.parametrize("below", [False, True])
def test_a_stage_that_stands_alone_ends_those_of_its_experiment(
    tmp_path: Path, repository: Path, below: bool
) -> None:
    """One below a parent leaves that to the parent."""
    ports, sink = in_memory(), RememberingSink()
    dead = ports.store.start_run(RunRequest(HERE, "run", gone()))
    parent = ports.store.start_run(RunRequest(HERE, "parent")) if below else None
    request = request_of("train", tmp_path, tmp_path, experiment_name=HERE, parent_run_id=parent)
    scenario = load_scenario(repository / "configs/scenarios/demo.yaml")
    done = execute(Idle(), context_of(request, scenario, tmp_path, ports, sink))
    assert done.status == "FINISHED"
    assert ports.store.get_run(dead).status == ("RUNNING" if below else "KILLED")
    assert any(dead in each for each in sink.messages) is not below


class Told:
    """The part of an executor that a chain without work needs."""

    fork_server = nullcontext()

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, text: str) -> None:
        self.lines.append(text)

    def event(self, title: str, event: dict[str, Any]) -> None:
        self.lines.append(f"{title} {event}")

    def opened(self, title: str, run_id: str) -> None:
        self.lines.append(f"{title} run {run_id}")

    def run(self, request: StageRequest) -> StageResult:
        return request.result("", RunStatus.CHECKED)


class Empty(Chain):
    """A chain without stages."""

    KIND = "full_pipeline"

    def check(self) -> None: ...

    def checks(self, planner: Planner) -> StageRequest:
        return request_of("train", Path(), self.settings.work_dir, check_only=bool(planner))

    def tags(self) -> dict[str, str]:
        return {}

    def kinds(self) -> tuple[str, ...]:
        return ()

    def _finished(self, ports: Ports, planner: Planner, lookup: ReuseLookup) -> None:
        """Never: without stages every one would be as the one before."""

    def work(self, ports: Ports, planner: Planner, run: Run) -> Work:
        assert ports.store.get_run(planner.parent_run_id or "").status == "RUNNING"
        return [], {}


def run_chain(ports: Ports, repository: Path, work_dir: Path, **options: Any) -> Told:
    scenario, told = load_scenario(repository / "configs/scenarios/demo.yaml"), Told()
    settings = Settings(work_dir=work_dir)
    chain = Empty(scenario, RunOptions(**options), settings, cast(Any, told))
    chain.run(lambda _: ports)
    return told


PIPELINE = """
import sys, time
from guardianflow.contracts.results import RunRequest
from pipelines.stage.tracked_run import tracked_run
from pipelines.wiring import connect
store = connect(sys.argv[1]).store
def start(parent):
    return lambda: store.start_run(RunRequest(sys.argv[2], "run", parent_run_id=parent))
with tracked_run(store, start(None), print) as parent:
    with tracked_run(store, start(parent.run_id), print) as child:
        print(parent.run_id, child.run_id, flush=True)
        time.sleep(600)
"""


@pytest.mark.slow
def test_a_killed_pipeline_s_runs_are_ended_by_the_next_one_and_its_parent_goes_on(
    tmp_path: Path, empty_store: Path, repository: Path
) -> None:
    database = tmp_path / "runs.db"
    copy_database(empty_store, database)
    ports = connect(f"sqlite:///{database}")
    experiment = load_scenario(repository / "configs/scenarios/demo.yaml").get_experiment_name()
    process = subprocess.Popen(
        [sys.executable, "-c", PIPELINE, ports.store.tracking_uri, experiment],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    parent, child = process.stdout.readline().split()
    run_chain(ports, repository, tmp_path)
    assert ports.store.get_run(parent).status == "RUNNING", "its process lives"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    told = run_chain(ports, repository, tmp_path, resume=parent)
    assert ports.store.get_run(child).status == "KILLED"
    assert ports.store.get_run(parent).status == "FINISHED"
    assert sum("was left RUNNING" in each for each in told.lines) == 2
    assert not ports.store.find_runs(status=RunStatus.RUNNING)
