from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from guardianflow.backends import catalogue
from guardianflow.backends.openvino.runtime import OpenvinoBackend
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.results import DetectorPackage, ExportRequest

MakePackage = Callable[..., DetectorPackage]


def outputs(package: DetectorPackage, images: np.ndarray) -> np.ndarray:
    with catalogue.open_session(package, batch_size=len(images)) as session:
        return session.infer(images)


@pytest.mark.parametrize(
    ("method", "used"),
    [
        ("entropy", "nncf histogram"),
        ("minmax", "nncf minmax"),
        ("percentile", "nncf mean quantile 0.9999"),
    ],
)
def test_int8_stays_close_to_float_and_says_how_it_was_calibrated(
    package: MakePackage, images: np.ndarray, method: str, used: str
) -> None:
    reference = outputs(package(), images)
    made = package("yolo11n", "openvino", "int8", "static", method)
    output = outputs(made, images)
    scores = np.corrcoef(output[:, 4:].ravel(), reference[:, 4:].ravel())[0, 1]
    assert scores > 0.4, "about 0 is a collapse; untrained networks amplify rounding"
    assert np.abs(output[:, :4] - reference[:, :4]).mean() < 4, "pixels"
    assert made.spec.variant == "openvino_int8"
    assert made.spec.lineage["calibration_method"] == method
    assert made.spec.lineage["calibration_method_used"] == used
    assert "nncf==" in made.spec.lineage["export_versions"]


def test_int8_files_are_smaller_and_their_float_layers_compute_in_float32(
    package: MakePackage,
) -> None:
    float32, int8 = package("yolo11n", "openvino"), package("yolo11n", "openvino", "int8")
    assert int8.size_bytes < 0.5 * float32.size_bytes
    with catalogue.open_session(int8) as session:
        assert session.info.execution_precision == "f32"
        assert session.info.precision == "int8"


def test_fp16_files_are_half_as_large_and_computed_in_float32(
    package: MakePackage, images: np.ndarray
) -> None:
    half, whole = package("yolo11n", "openvino", "fp16"), package("yolo11n", "openvino")
    assert half.size_bytes < 0.6 * whole.size_bytes
    difference = np.abs(outputs(half, images)[:, 4:] - outputs(whole, images)[:, 4:])
    assert difference.max() < 0.05
    with catalogue.open_session(half) as session:
        assert session.info.execution_precision == "f32"


def test_an_end_to_end_detector_quantises_too(package: MakePackage, images: np.ndarray) -> None:
    reference = outputs(package("yolo26n"), images)
    output = outputs(package("yolo26n", "openvino", "int8"), images)
    np.testing.assert_allclose(output[:, :50, 4], reference[:, :50, 4], atol=0.1)


def test_the_classes_travel_inside_the_model(package: MakePackage, tmp_path: Path) -> None:
    made = package("yolo11n", "openvino", "int8")
    again = package_from_weights(made.weights_path, tmp_path / "again", input_size=160)
    assert again.spec.class_names == made.spec.class_names
    assert again.spec.precision == "int8"
    assert again.spec.output == "grid"


def test_a_model_for_one_batch_size_serves_others_in_steps(
    package: MakePackage, images: np.ndarray, tmp_path: Path
) -> None:
    import openvino

    made = package("yolo11n", "onnx")
    fixed = openvino.convert_model(str(made.weights_path), input=[1, 3, 160, 160])
    openvino.save_model(fixed, str(tmp_path / "one.xml"), compress_to_fp16=False)
    one = package_from_weights(tmp_path / "one.xml", tmp_path / "package", input_size=160)
    assert one.spec.precision == "fp32"
    np.testing.assert_allclose(outputs(one, images), outputs(made, images), rtol=1e-3, atol=1e-3)


def test_the_names_openvino_uses_for_devices_are_understood(package: MakePackage) -> None:
    made = package("yolo11n", "openvino")
    for name in ("auto", "openvino", "CPU", "cpu"):
        with catalogue.open_session(made, device=name) as session:
            assert session.info.device == "cpu"
    with catalogue.open_session(made, device="openvino:CPU") as session:
        assert session.info.device == "cpu"
    for name in ("npu", "openvino:NPU", "openvino:GPU.7"):
        with pytest.raises(BackendUnavailableError, match=f"'{name}' was asked for"):
            catalogue.open_session(made, device=name)


def test_auto_says_which_device_it_took_and_answers_as_that_device(package: MakePackage) -> None:
    import openvino

    if openvino.Core().available_devices != ["CPU"]:
        pytest.skip("where there are others, the choice is OpenVINO's")
    made = package("yolo11n", "openvino")
    side = made.spec.input_size
    images = np.random.default_rng(3).integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    with (
        catalogue.open_session(made, device="openvino:AUTO") as chosen,
        catalogue.open_session(made, device="openvino:CPU") as named,
    ):
        assert chosen.info.device == "cpu"
        assert chosen.info.execution_precision == named.info.execution_precision == "f32"
        np.testing.assert_allclose(chosen.infer(images), named.infer(images), rtol=1e-4, atol=1e-3)


def test_exporting_says_nothing_on_stdout(
    package: MakePackage,
    calibration: list[np.ndarray],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    source = package()
    capfd.readouterr()
    OpenvinoBackend().export(source, ExportRequest("int8"), tmp_path / "made", calibration[:2])
    assert capfd.readouterr().out == ""
