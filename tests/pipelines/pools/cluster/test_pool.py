"""What vanishes of a cluster ends its stages, and no run stays at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pooled_stages import PooledStages, wait_until
from ray_clusters import Machines, ray_cluster
from workplace import Workplace

from guardianflow.contracts.errors import ConfigurationError, FailureReason
from pipelines.pools.cluster import pool as pool_module
from pipelines.pools.cluster.pool import GONE, RayPool, Seat
from pipelines.pools.port import Needs
from pipelines.pools.queueing import QueuedStage

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    # Ray's own processes are ended, and not waited for, when a cluster is.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LONG_S = 240.0
DRIVER = """
import sys, time
from pathlib import Path
from pipelines.pools.cluster.pool import GONE, RayPool, Seat
from pipelines.pools.port import Needs
from pipelines.stage.stage import StageRequest
pool = RayPool()
def listen(event):
    if event["kind"] == "run":
        Path(sys.argv[1]).write_text(event["run_id"])
pool.submit(StageRequest.from_json(sys.stdin.read()), Needs(cores=1), listen)
pool.next_ended()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Machines]:
    with TemporaryDirectory(prefix="ray") as folder, ray_cluster(Path(folder), cores=2) as made:
        yield made


@pytest.fixture
def pool(cluster: Machines) -> Iterator[RayPool]:
    made = RayPool(places=2)
    yield made
    made.close()


@pytest.fixture
def stages(workplace: Workplace) -> PooledStages:
    return PooledStages.at(workplace)


def test_a_worker_that_is_killed_ends_its_stage_and_another_one_takes_its_place(
    pool: RayPool, stages: PooledStages
) -> None:
    request = stages.request("gone", waits_for=("never",))
    ticket = pool.submit(request, Needs(cores=2), stages.listen("gone"))
    worker = stages.said("gone")["starter"]
    wait_until(lambda: "run" in stages.kinds("gone"))
    os.kill(worker, signal.SIGKILL)
    ended = pool.next_ended(LONG_S)
    assert ended is not None
    assert ended.ticket == ticket
    assert ended.failure is not None
    assert ended.failure.failure_reason == FailureReason.KILLED
    assert ended.failure.run_id == stages.run_id("gone")
    assert stages.status("gone") in ("KILLED", "FAILED")
    wait_until(lambda: stages.has_ended("gone"))
    pool.submit(stages.request("next"), Needs(cores=2), stages.listen("next"))
    after = pool.next_ended(LONG_S)
    assert after is not None
    assert after.result is not None


def test_a_machine_that_is_lost_ends_its_stage_and_the_one_that_waits_for_it(
    cluster: Machines, pool: RayPool, stages: PooledStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "GONE_S", 1.0)
    with pytest.raises(ConfigurationError, match="no machine of the cluster has more than 2"):
        pool.submit(stages.request("large"), Needs(cores=3), stages.listen("large"))
    node = cluster.add(cores=3)
    request = stages.request("large", waits_for=("never",))
    large = pool.submit(request, Needs(cores=3), stages.listen("large"))
    stages.said("large")
    waiting = pool.submit(stages.request("waits"), Needs(cores=3), stages.listen("waits"))
    cluster.lose(node)
    ended = {
        each.ticket: each for each in (pool.next_ended(LONG_S), pool.next_ended(LONG_S)) if each
    }
    lost, waited = ended[large].failure, ended[waiting].failure
    assert lost is not None and waited is not None
    assert lost.failure_reason == waited.failure_reason == FailureReason.KILLED
    assert stages.kinds("waits") == []
    assert stages.status("large") in ("KILLED", "FAILED")
    wait_until(lambda: stages.has_ended("large"))


def test_all_times_are_taken_on_one_machine_and_it_is_said_when_it_is_another(
    cluster: Machines, pool: RayPool, stages: PooledStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(pool_module, "GONE_S", 1.0)
    told: list[dict[str, Any]] = []
    request = replace(stages.request("timed"), stage="infer")
    timed = QueuedStage(0, request, Needs(), told.append)
    node = cluster.add(cores=3)
    first = pool._take(timed)
    assert first is not None
    assert (first.cores, first.variables) == (3, {})
    where = ray.remote(lambda: ray.get_runtime_context().get_node_id())
    assert ray.get(where.options(**first.options).remote()) == first.node_id
    assert pool._take(timed) == first
    assert told == []
    cluster.lose(node)
    wait_until(lambda: not pool._has(first))
    for seat in (first, Seat(Needs(), 3)):  # no machine is left that could give either
        waited = pool._carry_out(timed, seat).failure
        assert waited is not None
        assert (waited.reason, waited.failure_reason) == (GONE, FailureReason.KILLED)
    second = pool._take(timed)
    assert second is not None
    assert ray.get(where.options(**second.options).remote()) == second.node_id != first.node_id
    (event,) = told
    assert event["kind"] == "notice"
    assert "the two are not to be compared" in event["text"]


def test_a_command_that_is_killed_leaves_no_run_and_no_process_at_work(
    cluster: Machines,
    stages: PooledStages,
) -> None:
    request, told = stages.request("left", waits_for=("never",)), stages.workplace.root / "run_id"
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(told)], stdin=subprocess.PIPE, text=True
    )
    assert driver.stdin is not None
    with driver.stdin as stdin:
        stdin.write(request.to_json())
    stages.said("left")
    wait_until(lambda: told.is_file() and told.read_text())
    driver.kill()
    driver.wait()
    store = stages.workplace.store
    wait_until(lambda: store.get_run(told.read_text()).status == "KILLED")
    wait_until(lambda: stages.has_ended("left"))


def test_code_and_settings_travel_and_an_error_names_the_machine(
    pool: RayPool, stages: PooledStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = stages.request("told")
    monkeypatch.setenv("GUARDIANFLOW_QUIET_WAIT_S", "no number")
    pool.submit(request, Needs(cores=1), stages.listen("told"))
    ended = pool.next_ended(LONG_S)
    assert ended is not None
    assert ended.failure is not None
    assert "GUARDIANFLOW_QUIET_WAIT_S" in ended.failure.reason
    assert ended.failure.exit_code == 2
    started = stages.events["told"][0]
    assert ended.failure.log == f"{started['machine']}:{started['log']}"
