"""TensorRT: engines for one NVIDIA GPU, driver and library version; float32, float16, int8.

An engine is machine code for the GPU it was built on. What it was built on is written into the
package's lineage and compared when the engine is opened: anything else may crash or answer
wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contracts.errors import BackendError, BackendUnavailableError
from ..contracts.results import DetectorPackage, DetectorSpec, ExportRequest, SessionInfo
from . import catalogue, exporting, interchange
from .base import BaseBackend, ExportJob
from .hardware import cuda_index, torch_device
from .quantisation import detection_tail as recipes
from .quantisation import layer_groups
from .quantisation.calibration import CalibrationImages, how_done, int8_facts
from .sessions import CheckedSession
from .weights.weight_files import engine_header

if TYPE_CHECKING:
    from ..contracts.ports import ImageArray, RawOutput

CALIBRATION_TABLE = "calibration.cache"
MAX_BATCH = 32
WORKSPACE_BYTES = 4 << 30
FINGERPRINT = ("tensorrt_version", "gpu_name", "gpu_capability", "gpu_driver")
# The last generation with precision flags and calibrators.
CALIBRATED = 10
# Takes every precision from the graph: float16 layers, and Q/DQ pairs for int8.
EXPLICIT = 11


class TensorrtBackend(BaseBackend):
    """TensorRT engines, built from the interchange graph on this machine's GPU."""

    name = "tensorrt"
    weights = "model.engine"
    libraries = ("torch", "ultralytics", "onnx", "onnxslim", "tensorrt")

    def _check_able(self, request: ExportRequest) -> None:
        generation = _generation(_library())
        percentile = request.precision == "int8" and request.calibration_method == "percentile"
        if percentile and generation == CALIBRATED:
            raise BackendUnavailableError(
                f"TensorRT {CALIBRATED} has no percentile calibrator; set "
                "quantization.calibration_method to 'entropy' or 'minmax'"
            )
        torch_device("cuda", self.name)

    def _write(self, job: ExportJob) -> dict[str, str]:
        """Build an engine for batches of 1 to 32.

        TensorRT 10: int8 calibrates with its entropy ('entropy') or min-max ('minmax') calibrator
        and keeps the calibration table in the package. TensorRT 11 has neither calibrators nor
        precision flags: it gets a graph that says all, see `explicit_graph`. The detection tail
        stays float32 in both. Another generation is refused.
        """
        tensorrt, graph, facts = _library(), job.scratch / "float.onnx", dict[str, str]()
        generation = _generation(tensorrt)
        interchange.to_onnx(job.source, graph)
        with exporting.foreign_errors(f"building the TensorRT {job.request.precision} engine"):
            if generation == EXPLICIT:
                graph, facts = explicit_graph(graph, job)
            facts |= _build(tensorrt, graph, job, generation)
        return facts | fingerprint(tensorrt)

    def _open(
        self, package: DetectorPackage, batch_size: int, device: str, mode: str
    ) -> TensorrtSession:
        """Load an engine.

        Raises:
            BackendUnavailableError: also when the engine was built for another GPU, driver or
                TensorRT; says what for, and what is here.
        """
        if mode == "throughput":
            raise BackendUnavailableError(
                "TensorRT has no throughput mode here; use larger batches on a GPU"
            )
        tensorrt = _library()
        where = torch_device("cuda" if device in ("auto", self.name) else device, self.name)
        if where == "cpu":
            raise BackendUnavailableError(
                "TensorRT runs on NVIDIA GPUs alone, but device 'cpu' was asked for; use the "
                "openvino or onnx variant on a CPU"
            )
        check_fingerprint(package.spec, fingerprint(tensorrt, cuda_index(where) or 0))
        return TensorrtSession(tensorrt, package, batch_size, where)


def _library() -> Any:
    info = catalogue.CATALOGUE["tensorrt"]
    tensorrt = exporting.require("tensorrt", "the TensorRT backend", info.install)
    exporting.require("torch", "the TensorRT backend's GPU memory", info.install)
    return tensorrt


def _generation(tensorrt: Any) -> int:
    """10 or 11; raises BackendUnavailableError for others."""
    major = int(tensorrt.__version__.partition(".")[0])
    if major not in (CALIBRATED, EXPLICIT):
        raise BackendUnavailableError(
            f"engines are built with TensorRT {CALIBRATED} or {EXPLICIT} but "
            f"{tensorrt.__version__} is installed; pip install 'tensorrt=={EXPLICIT}.*'"
        )
    return major


