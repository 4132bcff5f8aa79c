from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardianflow.backends import catalogue
from guardianflow.backends.onnx import quantisation as onnx_quantisation
from guardianflow.backends.quantisation import detection_tail as recipes
from guardianflow.backends.quantisation.calibration import CalibrationImages
from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.results import DetectorPackage, ExportRequest

MakePackage = Callable[..., DetectorPackage]


def outputs(package: DetectorPackage, images: np.ndarray) -> np.ndarray:
    with catalogue.open_session(package, batch_size=len(images)) as session:
        return session.infer(images)


def score_agreement(output: np.ndarray, reference: np.ndarray) -> float:
    """Correlation of the class scores over all anchors.

    An untrained network amplifies rounding layer by layer, so this tells a collapse (about 0)
    from a network that works; how well one works is asked of a trained detector.
    """
    return float(np.corrcoef(output[:, 4:].ravel(), reference[:, 4:].ravel())[0, 1])


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_static_int8_stays_close_to_float(
    package: MakePackage, images: np.ndarray, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the search for an entropy range costs by the bin; what it finds is asked of a real detector
    monkeypatch.setattr(onnx_quantisation, "ENTROPY_BINS", 528)
    reference = outputs(package(), images)
    made = package("yolo11n", "onnx", "int8", "static", method)
    output = outputs(made, images)
    assert score_agreement(output, reference) > 0.2
    assert np.abs(output[:, :4] - reference[:, :4]).mean() < 4, "pixels"
    assert made.spec.variant == "onnx_int8"
    lineage = made.spec.lineage
    assert lineage["recipe"] == "detection-tail-float"
    assert lineage["calibration_method"] == method
    assert lineage["calibration_method_used"].startswith(f"onnxruntime {method}")
    assert lineage["calibration_images"] == "4"
    assert int(lineage["float_nodes"]) > 10


def test_static_int8_quantises_all_but_the_first_layer_and_the_detection_tail(
    package: MakePackage,
) -> None:
    import onnx

    made = package("yolo11n", "onnx", "int8", "static", "minmax")
    model = onnx.load(str(made.weights_path))
    graph = recipes.graph_of_onnx(model)
    convolutions = recipes.operations_of_kind(graph, ["Conv", "Gemm"])
    # a quantised weight comes through a node of its own, a float one is a constant
    quantised = [name for name in convolutions if len(graph.operations[name].inputs) > 1]
    ends = recipes.operations_of_kind(graph, ["Gemm"])
    assert len(ends) == 6, "the last convolutions, as products; the DFL is no convolution any more"
    assert set(quantised) == set(convolutions) - {"/model.0/conv/Conv"}
    for product in ends:
        readers = [o.kind for o in graph.operations.values() if product in o.inputs]
        assert readers == ["Reshape"], "their results are not rounded"
    assert quantised[0] == "/model.1/conv/Conv", "three channels are too few for an 8-bit kernel"
    scales: Any = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    weight_scales = [v for n, v in scales.items() if "weight" in n and n.endswith("_scale")]
    assert any(v.ndim == 1 and len(v) > 1 for v in weight_scales), "per channel"
    float32 = package("yolo11n", "onnx", "fp32")
    assert made.size_bytes < 0.4 * float32.size_bytes


def test_dynamic_int8_needs_no_images(package: MakePackage, images: np.ndarray) -> None:
    made = package("yolo11n", "onnx", "int8", "dynamic")
    assert score_agreement(outputs(made, images), outputs(package(), images)) > 0.4
    assert made.spec.lineage["calibration_images"] == "0"
    assert made.spec.lineage["quantization_method"] == "dynamic"


def test_float16_keeps_its_inputs_and_tail_in_float32(
    package: MakePackage, images: np.ndarray
) -> None:
    made = package("yolo11n", "onnx", "fp16")
    reference, output = outputs(package(), images), outputs(made, images)
    assert np.abs(output[:, 4:] - reference[:, 4:]).max() < 0.05
    assert made.size_bytes < 0.6 * package("yolo11n", "onnx", "fp32").size_bytes


def test_an_end_to_end_detector_quantises_too(package: MakePackage, images: np.ndarray) -> None:
    reference = outputs(package("yolo26n"), images)
    output = outputs(package("yolo26n", "onnx", "int8", "static", "minmax"), images)
    np.testing.assert_allclose(output[:, :50, 4], reference[:, :50, 4], atol=0.1)


def test_layers_silent_in_the_first_image_do_not_blow_up_the_histograms(
    package: MakePackage, images: np.ndarray, tmp_path: Path
) -> None:
    black = np.zeros_like(images[0])
    graph = package("yolo11n", "onnx").weights_path
    calibration = CalibrationImages([black, images[0]], 160)
    done = onnx_quantisation.quantise_static(
        graph, tmp_path / "int8.onnx", calibration, "percentile", tmp_path
    )
    assert done["used"].startswith("onnxruntime percentile")
    ranges = (tmp_path / "ranges.json").stat().st_size
    assert ranges < 5_000_000


def test_a_graph_for_one_batch_size_serves_others_in_steps(
    package: MakePackage, images: np.ndarray, tmp_path: Path
) -> None:
    import onnx
    from onnx.tools.update_model_dims import update_inputs_outputs_dims

    from guardianflow.backends.weights.packages import package_from_weights

    made = package("yolo11n", "onnx")
    model = onnx.load(str(made.weights_path))
    fixed = update_inputs_outputs_dims(
        model, {"images": [2, 3, 160, 160]}, {"output0": [2, 8, 525]}
    )
    onnx.save(fixed, str(tmp_path / "two.onnx"))
    two = package_from_weights(tmp_path / "two.onnx", tmp_path / "package", input_size=160)
    reference = outputs(made, images)
    np.testing.assert_allclose(outputs(two, images), reference, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs(two, images[:1]), reference[:1], rtol=1e-4, atol=1e-5)


def test_cuda_names_the_package_that_brings_it(package: MakePackage) -> None:
    with pytest.raises(BackendUnavailableError, match="onnxruntime-gpu"):
        catalogue.open_session(package("yolo11n", "onnx"), device="0")


def test_without_vnni_the_range_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_quantisation, "cpu_flags", lambda: frozenset({"avx2"}))
    assert not onnx_quantisation._has_vnni()
    monkeypatch.setattr(onnx_quantisation, "cpu_flags", lambda: frozenset({"avx512_vnni"}))
    assert onnx_quantisation._has_vnni()


def test_export_request_defaults_are_what_the_scenario_defaults_to() -> None:
    request = ExportRequest("int8")
    assert (request.method, request.calibration_method) == ("static", "entropy")
