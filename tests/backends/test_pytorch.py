from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardianflow.backends import catalogue
from guardianflow.backends.hardware import physical_cores, torch_device
from guardianflow.backends.weights import ultralytics_models
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.results import DetectorPackage, ExportRequest

MakePackage = Callable[..., DetectorPackage]


def without_gpu() -> None:
    ultralytics_models.import_ultralytics()
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")


def test_fp32_is_a_copy_with_a_lineage(package: MakePackage, tmp_path: Path) -> None:
    made = catalogue.get_backend("native").export(package(), ExportRequest("fp32"), tmp_path / "a")
    assert dict(made.spec.files) == dict(package().spec.files)
    assert made.spec.lineage["source_digest"] == package().digest


def test_fp16_needs_a_gpu_and_says_what_to_do_without(package: MakePackage, tmp_path: Path) -> None:
    without_gpu()
    with pytest.raises(BackendUnavailableError, match=r"only on a CUDA GPU.*OpenVINO int8"):
        catalogue.get_backend("pytorch").export(package(), ExportRequest("fp16"), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_lowered_matrix_precision_of_a_trainer_does_not_leak_in(
    package: MakePackage, images: np.ndarray
) -> None:
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    torch.set_num_threads(1)
    try:
        with catalogue.open_session(package(), device="cpu") as session:
            assert torch.get_float32_matmul_precision() == "highest"
            assert session.info.threads == torch.get_num_threads() == physical_cores()
    finally:
        torch.set_float32_matmul_precision(before)


def test_an_input_size_other_than_the_trained_one_moves_the_anchors(
    package: MakePackage, tmp_path: Path
) -> None:
    small = package_from_weights(package().weights_path, tmp_path / "small", input_size=96)
    with catalogue.open_session(small) as session:
        output = session.infer(np.zeros((1, 96, 96, 3), np.uint8))
    assert output.shape == (1, 8, 12 * 12 + 6 * 6 + 3 * 3)


def test_devices_of_a_machine_without_gpu() -> None:
    without_gpu()
    assert torch_device("auto", "pytorch") == torch_device("CPU", "pytorch") == "cpu"
    for name in ("cuda", "0", "openvino"):
        with pytest.raises(BackendUnavailableError, match=f"'auto' or one of cpu but got '{name}'"):
            torch_device(name, "pytorch")


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("fp32", 1e-4), ("fp16", 2e-2)]
)  # relative, of the raw output
def test_a_gpu_gives_what_the_cpu_gives(
    package: MakePackage, images: np.ndarray, tmp_path: Path, precision: str, tolerance: float
) -> None:
    ultralytics_models.import_ultralytics()
    import torch

    if not torch.cuda.is_available():
        pytest.skip("this machine has no GPU")
    with catalogue.open_session(package(), batch_size=3, device="cpu") as session:
        expected = session.infer(images)
    made = catalogue.get_backend("pytorch").export(package(), ExportRequest(precision), tmp_path)
    with catalogue.open_session(made, batch_size=3, device="cuda") as session:
        output, info = session.infer(images), session.info
    assert (info.device, info.threads) == ("cuda:0", None)
    assert info.execution_precision == ("f16" if precision == "fp16" else "f32")
    difference = np.linalg.norm(output - expected) / np.linalg.norm(expected)
    assert difference < tolerance


def test_sessions_of_one_file_after_another_read_it_once(
    package: MakePackage, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_gpu()
    read: list[Path] = []
    really = ultralytics_models.load_detector

    def load_detector(weights: Path, *rest: Any) -> Any:
        read.append(weights)
        return really(weights, *rest)

    monkeypatch.setattr(ultralytics_models, "load_detector", load_detector)
    one = package_from_weights(
        package().weights_path, tmp_path / "one", input_size=package().spec.input_size
    )
    read.clear()  # describing it has read it too
    with catalogue.open_session(one) as session:
        first = session.infer(images[:1])
    with catalogue.open_session(one, batch_size=4, mode="throughput") as session:
        again = session.infer(images[:1])
    assert read == [one.weights_path]
    np.testing.assert_allclose(first, again, rtol=1e-4, atol=1e-3)
    os.utime(one.weights_path, (0, 0))  # it may be another file by now
    with catalogue.open_session(one):
        assert read == [one.weights_path] * 2
    smaller = replace(one, spec=replace(one.spec, input_size=96))
    with catalogue.open_session(smaller) as session:
        assert session.infer(np.zeros((1, 96, 96, 3), np.uint8)).shape == (1, 8, 189)
    with catalogue.open_session(one) as session:
        np.testing.assert_allclose(session.infer(images[:1]), first, rtol=1e-4, atol=1e-3)
    assert read == [one.weights_path] * 4
