"""Every StagePool keeps the same promises, with stages that really work in processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pooled_stages import PooledStages
from ray_clusters import Machines, ray_cluster
from workplace import Workplace

from guardianflow.contracts.errors import ConfigurationError, FailureReason
from pipelines.console import SilentReporter
from pipelines.pools.make import pool_for
from pipelines.pools.port import EndedStage, Needs, StagePool
from pipelines.stage.executor import LocalExecutor

pytestmark = [
    pytest.mark.slow,
    # Ray's own processes are ended, and not waited for, when a cluster is.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PLACES = 2
LONG_S = 240.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Machines]:
    pytest.importorskip("ray")
    with (
        TemporaryDirectory(prefix="ray") as folder,
        ray_cluster(Path(folder), cores=PLACES) as machines,
    ):
        yield machines


@pytest.fixture(params=["local", "ray", "ray://"])
def pool(request: pytest.FixtureRequest) -> Iterator[StagePool]:
    executor = request.param
    if executor != "local":
        machines = request.getfixturevalue("cluster")
        if executor == "ray://":  # as from a machine that is none of the cluster's own
            pytest.importorskip("grpc", reason="pip install 'ray[client]'")
            executor = machines.client_address
    made = pool_for(executor, PLACES, LocalExecutor(SilentReporter()))
    yield made
    made.close()


@pytest.fixture
def stages(workplace: Workplace) -> PooledStages:
    return PooledStages.at(workplace)


def start(pool: StagePool, stages: PooledStages, name: str, needs: Needs, **asked: object) -> int:
    return pool.submit(stages.request(name, **asked), needs, stages.listen(name))  # type: ignore[arg-type]


def end_of(pool: StagePool) -> EndedStage:
    ended = pool.next_ended(LONG_S)
    assert ended is not None
    return ended


def test_stages_work_side_by_side_each_in_a_process_and_a_directory_of_its_own(
    pool: StagePool, stages: PooledStages
) -> None:
    """Each waits until the other one works: one after the other they would never end."""
    tickets = {
        start(pool, stages, "one", Needs(cores=1), waits_for=("two",)),
        start(pool, stages, "two", Needs(cores=1), waits_for=("one",)),
    }
    ended = [end_of(pool), end_of(pool)]
    assert {each.ticket for each in ended} == tickets
    assert [each.failure for each in ended] == [None, None]
    runs = {each.result.run_id for each in ended if each.result}
    assert runs == {stages.run_id("one"), stages.run_id("two")}
    one, two = stages.said("one"), stages.said("two")
    assert one["pid"] != two["pid"]
    assert one["folder"] != two["folder"]
    assert [one["threads"], two["threads"]] == ["1", "1"]
    assert stages.starter("one") == one["starter"]
    kinds = stages.kinds("one")
    assert (kinds[0], kinds[-1], "run" in kinds) == ("started", "result", True)
    assert stages.status("one") == stages.status("two") == "FINISHED"
    assert pool.next_ended(0) is None


def test_more_than_there_are_places_wait_in_order_and_one_that_waits_is_stopped(
    pool: StagePool, stages: PooledStages
) -> None:
    first = start(pool, stages, "first", Needs(cores=1), waits_for=("go1",))
    second = start(pool, stages, "second", Needs(cores=1), waits_for=("go2",))
    third = start(pool, stages, "third", Needs(cores=1))
    fourth = start(pool, stages, "fourth", Needs(cores=1))
    stages.said("first"), stages.said("second")
    assert pool.next_ended(0.5) is None
    assert stages.kinds("third") == []
    pool.stop(fourth, "no longer wanted")
    assert end_of(pool) == EndedStage(fourth, stopped="no longer wanted")
    stages.let_go("go1")
    assert {end_of(pool).ticket, end_of(pool).ticket} == {first, third}
    stages.let_go("go2")
    assert end_of(pool).ticket == second
    assert stages.kinds("fourth") == []


def test_one_that_fails_and_one_that_is_killed_end_no_other(
    pool: StagePool, stages: PooledStages
) -> None:
    failing = start(pool, stages, "failing", Needs(cores=1), fails="no such luck")
    killed = start(pool, stages, "killed", Needs(cores=1), waits_for=("never",))
    failed = end_of(pool)
    assert failed.ticket == failing
    assert failed.failure is not None
    assert "no such luck" in failed.failure.reason
    assert failed.failure.run_id == stages.run_id("failing")
    other = start(pool, stages, "other", Needs(cores=1))
    stages.kill("killed")
    ended = {each.ticket: each for each in (end_of(pool), end_of(pool))}
    gone = ended[killed].failure
    assert gone is not None
    assert gone.failure_reason == FailureReason.KILLED
    assert gone.run_id == stages.run_id("killed")
    assert ended[other].result is not None
    assert stages.status("failing") == stages.status("killed") == "FAILED"


def test_one_that_works_is_stopped_and_its_run_is_killed(
    pool: StagePool, stages: PooledStages
) -> None:
    ticket = start(pool, stages, "pruned", Needs(), waits_for=("never",))
    stages.said("pruned")
    pool.stop(ticket, "pruned at epoch 1")
    pool.stop(ticket, "another reason")
    assert end_of(pool) == EndedStage(ticket, stopped="pruned at epoch 1")
    assert stages.status("pruned") == "KILLED"
    assert stages.has_ended("pruned")
    pool.stop(ticket, "one that has ended is left alone")
    assert pool.next_ended(0.1) is None


def test_a_pool_that_is_closed_leaves_no_process_and_no_run_at_work(
    pool: StagePool, stages: PooledStages
) -> None:
    working = start(pool, stages, "working", Needs(cores=1), waits_for=("never",))
    start(pool, stages, "beside", Needs(cores=1), waits_for=("never",))
    waiting = start(pool, stages, "waiting", Needs(cores=1))
    stages.said("working"), stages.said("beside")
    pool.close()
    assert stages.has_ended("working")
    assert stages.has_ended("beside")
    assert stages.status("working") == stages.status("beside") == "KILLED"
    ended = {end.ticket: end for end in iter(lambda: pool.next_ended(0), None)}
    assert len(ended) == 3
    assert ended[working].stopped
    assert ended[waiting].stopped
    pool.close()


def test_what_the_caller_can_mend_is_told_as_such(pool: StagePool, stages: PooledStages) -> None:
    start(pool, stages, "wrong", Needs(), **{"dataset.path": "/no/such/place/data.yaml"})
    failure = end_of(pool).failure
    assert failure is not None
    assert failure.exit_code == 2
    assert failure.run_id is None
    assert "/no/such/place" in failure.reason


def test_what_no_machine_can_give_is_refused_at_once(pool: StagePool, stages: PooledStages) -> None:
    with pytest.raises(ConfigurationError, match="cores") as caught:
        start(pool, stages, "large", Needs(cores=4096, gpus=64, memory_mb=1e12))
    assert len(caught.value.problems) == 3
    with pytest.raises(ConfigurationError, match=r"whole number, or a part of one, but got 1\.5"):
        start(pool, stages, "odd", Needs(gpus=1.5))
    assert pool.next_ended(0) is None
