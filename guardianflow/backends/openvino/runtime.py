"""OpenVINO: .xml models on Intel and other x86/Arm CPUs, Intel GPUs and NPUs; INT8 by NNCF."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...contracts.errors import BackendError, BackendUnavailableError
from ...contracts.results import DetectorPackage, DetectorSpec, ExportRequest, SessionInfo
from .. import catalogue, exporting, interchange
from ..base import BaseBackend, ExportJob
from ..hardware import physical_cores
from ..quantisation.calibration import int8_facts
from ..sessions import CheckedSession, SideBySide, in_steps
from ..weights.weight_files import RT_INFO_NAMES
from . import quantisation as openvino_quantisation
from . import splits as openvino_splits
from . import tail as openvino_tail

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray, RawOutput

WEIGHTS = "model.xml"
PREFIX = "OPENVINO:"
AUTO = "AUTO"


class OpenvinoBackend(BaseBackend):
    """OpenVINO models, made from the interchange graph and quantised by NNCF."""

    name = "openvino"
    weights = WEIGHTS
    libraries = ("torch", "ultralytics", "onnx", "onnxslim", "openvino")
    int8_libraries = ("nncf",)

    def _check_able(self, request: ExportRequest) -> None:  # noqa: ARG002 - it can make any
        library()

    def _write(self, job: ExportJob) -> dict[str, str]:
        """Make an .xml and its .bin.

        int8 is NNCF's post-training quantisation with preset MIXED (activations asymmetric,
        weights symmetric per channel), the detection tail kept float. NNCF's range estimators
        are not named as ONNX Runtime's and TensorRT's are; this is what runs:

        - 'minmax': smallest and largest value over all images.
        - 'percentile': mean over the images of the 0.01 % and 99.99 % quantiles.
        - 'entropy': NNCF has no KL-divergence search. Its histogram estimator is of the same
          kind, a search over a histogram for the range that loses least, by squared
          quantisation error instead. The lineage says 'nncf histogram', not 'entropy'. Where a
          layer's range is too narrow for a histogram, the whole model is calibrated by minmax
          and the lineage says that.
        """
        openvino, precision, facts = library(), job.request.precision, {}
        nncf = openvino_quantisation.require_nncf() if job.images is not None else None
        graph_file = job.scratch / "float.onnx"
        interchange.to_onnx(job.source, graph_file)
        with exporting.foreign_errors(f"OpenVINO {precision} conversion"):
            model = convert(openvino, graph_file)
            if job.images is not None:
                model, done = openvino_quantisation.quantise(
                    nncf, model, job.images, job.request.calibration_method, conservative=True
                )
                facts = int8_facts(job.request, done, len(job.images))
            save(openvino, model, job.source.spec, job.target, precision)
        return facts

    def _open(
        self, package: DetectorPackage, batch_size: int, device: str, mode: str
    ) -> OpenvinoSession:
        openvino = library()
        core = openvino.Core()
        where = _device(core, device)
        if where == AUTO:
            where = _chosen(openvino, core, package, mode)
        return OpenvinoSession(openvino, core, package, batch_size, where, mode)


def library() -> Any:
    """The openvino package; raises MissingDependencyError where it is not installed."""
    info = catalogue.CATALOGUE["openvino"]
    return exporting.require("openvino", "the OpenVINO backend", info.install)


def convert(openvino: Any, graph: Path) -> Any:
    """Read an interchange graph as an openvino.Model."""
    # CI=true is the converter's own switch to keep it from reporting its use over the network.
    with exporting.environment(CI="true"), exporting.prints_to_log():
        return openvino.convert_model(str(graph))


def save(openvino: Any, model: Any, spec: DetectorSpec, target: Path, precision: str) -> None:
    """Write a network as it is deployed: faster where that changes no number, with its classes."""
    if precision == "int8":
        openvino_splits.join_whole(openvino, model)
    openvino_tail.streamline(openvino, model)
    model.set_rt_info(str(dict(enumerate(spec.class_names))), RT_INFO_NAMES)
    openvino.save_model(model, str(target), compress_to_fp16=precision == "fp16")


def _device(core: Any, device: str) -> str:
    """The device of the library that a name means.

    'auto' is the CPU, whose numbers can be compared with any other machine's. 'openvino:AUTO' is
    the library's own choice, and the session says which device that was.
    """
    there = list(core.available_devices)
    wanted = device.strip().upper()
    if wanted == f"{PREFIX}{AUTO}":
        return AUTO
    wanted = wanted.removeprefix(PREFIX)
    if wanted in ("AUTO", "OPENVINO", "CPU"):
        wanted = "CPU"
    match = [name for name in there if name == wanted or name.partition(".")[0] == wanted]
    if not match:
        raise BackendUnavailableError(
            f"OpenVINO here runs on: auto, {', '.join(there).lower()}; but '{device}' was asked "
            "for; set environment.device to one that is there"
        )
    return wanted


def _chosen(openvino: Any, core: Any, package: DetectorPackage, mode: str) -> str:
    """The device that AUTO takes for this model; it is then opened there by its name.

    So precision and threads are those of that device, and known: AUTO does not tell them. Without
    `ENABLE_STARTUP_FALLBACK` it would answer for the CPU, where it begins before it moves on.
    """
    model, _ = network_to_compile(openvino, core, package, 1)
    settings = {"PERFORMANCE_HINT": mode.upper(), "ENABLE_STARTUP_FALLBACK": "NO"}
    compiled = core.compile_model(model, AUTO, settings)
    return str(compiled.get_property("EXECUTION_DEVICES")[0]).strip("()")


class OpenvinoSession(CheckedSession):
    """A model compiled for one device and one batch size.

    Normalisation and the change of layout are compiled into the graph. Float layers compute in
    float32 whatever the CPU has: the plugin's own choice would be bfloat16, which is another
    model's accuracy, and slower where the CPU must emulate it.
    """

    def __init__(
        self,
        openvino: Any,
        core: Any,
        package: DetectorPackage,
        batch_size: int,
        device: str,
        mode: str,
    ) -> None:
        spec = package.spec
        model, self._step = network_to_compile(openvino, core, package, batch_size)
        if mode == "throughput" and self._step < batch_size:
            raise BackendError(
                f"the model takes {self._step} images a call, so it can't be opened for throughput "
                f"with batches of {batch_size}; use batch_size={self._step} or export it anew"
            )
        settings = {"PERFORMANCE_HINT": mode.upper()}
        threads = None
        if device == "CPU":
            threads = physical_cores()
            settings |= {"INFERENCE_NUM_THREADS": str(threads), "INFERENCE_PRECISION_HINT": "f32"}
        elif spec.precision == "fp32":
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = core.compile_model(model, device, settings)
        self._compiled, self._request = compiled, compiled.create_infer_request()
        self._tensor = openvino.Tensor
        precision = compiled.get_property("INFERENCE_PRECISION_HINT")
        requests, side_by_side = 1, None
        self._of_thread = threading.local()
        if mode == "throughput":
            # Twice as many as it needs: a stream that is done finds the next call waiting.
            requests = 2 * int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
            side_by_side = SideBySide(self._in_thread, requests, requests)
        super().__init__(
            spec,
            SessionInfo(
                backend="openvino",
                precision=spec.precision,
                execution_precision=str(precision.get_type_name()),
                device=device.lower(),
                input_size=spec.input_size,
                batch_size=batch_size,
                threads=threads,
                library=f"openvino {openvino.__version__.partition('-')[0]}",
                mode=mode,
                streams=_streams_of(compiled),
                requests=requests,
            ),
            side_by_side,
        )

    def _run(self, images: ImageArray) -> RawOutput:
        return in_steps(partial(self._call, self._request), images, self._step)

    def _call(self, request: Any, images: ImageArray) -> RawOutput:
        """One call. Handing over tensors costs a per cent of a call less than a dict of inputs."""
        request.set_input_tensor(0, self._tensor(images, shared_memory=True))
        request.infer()
        # a copy: the request's own tensor is overwritten by the next call
        result: RawOutput = np.array(request.get_output_tensor(0).data, np.float32)
        return result

    def _in_thread(self, images: ImageArray) -> RawOutput:
        """One call on this thread's own request.

        OpenVINO's AsyncInferQueue would call back into Python from its own threads. Closing a model
        then ends in a deadlock or an abort now and then: such a thread may still wait for Python's
        lock, which whoever takes the model down holds while it joins that thread.
        """
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._compiled.create_infer_request()
        output = in_steps(partial(self._call, self._of_thread.request), images, self._step)
        return self.checked(output, len(images))

    def _release(self) -> None:
        self._request = self._compiled = None


def network_to_compile(
    openvino: Any, core: Any, package: DetectorPackage, batch_size: int
) -> tuple[Any, int]:
    """The graph that a session compiles, normalisation inside, and the batch it was set to."""
    model = core.read_model(str(package.weights_path))
    step = _set_batch(model, batch_size, package.spec.input_size)
    return _with_preprocessing(openvino, model), step


def _set_batch(model: Any, batch_size: int, side: int) -> int:
    """Reshape to a static batch; returns the batch it has, which is its own where it is fixed.

    A model exported for one batch carries it in constants: reshaping it fails, or folds the
    images into the anchors.
    """
    own = model.inputs[0].get_partial_shape()
    try:
        model.reshape([batch_size, 3, side, side])
        if model.outputs[0].get_partial_shape()[0].get_length() == batch_size:
            return batch_size
    except RuntimeError:
        if not own.is_static:
            raise
    if not own.is_static:
        raise BackendError(f"the model can't be set to batches of {batch_size}")
    model.reshape(own)
    fixed: int = own[0].get_length()
    return fixed


def _with_preprocessing(openvino: Any, model: Any) -> Any:
    from openvino.preprocess import PrePostProcessor

    own = model.inputs[0].get_element_type()
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    preprocess = steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    if own != openvino.Type.f32:  # a network of float16 through and through
        preprocess.convert_element_type(own)
    steps.output().tensor().set_element_type(openvino.Type.f32)
    return steps.build()


def _streams_of(compiled: Any) -> int:
    """Networks side by side; 1 where the device does not tell."""
    try:
        return int(compiled.get_property("NUM_STREAMS"))
    except RuntimeError:
        return 1