def explicit_graph(graph: Path, job: ExportJob) -> tuple[Path, dict[str, str]]:
    """The graph whose own types are the engine's: float32, float16, or int8 by Q/DQ pairs.

    Args:
        graph: the interchange graph, float32.

    Returns:
        The file to build from, and the lineage of a quantisation.
    """
    request, typed = job.request, job.scratch / f"{job.request.precision}.onnx"
    if request.precision == "fp32":
        return graph, {}
    if job.images is None:
        from .onnx.runtime import to_float16

        to_float16(graph, typed)
        return typed, {}
    from .onnx.explicit import quantise_explicit

    done = quantise_explicit(graph, typed, job.images, request.calibration_method, job.scratch)
    return typed, int8_facts(request, done, len(job.images))


def fingerprint(tensorrt: Any, gpu: int = 0) -> dict[str, str]:
    """Facts that an engine built here depends on.

    Args:
        gpu: which one, as CUDA counts them.

    Raises:
        MissingDependencyError: nvidia-ml-py, which tells the driver's version, is missing.
        BackendUnavailableError: the driver does not answer.
    """
    import torch

    install = catalogue.CATALOGUE["tensorrt"].install
    nvml = exporting.require("pynvml", "naming the GPU driver", install)
    try:
        nvml.nvmlInit()
        driver = nvml.nvmlSystemGetDriverVersion()
        nvml.nvmlShutdown()
    except nvml.NVMLError as exc:
        raise BackendUnavailableError(
            f"the NVIDIA driver does not answer ({exc}); install or reload it"
        ) from exc
    major, minor = torch.cuda.get_device_capability(gpu)
    return {
        "tensorrt_version": tensorrt.__version__,
        "gpu_name": torch.cuda.get_device_name(gpu),
        "gpu_capability": f"{major}.{minor}",
        "gpu_driver": driver.decode() if isinstance(driver, bytes) else str(driver),
    }


def check_fingerprint(spec: DetectorSpec, here: Mapping[str, str]) -> None:
    """Compare what an engine was built on, as its lineage says, with what is here.

    An engine that somebody else built carries no fingerprint; TensorRT's own check must do.

    Raises:
        BackendUnavailableError: they differ; names each difference and the command that rebuilds.
    """
    built = spec.lineage
    differences = [
        f"{key.replace('_', ' ')} {built[key]} there, {here[key]} here"
        for key in FINGERPRINT
        if key in built and built[key] != here[key]
    ]
    if differences:
        raise BackendUnavailableError(
            f"this engine was built for another machine: {'; '.join(differences)}. Build it for "
            f"this one: {rebuild_command(spec)}"
        )


def rebuild_command(spec: DetectorSpec) -> str:
    """The command that makes the same variant anew on the machine where it is run."""
    source = spec.lineage.get("source_run_id") or "TRAIN_RUN_ID"
    return f"guardianflow quant -s {source} --backend tensorrt --precision {spec.precision} --force"


