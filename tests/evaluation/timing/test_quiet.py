"""Only what was measured in quiet counts; the wait for quiet is bounded, and told."""

# ruff: noqa: N802 - the fake has NVML's own names

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import Machine, burning

from guardianflow.contracts.measurements import Conditions, DoubtKind
from guardianflow.contracts.results import SessionInfo
from guardianflow.evaluation.timing import conditions, latency
from guardianflow.evaluation.timing.latency import measure_interleaved, measure_latency, speedup
from guardianflow.evaluation.timing.process_load import process_ids
from guardianflow.evaluation.timing.quiet import (
    BusyMachineError,
    OthersOnGpu,
    QuietRounds,
    Waiting,
)

INFO = SessionInfo("pytorch", "fp32", "f32", "cpu", 2, 1, 1, "none")
IMAGES = [np.zeros((4, 4, 3), np.uint8)]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "allowed_cores", lambda: 2)
    monkeypatch.setattr(conditions, "usable_cores", lambda: 2.0)
    monkeypatch.setattr(conditions.psutil, "cpu_count", lambda: 2)


def rounds_on(machine: Machine, wait_s: float, said: list[str] | None = None) -> QuietRounds:
    def told(waiting: Waiting) -> None:
        if said is not None:
            said.append(str(waiting))

    return QuietRounds(wait_s, told, machine.look, machine.rest)


def worked(machine: Machine, seconds: float = 2.0) -> Callable[[], float]:
    """Work that takes so long, and says when it began."""

    def work() -> float:
        began = machine.at_s
        machine.pass_time(seconds)
        return began

    return work


def test_a_quiet_round_counts_at_once() -> None:
    machine = Machine()
    rounds = rounds_on(machine, 60)
    assert rounds.measure(worked(machine)) == 0.5  # after a look at what others do
    assert (len(rounds.kept), rounds.discarded, rounds.lost_s) == (1, [], 0.0)
    assert [rounds.measure(worked(machine)) for _ in range(3)] == [2.5, 4.5, 7.0]
    assert machine.rested == [0.5, 0.5]  # such looks are seconds apart


def test_a_busy_round_is_thrown_away_and_measured_again_when_it_is_quiet() -> None:
    machine = Machine(lambda at_s: 1.4 if 0.499 < at_s < 5 else 0.0)
    said: list[str] = []
    rounds = rounds_on(machine, 60, said)
    # busy for 2 s of work, then looked at each second until the one from 5.5 to 6.5
    assert rounds.measure(worked(machine)) == pytest.approx(6.5)
    assert (len(rounds.kept), len(rounds.discarded)) == (1, 1)
    assert rounds.lost_s == pytest.approx(6.0)
    assert rounds.missed == []
    assert said[0] == (
        "waiting for a quiet machine: 2 of 60 s, other processes took 1.40 of 2 cores"
    )
    assert len(said) == 4


def test_a_wait_that_is_used_up_leaves_no_time() -> None:
    machine = Machine(lambda _: 1.4)
    rounds = rounds_on(machine, 10)
    with pytest.raises(BusyMachineError, match=r"other processes took 1\.40 of 2 cores"):
        rounds.measure(worked(machine))
    assert machine.at_s == pytest.approx(10.5)
    # nothing is left to wait for what comes next; but it is tried, and may be lucky
    with pytest.raises(BusyMachineError):
        rounds.measure(worked(machine))
    assert machine.at_s == pytest.approx(11)
    machine.others = lambda _: 0.0
    assert rounds.measure(worked(machine)) == pytest.approx(11.5)
    assert len(rounds.missed) == 2


def test_without_a_wait_the_first_busy_round_is_the_end() -> None:
    machine = Machine(lambda _: 1.4)
    rounds = rounds_on(machine, 0)
    with pytest.raises(BusyMachineError):
        rounds.measure(worked(machine))
    assert machine.at_s == pytest.approx(0.5)
    assert rounds.wait_for_quiet() is False
    machine.others = lambda _: 0.0
    assert rounds.measure(worked(machine)) == pytest.approx(1)


