"""How quiet the machine was in a stretch of time, and whether it was ours."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from machines import Machine

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.measurements import Conditions, DoubtKind, TimingDoubt
from guardianflow.evaluation.timing import conditions, process_load
from guardianflow.evaluation.timing.conditions import (
    Moment,
    Watched,
    conditions_tags,
    unsteady,
    wide,
)
from guardianflow.evaluation.timing.order_statistics import timing_of
from guardianflow.evaluation.timing.process_load import (
    own_cores_time,
    throttled_s,
    usable_cores,
)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    use_cores(monkeypatch, 4)


def use_cores(monkeypatch: pytest.MonkeyPatch, allowed: int, quota: float = 0.0) -> None:
    monkeypatch.setattr(conditions, "allowed_cores", lambda: allowed)
    monkeypatch.setattr(conditions, "usable_cores", lambda: quota or float(allowed))
    monkeypatch.setattr(conditions.psutil, "cpu_count", lambda: allowed)


def seconds_of(machine: Machine, seconds: float = 10.0) -> Watched:
    began = machine.look()
    machine.pass_time(seconds)
    return Watched.between(began, machine.look())


def kinds(watched: Watched) -> list[DoubtKind]:
    return [each.kind for each in watched.doubts()]


def test_a_quiet_machine_gives_no_doubt_however_hard_we_work() -> None:
    # A load of 5.5 is our own: the cores say that nobody else was there.
    watched = seconds_of(Machine(lambda _: 0.1, stolen=0.01, own=4, load=5.5))
    assert watched.doubts() == ()
    assert watched.other_cores == pytest.approx(0.1)
    assert watched.stolen_cores == pytest.approx(0.01)


def test_everything_that_is_in_the_way_is_told_with_its_figures() -> None:
    watched = seconds_of(Machine(lambda _: 0.7, stolen=0.2, throttled=0.4))
    assert [str(each) for each in watched.doubts()] == [
        "other processes took 0.70 of 4 cores",
        "the hypervisor gave 0.20 cores to other machines",
        "the container's CPU quota held this process back for 10 % of the time",
    ]
    assert all(each.is_busy for each in watched.doubts())


@pytest.mark.parametrize(
    ("others", "stolen", "throttled", "found"),
    [
        (0.25, 0.05, 0.2, []),
        (0.26, 0.05, 0.2, [DoubtKind.OTHER]),
        (0.25, 0.06, 0.2, [DoubtKind.STOLEN]),
        (0.25, 0.05, 0.3, [DoubtKind.THROTTLED]),
    ],
)
def test_the_bounds_themselves_are_quiet(
    others: float, stolen: float, throttled: float, found: list[DoubtKind]
) -> None:
    shares = {"other_cores": others, "stolen_cores": stolen, "throttled_share": throttled / 4}
    assert kinds(Watched(10, 4, 0.5, **shares)) == found


@pytest.mark.parametrize(
    ("allowed", "quota", "others", "busy"),
    [
        (2, 0, 0.25, False),
        (2, 0, 0.3, True),
        (64, 0, 1.27, False),  # a large machine is never wholly idle
        (64, 0, 1.3, True),
        (64, 2, 30.0, False),  # two cores of a shared host: the others have theirs
        (64, 2, 40.0, True),
    ],
)
def test_others_may_take_what_we_can_not_use(
    monkeypatch: pytest.MonkeyPatch, allowed: int, quota: float, others: float, busy: bool
) -> None:
    use_cores(monkeypatch, allowed, quota)
    assert bool(seconds_of(Machine(lambda _: others)).doubts()) is busy


@pytest.mark.parametrize(("load", "found"), [(5.0, []), (5.1, [DoubtKind.BUSY])])
def test_where_the_system_does_not_count_us_the_load_decides(
    load: float, found: list[DoubtKind]
) -> None:
    machine = Machine(stolen=None, own=2, counted=False, load=load)  # an idle machine is shown
    watched = seconds_of(machine)
    assert watched.other_cores is None and watched.stolen_cores is None
    assert kinds(watched) == found


def test_clocks_that_differ_by_some_ticks_are_no_negative_load() -> None:
    machine = Machine(own=2.0)
    began, ended = machine.look(), None
    machine.pass_time(10)
    ended = machine.look()
    late = replace(ended, machine=replace(ended.machine, busy=ended.machine.busy - 0.15))
    assert Watched.between(began, late).other_cores == 0


def test_no_time_is_nothing_to_watch() -> None:
    moment = Machine().look()
    with pytest.raises(EvaluationError, match="no time has passed"):
        Watched.between(moment, moment)


def test_stretches_are_weighed_by_their_lengths() -> None:
    both = Watched.together([Watched(3, 4, 1.0, 0.4, None), Watched(1, 4, 9.0, 0.0, 0.2)])
    assert (both.seconds, both.load) == (4, 1.0)
    assert both.other_cores == pytest.approx(0.3)
    assert both.stolen_cores is None


def test_a_wide_spread_is_told_and_is_no_busy_machine() -> None:
    spread = timing_of([10.0] * 90 + [40.0] * 10)
    few = timing_of([1.0] * 9 + [100.0])  # p95 can't be told
    (doubt,) = wide({"batch 1": spread, "batch 8": timing_of([5.0] * 100), "few": few})
    assert str(doubt) == ("batch 1 is spread wide: p95 40.0 ms is 4.0 times the median 10.0 ms")
    assert not doubt.is_busy


@pytest.mark.parametrize(
    ("rounds", "differ"), [([8.0], False), ([8, 12], False), ([8, 9, 13], True)]
)
def test_rounds_that_differ_by_more_than_half_are_unsteady(
    rounds: list[float], differ: bool
) -> None:
    doubt = unsteady("original", rounds)
    assert (doubt is not None) is differ
    if doubt is not None:
        assert str(doubt) == "original took 13.0 ms in one round and 8.0 ms in another"


def made(*doubts: TimingDoubt) -> Conditions:
    return Conditions(
        "Xeon", ("A", "B"), 2, 4, "AVX2", {"openvino": "2026.4"}, 0.5, 2.5,
        0.1, 0.01, None, 7, 2, 3.5, doubts,
    )  # fmt: skip


def test_tags_say_what_is_known_and_why_times_are_absent() -> None:
    assert conditions_tags(made()) == {
        "sys.cpu": "Xeon",
        "sys.gpu": "A, B",
        "sys.cores": "2",
        "sys.logical_cores": "4",
        "sys.isa_cap": "AVX2",
        "sys.load_before": "0.50",
        "sys.load_after": "2.50",
        "sys.other_cores": "0.10",
        "sys.stolen_cores": "0.01",
        "sys.quiet": "true",
    }
    spread = TimingDoubt(DoubtKind.WIDE, name="batch 1", slow_ms=40, median_ms=10)
    tags = conditions_tags(made(TimingDoubt(DoubtKind.OTHER, 1.4, 2), spread))
    assert tags["sys.busy"] == "other processes took 1.40 of 2 cores"
    assert tags["sys.warnings"].startswith(f"{tags['sys.busy']}; batch 1 is spread wide")
    assert tags["sys.quiet"] == "false"
    assert "sys.busy" not in conditions_tags(made(spread))
    assert made(spread).to_dict()["busy"] is False
    unknown = replace(made(), other_cores=None, stolen_cores=None)
    assert not {"sys.other_cores", "sys.stolen_cores"} & conditions_tags(unknown).keys()


def test_a_real_machine_is_read_and_our_children_are_no_others() -> None:
    began = Moment.now()
    burn = "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    watched = Watched.between(began, Moment.now())
    if watched.other_cores is not None:
        # All cores could be busy with others, but for what our own child took of them.
        assert watched.other_cores <= usable_cores() - 0.4 / watched.seconds + 0.3


def test_only_the_cores_that_we_may_use_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    times = process_load.psutil.cpu_times(percpu=True)
    zeros = times[0]._replace(**dict.fromkeys(times[0]._fields, 0.0))
    rows = [zeros._replace(user=float(10**number), idle=1.0) for number in range(4)]
    monkeypatch.setattr(process_load.psutil, "cpu_times", lambda percpu=False: rows)
    allowed = {1, 3}
    monkeypatch.setattr(process_load.os, "sched_getaffinity", lambda _: allowed)
    assert own_cores_time().busy == 10 + 1000
    assert own_cores_time().total == 10 + 1000 + 2
    allowed |= {7}  # cores are switched off, and the rest is numbered anew
    assert own_cores_time().busy == 1111


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({}, None),
    ],
)
def test_a_container_s_quota_bounds_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: float | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(process_load, "CGROUP", tmp_path)
    monkeypatch.setattr(process_load.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert usable_cores() == (cores or 4)


@pytest.mark.parametrize(
    ("files", "seconds"),
    [
        ({"cpu.max": "max 100000\n", "cpu.stat": "throttled_usec 5000000\n"}, None),
        (
            {"cpu.max": "150000 100000\n", "cpu.stat": "n 3\nthrottled_usec 2500000\n"},
            2.5,
        ),
        ({"cpu.max": "150000 100000\n"}, None),
        (
            {
                "cpu/cpu.cfs_quota_us": "50000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
                "cpu/cpu.stat": "nr_throttled 3\nthrottled_time 2500000000\n",
            },
            2.5,
        ),
    ],
)
def test_a_quota_tells_for_how_long_it_held_us_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], seconds: float | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(process_load, "CGROUP", tmp_path)
    assert throttled_s() == seconds
