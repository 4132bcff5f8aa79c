"""Keeps what was timed while the machine was ours, and waits, within bounds, until it is.

    measure(work)   a round of work ──► quiet: its result
                                    └─► busy: thrown away; wait for a quiet second; once more
    a wait that is used up ──► BusyMachineError: there is no time to give

A round is judged by what the machine did during itself, not by how it was before. A machine that
becomes busy in the middle of a measurement costs the rounds that it was busy in.

Work of many threads crowds others out: they wait for a core as often as we do, and take little of
them. So every few seconds, before a round, the machine is looked at while we do nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...contracts.errors import EvaluationError
from ...contracts.measurements import Conditions, Timing, TimingDoubt
from .conditions import Moment, Watched, unsteady, wide
from .gpu_counters import GpuCounters
from .process_load import process_ids

T = TypeVar("T")
# The system counts in ticks of 4 or 10 ms: what it says of less time than this is rough.
ROUND_S = 0.5
PROBE_S = 1.0
IDLE_LOOK_EVERY_S = 5.0
# A driver samples its processes about once a second: of less time it may have no sample.
LEAST_GPU_S = 2.0


class BusyMachineError(EvaluationError):
    """No quiet stretch came in which something could be timed; `doubts` say what was in the way."""

    def __init__(self, doubts: Sequence[TimingDoubt]) -> None:
        super().__init__("; ".join(map(str, doubts)))
        self.doubts = tuple(doubts)


@dataclass(frozen=True)
class Waiting:
    """A wait for a quiet machine, so far.

    Args:
        lost_s, wait_s: that waiting and rounds thrown away have taken, and may take.
        doubts: what is in the way.
    """

    lost_s: float
    wait_s: float
    doubts: tuple[TimingDoubt, ...]

    def __str__(self) -> str:
        return (
            f"waiting for a quiet machine: {self.lost_s:.0f} of {self.wait_s:.0f} s, "
            f"{'; '.join(map(str, self.doubts))}"
        )


@dataclass
class QuietRounds:
    """One wait for all that a stage times.

    Args:
        wait_s: seconds that waiting and rounds thrown away may take together; with 0 the first
            busy round is the end of what is being timed.
        told: called before each second of waiting.
        look, rest: the clocks, and a sleep of so many seconds.
        others_on_gpu: seconds → share of them, 0…100, in which others kept our GPU busy; None where
            nothing tells.

    Attributes:
        kept: the rounds that count.
        discarded: the rounds thrown away.
        lost_s: that waiting and those rounds took.
        missed: why something could not be timed, as often as that happened.
        idle_and_busy: looks at a machine that was busy while we did nothing.
    """

    wait_s: float
    told: Callable[[Waiting], None] | None = None
    look: Callable[[], Moment] = Moment.now
    rest: Callable[[float], None] = time.sleep
    others_on_gpu: Callable[[float], float | None] | None = None
    kept: list[Watched] = field(default_factory=list)
    discarded: list[Watched] = field(default_factory=list)
    lost_s: float = 0.0
    missed: list[tuple[TimingDoubt, ...]] = field(default_factory=list)
    idle_and_busy: list[Watched] = field(default_factory=list)
    _idle_at_s: float = -math.inf

    def measure(self, work: Callable[[], T]) -> T:
        """The result of a round in which the machine was quiet.

        A round of less than ROUND_S is watched for that long all the same.

        Args:
            work: can be done again; a round that is thrown away leaves no trace.

        Raises:
            BusyMachineError: none was quiet before the wait was used up.
        """
        while True:
            began = self.look()
            doubts: tuple[TimingDoubt, ...] = ()
            if began.at_s - self._idle_at_s >= IDLE_LOOK_EVERY_S:
                doubts = self._look_idle(ROUND_S)
                began = self.look()
            if not doubts:
                result = work()
                watched = self._watched_since(began)
                doubts = watched.doubts()
                if not doubts:
                    self.kept.append(watched)
                    return result
                self.discarded.append(watched)
                self.lost_s += watched.seconds
            if not self.wait_for_quiet(doubts):
                self.missed.append(doubts)
                raise BusyMachineError(doubts)

    def wait_for_quiet(self, doubts: tuple[TimingDoubt, ...] = ()) -> bool:
        """Wait for a quiet second.

        Args:
            doubts: what was in the way at last.

        Returns:
            False where the wait is used up before one came, or is 0.
        """
        while self.lost_s < self.wait_s:
            if self.told is not None and doubts:
                self.told(Waiting(self.lost_s, self.wait_s, doubts))
            if not (doubts := self._look_idle(PROBE_S, waiting=True)):
                return True
        return False

    def require_steady(self, name: str, round_medians_ms: Sequence[float]) -> None:
        """Where the system does not tell what others do, rounds must agree with each other.

        Args:
            name: of what was timed.
            round_medians_ms: median of each of its rounds.

        Raises:
            BusyMachineError: they differ by more than half.
        """
        if all(each.other_cores is not None for each in self.kept):
            return
        doubt = unsteady(name, round_medians_ms)
        if doubt is not None:
            self.missed.append((doubt,))
            raise BusyMachineError((doubt,))

    def conditions(
        self,
        before: Moment,
        after: Moment,
        timings: Mapping[str, Timing],
        describe: Callable[..., Conditions],
    ) -> Conditions:
        """What the times that are there were taken under, and why others are not there.

        Args:
            before, after: of the whole measurement.
            timings: what was measured, by names for people; a wide spread is told.
            describe: makes conditions that say what the machine is.
        """
        known = self.kept or self.discarded or self.idle_and_busy
        seen = Watched.together(known) if known else None
        busy = {doubt.kind: doubt for doubts in self.missed for doubt in doubts}
        return describe(
            load_before=before.load,
            load_after=after.load,
            other_cores=seen.other_cores if seen else None,
            stolen_cores=seen.stolen_cores if seen else None,
            other_gpu_pct=seen.other_gpu_pct if seen else None,
            rounds=len(self.kept),
            rounds_discarded=len(self.discarded),
            lost_s=self.lost_s,
            doubts=(*busy.values(), *wide(timings)),
        )

    def _look_idle(self, seconds: float, *, waiting: bool = False) -> tuple[TimingDoubt, ...]:
        """What is in the way while we do nothing."""
        watched = self._watched_since(self.look(), seconds)
        doubts = watched.doubts()
        if doubts:
            self.idle_and_busy.append(watched)
        else:
            self._idle_at_s = self.look().at_s
        if doubts or waiting:
            self.lost_s += watched.seconds
        return doubts

    def _watched_since(self, began: Moment, least_s: float = ROUND_S) -> Watched:
        passed = self.look()
        if (left := least_s - (passed.at_s - began.at_s)) > 0:
            self.rest(left)
            passed = self.look()
        on_gpu = None
        if self.others_on_gpu is not None:
            on_gpu = self.others_on_gpu(max(passed.at_s - began.at_s, LEAST_GPU_S))
        return Watched.between(began, passed, on_gpu)


class OthersOnGpu:
    """For QuietRounds: what the driver says of other processes on the GPUs that we work on.

    Args:
        nvml: module with NVML's functions; None takes the installed `pynvml`, where there is one.
    """

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml
        self._counters: GpuCounters | None = None  # most machines have none: not before it is asked

    def __call__(self, seconds: float) -> float | None:
        if self._counters is None:
            self._counters = GpuCounters(self._nvml)
        since_us = time.time_ns() // 1000 - round(seconds * 1e6)
        return self._counters.busy_by_others(process_ids(), since_us)