def test_others_who_are_crowded_out_by_our_threads_are_seen_all_the_same() -> None:
    """They want both cores and get a tenth of one: the round alone looks calm."""
    machine = Machine(lambda _: 2.0)
    rounds = rounds_on(machine, 0)

    def crowded() -> float:
        machine.others = lambda _: 0.1
        return worked(machine)()

    with pytest.raises(BusyMachineError, match=r"took 2\.00 of 2 cores"):
        rounds.measure(crowded)


def test_a_short_round_is_watched_for_longer_than_it_takes() -> None:
    # In 20 ms a system that counts in ticks says nothing of others.
    machine = Machine(lambda at_s: 0.0 if at_s < 0.52 else 2.0)
    with pytest.raises(BusyMachineError):
        rounds_on(machine, 0).measure(worked(machine, 0.02))
    assert machine.rested == [0.5, pytest.approx(0.48)]


def test_what_does_not_tell_of_others_must_be_steady() -> None:
    machine = Machine(counted=False)
    rounds = rounds_on(machine, 60)
    for _ in range(3):
        rounds.measure(worked(machine))
    rounds.require_steady("original", [8.0, 9.0, 12.0])
    with pytest.raises(BusyMachineError, match=r"original took 13\.0 ms in one round and 8\.0"):
        rounds.require_steady("original", [8.0, 13.0])
    known = rounds_on(Machine(), 60)
    known.measure(lambda: 0.0)
    known.require_steady("original", [8.0, 13.0])  # nobody was there: it is what it is


def test_conditions_are_those_of_the_rounds_that_count() -> None:
    machine = Machine(lambda at_s: 1.4 if 0.499 < at_s < 2 else 0.1)
    rounds = rounds_on(machine, 60)
    before = machine.look()
    rounds.measure(worked(machine))

    def describe(**known: object) -> Conditions:
        return Conditions("Xeon", (), 2, 2, "", {}, **known)  # type: ignore[arg-type]

    found = rounds.conditions(before, machine.look(), {}, describe)
    assert found.other_cores == pytest.approx(0.1)
    assert (found.rounds, found.rounds_discarded, found.doubts) == (1, 1, ())
    assert found.lost_s == pytest.approx(3.0)

    machine.others = lambda _: 1.9
    given_up = rounds_on(machine, 0)
    with pytest.raises(BusyMachineError):
        given_up.measure(worked(machine))
    found = given_up.conditions(before, machine.look(), {}, describe)
    assert found.other_cores == pytest.approx(1.9)
    assert [each.kind for each in found.busy] == [DoubtKind.OTHER]


# --- detectors by turns --------------------------------------------------------------------------


@dataclass
class Neighboured:
    """A detector that takes `ms` in quiet, and fifty times as long while others are there."""

    machine: Machine
    ms: float
    info: SessionInfo = INFO

    def preprocess(self, images):
        return np.stack(images), [None] * len(images)

    def infer(self, batch):
        disturbed = self.machine.others(self.machine.at_s) > 0.25
        self.machine.pass_time(self.ms * (50 if disturbed else 1) / 1000, step=0.001)
        return batch

    def postprocess(self, raw, letterboxes):
        return []


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    clock = SimpleNamespace(
        perf_counter_ns=lambda: round(machine.at_s * 1e9), sleep=machine.pass_time
    )
    monkeypatch.setattr(latency, "time", clock)
    return machine


def by_turns(machine: Machine, wait_s: float, runs: int = 200) -> tuple[QuietRounds, float]:
    """A detector of 20 ms and one of 5 ms: how many times as fast the second is."""
    rounds = rounds_on(machine, wait_s)
    both = {"slow": Neighboured(machine, 20), "fast": Neighboured(machine, 5)}
    timed = measure_interleaved(
        both, IMAGES, batch_size=1, warmup_runs=1, benchmark_runs=runs, rounds=rounds
    )
    assert {each.runs for each in timed.values()} == {runs}
    return rounds, speedup(timed["slow"], timed["fast"]).value


