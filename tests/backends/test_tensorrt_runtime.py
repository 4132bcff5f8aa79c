"""TensorRT can't run where these tests do; what it refuses, how it calibrates, can be tried."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from guardianflow.backends import tensorrt_runtime
from guardianflow.backends.quantisation.calibration import CalibrationImages
from guardianflow.backends.tensorrt_runtime import TensorrtBackend, check_fingerprint
from guardianflow.contracts.errors import (
    BackendError,
    BackendUnavailableError,
    ConfigurationError,
    MissingDependencyError,
)
from guardianflow.contracts.results import DetectorPackage, DetectorSpec, ExportRequest

MakePackage = Callable[..., DetectorPackage]
without_tensorrt = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed"
)
HERE = {
    "tensorrt_version": "10.9.0",
    "gpu_name": "Orin",
    "gpu_capability": "8.7",
    "gpu_driver": "570.1",
}


@without_tensorrt
def test_without_the_library_the_command_that_installs_it_is_named(
    package: MakePackage, calibration: list[object], tmp_path: Path
) -> None:
    for request in (ExportRequest("fp16"), ExportRequest("int8")):
        with pytest.raises(MissingDependencyError, match=r"pip install guardianflow\[tensorrt\]"):
            TensorrtBackend().export(package(), request, tmp_path / "made", calibration)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    engine = DetectorPackage(tmp_path, replace(package().spec, backend="tensorrt"))
    with pytest.raises(MissingDependencyError, match=r"pip install guardianflow\[tensorrt\]"):
        TensorrtBackend().open(engine)


def test_what_needs_no_library_is_refused_first(package: MakePackage, tmp_path: Path) -> None:
    backend = TensorrtBackend()
    with pytest.raises(BackendUnavailableError, match="qat"):
        backend.export(package(), ExportRequest("int8", "qat"), tmp_path / "made")
    with pytest.raises(ConfigurationError, match="'openvino'"):
        backend.export(package("yolo11n", "openvino"), ExportRequest("fp16"), tmp_path / "made")
    with pytest.raises(BackendError, match="'tensorrt' backend can't open"):
        backend.open(package())


def engine_spec(**lineage: str) -> DetectorSpec:
    return DetectorSpec(
        "tensorrt", "int8", "yolo11n", ("head",), 160, "grid", "model.engine", {}, lineage=lineage
    )


def test_an_engine_for_another_machine_is_refused_with_each_difference() -> None:
    check_fingerprint(engine_spec(**HERE, source_run_id="abc"), HERE)
    check_fingerprint(engine_spec(source_run_id="built by somebody else"), HERE)
    built = {**HERE, "gpu_name": "RTX 4090", "gpu_driver": "560.0"}
    with pytest.raises(BackendUnavailableError) as caught:
        check_fingerprint(engine_spec(**built, source_run_id="0f3c"), HERE)
    rebuild = "guardianflow quant -s 0f3c --backend tensorrt --precision int8 --force"
    assert str(caught.value).endswith(f"Build it for this one: {rebuild}")
    assert "gpu name RTX 4090 there, Orin here" in str(caught.value)
    assert "gpu driver 560.0 there, 570.1 here" in str(caught.value)
    assert "tensorrt version" not in str(caught.value)


@pytest.mark.parametrize("version", ["12.0.1", "8.6.1"])
def test_another_generation_is_refused(version: str) -> None:
    with pytest.raises(BackendUnavailableError, match=rf"{version}.*pip install 'tensorrt==11"):
        tensorrt_runtime._generation(SimpleNamespace(__version__=version))
    assert tensorrt_runtime._generation(SimpleNamespace(__version__="10.13.2")) == 10
    assert tensorrt_runtime._generation(SimpleNamespace(__version__="11.0.1")) == 11


@pytest.mark.parametrize("key", HERE)
def test_each_part_of_the_fingerprint_counts(key: str) -> None:
    built = {**HERE, key: "other"}
    with pytest.raises(BackendUnavailableError, match=f"other there, {HERE[key]} here"):
        check_fingerprint(engine_spec(**built), HERE)


def test_the_fingerprint_is_that_of_the_gpu_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU is here: the driver's and PyTorch's answers stand in."""
    import pynvml
    import torch

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlSystemGetDriverVersion", lambda: b"570.1")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda gpu: (8, 6 + gpu))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda gpu: ["RTX", "Orin"][gpu])
    library = SimpleNamespace(__version__="10.9.0")
    assert tensorrt_runtime.fingerprint(library, 1) == HERE
    assert tensorrt_runtime.fingerprint(library)["gpu_name"] == "RTX"


class StandInCalibrator:
    """In the place of TensorRT's base class, which can't be installed here."""

    def __init__(self) -> None:
        self.initialised = True


