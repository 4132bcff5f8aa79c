"""Memory is watched before a start, and no stage is waited for in vain. No process is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardianflow.contracts.errors import FailureReason
from pipelines.console import SilentReporter
from pipelines.pools import local
from pipelines.pools.local import LocalPool
from pipelines.pools.port import EndedStage, Needs
from pipelines.pools.queueing import QueuedStage
from pipelines.pools.shares import Machine, Share
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.stage import StageRequest

MACHINE = Machine(cores=2.0, cpus=(), gpus=(), memory_mb=1000)


@pytest.fixture
def request_that_fails(tmp_path: Path) -> StageRequest:
    """Ends without a process: its work directory takes nothing."""
    (tmp_path / "stages").write_text("a file in the way")
    work_dir = str(tmp_path)
    return StageRequest("train", "train", "x", "e", "", "/", "sqlite:////nowhere", work_dir)


def pool_with(free_mb: list[float]) -> LocalPool:
    return LocalPool(LocalExecutor(SilentReporter()), 2, MACHINE, lambda: free_mb[0])


def end_of(pool: LocalPool) -> EndedStage:
    ended = pool.next_ended(60)
    assert ended is not None
    return ended


def test_a_stage_waits_for_memory_and_says_so_once(request_that_fails: StageRequest) -> None:
    free, told = [100.0], list[dict[str, Any]]()
    pool = pool_with(free)
    pool.submit(request_that_fails, Needs(memory_mb=500), told.append)
    assert pool.next_ended(0.5) is None
    waits = "waits: it needs 500 MB of free memory and 100 MB are free"
    assert told == [{"kind": "message", "text": waits}]
    free[0] = 600.0
    failure = end_of(pool).failure
    assert failure is not None
    assert "GUARDIANFLOW_WORK_DIR" in failure.reason
    assert pool.next_ended() is None


def test_a_stage_that_waits_in_vain_is_failed_and_the_next_one_has_its_turn(
    request_that_fails: StageRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "MEMORY_WAIT_S", 0.3)
    pool = pool_with([100.0])
    large = pool.submit(request_that_fails, Needs(memory_mb=500), lambda _: None)
    small = pool.submit(request_that_fails, Needs(memory_mb=50), lambda _: None)
    first, second = end_of(pool), end_of(pool)
    assert (first.ticket, second.ticket) == (large, small)
    assert first.failure is not None
    assert first.failure.failure_reason == FailureReason.HOST_OUT_OF_MEMORY
    assert "500 MB" in first.failure.reason
    assert second.failure is not None
    assert second.failure.failure_reason is None


def test_a_stage_that_takes_times_has_the_machine_alone(request_that_fails: StageRequest) -> None:
    """Neighbours on other cores would slow it down, and the watch for a busy machine not tell."""
    pool = pool_with([1000.0])
    training = QueuedStage(1, request_that_fails, Needs(), lambda _: None)
    timed = QueuedStage(2, replace(request_that_fails, stage="infer"), Needs(), lambda _: None)
    beside = pool._take(training)
    assert beside is not None
    assert beside.cores == 1.0
    assert pool._take(timed) is None
    pool._give_back(beside)
    assert pool._take(timed) == Share(2.0)
    assert pool._take(training) is None


def test_a_closed_pool_takes_no_more(request_that_fails: StageRequest) -> None:
    pool = pool_with([1000.0])
    pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(request_that_fails, Needs(), lambda _: None)