def test_a_neighbour_who_comes_and_goes_does_not_change_the_ratio(machine: Machine) -> None:
    machine.others = lambda at_s: 1.5 if 1.3 < at_s < 4.1 else 0.0
    rounds, ratio = by_turns(machine, 60)
    assert ratio == pytest.approx(4.0)
    assert rounds.discarded
    # The same without looking: what was once printed.
    machine.at_s, machine.others = 0.0, lambda at_s: 1.5 if at_s > 1.0 else 0.0
    both = {"slow": Neighboured(machine, 20), "fast": Neighboured(machine, 5)}
    blind = measure_interleaved(both, IMAGES, batch_size=1, warmup_runs=1, benchmark_runs=200)
    assert blind["fast"].latency_p50_ms == pytest.approx(250, rel=0.01)


def test_a_neighbour_who_stays_leaves_no_ratio(machine: Machine) -> None:
    machine.others = lambda _: 1.5
    with pytest.raises(BusyMachineError):
        by_turns(machine, 30)
    assert 30 <= machine.at_s < 60


def test_batch_sizes_are_timed_in_quiet_rounds_too(machine: Machine) -> None:
    machine.others = lambda at_s: 1.5 if 0.9 < at_s < 3.5 else 0.0
    rounds = rounds_on(machine, 60)
    result = measure_latency(
        Neighboured(machine, 10), IMAGES, batch_size=1, warmup_runs=1, benchmark_runs=150,
        rounds=rounds,
    )  # fmt: skip
    assert result.runs == 150
    assert max(result.latency.samples_ms) == pytest.approx(10)
    assert result.fps == pytest.approx(100)
    assert rounds.discarded


@given(
    spells=st.lists(
        st.tuples(st.floats(0.2, 6), st.sampled_from([0.0, 0.1, 0.6, 2.0])), max_size=12
    ),
    rest=st.sampled_from([0.0, 1.5]),
    wait_s=st.sampled_from([0.0, 4.0, 60.0]),
)
def test_a_ratio_is_there_only_where_all_its_rounds_were_quiet(
    spells: list[tuple[float, float]], rest: float, wait_s: float
) -> None:
    """Whatever others do: the right ratio, or none, and never later than the wait allows."""

    def others(at_s: float) -> float:
        for length, cores in spells:
            if at_s < length:
                return cores
            at_s -= length
        return rest

    machine = Machine(others)
    clock = SimpleNamespace(
        perf_counter_ns=lambda: round(machine.at_s * 1e9), sleep=machine.pass_time
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "time", clock)
        rounds = rounds_on(machine, wait_s)
        both = {"slow": Neighboured(machine, 20), "fast": Neighboured(machine, 5)}
        try:
            timed = measure_interleaved(
                both, IMAGES, batch_size=1, warmup_runs=1, benchmark_runs=60, rounds=rounds
            )
        except BusyMachineError as exc:
            assert exc.doubts
            assert rounds.lost_s >= wait_s
            longest = max((each.seconds for each in rounds.discarded), default=0.0)
            # the wait may end in its last quiet second, whose round is then busy after all
            assert rounds.lost_s <= wait_s + 1.0 + max(longest, 0.5) + 1e-6
            return
    assert all(not each.doubts() for each in rounds.kept)
    assert sum(each.seconds for each in rounds.kept) >= 60 * 0.025
    assert {each.runs for each in timed.values()} == {60}
    # A quiet round may hold a moment of others, an eighth of it at most; a median does not see it.
    assert speedup(timed["slow"], timed["fast"]).value == pytest.approx(4.0, rel=0.05)


