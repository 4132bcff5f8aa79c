"""Divides this machine's cores and GPUs among the stages that run side by side.

A stage is kept to its cores by the scheduler's affinity, which a child process inherits from the
thread that starts it, and its libraries start as many threads as it has cores. Its GPUs are those
that CUDA_VISIBLE_DEVICES names.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from guardianflow.backends.hardware import gpu_names
from guardianflow.contracts.errors import ConfigurationError, Problem
from guardianflow.evaluation.timing.process_load import usable_cores

from .port import Needs

CORES_A_STAGE = 4
"""Where nobody says how many stages run at once: one for each GPU, else one for so many cores."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
GPUS = "CUDA_VISIBLE_DEVICES"
ALMOST = 1e-6
"""Shares are sums of fractions."""


@dataclass(frozen=True)
class Machine:
    """What a pool may give.

    Args:
        cores: how much of the processor, a container's quota counted.
        cpus: numbers of the logical cores that the scheduler lets us use; () where it does not say.
        gpus: as CUDA_VISIBLE_DEVICES names them.
        memory_mb: in all.
    """

    cores: float
    cpus: tuple[int, ...]
    gpus: tuple[str, ...]
    memory_mb: float

    @classmethod
    def this_one(cls) -> Machine:
        told = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
        chosen = [each.strip() for each in os.environ.get(GPUS, "").split(",") if each.strip()]
        there = len(gpu_names())
        gpus = chosen[:there] if chosen else [str(index) for index in range(there)]
        memory_mb = psutil.virtual_memory().total / 1e6
        return cls(usable_cores(), tuple(sorted(told)), tuple(gpus), memory_mb)

    @property
    def usual_places(self) -> int:
        return len(self.gpus) or max(1, int(self.cores) // CORES_A_STAGE)

    def check(self, needs: Needs) -> None:
        """Raises ConfigurationError: it can never give that much."""
        there = [
            ("cores", needs.cores, self.cores),
            ("GPUs", needs.gpus, float(len(self.gpus))),
            ("MB of memory", needs.memory_mb, self.memory_mb),
        ]
        problems = [
            Problem(f"a stage needs {asked:g} {what} but this machine has {has:g}; ask for less")
            for what, asked, has in there
            if asked is not None and asked > has + ALMOST
        ]
        problems += unusual(needs)
        if problems:
            raise ConfigurationError(problems)


def unusual(needs: Needs) -> list[Problem]:
    """What no machine can give."""
    problems = [
        Problem(f"{what} of a stage must be above 0 but got {asked:g}")
        for what, asked in (("cores", needs.cores), ("memory_mb", needs.memory_mb))
        if asked is not None and not asked > 0
    ]
    gpus = needs.gpus
    if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
        problems.append(
            Problem(f"gpus of a stage must be a whole number, or a part of one, but got {gpus:g}")
        )
    return problems


@dataclass(frozen=True)
class Share:
    """What one stage has; empty where it may use all that there is.

    Args:
        cpus: numbers of its logical cores.
        gpus: names of its GPUs.
    """

    cores: float
    cpus: tuple[int, ...] = ()
    gpus: tuple[str, ...] = ()
    part_of_gpu: float = 0.0

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Of its process; a number of threads that is set already is only made smaller."""
        threads = max(1, int(self.cores))
        found = {GPUS: ",".join(self.gpus)} if self.gpus else {}
        if self.cpus:
            for name in THREADS:
                asked = environment.get(name, "").partition(",")[0].strip()
                fewer = asked.isdecimal() and 0 < int(asked) < threads
                found[name] = asked if fewer else str(threads)
        return found


@dataclass
class Shares:
    """What is given and what is free; one thread at a time.

    Args:
        places: how many stages at once.
    """

    machine: Machine
    places: int
    _given: list[Share] = field(default_factory=list)

    def take(self, needs: Needs) -> Share | None:
        """Give a stage its share; None while others have what it needs."""
        free_places = self.places - len(self._given)
        free = self.machine.cores - sum(each.cores for each in self._given)
        if free_places < 1:
            return None
        cores = needs.cores if needs.cores is not None else self._even(free, free_places)
        gpus = self._gpus(needs.gpus)
        if cores > free + ALMOST or gpus is None:
            return None
        whole = cores > self.machine.cores - ALMOST
        cpus = () if whole else self._least_used(math.ceil(cores - ALMOST))
        share = Share(cores, cpus, gpus, min(needs.gpus, 1.0))
        self._given.append(share)
        return share

    def give_back(self, share: Share) -> None:
        self._given = [each for each in self._given if each is not share]

    def _even(self, free: float, free_places: int) -> float:
        """Whole cores, what is left over first; parts of one where there are more places."""
        even = self.machine.cores / self.places
        if even < 1 or self.places == 1:
            return even
        return max(1.0, min(math.ceil(free / free_places - ALMOST), math.floor(free + ALMOST)))

    def _least_used(self, count: int) -> tuple[int, ...]:
        def used(cpu: int) -> float:
            return sum(
                each.cores / (len(each.cpus) or 1) for each in self._given if cpu in each.cpus
            )

        return tuple(sorted(sorted(self.machine.cpus, key=used)[:count]))

    def _gpus(self, asked: float) -> tuple[str, ...] | None:
        if not asked:
            return ()
        free = {
            gpu: 1.0 - sum(each.part_of_gpu for each in self._given if gpu in each.gpus)
            for gpu in self.machine.gpus
        }
        enough = [gpu for gpu, left in free.items() if left + ALMOST >= min(asked, 1.0)]
        # A part goes to the GPU that has least left: whole ones stay whole.
        chosen = sorted(enough, key=lambda gpu: free[gpu])[: math.ceil(asked)]
        return tuple(chosen) if len(chosen) == math.ceil(asked) else None


def free_memory_mb() -> float:
    """What new processes can have, as far as the system tells."""
    return float(psutil.virtual_memory().available) / 1e6


def keep_to(cpus: Sequence[int]) -> None:
    """Keep the calling thread and what it starts to these cores; () changes nothing."""
    if cpus and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # a container's cores were taken away meanwhile
            os.sched_setaffinity(0, cpus)
