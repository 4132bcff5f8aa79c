"""CPU time and memory of this process and its children, and the cores they may use.

On Linux a process carries the CPU time of the children it has waited for, so the sum over a tree
of processes loses nothing when one of its members ends.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

CGROUP = Path("/sys/fs/cgroup")
MACHINE_BUSY = ("user", "nice", "system", "irq", "softirq")


@dataclass(frozen=True)
class ProcessTree:
    """This process and all below it at one moment.

    Args:
        cpu_s: CPU time since they began, ended children's included.
        resident_mb: resident sets added, 10⁶ bytes.
    """

    cpu_s: float
    resident_mb: float


@dataclass(frozen=True)
class MachineTime:
    """CPU time of the machine since it started, all cores added, seconds.

    Args:
        busy: spent on any process or in the kernel.
        total: busy and idle.
        stolen: that a hypervisor gave to other machines; None where the system doesn't tell.
    """

    busy: float
    total: float
    stolen: float | None


def process_tree() -> ProcessTree:
    """Read it; a child that ends meanwhile is left out."""
    own = psutil.Process()
    cpu_s = resident = 0.0
    for process in [own, *own.children(recursive=True)]:
        try:
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info().rss
        except psutil.Error:
            continue
        cpu_s += sum(
            getattr(times, name, 0.0)
            for name in ("user", "system", "children_user", "children_system")
        )
        resident += memory
    return ProcessTree(cpu_s, resident / 1e6)


def process_ids() -> frozenset[int]:
    """This process and all below it."""
    own = psutil.Process()
    return frozenset(each.pid for each in (own, *own.children(recursive=True)))


def machine_time() -> MachineTime:
    """Read the system's own counters. Time waiting for a disk counts as idle."""
    return _summed([psutil.cpu_times()])


def own_cores_time() -> MachineTime:
    """The same of those cores alone that this process may run on."""
    cores = psutil.cpu_times(percpu=True)
    if hasattr(os, "sched_getaffinity"):
        allowed = os.sched_getaffinity(0)
        if max(allowed) < len(cores):  # else some are switched off, and numbers don't tell which
            cores = [cores[number] for number in allowed]
    return _summed(cores)


def _summed(cores: Sequence[Any]) -> MachineTime:
    def of(*names: str) -> float:
        return sum(getattr(times, name, 0.0) for times in cores for name in names)

    busy, idle = of(*MACHINE_BUSY), of("idle", "iowait")
    stolen = of("steal") if hasattr(cores[0], "steal") else None
    return MachineTime(busy, busy + idle + (stolen or 0.0), stolen)


def allowed_cores() -> int:
    """Logical cores that the scheduler lets this process run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_cores() -> float:
    """Logical cores this process may use: the scheduler's affinity, and a container's CPU quota.

    A quota may be a fraction.
    """
    allowed = float(allowed_cores())
    quota = _quota()
    return min(allowed, quota) if quota else allowed


def throttled_s() -> float | None:
    """Time for which a container's CPU quota has held its processes back; None without a quota."""
    if _quota() is None:
        return None
    for file, key, unit in (
        ("cpu.stat", "throttled_usec", 1e6),
        ("cpu/cpu.stat", "throttled_time", 1e9),  # control groups, version 1
    ):
        try:
            rows = dict(line.split() for line in (CGROUP / file).read_text().splitlines())
            return int(rows[key]) / unit
        except (OSError, ValueError, KeyError):
            continue
    return None


def _quota() -> float | None:
    """Cores of CPU time a second that the control group grants; None where it sets no bound."""
    try:
        quota, period = (CGROUP / "cpu.max").read_text().split()[:2]
    except (OSError, ValueError):
        try:  # control groups, version 1
            quota = (CGROUP / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (CGROUP / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if not quota.isdecimal() or not period.isdecimal() or not int(period):  # 'max', or -1
        return None
    return int(quota) / int(period)
