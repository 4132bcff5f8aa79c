"""What a process takes of its machine: sampled, summed up, and absent where it can't be had."""

# ruff: noqa: N802 - the fake has NVML's own names

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from guardianflow.contracts.errors import EvaluationError
from guardianflow.evaluation.timing import gpu_counters, process_load, system_metrics
from guardianflow.evaluation.timing.process_load import MachineTime, ProcessTree
from guardianflow.evaluation.timing.system_metrics import SystemMetricsCollector, SystemSampler

SPEC_GPU_KEYS = {
    "sys.gpu_memory_used_mb",
    "sys.gpu_memory_peak_mb",
    "sys.gpu_utilization_pct",
    "sys.gpu_power_watts",
    "sys.gpu_temperature_c",
}


class NVMLError(Exception):
    pass


class NVMLError_NotSupported(NVMLError):  # noqa: N801, N818 - NVML's own name
    pass


class NVMLError_GpuIsLost(NVMLError):  # noqa: N801, N818
    pass


class FakeNvml:
    """NVML with the GPUs of a test; counts what is asked, raises where it is told to.

    Args:
        uuids: of the GPUs; one that begins with MIG- is reached by its UUID alone.
        broken: counter → what asking for it raises.
    """

    NVML_TEMPERATURE_GPU = 0
    NVMLError = NVMLError

    def __init__(self, *uuids: str, broken: dict[str, Exception] | None = None) -> None:
        self.uuids = uuids or ("GPU-1",)
        self.broken = broken or {}
        self.asked: Counter[str] = Counter()
        self.used_mb = 1000
        self.open = 0

    def _tell(self, counter: str, value: Any) -> Any:
        self.asked[counter] += 1
        if counter in self.broken:
            raise self.broken[counter]
        return value

    def nvmlInit(self) -> None:
        self._tell("init", None)
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return sum(not uuid.startswith("MIG-") for uuid in self.uuids)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return str(self._tell(f"handle {index}", self.uuids[index]))

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if uuid not in self.uuids:
            raise NVMLError("not found")
        return uuid

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return handle

    def nvmlDeviceGetName(self, handle: str) -> bytes:
        return b"NVIDIA H200"

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:
        return SimpleNamespace(used=self._tell("memory", self.used_mb * 1_000_000))

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:
        if handle.startswith("MIG-"):
            raise NVMLError_NotSupported("MIG")
        return SimpleNamespace(gpu=self._tell("utilization", 80))

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:
        return int(self._tell("power", 250_500))

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:
        return int(self._tell("temperature", 61))


@pytest.fixture(autouse=True)
def no_choice_of_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def sampled(nvml: FakeNvml) -> dict[str, float]:
    with SystemSampler(0.001, nvml=nvml) as sampler:
        sampler.lap()
        return sampler.lap().as_metrics()


def test_a_gpu_tells_all_that_the_specification_names() -> None:
    nvml = FakeNvml()
    with SystemSampler(60, nvml=nvml) as sampler:
        nvml.used_mb = 3000
        metrics = sampler.lap().as_metrics()
    assert metrics.keys() >= SPEC_GPU_KEYS
    assert metrics["sys.gpu_memory_used_mb"] == 2000
    assert metrics["sys.gpu_memory_peak_mb"] == 3000
    assert metrics["sys.gpu_utilization_pct"] == 80
    assert metrics["sys.gpu_power_watts"] == 250.5
    assert metrics["sys.gpu_temperature_c"] == 61
    assert nvml.open == 0


def test_what_was_seen_can_be_read_after_the_end() -> None:
    sampler = SystemSampler(60, nvml=FakeNvml())
    sampler.start()
    ended = sampler.stop()
    assert sampler.usage() == ended == sampler.stop()
    assert ended.as_metrics()["sys.gpu_memory_used_mb"] == 1000


