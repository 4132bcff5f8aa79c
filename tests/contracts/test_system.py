from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.contracts.system import Gauge, GpuUsage, SystemUsage, visible_gpus

GPUS = ["GPU-aaaa-1", "GPU-aabb-2", "GPU-cccc-3"]


def gpu(memory: float, utilization: float, power: float | None, temperature: float) -> GpuUsage:
    return GpuUsage(
        "H200",
        "GPU-1",
        memory_used_mb=Gauge(memory, 2 * memory),
        utilization_pct=Gauge(utilization, 100.0),
        power_watts=None if power is None else Gauge(power, power),
        temperature_c=Gauge(temperature, temperature + 5),
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_a_gauge_is_the_mean_and_the_peak_of_its_samples(samples: list[float]) -> None:
    gauge = Gauge.of(samples)
    assert gauge is not None
    assert gauge.peak == max(samples)
    assert min(samples) - 1e-6 <= gauge.mean <= gauge.peak + 1e-6


def test_without_samples_there_is_no_gauge() -> None:
    assert Gauge.of([]) is None


def test_what_was_not_measured_has_no_key() -> None:
    assert SystemUsage(1.0).as_metrics() == {}
    only_memory = GpuUsage("MIG", "MIG-1", memory_used_mb=Gauge(10.0, 20.0))
    assert SystemUsage(1.0, gpus=(only_memory,)).as_metrics() == {
        "sys.gpu_memory_used_mb": 10.0,
        "sys.gpu_memory_peak_mb": 20.0,
    }


def test_one_gpu_has_the_plain_keys() -> None:
    usage = SystemUsage(
        2.0,
        cpu_utilization_pct=40.0,
        cpu_memory_used_mb=Gauge(300.0, 400.0),
        machine_cpu_pct=55.0,
        gpus=(gpu(1000, 50, 200, 60),),
    )
    assert usage.as_metrics() == {
        "sys.cpu_utilization_pct": 40.0,
        "sys.cpu_memory_used_mb": 300.0,
        "sys.cpu_memory_peak_mb": 400.0,
        "sys.machine_cpu_utilization_pct": 55.0,
        "sys.gpu_memory_used_mb": 1000.0,
        "sys.gpu_memory_peak_mb": 2000.0,
        "sys.gpu_utilization_pct": 50.0,
        "sys.gpu_power_watts": 200.0,
        "sys.gpu_temperature_c": 60.0,
    }


def test_several_gpus_are_summed_averaged_and_shown_one_by_one() -> None:
    usage = SystemUsage(2.0, gpus=(gpu(1000, 50, 200, 60), gpu(3000, 100, 100, 70)))
    metrics = usage.as_metrics("sys.original.")
    assert metrics["sys.original.gpu_memory_used_mb"] == 4000
    assert metrics["sys.original.gpu_memory_peak_mb"] == 8000
    assert metrics["sys.original.gpu_utilization_pct"] == 75
    assert metrics["sys.original.gpu_power_watts"] == 300
    assert metrics["sys.original.gpu_temperature_c"] == 70
    assert metrics["sys.original.gpu0.memory_used_mb"] == 1000
    assert metrics["sys.original.gpu1.utilization_pct"] == 100


def test_a_sum_over_some_of_the_gpus_is_not_given() -> None:
    metrics = SystemUsage(1.0, gpus=(gpu(1, 2, 3, 4), gpu(1, 2, None, 4))).as_metrics()
    assert "sys.gpu_power_watts" not in metrics
    assert metrics["sys.gpu0.power_watts"] == 3
    assert "sys.gpu1.power_watts" not in metrics
    assert metrics["sys.gpu_memory_used_mb"] == 2


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("0", [0]),
        (" 2 , 0", [2, 0]),
        ("GPU-cccc", [2]),
        ("GPU-aabb-2,0", [1, 0]),
        ("GPU-aa", []),  # two have that beginning
        ("0,9,1", [0]),
        ("0,none", [0]),
        ("1,1", [1]),
    ],
)
def test_gpus_are_chosen_as_cuda_does(chosen: str | None, found: list[int]) -> None:
    assert visible_gpus(GPUS, chosen) == [GPUS[i] for i in found]


def test_a_mig_device_is_taken_as_written() -> None:
    assert visible_gpus(GPUS, "MIG-77/1/0,0") == ["MIG-77/1/0", GPUS[0]]