# --- others on the GPU ---------------------------------------------------------------------------


class NVMLError_NotFound(Exception):  # noqa: N801, N818 - NVML's own name
    pass


class SharedGpu:
    """NVML of one GPU and the processes on it.

    Args:
        at_work: process ids, as the driver tells them.
        samples: process id, share of the time, seconds ago.
    """

    def __init__(self, at_work: list[int], samples: list[tuple[int, int, float]]) -> None:
        self.at_work, self.samples = at_work, samples

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}"

    def nvmlDeviceGetName(self, handle: int) -> str:
        return "H100"

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid) for pid in self.at_work]

    def nvmlDeviceGetProcessUtilization(self, handle: int, since: int) -> list[SimpleNamespace]:
        if not self.samples:
            raise NVMLError_NotFound
        now = time.time_ns() // 1000
        return [
            SimpleNamespace(pid=pid, smUtil=share, timeStamp=now - int(ago_s * 1e6))
            for pid, share, ago_s in self.samples
        ]


OWN, OTHER = os.getpid(), 7


@pytest.mark.parametrize(
    ("at_work", "samples", "share_pct"),
    [
        ([OWN], [(OWN, 90, 1.0)], 0.0),
        ([OWN, OTHER], [(OWN, 50, 1.0), (OTHER, 40, 1.0), (OTHER, 60, 2.0)], 50.0),
        ([OWN, OTHER], [(OTHER, 90, 60.0), (OWN, 20, 1.0)], 0.0),  # before we began
        ([OWN, OTHER], [], 0.0),
        ([OWN, OTHER, 8], [(OTHER, 70, 1.0), (8, 60, 1.0)], 100.0),
        ([4711], [(4711, 90, 1.0)], None),  # in a container: we have another number there
        ([], [], None),
    ],
)
def test_a_round_beside_others_on_the_gpu_is_thrown_away(
    monkeypatch: pytest.MonkeyPatch,
    at_work: list[int],
    samples: list[tuple[int, int, float]],
    share_pct: float | None,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    on_gpu = OthersOnGpu(SharedGpu(at_work, samples))
    assert on_gpu(10) == share_pct
    machine = Machine()
    rounds = QuietRounds(0, None, machine.look, machine.rest, on_gpu)
    if share_pct:
        said = f"other processes kept the GPU busy {share_pct:.0f} % of the time"
        with pytest.raises(BusyMachineError, match=said):
            rounds.measure(worked(machine))
    else:
        rounds.measure(worked(machine))
        assert rounds.kept[0].other_gpu_pct == share_pct


def test_a_driver_that_refuses_the_list_of_processes_spoils_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: int) -> None:
        raise PermissionError("not yours")

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvml = SharedGpu([OWN], [])
    monkeypatch.setattr(nvml, "nvmlDeviceGetComputeRunningProcesses", refuse)
    assert OthersOnGpu(nvml)(1) is None


def test_processes_of_ours_are_this_one_and_its_children() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert {os.getpid(), child.pid} <= process_ids()
        assert os.getppid() not in process_ids()
    finally:
        child.communicate(b"\n")


# --- the real machine ----------------------------------------------------------------------------


def test_ctrl_c_ends_a_wait_at_once() -> None:
    machine = Machine(lambda _: 2.0)

    def rest(seconds: float) -> None:
        time.sleep(seconds)
        machine.rest(seconds)

    rounds = QuietRounds(30, None, machine.look, rest)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    pressed = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    pressed.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            rounds.wait_for_quiet()
    finally:
        pressed.join()
        signal.signal(signal.SIGINT, before)
    assert machine.rested == []  # in the first second


@pytest.mark.slow
def test_real_burners_on_every_core_are_seen_and_their_end_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()  # the real number of cores
    with burning(30), pytest.raises(BusyMachineError, match="other processes took"):
        QuietRounds(0).measure(lambda: time.sleep(0.6))
