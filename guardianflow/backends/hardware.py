"""This machine as inference libraries see it: cores, instruction sets, device names."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from ..contracts.errors import BackendUnavailableError
from ..contracts.system import gpu_list, visible_gpus

CPU_TOPOLOGY = Path("/sys/devices/system/cpu")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
CPU_INFO = Path("/proc/cpuinfo")


def physical_cores() -> int:
    """Physical cores this process may use: two hyper-threads of a core count once.

    The scheduler's affinity and a container's CPU quota both bound it. Inference kernels keep a
    core's vector units busy alone, so a second thread on the same core only adds waiting.
    """
    allowed = _allowed_cpus()
    cores = {_core_of(cpu) for cpu in allowed}
    quota = _quota_cpus()
    return max(1, min(len(cores), quota) if quota else len(cores))


def _allowed_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _core_of(cpu: int) -> tuple[str, str]:
    topology = CPU_TOPOLOGY / f"cpu{cpu}" / "topology"
    try:
        package = (topology / "physical_package_id").read_text().strip()
        return package, (topology / "core_id").read_text().strip()
    except OSError:  # not Linux, or no /sys: each CPU stands for a core
        return "", str(cpu)


def _quota_cpus() -> int | None:
    try:
        quota, period = CPU_QUOTA.read_text().split()[:2]
    except (OSError, ValueError):
        return None
    return max(1, int(quota) // int(period)) if quota.isdigit() else None


def cpu_flags() -> frozenset[str]:
    """Instruction set flags the kernel reports, e.g. 'avx512_vnni'; empty where unknown."""
    found = re.search(r"^flags\s*:\s*(.+)$", _cpu_info(), re.MULTILINE)
    return frozenset(found.group(1).split()) if found else frozenset()


def cpu_model() -> str:
    """The processor's name for people, e.g. 'Intel(R) Xeon(R) Gold 6330 CPU @ 2.00GHz'."""
    found = re.search(r"^model name\s*:\s*(.+)$", _cpu_info(), re.MULTILINE)
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def gpu_names() -> tuple[str, ...]:
    """Model name of each NVIDIA GPU that this process may use; () where no driver tells of one.

    CUDA_VISIBLE_DEVICES chooses among them, as it does for CUDA.
    """
    try:
        import pynvml as nvml

        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        by_uuid = {str(nvml.nvmlDeviceGetUUID(handle)): handle for handle in handles}
        chosen = visible_gpus(list(by_uuid), os.environ.get("CUDA_VISIBLE_DEVICES"))
        found = [by_uuid.get(uuid) or nvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in chosen]
        names = tuple(str(nvml.nvmlDeviceGetName(handle)) for handle in found)
        nvml.nvmlShutdown()
    except Exception:  # not installed, or no driver: the usual case on a CPU machine
        return ()
    return names


def cpu_identity() -> str:
    """CPU model and flags in one line: a verdict about native code holds for these alone."""
    return f"{cpu_model()} | {' '.join(sorted(cpu_flags()))}"


def _cpu_info() -> str:
    try:
        return CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def cuda_index(device: str) -> int | None:
    """GPU index that a device name means: 'cuda' → 0, 'cuda:1' → 1, '0' → 0; None for others."""
    found = re.fullmatch(r"(?:cuda(?::(\d+))?|(\d+))", device.strip().lower())
    if not found:
        return None
    return int(found.group(1) or found.group(2) or 0)


def missing_gpu(device: str) -> str:
    """What is wrong with asking for these GPUs here; '' where they are there, or none is asked for.

    NVIDIA's own counters are asked first: CUDA, once asked, no longer sees what a user's code sets
    in CUDA_VISIBLE_DEVICES.
    """
    index = max(gpu_list(device), default=cuda_index(device))
    if index is None or index < len(gpu_names()):
        return ""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return no_such_gpu(device, count) if index >= count else ""


def no_such_gpu(device: str, count: int) -> str:
    """The end of a message about environment.device on a machine with so many GPUs."""
    there = f"has GPUs 0 to {count - 1}" if count > 1 else "has one GPU, 0"
    if not count:
        there = "has no GPU that torch can use"
    return f"is '{device}', but this machine {there}; use auto"


def torch_device(device: str, own_name: str) -> str:
    """Resolve a device name for a library that runs on the CPU or on CUDA GPUs through PyTorch.

    Args:
        device: 'auto', 'cpu', 'cuda', 'cuda:N', 'N', or `own_name` for the backend's own choice.

    Returns:
        'cpu' or 'cuda:N'.

    Raises:
        BackendUnavailableError: not there; names what is.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    wanted = device.strip().lower()
    if wanted in ("auto", own_name):
        return "cuda:0" if count else "cpu"
    if wanted == "cpu":
        return "cpu"
    index = cuda_index(wanted)
    if index is None or index >= count:
        there = ["cpu", *(f"cuda:{i}" for i in range(count))]
        raise BackendUnavailableError(
            f"device must be 'auto' or one of {', '.join(there)} but got '{device}'; "
            "set environment.device to one that is there"
        )
    return f"cuda:{index}"
