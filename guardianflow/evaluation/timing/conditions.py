"""Tells how quiet the machine was in a stretch of time, and whether it was ours.

    Moment.now() … Moment.now() ──► Watched ──► doubts: why times taken meanwhile are not to be used

A shared machine is rarely idle, and a time taken beside other work is another number: threads that
wait for each other in turns wait for whatever the system runs in their place, tens of times as long
as the work itself. So a stretch counts as busy when

- other processes took more than they may of the cores that this process may use: a quarter of a
  core, or 2 % of them where they are many. Where a quota grants fewer cores than there are, half of
  those that it leaves free may be taken as well,
- a hypervisor gave more than 0.05 cores to other machines,
- a container's CPU quota held this process back for more than 5 % of the time,
- other processes kept a GPU that we work on busy for more than 5 % of the time,
- the system does not tell what others do, and the load is above 1.25 for each core.

A clock that falls because the machine gets hot is no such reason: the machine is ours, and what is
timed by turns slows down alike.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from ...contracts.errors import EvaluationError
from ...contracts.measurements import Conditions, DoubtKind, Timing, TimingDoubt
from .process_load import (
    MachineTime,
    allowed_cores,
    own_cores_time,
    process_tree,
    throttled_s,
    usable_cores,
)

BUSY_LOAD_PER_CORE = 1.25
BUSY_OTHER_CORES = 0.25
BUSY_OTHER_SHARE = 0.02
BUSY_STOLEN_CORES = 0.05
BUSY_THROTTLED_SHARE = 0.05
BUSY_GPU_PCT = 5.0
WIDE_SPREAD = 1.5
# By how much the system's and the processes' clocks may differ: ticks of 10 ms, read at two ends.
CLOCK_SLACK_S = 0.1
CLOCK_SLACK_SHARE = 0.05


@dataclass(frozen=True)
class Moment:
    """Clocks of this machine at one moment; reading them takes some milliseconds."""

    at_s: float
    own_cpu_s: float
    machine: MachineTime
    throttled_s: float | None
    load: float

    @classmethod
    def now(cls) -> Moment:
        return cls(
            time.perf_counter(),
            process_tree().cpu_s,
            own_cores_time(),
            throttled_s(),
            psutil.getloadavg()[0],
        )


@dataclass(frozen=True)
class Watched:
    """A stretch of time, and what went on meanwhile beside this process and its children.

    Args:
        seconds: its length.
        cores: logical ones that this process may use; a fraction where a quota says so.
        load: 1-minute load average at its start.
        other_cores: that other processes took of those that this process may run on; None where
            the system's count misses ours.
        stolen_cores: that a hypervisor gave to other machines; None where the system doesn't tell.
        throttled_share: of the time, in which a CPU quota held us back; None without a quota.
        other_gpu_pct: of the time, in which others kept a GPU that we work on busy; None where
            there is none, or the driver doesn't tell.
    """

    seconds: float
    cores: float
    load: float
    other_cores: float | None = None
    stolen_cores: float | None = None
    throttled_share: float | None = None
    other_gpu_pct: float | None = None

    @classmethod
    def between(cls, began: Moment, ended: Moment, other_gpu_pct: float | None = None) -> Watched:
        """Raises EvaluationError where no time has passed between the two."""
        seconds = ended.at_s - began.at_s
        if seconds <= 0:
            raise EvaluationError("no time has passed, so nothing was watched")
        cores = usable_cores()
        stolen = throttled = None
        if began.machine.stolen is not None and ended.machine.stolen is not None:
            stolen = max(0.0, ended.machine.stolen - began.machine.stolen) / seconds
        if began.throttled_s is not None and ended.throttled_s is not None:
            held = max(0.0, ended.throttled_s - began.throttled_s)
            throttled = min(1.0, held / seconds / cores)
        other = _other_cores(began, ended)
        return cls(seconds, cores, began.load, other, stolen, throttled, other_gpu_pct)

    @classmethod
    def together(cls, stretches: Sequence[Watched]) -> Watched:
        """Several as one, weighed by their lengths; what one does not know, all don't."""
        first, seconds = stretches[0], sum(each.seconds for each in stretches)

        def mean(name: str) -> float | None:
            values = [getattr(each, name) for each in stretches]
            if None in values:
                return None
            weighed = zip(values, stretches, strict=True)
            return float(sum(value * each.seconds for value, each in weighed)) / seconds

        means = map(mean, ("other_cores", "stolen_cores", "throttled_share", "other_gpu_pct"))
        return cls(seconds, first.cores, first.load, *means)

    @property
    def allowed_to_others(self) -> float:
        """Cores that others may take before times are another number."""
        runs_on = allowed_cores()
        left_free = max(0.0, runs_on - self.cores)
        return max(BUSY_OTHER_CORES, BUSY_OTHER_SHARE * runs_on, left_free / 2)

    def doubts(self) -> tuple[TimingDoubt, ...]:
        """Why the machine was not ours; empty where it was."""
        found = []
        if self.other_cores is None:
            cores = psutil.cpu_count() or 1  # the load is the whole machine's
            if self.load / cores > BUSY_LOAD_PER_CORE:
                found.append(TimingDoubt(DoubtKind.BUSY, load=self.load, of_cores=cores))
        elif self.other_cores > self.allowed_to_others:
            cores = allowed_cores()
            found.append(TimingDoubt(DoubtKind.OTHER, self.other_cores, cores))
        if self.other_gpu_pct is not None and self.other_gpu_pct > BUSY_GPU_PCT:
            found.append(TimingDoubt(DoubtKind.GPU, share_pct=self.other_gpu_pct))
        if self.stolen_cores is not None and self.stolen_cores > BUSY_STOLEN_CORES:
            found.append(TimingDoubt(DoubtKind.STOLEN, self.stolen_cores, self.cores))
        if self.throttled_share is not None and self.throttled_share > BUSY_THROTTLED_SHARE:
            share_pct = 100 * self.throttled_share
            found.append(TimingDoubt(DoubtKind.THROTTLED, share_pct=share_pct))
        return tuple(found)


