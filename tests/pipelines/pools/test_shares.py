"""Cores, threads and GPUs are divided: no two stages have the same whole one."""

from __future__ import annotations

import pytest

from guardianflow.contracts.errors import ConfigurationError
from pipelines.pools.port import Needs
from pipelines.pools.shares import Machine, Share, Shares

MACHINE = Machine(cores=7.0, cpus=tuple(range(10, 17)), gpus=("0", "GPU-b"), memory_mb=1000)


def taken(shares: Shares, *needs: Needs) -> list[Share]:
    given = [shares.take(each) for each in needs]
    assert None not in given
    return [each for each in given if each]


def test_cores_are_divided_evenly_and_what_is_left_over_goes_first() -> None:
    shares = Shares(MACHINE, 3)
    given = taken(shares, Needs(), Needs(), Needs())
    assert [each.cores for each in given] == [3, 2, 2]
    assert sorted(cpu for each in given for cpu in each.cpus) == list(MACHINE.cpus)
    assert [each.variables({})["OMP_NUM_THREADS"] for each in given] == ["3", "2", "2"]
    assert shares.take(Needs()) is None
    shares.give_back(given[1])
    assert taken(shares, Needs())[0].cpus == given[1].cpus


def test_one_stage_alone_is_given_all_and_is_told_nothing() -> None:
    (share,) = taken(Shares(MACHINE, 1), Needs())
    assert share == Share(7.0)
    assert share.variables({"OMP_NUM_THREADS": "3"}) == {}


def test_more_places_than_cores_share_them() -> None:
    shares = Shares(Machine(2.0, (0, 1), (), 1000), 4)
    given = taken(shares, *[Needs()] * 4)
    assert [each.cores for each in given] == [0.5] * 4
    assert sorted(each.cpus for each in given) == [(0,), (0,), (1,), (1,)]
    assert {each.variables({})["OMP_NUM_THREADS"] for each in given} == {"1"}


def test_who_asks_for_all_cores_works_alone() -> None:
    shares = Shares(MACHINE, 3)
    first, alone = taken(shares, Needs(cores=1)), Needs(cores=7)
    assert shares.take(alone) is None
    shares.give_back(first[0])
    assert taken(shares, alone)[0] == Share(7.0)
    assert shares.take(Needs(cores=0.5)) is None


@pytest.mark.parametrize(("asked", "told"), [("2", "2"), ("2,1", "2"), ("9", "3"), ("x", "3")])
def test_a_user_who_asks_for_fewer_threads_gets_them(asked: str, told: str) -> None:
    assert Share(3.0, (0, 1, 2)).variables({"OMP_NUM_THREADS": asked})["OMP_NUM_THREADS"] == told


def test_a_gpu_is_one_stages_alone_or_shared_in_parts() -> None:
    shares = Shares(MACHINE, 7)
    half = Needs(cores=1, gpus=0.5)
    first, second, whole = taken(shares, half, half, Needs(cores=1, gpus=1))
    assert first.gpus == second.gpus == ("0",)
    assert whole.variables({})["CUDA_VISIBLE_DEVICES"] == "GPU-b"
    assert shares.take(half) is None
    shares.give_back(first)
    assert shares.take(Needs(cores=1, gpus=1)) is None
    shares.give_back(second)
    shares.give_back(whole)
    assert taken(shares, Needs(cores=1, gpus=2))[0].gpus == MACHINE.gpus
    assert "CUDA_VISIBLE_DEVICES" not in taken(shares, Needs(cores=1))[0].variables({})


def test_everything_that_is_asked_too_much_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        MACHINE.check(Needs(cores=8, gpus=3, memory_mb=2000))
    assert [str(each) for each in caught.value.problems] == [
        "a stage needs 8 cores but this machine has 7; ask for less",
        "a stage needs 3 GPUs but this machine has 2; ask for less",
        "a stage needs 2000 MB of memory but this machine has 1000; ask for less",
    ]
    MACHINE.check(Needs(cores=7, gpus=2, memory_mb=1000))


@pytest.mark.parametrize("needs", [Needs(cores=0), Needs(gpus=1.5), Needs(gpus=-1)])
def test_what_no_machine_can_give_is_refused(needs: Needs) -> None:
    with pytest.raises(ConfigurationError, match="must be"):
        MACHINE.check(needs)


def test_this_machine_is_seen_as_its_own_scheduler_tells() -> None:
    machine = Machine.this_one()
    assert 0 < machine.cores <= max(len(machine.cpus), 1)
    assert machine.memory_mb > 100
    assert Shares(machine, machine.usual_places).take(Needs()) is not None