def _build(tensorrt: Any, graph: Path, job: ExportJob, generation: int) -> dict[str, str]:
    """Build the engine. In generation 11 the graph says every precision, so no flag does."""
    import onnx

    request, images, side = job.request, job.images, job.source.spec.input_size
    logger = tensorrt.Logger(tensorrt.Logger.WARNING)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(_network_flags(tensorrt, generation))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(graph)):
        errors = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise BackendError(f"TensorRT can't read the interchange graph: {errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    config.clear_flag(tensorrt.BuilderFlag.TF32)  # fp32 here means float32
    profile = builder.create_optimization_profile()
    shapes = [(count, 3, side, side) for count in (1, 1, MAX_BATCH)]
    profile.set_shape(interchange.INPUT_NAME, *shapes)
    config.add_optimization_profile(profile)
    facts: dict[str, str] = {}
    if request.precision != "fp32" and generation == CALIBRATED:
        config.set_flag(tensorrt.BuilderFlag.FP16)
        config.set_flag(tensorrt.BuilderFlag.PREFER_PRECISION_CONSTRAINTS)
        structure = recipes.graph_of_onnx(onnx.load(str(graph)))
        names, missing = recipes.detection_tail(structure), tuple[str, ...]()
        if images is not None:
            names, missing = layer_groups.safely_float(structure)
        kept = _keep_float(tensorrt, network, names)
        if images is not None:
            config.set_flag(tensorrt.BuilderFlag.INT8)
            table = job.target.with_name(CALIBRATION_TABLE)
            config.int8_calibrator = _calibrator(
                tensorrt, request.calibration_method, images, table
            )
            config.set_calibration_profile(profile)
            done = how_done(f"tensorrt {request.calibration_method}", kept, missing)
            facts = int8_facts(request, done, len(images))
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise BackendError("TensorRT built no engine; its log names the layer at fault")
    job.target.write_bytes(bytes(engine))
    return facts


def _network_flags(tensorrt: Any, generation: int) -> int:
    """Strongly typed for 11, where that has to be said."""
    kinds = tensorrt.NetworkDefinitionCreationFlag
    if generation == EXPLICIT and hasattr(kinds, "STRONGLY_TYPED"):
        return 1 << int(kinds.STRONGLY_TYPED)
    return 0


def _keep_float(tensorrt: Any, network: Any, tail: Sequence[str]) -> int:
    wanted, kept = frozenset(tail), 0
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        floating = layer.num_outputs and layer.get_output(0).dtype == tensorrt.float32
        if layer.name in wanted and floating:
            layer.precision = tensorrt.float32
            kept += 1
    return kept


def _calibrator(tensorrt: Any, method: str, images: CalibrationImages, table: Path) -> Any:
    """A calibrator that feeds images one by one and keeps TensorRT's table beside the engine.

    The class is made here because its base is TensorRT's, which may not be installed.
    """
    import torch

    base: Any = {
        "entropy": tensorrt.IInt8EntropyCalibrator2,
        "minmax": tensorrt.IInt8MinMaxCalibrator,
    }[method]

    class Calibrator(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._inputs = iter(images)
            self._on_gpu: Any = None

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: Sequence[str]) -> list[int] | None:  # noqa: ARG002
            values = next(self._inputs, None)
            if values is None:
                return None
            self._on_gpu = torch.from_numpy(values).cuda()
            return [int(self._on_gpu.data_ptr())]

        def read_calibration_cache(self) -> bytes | None:
            return table.read_bytes() if table.is_file() else None

        def write_calibration_cache(self, cache: bytes) -> None:
            table.write_bytes(bytes(cache))

    return Calibrator()


class TensorrtSession(CheckedSession):
    """An engine on one GPU, with PyTorch's tensors as its memory."""

    def __init__(
        self, tensorrt: Any, package: DetectorPackage, batch_size: int, device: str
    ) -> None:
        import torch

        self._device = torch.device(device)
        _, start = engine_header(package.weights_path)
        with package.weights_path.open("rb") as stream:
            stream.seek(start)
            content = stream.read()
        with torch.cuda.device(self._device):
            self._runtime = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.WARNING))
            self._engine = self._runtime.deserialize_cuda_engine(content)
            if self._engine is None:
                raise BackendError(
                    f"TensorRT {tensorrt.__version__} can't load {package.weights_path}; build it "
                    f"for this machine: {rebuild_command(package.spec)}"
                )
            self._context = self._engine.create_execution_context()
            self._stream = torch.cuda.Stream(self._device)
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        inputs = [
            n for n in names if self._engine.get_tensor_mode(n) == tensorrt.TensorIOMode.INPUT
        ]
        (self._input,), (self._output,) = inputs, [n for n in names if n not in inputs]
        largest = self._engine.get_tensor_profile_shape(self._input, 0)[2][0]
        if batch_size > largest:
            raise BackendUnavailableError(
                f"this engine takes 1 to {largest} images but batch_size is {batch_size}"
            )
        spec = package.spec
        super().__init__(
            spec,
            SessionInfo(
                backend="tensorrt",
                precision=spec.precision,
                execution_precision="f32" if spec.precision == "fp32" else "f16",
                device=device,
                input_size=spec.input_size,
                batch_size=batch_size,
                threads=None,
                library=f"tensorrt {tensorrt.__version__}",
            ),
        )

    def _run(self, images: ImageArray) -> RawOutput:
        import torch

        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self._device)
            values = pixels.permute(0, 3, 1, 2).float().div_(255).contiguous()
            if not self._context.set_input_shape(self._input, tuple(values.shape)):
                raise BackendError(f"the engine does not take batches of {len(images)}")
            shape = tuple(self._context.get_tensor_shape(self._output))
            output = torch.empty(shape, dtype=torch.float32, device=self._device)
            self._context.set_tensor_address(self._input, values.data_ptr())
            self._context.set_tensor_address(self._output, output.data_ptr())
            if not self._context.execute_async_v3(self._stream.cuda_stream):
                raise BackendError("TensorRT could not run the engine; its log names the cause")
            result: RawOutput = output.cpu().numpy()
        return result

    def _release(self) -> None:
        self._context = self._engine = self._runtime = None
