from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from guardianflow.backends import hardware


def test_the_processor_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor : 0\nmodel name\t: Xeon Gold\nflags\t: sse avx2\n", "utf-8")
    monkeypatch.setattr(hardware, "CPU_INFO", info)
    assert hardware.cpu_model() == "Xeon Gold"
    assert hardware.cpu_identity() == "Xeon Gold | avx2 sse"
    monkeypatch.setattr(hardware, "CPU_INFO", tmp_path / "none")
    assert hardware.cpu_model()


def nvml(*names: str) -> SimpleNamespace:
    return SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: len(names),
        nvmlDeviceGetHandleByIndex=lambda index: names[index],
        nvmlDeviceGetUUID=lambda handle: f"GPU-{handle}",
        nvmlDeviceGetName=lambda handle: f"NVIDIA {handle}",
    )


def test_gpus_are_named_as_far_as_the_process_may_use_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "pynvml", nvml("A100", "H200"))
    assert hardware.gpu_names() == ("NVIDIA A100", "NVIDIA H200")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert hardware.gpu_names() == ("NVIDIA H200",)


def test_without_a_driver_or_the_package_no_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver() -> None:
        raise OSError("libnvidia-ml.so.1")

    broken = nvml("A100")
    broken.nvmlInit = no_driver
    monkeypatch.setitem(sys.modules, "pynvml", broken)
    assert hardware.gpu_names() == ()
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert hardware.gpu_names() == ()


@pytest.mark.parametrize(
    ("device", "fault"),
    [
        ("auto", ""),
        ("cpu", ""),
        ("tensorrt", ""),
        ("0,1", ""),
        ("1,2", "is '1,2', but this machine has GPUs 0 to 1; use auto"),
        ("cuda", ""),
        ("cuda:1", ""),
        ("1", ""),
        ("cuda:7", "is 'cuda:7', but this machine has GPUs 0 to 1; use auto"),
        ("2", "is '2', but this machine has GPUs 0 to 1; use auto"),
    ],
)
def test_a_gpu_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, device: str, fault: str
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "pynvml", nvml("A100", "H200"))
    # CUDA is asked only where NVML does not know the GPU: once asked, it sees no others
    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: 2)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda) if fault else None)
    assert hardware.missing_gpu(device) == fault


def test_a_gpu_that_nvml_does_not_tell_of_is_there_where_torch_sees_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: 1)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert hardware.missing_gpu("cuda") == ""
    assert hardware.missing_gpu("cuda:1") == (
        "is 'cuda:1', but this machine has one GPU, 0; use auto"
    )
    cuda.is_available = lambda: False
    assert hardware.missing_gpu("0").endswith(
        "this machine has no GPU that torch can use; use auto"
    )
