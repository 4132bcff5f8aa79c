"""The pool is the one that was asked for, and what can't be one is told."""

from __future__ import annotations

import pytest

from guardianflow.contracts.errors import ConfigurationError
from pipelines.console import SilentReporter
from pipelines.pools.local import LocalPool
from pipelines.pools.make import needs_of, pool_for
from pipelines.pools.port import Needs
from pipelines.pools.shares import Machine
from pipelines.stage.executor import LocalExecutor

EXECUTOR = LocalExecutor(SilentReporter())


def test_this_machine_is_the_one_that_nobody_names() -> None:
    for name in ("", "local"):
        pool = pool_for(name, 3, EXECUTOR)
        assert isinstance(pool, LocalPool)
        assert pool.places == 3
    assert pool_for("", None, EXECUTOR).places >= 1


def test_what_is_no_pool_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"got 'locl'; did you mean 'local'\?"):
        pool_for("locl", 1, EXECUTOR)
    with pytest.raises(ConfigurationError, match="--parallel must be 1 or more but got 0"):
        pool_for("local", 0, EXECUTOR)


@pytest.mark.parametrize(
    ("device", "there", "gpus"),
    [
        ("auto", 2, 1.0),
        ("auto", 0, 0.0),
        ("cuda", 2, 1.0),
        ("cpu", 2, 0.0),
        ("1", 2, 0.0),
        ("0,1", 4, 4.0),
    ],
)
def test_a_stage_needs_a_gpu_where_any_will_do(device: str, there: int, gpus: float) -> None:
    names = tuple(str(index) for index in range(there))
    pool = LocalPool(EXECUTOR, 2, Machine(8.0, (), names, 1000))
    assert needs_of(device, pool) == Needs(gpus=gpus)