def test_a_counter_that_is_not_supported_is_asked_for_once() -> None:
    broken: dict[str, Exception] = {"power": NVMLError_NotSupported("no")}
    nvml = FakeNvml(broken=broken)
    with SystemSampler(60, nvml=nvml) as sampler:
        for _ in range(5):
            sampler.lap()
        metrics = sampler.usage().as_metrics()
    assert nvml.asked["power"] == 1
    assert nvml.asked["utilization"] > 5
    assert metrics.keys() >= SPEC_GPU_KEYS - {"sys.gpu_power_watts"}
    assert "sys.gpu_power_watts" not in metrics


def test_a_counter_that_fails_for_a_while_is_asked_again() -> None:
    nvml = FakeNvml(broken={"temperature": NVMLError_GpuIsLost("gone")})
    with SystemSampler(60, nvml=nvml) as sampler:
        assert "sys.gpu_temperature_c" not in sampler.lap().as_metrics()
        nvml.broken = {}
        assert sampler.lap().as_metrics()["sys.gpu_temperature_c"] == 61


@pytest.mark.parametrize("counter", ["memory", "utilization", "power", "temperature"])
@pytest.mark.parametrize("error", [NVMLError("?"), NVMLError_NotSupported("no"), ValueError("?")])
def test_each_counter_may_fail_without_the_others(counter: str, error: Exception) -> None:
    metrics = sampled(FakeNvml(broken={counter: error}))
    missing = SPEC_GPU_KEYS - metrics.keys()
    assert missing
    assert all(counter in key for key in missing)


def test_the_newer_temperature_function_takes_the_older_ones_place() -> None:
    class Newer(FakeNvml):
        def nvmlDeviceGetTemperatureV(self, handle: str, sensor: int) -> int:
            return 58

    nvml = Newer(broken={"temperature": NVMLError_NotSupported("removed")})
    with SystemSampler(60, nvml=nvml) as sampler:
        sampler.lap()
        assert sampler.lap().as_metrics()["sys.gpu_temperature_c"] == 58
    assert nvml.asked["temperature"] == 1


@pytest.mark.parametrize("old_driver", [False, True])
def test_memory_that_the_driver_keeps_for_itself_is_not_in_use(old_driver: bool) -> None:
    """An idle H200: 645 MB by NVML's first way to tell, 0 by its second and by nvidia-smi."""

    class NVMLError_FunctionNotFound(NVMLError):  # noqa: N801, N818 - NVML's own name
        pass

    class Newer(FakeNvml):
        nvmlMemory_v2 = 2  # noqa: N815

        def nvmlDeviceGetMemoryInfo(
            self, handle: str, version: int | None = None
        ) -> SimpleNamespace:
            if version and old_driver:
                raise NVMLError_FunctionNotFound
            return SimpleNamespace(used=0 if version else 644_939_776)

    used = sampled(Newer())["sys.gpu_memory_used_mb"]
    assert used == (pytest.approx(644.9, abs=0.1) if old_driver else 0)


def test_a_mig_device_tells_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-5")
    metrics = sampled(FakeNvml("GPU-1", "MIG-5"))
    assert metrics["sys.gpu_memory_used_mb"] == 1000
    assert "sys.gpu_utilization_pct" not in metrics


def test_only_the_gpus_of_the_process_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml("GPU-1", "GPU-2", "GPU-3")
    assert sampled(nvml)["sys.gpu_memory_used_mb"] == 3000
    assert "sys.gpu2.memory_used_mb" in sampled(nvml)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-2")
    assert sampled(nvml)["sys.gpu_memory_used_mb"] == 1000
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not any("gpu" in key for key in sampled(nvml))


def test_a_lost_gpu_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nvml = FakeNvml("GPU-1", "GPU-2", broken={"handle 0": NVMLError_GpuIsLost("gone")})
    assert sampled(nvml)["sys.gpu_memory_used_mb"] == 1000
    assert "GPU 0 can't be read: gone" in caplog.text
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert sampled(nvml)["sys.gpu_memory_used_mb"] == 1000, "the other one keeps its number"