def _other_cores(began: Moment, ended: Moment) -> float | None:
    """Cores that all processes but ours kept busy; None where the system's count misses ours."""
    own = ended.own_cpu_s - began.own_cpu_s
    others = ended.machine.busy - began.machine.busy - own
    if others < -(CLOCK_SLACK_S + CLOCK_SLACK_SHARE * own):
        return None  # some containers are shown an idle machine
    # Two counts of one second differ by ticks: not more than all cores can be taken.
    return min(max(0.0, others) / (ended.at_s - began.at_s), float(allowed_cores()))


def unsteady(name: str, round_medians_ms: Sequence[float]) -> TimingDoubt | None:
    """Whether rounds of one detector differ by more than calls of a quiet machine do.

    Args:
        round_medians_ms: of each round; a single one is never unsteady.
    """
    fast, slow = min(round_medians_ms), max(round_medians_ms)
    if slow <= WIDE_SPREAD * fast:
        return None
    return TimingDoubt(DoubtKind.UNSTEADY, name=name, slow_ms=slow, median_ms=fast)


def wide(timings: Mapping[str, Timing]) -> list[TimingDoubt]:
    """A doubt for each whose p95 lies far above its median; of few calls nothing is said.

    Args:
        timings: by names for people.
    """
    found = []
    for name, timing in timings.items():
        if timing.p50 is None or timing.p95 is None:
            continue
        median, high = timing.p50.value, timing.p95.value
        if high > WIDE_SPREAD * median:
            found.append(TimingDoubt(DoubtKind.WIDE, name=name, slow_ms=high, median_ms=median))
    return found


def conditions_tags(conditions: Conditions) -> dict[str, str]:
    """Tags of the machine that a run's figures were taken on; what is unknown has no tag.

    `sys.quiet` is 'true' where there is nothing to warn of, and `sys.warnings` says what it was.
    `sys.busy` says why times are absent, where some are.
    """
    tags = {
        "sys.cpu": conditions.cpu,
        "sys.gpu": ", ".join(conditions.gpus),
        "sys.cores": str(conditions.physical_cores),
        "sys.logical_cores": str(conditions.logical_cores),
        "sys.isa_cap": conditions.isa_cap,
        "sys.load_before": f"{conditions.load_before:.2f}",
        "sys.load_after": f"{conditions.load_after:.2f}",
        "sys.other_cores": _figure(conditions.other_cores),
        "sys.stolen_cores": _figure(conditions.stolen_cores),
        "sys.other_gpu_pct": _figure(conditions.other_gpu_pct),
        "sys.quiet": "false" if conditions.warnings else "true",
        "sys.warnings": "; ".join(conditions.warnings),
        "sys.busy": "; ".join(map(str, conditions.busy)),
    }
    return {key: value for key, value in tags.items() if value}


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
