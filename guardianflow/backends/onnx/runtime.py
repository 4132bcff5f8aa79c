"""ONNX Runtime: .onnx files on the CPU or a CUDA GPU; float32, float16, static and dynamic int8."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...contracts.errors import BackendError, BackendUnavailableError
from ...contracts.results import DetectorPackage, SessionInfo
from .. import exporting, interchange
from ..base import BaseBackend, ExportJob
from ..hardware import cuda_index, physical_cores
from ..quantisation import detection_tail as recipes
from ..quantisation.calibration import int8_facts
from ..sessions import CheckedSession, SideBySide, in_steps
from . import editing
from . import quantisation as onnx_quantisation
from .tail import streamline

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray, RawOutput

WEIGHTS = "model.onnx"
# Two calls on a GPU: one computes while the other copies. Two a stream: the next one waits ready.
GPU_STREAMS, REQUESTS_A_STREAM = 2, 2
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class OnnxBackend(BaseBackend):
    """ONNX files, opened with ONNX Runtime."""

    name = "onnx"
    weights = WEIGHTS
    libraries = ("torch", "ultralytics", "onnx", "onnxruntime", "onnxslim")

    def _write(self, job: ExportJob) -> dict[str, str]:
        """Make an .onnx file.

        int8 'static' calibrates with ONNX Runtime's method of the same name ('entropy',
        'minmax', 'percentile') and keeps the detection tail float. int8 'dynamic' takes no
        images; it makes smaller files, not faster ones.
        """
        precision, images = job.request.precision, job.images
        if precision == "fp32":
            interchange.to_onnx(job.source, job.target)
            writing = exporting.foreign_errors("writing the ONNX graph")
            with writing, editing.rewritten(job.target) as model:
                streamline(model)
            return {}
        float_model = job.scratch / "float.onnx"
        interchange.to_onnx(job.source, float_model)
        with exporting.foreign_errors(f"ONNX {precision} conversion"):
            if precision == "fp16":
                to_float16(float_model, job.target)
                return {}
            if images is None:
                done = onnx_quantisation.quantise_dynamic(float_model, job.target, job.scratch)
                return int8_facts(job.request, done, 0)
            method = job.request.calibration_method
            done = onnx_quantisation.quantise_static(
                float_model, job.target, images, method, job.scratch
            )
            return int8_facts(job.request, done, len(images))

    def _open(
        self, package: DetectorPackage, batch_size: int, device: str, mode: str
    ) -> OnnxSession:
        runtime = exporting.require("onnxruntime", "the ONNX Runtime backend", self.info.install)
        return OnnxSession(runtime, package, batch_size, _device(runtime, device), mode)


def to_float16(source: Path, target: Path) -> None:
    """Write `target`: the same network in float16, its ends and its detection tail in float32."""
    import onnx

    float16 = exporting.require(
        "onnxruntime.transformers.float16", "ONNX fp16", onnx_quantisation.INSTALL
    )
    model = onnx.load(str(source))
    with exporting.prints_to_log():
        converted = float16.convert_float_to_float16(
            model,
            keep_io_types=True,
            # Boxes reach hundreds of pixels, where float16 counts in halves.
            node_block_list=recipes.detection_tail(recipes.graph_of_onnx(model)),
        )
    _tidy(converted.graph)
    onnx.save(converted, str(target))


def _tidy(graph: Any) -> None:
    """Mend what the float16 converter leaves.

    It widens a tensor once for each float32 node that reads it, under one name, and appends its
    casts at the end, where ONNX wants every node behind those it reads.
    """
    waiting = {node.output[0]: node for node in reversed(graph.node)}
    made = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
    ordered: list[Any] = []
    while waiting:
        ready = [
            (output, node)
            for output, node in reversed(waiting.items())
            if all(name in made or not name for name in node.input)
        ]
        if not ready:
            raise BackendError("the float16 graph has nodes that wait for each other")
        for output, node in ready:
            ordered.append(type(node).FromString(node.SerializeToString()))
            made.update(node.output)
            del waiting[output]
    del graph.node[:]
    graph.node.extend(ordered)


def _device(runtime: Any, device: str) -> str:
    providers = runtime.get_available_providers()
    wanted = device.strip().lower()
    if wanted in ("auto", "onnx", "onnxruntime"):
        return "cuda:0" if CUDA in providers else "cpu"
    if wanted == "cpu":
        return "cpu"
    index = cuda_index(wanted)
    if index is None or CUDA not in providers:
        there = ", ".join(["cpu", *(["cuda"] if CUDA in providers else [])])
        cure = (
            "install onnxruntime-gpu in place of onnxruntime for CUDA"
            if index is not None
            else "set environment.device to one that is there"
        )
        raise BackendUnavailableError(
            f"ONNX Runtime here runs on: auto, {there}; but '{device}' was asked for; {cure}"
        )
    return f"cuda:{index}"


class OnnxSession(CheckedSession):
    """An inference session; a batch smaller than `batch_size` is run as it is.

    For throughput as many calls run side by side as there are cores, each on one thread.
    """

    def __init__(
        self, runtime: Any, package: DetectorPackage, batch_size: int, device: str, mode: str
    ) -> None:
        spec = package.spec
        options = runtime.SessionOptions()
        threads = physical_cores() if device == "cpu" else None
        streams = (threads or GPU_STREAMS) if mode == "throughput" else 1
        options.intra_op_num_threads = (threads or 1) if streams == 1 else 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        providers: list[Any] = [CPU]
        if device != "cpu":
            cuda_options = {"device_id": device.partition(":")[2], "use_tf32": "0"}
            providers = [(CUDA, cuda_options), CPU]
        self._session = runtime.InferenceSession(
            str(package.weights_path), options, providers=providers
        )
        used = self._session.get_providers()
        if device != "cpu" and CUDA not in used:
            raise BackendUnavailableError(
                f"ONNX Runtime could not start CUDA and would run on {', '.join(used)}; install "
                "the CUDA and cuDNN versions that this onnxruntime-gpu was built for"
            )
        network_input = self._session.get_inputs()[0]
        self._input = network_input.name
        first = network_input.shape[0]
        self._fixed_batch = first if isinstance(first, int) else None
        half = network_input.type == "tensor(float16)"
        self._shape = (self._fixed_batch or batch_size, 3, spec.input_size, spec.input_size)
        self._dtype = np.dtype(np.float16 if half else np.float32)
        self._of_thread = threading.local()  # calls side by side must not share a buffer
        requests = streams * REQUESTS_A_STREAM if mode == "throughput" else 1
        side_by_side = None
        if mode == "throughput":
            side_by_side = SideBySide(self._checked_run, streams, requests)
        super().__init__(
            spec,
            SessionInfo(
                backend="onnx",
                precision=spec.precision,
                # its CPU kernels of these networks are float32; fp16 files are widened on loading
                execution_precision="f16"
                if spec.precision == "fp16" and threads is None
                else "f32",
                device=device,
                input_size=spec.input_size,
                batch_size=batch_size,
                threads=threads,
                library=f"onnxruntime {runtime.__version__}",
                mode=mode,
                streams=streams,
                requests=requests,
            ),
            side_by_side,
        )

    def _run(self, images: ImageArray) -> RawOutput:
        if self._fixed_batch is None:
            return self._forward(images)
        return in_steps(self._forward, images, self._fixed_batch)

    def _forward(self, images: ImageArray) -> RawOutput:
        if not hasattr(self._of_thread, "buffer"):
            self._of_thread.buffer = np.empty(self._shape, self._dtype)
        values = self._of_thread.buffer[: len(images)]
        np.multiply(images.transpose(0, 3, 1, 2), values.dtype.type(1 / 255), out=values)
        output = self._session.run(None, {self._input: values})[0]
        result: RawOutput = output.astype(np.float32, copy=False)
        return result

    def _release(self) -> None:
        self._session = None