def standing_in(method: str) -> object:
    names = {"entropy": "IInt8EntropyCalibrator2", "minmax": "IInt8MinMaxCalibrator"}
    return SimpleNamespace(
        **{name: StandInCalibrator if each == method else None for each, name in names.items()}
    )


@pytest.mark.parametrize("method", ["entropy", "minmax"])
def test_the_calibrator_feeds_each_image_once_and_keeps_the_table(
    method: str, calibration: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)
    images = CalibrationImages(calibration, calibration[0].shape[0])
    table = tmp_path / "calibration.cache"
    calibrator = tensorrt_runtime._calibrator(standing_in(method), method, images, table)
    assert calibrator.initialised
    assert calibrator.get_batch_size() == 1
    fed = []
    while (pointers := calibrator.get_batch(["images"])) is not None:
        (address,) = pointers
        size = 3 * images.image(0).shape[0] ** 2
        values = (ctypes.c_float * size).from_address(address)
        fed.append(np.array(values).reshape(3, *images.image(0).shape[:2]))
    assert len(fed) == len(calibration)
    for given, wanted in zip(fed, images, strict=True):
        np.testing.assert_array_equal(given, wanted[0])
    assert calibrator.read_calibration_cache() is None
    calibrator.write_calibration_cache(memoryview(b"scales"))
    assert table.read_bytes() == calibrator.read_calibration_cache() == b"scales"


def test_no_calibration_images_are_no_random_scales(package: MakePackage) -> None:
    with pytest.raises(ConfigurationError, match="needs calibration images of the train split"):
        CalibrationImages([], 160)


# --- TensorRT 11: the graph says every precision ------------------------------------------------


class StandInNetwork:
    num_layers = 0


class StandInParser:
    def __init__(self, network: object, logger: object) -> None:
        self.read: list[str] = []

    def parse_from_file(self, file: str) -> bool:
        StandInBuilder.graphs.append(file)
        return True


class StandInConfig:
    """What is set on it; anything that generation 11 does not have raises AttributeError."""

    def set_memory_pool_limit(self, pool: object, size: int) -> None: ...
    def clear_flag(self, flag: str) -> None:
        assert flag == "tf32"

    def add_optimization_profile(self, profile: object) -> None: ...


class StandInBuilder:
    graphs: ClassVar[list[str]] = []
    flags: ClassVar[list[int]] = []

    def __init__(self, logger: object) -> None: ...
    def create_network(self, flags: int) -> StandInNetwork:
        self.flags.append(flags)
        return StandInNetwork()

    def create_builder_config(self) -> StandInConfig:
        return StandInConfig()

    def create_optimization_profile(self) -> object:
        return SimpleNamespace(set_shape=lambda *shape: None)

    def build_serialized_network(self, network: object, config: object) -> bytes:
        return b"engine"


def generation_11() -> object:
    """The part of TensorRT 11 that a build needs: neither calibrators nor precision flags."""

    class Logger:
        WARNING = 1

        def __init__(self, level: int) -> None: ...

    return SimpleNamespace(
        __version__="11.0.1",
        Logger=Logger,
        Builder=StandInBuilder,
        OnnxParser=StandInParser,
        MemoryPoolType=SimpleNamespace(WORKSPACE=0),
        BuilderFlag=SimpleNamespace(TF32="tf32"),
        NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=1),
    )


@pytest.mark.parametrize(
    ("precision", "kind"), [("fp32", "float.onnx"), ("fp16", "fp16.onnx"), ("int8", "int8.onnx")]
)
def test_generation_11_is_given_a_graph_of_that_precision_and_no_flag(
    package: MakePackage,
    calibration: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    kind: str,
) -> None:
    monkeypatch.setattr(tensorrt_runtime, "_library", generation_11)
    monkeypatch.setattr(tensorrt_runtime, "torch_device", lambda *_: "cuda:0")
    monkeypatch.setattr(tensorrt_runtime, "fingerprint", lambda _: dict(HERE))
    monkeypatch.setattr(TensorrtBackend, "libraries", ("torch",))  # whose versions are told
    monkeypatch.setattr(StandInBuilder, "graphs", [])
    monkeypatch.setattr(StandInBuilder, "flags", [])
    request = ExportRequest(precision, calibration_method="percentile")
    made = TensorrtBackend().export(package(), request, tmp_path / "made", calibration)
    assert [Path(file).name for file in StandInBuilder.graphs] == [kind]
    assert StandInBuilder.flags == [2]
    assert made.weights_path.read_bytes() == b"engine"
    used = made.spec.lineage.get("calibration_method_used", "")
    assert used.endswith("explicit Q/DQ") == (precision == "int8")
