"""Usage of the machine by a process, as sampled: frozen values, the unit in each name.

Megabytes are 10⁶ bytes. Absent is absent: a counter that the machine does not have is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Gauge:
    """A counter over a window of time.

    Args:
        mean, peak: of its samples.
    """

    mean: float
    peak: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Gauge | None:
        """None where there are no samples."""
        return cls(sum(samples) / len(samples), max(samples)) if samples else None


@dataclass(frozen=True)
class GpuUsage:
    """One GPU, all processes on it together.

    Args:
        name: model name.
        uuid: as NVML gives it.
        memory_used_mb: memory in use.
        utilization_pct: share of the time in which a kernel ran, 0…100.
        power_watts: drawn.
        temperature_c: of the chip.
    """

    name: str
    uuid: str
    memory_used_mb: Gauge | None = None
    utilization_pct: Gauge | None = None
    power_watts: Gauge | None = None
    temperature_c: Gauge | None = None


@dataclass(frozen=True)
class SystemUsage:
    """Usage of this process and its children in a window of time.

    Args:
        seconds: how long the window was.
        cpu_utilization_pct: of all cores this process may use, 0…100; None for an empty window.
            From CPU time, so it holds for the whole window whatever the samples.
        cpu_memory_used_mb: resident set, children's added; pages that several of them share
            count in each.
        machine_cpu_pct: all processes, of all cores of the machine, 0…100.
        gpus: those the process may use, in CUDA's numbering.
    """

    seconds: float
    cpu_utilization_pct: float | None = None
    cpu_memory_used_mb: Gauge | None = None
    machine_cpu_pct: float | None = None
    gpus: tuple[GpuUsage, ...] = ()

    def as_metrics(self, prefix: str = "sys.") -> dict[str, float]:
        """Flat metrics, ready to log; what was not measured has no key.

        With several GPUs the plain keys hold the sum of memory and power, the mean utilisation
        and the highest temperature, and each GPU has its own keys `{prefix}gpu{N}.…` beside them.
        """
        memory = self.cpu_memory_used_mb
        values = {
            "cpu_utilization_pct": self.cpu_utilization_pct,
            "cpu_memory_used_mb": memory.mean if memory else None,
            "cpu_memory_peak_mb": memory.peak if memory else None,
            "machine_cpu_utilization_pct": self.machine_cpu_pct,
        }
        metrics = {prefix + key: value for key, value in values.items() if value is not None}
        metrics |= _gpu_metrics(self.gpus, prefix + "gpu_")
        if len(self.gpus) > 1:
            for number, gpu in enumerate(self.gpus):
                metrics |= _gpu_metrics([gpu], f"{prefix}gpu{number}.")
        return metrics


def _gpu_metrics(gpus: Sequence[GpuUsage], prefix: str) -> dict[str, float]:
    """One value for all GPUs by documented key; a counter that one of them lacks has none."""
    wanted: tuple[tuple[str, str, str, Callable[[Iterable[float]], float]], ...] = (
        ("memory_used_mb", "memory_used_mb", "mean", sum),
        ("memory_peak_mb", "memory_used_mb", "peak", sum),
        ("utilization_pct", "utilization_pct", "mean", fmean),
        ("power_watts", "power_watts", "mean", sum),
        ("temperature_c", "temperature_c", "mean", max),
    )
    metrics: dict[str, float] = {}
    for key, counter, statistic, joined in wanted:
        gauges: list[Gauge | None] = [getattr(gpu, counter) for gpu in gpus]
        known = [gauge for gauge in gauges if gauge is not None]
        if gpus and len(known) == len(gpus):  # a sum over some of the GPUs would pass for all
            metrics[prefix + key] = joined(getattr(gauge, statistic) for gauge in known)
    return metrics


def visible_gpus(uuids: Sequence[str], chosen: str | None) -> list[str]:
    """The GPUs that a process may use, in CUDA's numbering.

    Args:
        uuids: of the machine's GPUs, in NVML's order.
        chosen: CUDA_VISIBLE_DEVICES, a list of indices or of (shortened) UUIDs; None where unset.

    Returns:
        UUIDs. As CUDA does it, the list ends at the first entry that names no GPU, and a MIG
        device is taken as written. Indices count in NVML's order, which is CUDA's where all GPUs
        are of one model or CUDA_DEVICE_ORDER is PCI_BUS_ID.
    """
    if chosen is None:
        return list(uuids)
    found: list[str] = []
    for entry in (part.strip() for part in chosen.split(",")):
        if entry.startswith("MIG-"):
            found.append(entry)
            continue
        if entry.isdecimal():
            named = list(uuids[int(entry) : int(entry) + 1])
        else:
            named = [u for u in uuids if entry.startswith("GPU-") and u.startswith(entry)]
        if len(named) != 1 or named[0] in found:
            break
        found += named
    return found


def gpu_list(device: str) -> tuple[int, ...]:
    """The GPUs that a device names, where it names several: '0,1' → (0, 1); () for all others."""
    numbers = device.split(",")
    several = len(numbers) > 1 and all(re.fullmatch(r"\d+", each) for each in numbers)
    return tuple(map(int, numbers)) if several else ()


def first_of_several(device: str) -> str:
    """The device for what runs on one: the first of several GPUs; any other as it is."""
    return str(gpu_list(device)[0]) if gpu_list(device) else device
