"""Records how quiet the machine was while something was timed.

A shared machine is rarely idle, and a time taken beside other work is another number. So each
measurement says what the other processes did meanwhile, and warns where that was too much.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from ...contracts.errors import EvaluationError
from ...contracts.measurements import Conditions, DoubtKind, Timing, TimingDoubt
from .process_load import MachineTime, machine_time, process_tree, usable_cores

BUSY_LOAD_PER_CORE = 1.25
BUSY_OTHER_CORES = 0.25
BUSY_STOLEN_CORES = 0.05
WIDE_SPREAD = 1.5
# By how much the system's and the processes' clocks may differ: ticks of 10 ms, read at two ends.
CLOCK_SLACK_S = 0.1
CLOCK_SLACK_SHARE = 0.05


@dataclass(frozen=True)
class _Moment:
    at_s: float
    own_cpu_s: float
    machine: MachineTime
    load: float

    @classmethod
    def now(cls) -> _Moment:
        return cls(
            time.perf_counter(), process_tree().cpu_s, machine_time(), psutil.getloadavg()[0]
        )


class ConditionsRecorder:
    """Watches the machine from start() to finish(). It asks at both ends alone, so costs nothing.

    Args:
        cpu: model name.
        gpus: model name of each; empty without one.
        physical_cores: that this process may use.
        isa_cap: ONEDNN_MAX_CPU_ISA as set; '' where none is.
        libraries: name → version.
    """

    def __init__(
        self,
        *,
        cpu: str,
        physical_cores: int,
        gpus: tuple[str, ...] = (),
        isa_cap: str = "",
        libraries: Mapping[str, str] | None = None,
    ) -> None:
        self._cpu, self._gpus, self._physical_cores = cpu, gpus, physical_cores
        self._isa_cap, self._libraries = isa_cap, dict(libraries or {})
        self._began: _Moment | None = None

    def start(self) -> None:
        """Look at the machine before the work; a second start begins anew."""
        self._began = _Moment.now()

    def finish(self, timings: Mapping[str, Timing] | None = None) -> Conditions:
        """Look again, and say what spoils the figures.

        Args:
            timings: what was measured meanwhile, by a name for people; a wide spread is told.

        Raises:
            EvaluationError: it was not started, or no time has passed since.
        """
        if self._began is None:
            raise EvaluationError("finish() needs a start() before it")
        began, ended = self._began, _Moment.now()
        seconds = ended.at_s - began.at_s
        if seconds <= 0:
            raise EvaluationError("no time has passed since start(), so nothing was watched")
        other = _other_cores(began, ended)
        stolen = None
        if began.machine.stolen is not None and ended.machine.stolen is not None:
            stolen = max(0.0, ended.machine.stolen - began.machine.stolen) / seconds
        return Conditions(
            cpu=self._cpu,
            gpus=self._gpus,
            physical_cores=self._physical_cores,
            logical_cores=max(1, int(usable_cores())),
            isa_cap=self._isa_cap,
            libraries=self._libraries,
            load_before=began.load,
            load_after=ended.load,
            other_cores=other,
            stolen_cores=stolen,
            doubts=(*_machine_doubts(began.load, other, stolen), *_wide(timings or {})),
        )


def conditions_tags(conditions: Conditions) -> dict[str, str]:
    """Tags of the machine that a run's figures were taken on; what is unknown has no tag.

    `sys.quiet` is 'true' where there is nothing to warn of, and `sys.warnings` says what it was.
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
        "sys.quiet": "false" if conditions.warnings else "true",
        "sys.warnings": "; ".join(conditions.warnings),
    }
    return {key: value for key, value in tags.items() if value}


def _other_cores(began: _Moment, ended: _Moment) -> float | None:
    """Cores that all processes but ours kept busy; None where the system's count misses ours."""
    seconds = ended.at_s - began.at_s
    own = ended.own_cpu_s - began.own_cpu_s
    others = ended.machine.busy - began.machine.busy - own
    if others < -(CLOCK_SLACK_S + CLOCK_SLACK_SHARE * own):
        return None  # some containers are shown an idle machine
    return max(0.0, others) / seconds


def _machine_doubts(load: float, other: float | None, stolen: float | None) -> list[TimingDoubt]:
    found = []
    cores = psutil.cpu_count() or 1  # the load is the whole machine's
    if load / cores > BUSY_LOAD_PER_CORE:
        found.append(TimingDoubt(DoubtKind.BUSY, cores=cores, load=load))
    if other is not None and other > BUSY_OTHER_CORES:
        found.append(TimingDoubt(DoubtKind.OTHER, cores=other))
    if stolen is not None and stolen > BUSY_STOLEN_CORES:
        found.append(TimingDoubt(DoubtKind.STOLEN, cores=stolen))
    return found


def _wide(timings: Mapping[str, Timing]) -> list[TimingDoubt]:
    found = []
    for name, timing in timings.items():
        if timing.p50 is None or timing.p95 is None:
            continue
        median, high = timing.p50.value, timing.p95.value
        if high > WIDE_SPREAD * median:
            found.append(TimingDoubt(DoubtKind.WIDE, name=name, p95_ms=high, median_ms=median))
    return found


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