def test_without_a_driver_or_the_package_there_are_no_gpu_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not any("gpu" in key for key in sampled(FakeNvml(broken={"init": NVMLError("none")})))
    monkeypatch.setitem(sys.modules, "pynvml", None)  # importing it then fails
    with SystemSampler(60) as sampler:
        metrics = sampler.lap().as_metrics()
    assert not any("gpu" in key for key in metrics)
    assert metrics["sys.cpu_memory_used_mb"] > 1
    assert gpu_counters.GpuCounters().read() == []


class Clocks:
    """Process and machine clocks that a test moves by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at_s = self.own_s = self.busy_s = self.idle_s = 0.0
        self.resident_mb = 100.0
        fake_time = SimpleNamespace(
            perf_counter=lambda: self.at_s,
            perf_counter_ns=lambda: int(self.at_s * 1e9),
            thread_time=lambda: 0.0,
        )
        monkeypatch.setattr(system_metrics, "time", fake_time)
        monkeypatch.setattr(
            system_metrics, "process_tree", lambda: ProcessTree(self.own_s, self.resident_mb)
        )
        monkeypatch.setattr(
            system_metrics,
            "machine_time",
            lambda: MachineTime(self.busy_s, self.busy_s + self.idle_s, 0.0),
        )
        monkeypatch.setattr(system_metrics, "usable_cores", lambda: 4.0)

    def work(self, seconds: float, own: float, busy: float, idle: float) -> None:
        self.at_s += seconds
        self.own_s += own
        self.busy_s += busy
        self.idle_s += idle


def test_utilisation_is_of_all_cores_that_the_process_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clocks = Clocks(monkeypatch)
    with SystemSampler(60, nvml=FakeNvml()) as sampler:
        clocks.work(10, own=20, busy=30, idle=50)
        clocks.resident_mb = 300
        first = sampler.lap()
        clocks.work(10, own=0, busy=0, idle=80)
        second = sampler.lap()
        whole = sampler.usage()
    assert first.seconds == second.seconds == 10
    assert first.cpu_utilization_pct == pytest.approx(50)
    assert first.machine_cpu_pct == pytest.approx(37.5)
    assert first.cpu_memory_used_mb is not None
    assert (first.cpu_memory_used_mb.mean, first.cpu_memory_used_mb.peak) == (200, 300)
    assert second.cpu_utilization_pct == 0, "it was measured"
    assert second.cpu_memory_used_mb is not None
    assert second.cpu_memory_used_mb.mean == 300, "a lap knows nothing of the one before"
    assert whole.cpu_utilization_pct == pytest.approx(25)
    assert whole.seconds == 20


def test_a_child_that_nobody_waited_for_is_no_negative_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clocks = Clocks(monkeypatch)
    with SystemSampler(60, nvml=FakeNvml()) as sampler:
        clocks.work(1, own=-5, busy=4, idle=0)
        sampler.lap()
        clocks.work(1, own=4, busy=4, idle=0)
        assert sampler.usage().cpu_utilization_pct == pytest.approx(50)


def test_reset_forgets_what_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    with SystemSampler(60, nvml=FakeNvml()) as sampler:
        clocks.work(10, own=40, busy=40, idle=0)
        sampler.reset()
        clocks.work(10, own=4, busy=4, idle=36)
        assert sampler.usage().cpu_utilization_pct == pytest.approx(10)


def test_an_empty_window_has_no_utilisation(monkeypatch: pytest.MonkeyPatch) -> None:
    Clocks(monkeypatch)
    with SystemSampler(60, nvml=FakeNvml()) as sampler:
        usage = sampler.lap()
    assert usage.cpu_utilization_pct is None
    assert usage.machine_cpu_pct is None
    assert SystemSampler().usage().as_metrics() == {}


BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def test_the_thread_samples_by_itself_and_children_count() -> None:
    nvml = FakeNvml()
    before = process_load.process_tree().cpu_s
    with SystemSampler(0.01, nvml=nvml) as sampler:
        subprocess.run([sys.executable, "-c", BURN], check=True)
        usage = sampler.usage()
    assert process_load.process_tree().cpu_s - before > 0.3, "an ended child's time is not lost"
    assert usage.cpu_utilization_pct is not None
    assert usage.cpu_utilization_pct * usage.seconds * process_load.usable_cores() / 100 > 0.29
    assert nvml.asked["memory"] >= 3, "at both ends, and by the thread"


def test_the_thread_is_held_to_its_share_of_a_core() -> None:
    sampler = SystemSampler(0.5, nvml=FakeNvml())
    costs = iter([0.001, 0.010])
    sampler._take_if_running = lambda: next(costs)  # type: ignore[method-assign]
    pauses: list[float] = []

    class Stopped(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return len(pauses) == 3

    system_metrics._keep_sampling(weakref.ref(sampler), Stopped(), 0.5)
    assert pauses == [0.5, 0.5, 2.0], "10 ms of CPU time are followed by 2 s of rest"


def test_a_sampler_that_is_forgotten_ends_its_thread() -> None:
    sampler = SystemSampler(0.01, nvml=FakeNvml())
    sampler.start()
    sampler.start()  # a second start is none
    thread = sampler._thread
    assert thread is not None
    del sampler
    gc.collect()
    thread.join(60)
    assert not thread.is_alive()


def test_a_sampler_that_fails_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> ProcessTree:
        raise OSError("no /proc")

    monkeypatch.setattr(system_metrics, "process_tree", broken)
    with SystemSampler(0.001, nvml=FakeNvml()) as sampler:
        time.sleep(0.05)
        assert sampler._thread is not None
        assert sampler._thread.is_alive()
        assert sampler.lap().as_metrics() == {}
    assert sampler.usage().as_metrics() == {}


def test_a_running_sampler_keeps_no_process_alive() -> None:
    code = (
        "from guardianflow.evaluation.timing.system_metrics import SystemSampler\n"
        "SystemSampler(3600).start()\nkept = SystemSampler(0.01)\nkept.start()\nprint('done')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "done\n"
    assert done.stderr == ""


def test_an_interval_that_is_none_is_refused() -> None:
    with pytest.raises(EvaluationError, match="interval_s"):
        SystemSampler(0)


def test_a_collector_times_calls_and_samples_meanwhile() -> None:
    collector = SystemMetricsCollector(interval_s=60, nvml=FakeNvml())
    assert collector.to_system_metrics() == {}
    for _ in range(8):
        with collector.measure_latency(images=2):
            time.sleep(0.002)
    metrics = collector.to_system_metrics()
    collector.close()
    assert metrics["sys.inference_time_ms"] >= 2
    assert metrics["sys.inference_time_p50_ms"] >= 2
    assert "sys.inference_time_p99_ms" not in metrics, "8 calls can't carry it"
    assert metrics["sys.fps"] == pytest.approx(2e3 / metrics["sys.inference_time_ms"])
    assert metrics["sys.gpu_power_watts"] == 250.5
    assert metrics["sys.cpu_utilization_pct"] >= 0
    assert "sys.inference_time_ms" in collector.to_system_metrics(), "readable after the end"


def test_a_collector_forgets_its_warm_up_and_counts_no_failed_call() -> None:
    with SystemMetricsCollector(interval_s=60, nvml=FakeNvml()) as collector:
        with collector.measure_latency():
            time.sleep(0.05)
        collector.reset()
        assert "sys.fps" not in collector.to_system_metrics()
        with pytest.raises(ValueError, match="broken"), collector.measure_latency():
            raise ValueError("broken")
        assert "sys.fps" not in collector.to_system_metrics()
        with collector.measure_latency():
            pass
        assert collector.to_system_metrics()["sys.inference_time_ms"] < 50
        with (
            pytest.raises(EvaluationError, match="at least 1 image"),
            collector.measure_latency(images=0),
        ):
            pass


def test_importing_it_is_cheap() -> None:
    code = (
        "import sys, guardianflow.evaluation.timing.system_metrics\n"
        "heavy = {'torch', 'pynvml', 'numpy', 'scipy', 'cv2', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
