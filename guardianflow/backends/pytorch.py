"""PyTorch: runs Ultralytics checkpoints, true float32, or float16 on a GPU."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contracts.errors import BackendUnavailableError
from ..contracts.results import DetectorPackage, ExportRequest, SessionInfo
from . import catalogue, exporting
from .hardware import physical_cores, torch_device
from .sessions import CheckedSession, SideBySide, check_batch_size, check_kind, check_mode
from .weights import checkpoints, ultralytics_models

if TYPE_CHECKING:
    from ..contracts.ports import ImageArray, RawOutput

WEIGHTS = "model.pt"
REQUESTS_A_STREAM = 2  # one computes, the next waits ready


class PytorchBackend:
    """Ultralytics checkpoints, opened with PyTorch."""

    name = "pytorch"

    def export(
        self,
        source: DetectorPackage,
        request: ExportRequest,
        destination: Path,
        calibration: Sequence[ImageArray] | None = None,  # noqa: ARG002 - nothing to calibrate
    ) -> DetectorPackage:
        """Copy the checkpoint under another precision; fp16 converts when it is opened.

        Raises:
            BackendUnavailableError: int8, or fp16 without a CUDA GPU.
            ConfigurationError: a source of another kind, `destination` exists.
        """
        catalogue.check_request(catalogue.CATALOGUE[self.name], request)
        exporting.check_source(source)
        if request.precision == "fp16":
            ultralytics_models.import_ultralytics()
            _device("auto", "fp16")
        with exporting.complete_or_absent(destination) as work:
            shutil.copyfile(source.weights_path, work / WEIGHTS)
            return exporting.finished_package(
                work,
                destination,
                source.spec,
                precision=request.precision,
                weights=WEIGHTS,
                lineage=exporting.lineage(source, ("torch", "ultralytics")),
            )

    def open(
        self,
        package: DetectorPackage,
        *,
        batch_size: int = 1,
        device: str = "auto",
        mode: str = "latency",
    ) -> PytorchSession:
        """Load, fuse and place the model; see `contracts.ports.Backend.open`."""
        check_kind(package, self.name)
        check_batch_size(batch_size)
        check_mode(mode)
        ultralytics_models.import_ultralytics()
        where = _device(device, package.spec.precision)
        with exporting.foreign_errors(f"opening {package.weights_path} with PyTorch"):
            accepted = checkpoints.accepted_by(package.spec)
            model = ultralytics_models.load_detector(package.weights_path, accepted)
            model = ultralytics_models.prepare(model, package.spec.output, package.spec.input_size)
            return PytorchSession(package, model, batch_size, where, mode)


def _device(device: str, precision: str) -> str:
    where = torch_device(device, "pytorch")
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
        self._side_by_side = (
            SideBySide(
                lambda images: self.checked(self._run(images), len(images)),
                streams,
                requests,
                # OpenMP keeps the number for each thread that calls it
                prepare_thread=lambda: torch.set_num_threads(1),
            )
            if mode == "throughput"
            else None
        )
        half = package.spec.precision == "fp16"
        if not half:  # training code of the same process may have lowered it
            torch.set_float32_matmul_precision("highest")
        self._dtype = torch.float16 if half else torch.float32
        self._device = torch.device(device)
        # images arrive with the channels last; kernels that take them so are a third faster
        self._model = model.to(self._device, self._dtype, memory_format=torch.channels_last)
        info = SessionInfo(
            backend="pytorch",
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
        super().__init__(package.spec, info)

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

    def _submit(self, images: ImageArray) -> Future[RawOutput]:
        assert self._side_by_side is not None  # the mode was checked
        return self._side_by_side.submit(images)

    def _release(self) -> None:
        if self._side_by_side is not None:
            self._side_by_side.close()
        self._model = None
