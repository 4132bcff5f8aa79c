from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

from guardianflow.backends import catalogue
from guardianflow.contracts.errors import (
    BackendUnavailableError,
    ConfigurationError,
    MissingDependencyError,
)
from guardianflow.contracts.results import ExportRequest


@pytest.mark.parametrize(
    ("name", "found"),
    [("openvino", "openvino"), ("native", "pytorch"), ("OnnxRuntime", "onnx"), (" onnx ", "onnx")],
)
def test_backends_are_found_by_name_and_alias(name: str, found: str) -> None:
    assert catalogue.backend_info(name).name == found
    assert catalogue.get_backend(name).name == found


@pytest.mark.parametrize(
    ("name", "meant"), [("openvno", "openvino"), ("tensor_rt", "tensorrt"), ("torch", "pytorch")]
)
def test_an_unknown_backend_is_answered_with_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=f"did you mean '{meant}'") as caught:
        catalogue.get_backend(name)
    assert all(known in str(caught.value) for known in catalogue.CATALOGUE)


def test_a_backend_whose_library_is_missing_names_the_command() -> None:
    with pytest.raises(MissingDependencyError, match=r"pip install guardianflow\[tensorrt\]"):
        catalogue.get_backend("tensorrt")


def test_importing_the_catalogue_loads_no_inference_library() -> None:
    code = (
        "import sys, guardianflow.backends.catalogue as c; list(c.CATALOGUE); "
        "heavy = {'torch', 'ultralytics', 'onnx', 'onnxruntime', 'openvino', 'nncf', 'cv2'}; "
        "sys.exit(','.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_opening_openvino_does_not_load_other_libraries() -> None:
    code = (
        "import sys, guardianflow.backends.catalogue as c; c.get_backend('openvino'); "
        "import guardianflow.backends.onnx.runtime; "
        "heavy = {'torch', 'ultralytics', 'onnx', 'nncf', 'onnxslim'}; "
        "sys.exit(','.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("backend", ["pytorch", "onnx", "openvino"])
def test_requirements_are_pinned_to_what_is_installed(backend: str) -> None:
    pinned = dict(line.split("==") for line in catalogue.runtime_of(backend).requirements)
    assert pinned["numpy"] == importlib.metadata.version("numpy")
    assert all(version[0].isdigit() and "+" not in version for version in pinned.values())
    assert any(name.startswith("opencv-") for name in pinned)
    others = {"torch", "openvino", "onnxruntime"} - set(catalogue.CATALOGUE[backend].requirements)
    assert len(others) == 2
    assert "nncf" not in pinned


def test_what_is_not_installed_can_t_be_pinned() -> None:
    with pytest.raises(MissingDependencyError, match="tensorrt"):
        catalogue.runtime_of("tensorrt")


def test_a_request_of_unknown_words_tells_all_of_them_at_once() -> None:
    info = catalogue.CATALOGUE["openvino"]
    with pytest.raises(ConfigurationError) as caught:
        catalogue.check_request(info, ExportRequest("int4", "statik", "entropie"))
    assert len(caught.value.problems) == 3
    assert "did you mean 'static'" in str(caught.value)
    assert "did you mean 'entropy'" in str(caught.value)


@pytest.mark.parametrize(
    ("backend", "request_", "words"),
    [
        ("openvino", ExportRequest("int8", "dynamic"), "by method 'dynamic'; it makes fp32"),
        ("pytorch", ExportRequest("int8"), "PyTorch can't make int8"),
        ("onnx", ExportRequest("int8", "qat"), "'qat'.*not available for onnx, only for openvino"),
        ("openvino", ExportRequest("int8", "qat"), "'qat' trains, which an export can't"),
    ],
)
def test_what_a_backend_can_t_make_is_said_with_what_it_can(
    backend: str, request_: ExportRequest, words: str
) -> None:
    with pytest.raises(BackendUnavailableError, match=words):
        catalogue.check_request(catalogue.CATALOGUE[backend], request_)


def test_supports_agrees_with_what_is_refused() -> None:
    for info in catalogue.CATALOGUE.values():
        for precision in catalogue.PRECISIONS:
            for method in ("static", "dynamic"):
                request = ExportRequest(precision, method)
                if info.supports(precision, method):
                    catalogue.check_request(info, request)
                else:
                    with pytest.raises(BackendUnavailableError):
                        catalogue.check_request(info, request)


def test_a_device_of_one_backend_is_none_for_another() -> None:
    assert catalogue.device_for("openvino:GPU", "openvino") == "openvino:GPU"
    assert catalogue.device_for("openvino:GPU", "pytorch") == "auto"
    assert catalogue.device_for("cuda:1", "pytorch") == "cuda:1"
    assert catalogue.own_device("openvino:GPU.1") == ("openvino", "GPU.1")
    assert catalogue.own_device("cuda:1") == catalogue.own_device("openvino") == ("", "")
