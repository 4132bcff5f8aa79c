"""TensorRT can't run where these tests do; what it refuses, and how, can be tried."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from guardianflow.backends import tensorrt_runtime
from guardianflow.backends.tensorrt_runtime import TensorrtBackend, check_fingerprint
from guardianflow.contracts.errors import (
    BackendError,
    BackendUnavailableError,
    ConfigurationError,
    MissingDependencyError,
)
from guardianflow.contracts.results import DetectorPackage, ExportRequest

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


def test_an_engine_for_another_machine_is_refused_with_each_difference() -> None:
    check_fingerprint({**HERE, "source_run_id": "abc"}, HERE)
    check_fingerprint({"source_run_id": "built by somebody else"}, HERE)
    built = {**HERE, "gpu_name": "RTX 4090", "gpu_driver": "560.0"}
    with pytest.raises(BackendUnavailableError) as caught:
        check_fingerprint(built, HERE)
    assert "gpu name RTX 4090 there, Orin here" in str(caught.value)
    assert "gpu driver 560.0 there, 570.1 here" in str(caught.value)
    assert "tensorrt version" not in str(caught.value)


@pytest.mark.parametrize("version", ["11.0.1", "8.6.1"])
def test_a_generation_without_these_calibrators_is_refused(version: str) -> None:
    with pytest.raises(BackendUnavailableError, match=rf"{version}.*pip install 'tensorrt==10"):
        tensorrt_runtime._check_version(SimpleNamespace(__version__=version))
    tensorrt_runtime._check_version(SimpleNamespace(__version__="10.13.2"))
