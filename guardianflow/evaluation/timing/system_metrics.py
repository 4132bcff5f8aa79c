"""Samples what a measurement or a training takes of its machine, beside it.

    SystemSampler            a thread that reads CPU, memory and GPU counters now and then
    SystemMetricsCollector   the same, and the durations of calls: for code of one's own

The thread takes at most 1/200 of a core: where a sample costs more than that, it samples less
often. It ends with the sampler, and never keeps the process alive.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...contracts.errors import EvaluationError
from ...contracts.system import Gauge, GpuUsage, SystemUsage
from ...support.child_processes import join
from .gpu_counters import GpuCounters, Reading
from .order_statistics import timing_of
from .process_load import MachineTime, ProcessTree, machine_time, process_tree, usable_cores

LOGGER = logging.getLogger(__name__)

SHARE_OF_A_CORE = 1 / 200
NANOSECONDS_PER_MS = 1e6


class SystemSampler:
    """Samples this process with its children, the machine and its GPUs.

    Use it as a context manager, or start() and stop() it. Counters that can't be read are absent
    in the result; nothing is raised for them.

    Args:
        interval_s: between two samples, at least.
        nvml: module with NVML's functions; None takes the installed `pynvml`, where there is one.

    Raises:
        EvaluationError: the interval is not positive.
    """

    def __init__(self, interval_s: float = 0.5, *, nvml: Any = None) -> None:
        if not interval_s > 0:
            raise EvaluationError(f"interval_s must be above 0 but is {interval_s}")
        self._interval_s = interval_s
        self._nvml = nvml
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._gpus: GpuCounters | None = None
        self._devices: list[tuple[str, str]] = []
        self._last: _Sample | None = None
        self._whole = _Window()
        self._lap = _Window()

    def __enter__(self) -> SystemSampler:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin anew: take the first sample and start the thread; nothing where it runs already."""
        with self._lock:
            if self._thread is not None:
                return
            self._gpus = GpuCounters(self._nvml)
            self._devices = self._gpus.devices
            # The thread holds its own event and no sampler: one that nobody holds ends it.
            self._stopped = stopped = threading.Event()
            weakref.finalize(self, stopped.set)
            self._thread = threading.Thread(
                target=_keep_sampling,
                args=(weakref.ref(self), stopped, self._interval_s),
                name="system-sampler",
                daemon=True,
            )
            self.reset()
            self._thread.start()

    def stop(self) -> SystemUsage:
        """End the thread; usage since the start (or the last reset), which usage() still gives."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._take()
                self._stopped.set()
        if thread is not None and thread is not threading.current_thread():
            join(thread)
        with self._lock:
            if thread is not None and self._gpus is not None:
                self._gpus.close()
            return self.usage()

    def reset(self) -> None:
        """Forget what was sampled and begin both windows here."""
        with self._lock:
            self._whole, self._lap = _Window(), _Window()
            if self._thread is not None:
                self._last = None
                self._take()

    def lap(self) -> SystemUsage:
        """Usage since the last lap, or the start; the next lap begins here."""
        with self._lock:
            if self._thread is not None:
                self._take()
            usage = self._lap.usage(self._devices)
            self._lap = _Window()
            if self._thread is not None and self._last is not None:
                self._lap.add(None, self._last)
            return usage

    def usage(self) -> SystemUsage:
        """Usage since the start or the last reset."""
        with self._lock:
            if self._thread is not None:
                self._take()
            return self._whole.usage(self._devices)

    def _take(self) -> float:
        """Take a sample; CPU seconds that it cost this thread."""
        began = time.thread_time()
        with self._lock:
            try:
                sample = _Sample.now(self._gpus)
            except Exception as exc:  # a sample that can't be had must not end what is measured
                LOGGER.debug("no sample of the system: %s", exc)
            else:
                for window in (self._whole, self._lap):
                    window.add(self._last, sample)
                self._last = sample
        return time.thread_time() - began

    def _take_if_running(self) -> float | None:
        with self._lock:
            return None if self._stopped.is_set() else self._take()


def _keep_sampling(
    sampler_of: weakref.ref[SystemSampler], stopped: threading.Event, interval_s: float
) -> None:
    pause_s = interval_s
    while not stopped.wait(pause_s):
        sampler = sampler_of()
        cost_s = sampler._take_if_running() if sampler is not None else None
        if cost_s is None:
            return
        pause_s = max(interval_s, cost_s / SHARE_OF_A_CORE)
        del sampler  # or it would live through the pause


@dataclass(frozen=True)
class _Sample:
    at_s: float
    tree: ProcessTree
    machine: MachineTime
    gpus: list[Reading]

    @classmethod
    def now(cls, gpus: GpuCounters | None) -> _Sample:
        readings = gpus.read() if gpus is not None else []
        return cls(time.perf_counter(), process_tree(), machine_time(), readings)


@dataclass
class _Window:
    """Samples summed up: differences of what counts up, the values of what goes up and down."""

    seconds: float = 0.0
    own_cpu_s: float = 0.0
    busy_s: float = 0.0
    total_s: float = 0.0
    resident_mb: list[float] = field(default_factory=list)
    gpus: dict[int, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, before: _Sample | None, sample: _Sample) -> None:
        if before is not None:
            self.seconds += sample.at_s - before.at_s
            # A child that nobody waited for takes its time with it: that is no negative work.
            self.own_cpu_s += max(0.0, sample.tree.cpu_s - before.tree.cpu_s)
            self.busy_s += max(0.0, sample.machine.busy - before.machine.busy)
            self.total_s += max(0.0, sample.machine.total - before.machine.total)
        self.resident_mb.append(sample.tree.resident_mb)
        for index, reading in enumerate(sample.gpus):
            values = self.gpus.setdefault(index, {})
            for counter, value in reading.items():
                values.setdefault(counter, []).append(value)

    def usage(self, devices: list[tuple[str, str]]) -> SystemUsage:
        own_pct = machine_pct = None
        if self.seconds > 0:
            # The kernel's clock ticks may round a busy window to a little more than it was.
            own_pct = min(100.0, 100 * self.own_cpu_s / (self.seconds * usable_cores()))
        if self.total_s > 0:
            machine_pct = 100 * self.busy_s / self.total_s
        return SystemUsage(
            seconds=self.seconds,
            cpu_utilization_pct=own_pct,
            cpu_memory_used_mb=Gauge.of(self.resident_mb),
            machine_cpu_pct=machine_pct,
            gpus=tuple(
                # Counters by the names in GpuUsage; one without samples is absent.
                GpuUsage(name, uuid, **{c: Gauge.of(v) for c, v in self.gpus.get(i, {}).items()})
                for i, (name, uuid) in enumerate(devices)
            ),
        )


class SystemMetricsCollector:
    """Times calls of one's own code and samples the machine meanwhile.

        collector = SystemMetricsCollector()
        for image in images:
            with collector.measure_latency():
                model(image)
        collector.to_system_metrics()    # {'sys.inference_time_ms': …, 'sys.fps': …, …}

    What runs on a GPU must be waited for inside the block (torch.cuda.synchronize()), else only
    its submission is timed.

    Args:
        interval_s, nvml: as for SystemSampler.
    """

    def __init__(self, *, interval_s: float = 0.5, nvml: Any = None) -> None:
        self._sampler = SystemSampler(interval_s, nvml=nvml)
        self._calls_ms: list[float] = []
        self._images = 0

    def __enter__(self) -> SystemMetricsCollector:
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def measure_latency(self, images: int = 1) -> Iterator[None]:
        """Time the block; one that raises is not counted. Sampling starts with the first.

        Args:
            images: that the call works on.

        Raises:
            EvaluationError: fewer than one image.
        """
        if images < 1:
            raise EvaluationError(f"a call must work on at least 1 image but got {images}")
        self._sampler.start()
        began = time.perf_counter_ns()
        yield
        self._calls_ms.append((time.perf_counter_ns() - began) / NANOSECONDS_PER_MS)
        self._images += images

    def reset(self) -> None:
        """Forget the calls and the samples, e.g. those of a warm-up."""
        self._calls_ms, self._images = [], 0
        self._sampler.reset()

    def to_system_metrics(self, prefix: str = "sys.") -> dict[str, float]:
        """`{prefix}inference_time_ms`, percentiles that the calls can carry, fps, and the usage.

        fps is images ÷ summed time of the calls. Without calls only the usage is there; nothing
        at all before the first.
        """
        usage = self._sampler.usage()  # first: what is computed here is no part of it
        metrics: dict[str, float] = {}
        if self._calls_ms:
            metrics |= timing_of(self._calls_ms).as_metrics(f"{prefix}inference_time")
            metrics[f"{prefix}fps"] = self._images * 1e3 / sum(self._calls_ms)
        return metrics | usage.as_metrics(prefix)

    def close(self) -> None:
        """Stop sampling; the metrics stay readable."""
        self._sampler.stop()
