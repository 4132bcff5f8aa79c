"""CPU time and memory of this process and its children, and the cores they may use.

On Linux a process carries the CPU time of the children it has waited for, so the sum over a tree
of processes loses nothing when one of its members ends.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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
    """CPU time of the whole machine since it started, all cores added, seconds.

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


def machine_time() -> MachineTime:
    """Read the system's own counters. Time waiting for a disk counts as idle."""
    times = psutil.cpu_times()
    busy = sum(getattr(times, name, 0.0) for name in MACHINE_BUSY)
    stolen = getattr(times, "steal", None)
    idle = times.idle + getattr(times, "iowait", 0.0)
    return MachineTime(busy, busy + idle + (stolen or 0.0), stolen)


def usable_cores() -> float:
    """Logical cores this process may use: the scheduler's affinity, and a container's CPU quota.

    A quota may be a fraction.
    """
    allowed = float(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = _quota()
    return min(allowed, quota) if quota else allowed


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
