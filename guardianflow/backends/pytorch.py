"""PyTorch: runs Ultralytics checkpoints, true float32, or float16 on a GPU."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..contracts.backends import SOURCE
from ..contracts.errors import BackendUnavailableError
from ..contracts.results import DetectorPackage, ExportRequest, SessionInfo
from .base import BaseBackend, ExportJob
from .hardware import physical_cores, torch_device
from .sessions import CheckedSession, SideBySide
from .weights import checkpoints, ultralytics_models

if TYPE_CHECKING:
    from ..contracts.ports import ImageArray, RawOutput

REQUESTS_A_STREAM = 2  # one computes, the next waits ready


class PytorchBackend(BaseBackend):
    """Ultralytics checkpoints, opened with PyTorch."""

    name = SOURCE
    weights = "model.pt"
    libraries = ("torch", "ultralytics")

    def _check_able(self, request: ExportRequest) -> None:
        if request.precision == "fp16":
            ultralytics_models.import_ultralytics()
            _device("auto", "fp16")

    def _write(self, job: ExportJob) -> dict[str, str]:
        """Copy the checkpoint; fp16 converts when it is opened."""
        shutil.copyfile(job.source.weights_path, job.target)
        return {}

    def _open(
        self, package: DetectorPackage, batch_size: int, device: str, mode: str
    ) -> PytorchSession:
        """Load, fuse and place the model."""
        ultralytics_models.import_ultralytics()
        where = _device(device, package.spec.precision)
        if where != "cpu":  # a GPU's memory is given back when a session is closed
            return PytorchSession(package, _load(package), batch_size, where, mode)
        return PytorchSession(package, _kept(package), batch_size, where, mode)


class _Kept(NamedTuple):
    """The model that was opened last, and the file that it is of."""

    file: object
    model: Any


_kept_last: _Kept | None = None


def _kept(package: DetectorPackage) -> Any:
    """A package's fused model: that of the session before, where it was the same file's.

    A model is judged, then timed for each batch size and for throughput, in sessions of their own;
    reading and fusing it anew took longer than timing it. Sessions only read it.
    """
    global _kept_last
    seen = package.weights_path.stat()
    file = (package.spec, package.weights_path, seen.st_mtime_ns, seen.st_size, seen.st_ino)
    kept = _kept_last
    if kept is None or kept.file != file:
        kept = _kept_last = _Kept(file, _load(package))
    return kept.model


def _load(package: DetectorPackage) -> Any:
    accepted = checkpoints.accepted_by(package.spec)
    model = ultralytics_models.load_detector(package.weights_path, accepted)
    return ultralytics_models.prepare(model, package.spec.output, package.spec.input_size)


def _device(device: str, precision: str) -> str:
    where = torch_device(device, SOURCE)
    if precision == "fp16" and where == "cpu":
        raise BackendUnavailableError(
            "PyTorch runs fp16 only on a CUDA GPU, and the device here is the CPU; use fp32, or "
            "OpenVINO int8 for speed on a CPU"
        )
    return where


class PytorchSession(CheckedSession):
    """A fused model on one device. On the CPU the thread count holds for the whole process.

    For throughput as many calls run side by side as there are cores, each on one thread.
    """

    def __init__(
        self, package: DetectorPackage, model: Any, batch_size: int, device: str, mode: str
    ) -> None:
        import torch

        threads = physical_cores() if device == "cpu" else None
        if mode == "throughput" and not threads:
            raise BackendUnavailableError(
                "PyTorch has a throughput mode on the CPU alone; use larger batches on a GPU"
            )
        if threads:
            torch.set_num_threads(threads)
        streams = threads if mode == "throughput" and threads else 1
        requests = streams * REQUESTS_A_STREAM if mode == "throughput" else 1
        side_by_side = None
        if mode == "throughput":
            # OpenMP keeps the number for each thread that calls it
            one_thread = partial(torch.set_num_threads, 1)
            side_by_side = SideBySide(self._checked_run, streams, requests, one_thread)
        half = package.spec.precision == "fp16"
        if not half:  # training code of the same process may have lowered it
            torch.set_float32_matmul_precision("highest")
        self._dtype = torch.float16 if half else torch.float32
        self._device = torch.device(device)
        # images arrive with the channels last; kernels that take them so are a third faster
        self._model = model.to(self._device, self._dtype, memory_format=torch.channels_last)
        info = SessionInfo(
            backend=SOURCE,
            precision=package.spec.precision,
            execution_precision="f16" if half else "f32",
            device=device,
            input_size=package.spec.input_size,
            batch_size=batch_size,
            threads=threads,
            library=f"torch {torch.__version__}",
            mode=mode,
            streams=streams,
            requests=requests,
        )
        super().__init__(package.spec, info, side_by_side)

    def _run(self, images: ImageArray) -> RawOutput:
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(images)).to(self._device)
        # cuDNN convolves float32 in TF32 unless told not to: fp32 here means float32.
        exact = torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=False, allow_tf32=False
        )
        with torch.inference_mode(), exact:
            scaled = tensor.permute(0, 3, 1, 2).to(self._dtype).div_(255)
            output = self._model(scaled).float().cpu()
        values: RawOutput = output.numpy()
        return values

    def _release(self) -> None:
        self._model = None
