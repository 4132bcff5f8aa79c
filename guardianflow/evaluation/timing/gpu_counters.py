"""NVIDIA's own counters of the GPUs that this process may use, read through NVML.

No driver, no GPU or no `pynvml` is no error: then there is nothing to read. A counter that a GPU
does not have (MIG slices have no utilisation, laptops often no power) is asked for once.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ...contracts.system import visible_gpus

LOGGER = logging.getLogger(__name__)

# NVML's words for "never on this device"; whatever else it raises may pass.
LASTING_REFUSALS = (
    "NVMLError_NotSupported",
    "NVMLError_FunctionNotFound",
    "NVMLError_NoPermission",
    "NVMLError_ArgumentVersionMismatch",
)
Reading = Mapping[str, float]


class GpuCounters:
    """The GPUs of CUDA_VISIBLE_DEVICES, all where it is unset, and their counters.

    Args:
        nvml: module with NVML's functions; None imports `pynvml` where it is installed.
    """

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml if nvml is not None else _installed_nvml()
        self._devices: list[_Device] = []
        if self._nvml is None:
            return
        try:
            self._nvml.nvmlInit()
        except Exception as exc:  # no driver, no GPU: the usual case on a CPU machine
            LOGGER.debug("no GPU counters: %s", exc)
            self._nvml = None
            return
        try:
            self._devices = _visible_devices(self._nvml)
        except Exception as exc:
            LOGGER.warning("GPU usage can't be read: %s", exc)

    @property
    def devices(self) -> list[tuple[str, str]]:
        """Name and UUID of each GPU, in CUDA's numbering."""
        return [(device.name, device.uuid) for device in self._devices]

    def read(self) -> list[Reading]:
        """Counters of each GPU at this moment, by the names in GpuUsage; never raises."""
        return [device.read(self._nvml) for device in self._devices]

    def busy_by_others(self, own: Collection[int], since_us: int) -> float | None:
        """Share of the time, 0…100, in which other processes kept a GPU that we work on busy.

        Of several GPUs the busiest. None where the driver doesn't tell: it knows us by another
        number, as in a container, or there is no GPU that we work on.

        Args:
            own: process ids that are ours.
            since_us: from when on, microseconds since 1970.
        """
        shares = [each.busy_by_others(self._nvml, own, since_us) for each in self._devices]
        return max((share for share in shares if share is not None), default=None)

    def close(self) -> None:
        """Let go of NVML; reading again gives nothing."""
        if self._nvml is not None:
            try:
                self._nvml.nvmlShutdown()
            except Exception as exc:
                LOGGER.debug("NVML did not shut down: %s", exc)
        self._nvml, self._devices = None, []


class _Device:
    """One GPU or MIG device, and which of its counters are still worth asking for."""

    def __init__(self, handle: Any, name: str, uuid: str) -> None:
        self._handle = handle
        self.name = name
        self.uuid = uuid
        self._readers = {counter: list(readers) for counter, readers in _READERS.items()}

    def read(self, nvml: Any) -> dict[str, float]:
        values: dict[str, float] = {}
        for counter, readers in self._readers.items():
            while readers:
                try:
                    values[counter] = readers[0](nvml, self._handle)
                except Exception as exc:  # nothing that a driver says may end a measurement
                    if type(exc).__name__ in LASTING_REFUSALS or isinstance(exc, AttributeError):
                        LOGGER.debug("%s tells no %s: %s", self.name, counter, exc)
                        del readers[0]
                        continue
                break
        return values

    def busy_by_others(self, nvml: Any, own: Collection[int], since_us: int) -> float | None:
        try:
            at_work = {p.pid for p in nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)}
            if at_work.isdisjoint(own):
                return None
            samples = nvml.nvmlDeviceGetProcessUtilization(self._handle, since_us)
        except Exception as exc:
            if type(exc).__name__ == "NVMLError_NotFound":  # nobody has worked since
                return 0.0
            LOGGER.debug("%s tells no processes: %s", self.name, exc)
            return None
        of_others: dict[int, list[int]] = {}
        for sample in samples:
            if sample.pid not in own and sample.timeStamp >= since_us:
                of_others.setdefault(sample.pid, []).append(sample.smUtil)
        return min(100.0, sum(sum(shares) / len(shares) for shares in of_others.values()))


# For each counter the functions that tell it of a handle, in the order in which to try: NVML's
# first way to tell of memory counts what the driver keeps for itself as used, some 600 MB, and its
# older function for temperature leaves with CUDA 14.
_READERS: Mapping[str, tuple[Callable[[Any, Any], float], ...]] = {
    "memory_used_mb": (
        lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu, nvml.nvmlMemory_v2).used / 1e6,
        lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used / 1e6,
    ),
    "utilization_pct": (lambda nvml, gpu: float(nvml.nvmlDeviceGetUtilizationRates(gpu).gpu),),
    "power_watts": (lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1e3,),
    "temperature_c": (
        lambda nvml, gpu: float(nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)),
        lambda nvml, gpu: float(nvml.nvmlDeviceGetTemperatureV(gpu, nvml.NVML_TEMPERATURE_GPU)),
    ),
}


def _installed_nvml() -> Any:
    try:
        return importlib.import_module("pynvml")
    except Exception as exc:  # not installed, or a library of that name that is not NVIDIA's
        LOGGER.debug("no GPU counters: %s", exc)
        return None


def _visible_devices(nvml: Any) -> list[_Device]:
    handles: dict[str, Any] = {}
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            handles[_text(nvml.nvmlDeviceGetUUID(handle))] = handle
        except Exception as exc:  # a GPU that fell off its bus must not hide the others
            LOGGER.warning("GPU %d can't be read: %s", index, exc)
            handles[f"lost-{index}"] = None  # keeps the place of those behind it
    devices = []
    for uuid in visible_gpus(list(handles), os.environ.get("CUDA_VISIBLE_DEVICES")):
        try:
            handle = handles[uuid] if uuid in handles else _by_uuid(nvml, uuid)
            if handle is not None:
                devices.append(_Device(handle, _text(nvml.nvmlDeviceGetName(handle)), uuid))
        except Exception as exc:
            LOGGER.warning("GPU %s can't be read: %s", uuid, exc)
    return devices


def _by_uuid(nvml: Any, uuid: str) -> Any:
    """A MIG device; older bindings take the UUID as bytes alone."""
    try:
        return nvml.nvmlDeviceGetHandleByUUID(uuid)
    except TypeError:
        return nvml.nvmlDeviceGetHandleByUUID(uuid.encode())


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
