"""The INT8 graph that TensorRT is given: what it holds, and that it answers as the float one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from guardianflow.backends import interchange
from guardianflow.backends.onnx.explicit import quantise_explicit
from guardianflow.backends.onnx.quantisation import structure_of
from guardianflow.backends.quantisation import detection_tail as recipes
from guardianflow.backends.quantisation.calibration import CalibrationImages
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]


def answers(file: Path, batch: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: batch})[0]


@pytest.mark.parametrize("architecture", ["yolo11n", "yolo26n"])
def test_pairs_are_signed_around_zero_and_the_tail_is_float(
    package: MakePackage,
    calibration: list[np.ndarray],
    images: np.ndarray,
    tmp_path: Path,
    architecture: str,
) -> None:
    source, target = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    interchange.to_onnx(package(architecture), source)
    given = CalibrationImages(calibration, calibration[0].shape[0])
    done = quantise_explicit(source, target, given, "minmax", tmp_path)
    assert done["used"] == "onnxruntime minmax, explicit Q/DQ"
    assert "structure_not_found" not in done
    model = onnx.load(target)
    onnx.checker.check_model(model)
    made = {output: node for node in model.graph.node for output in node.output}
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}

    pairs = [n for n in model.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert pairs
    for node in pairs:
        zero = constants[node.input[2]]
        assert zero.dtype == np.int8 and not zero.any(), node.name

    structure = structure_of(tmp_path / "prepared.onnx")
    tail = {*recipes.detection_tail(structure), *recipes.last_convolutions(structure)}
    convolutions = quantised = 0
    for node in model.graph.node:
        read = [made[name].op_type for name in node.input if name in made]
        if node.name in tail:
            assert "DequantizeLinear" not in read, node.name
        if node.op_type == "Conv":
            convolutions += 1
            quantised += read[:2] == ["DequantizeLinear"] * 2
            if len(node.input) > 2:  # the bias, a float constant
                assert constants[node.input[2]].dtype == np.float32
        elif node.op_type in ("Sigmoid", "Mul"):  # SiLU: TensorRT fuses it with its convolution
            assert made[node.input[0]].op_type != "DequantizeLinear", node.name
    assert quantised >= 0.7 * convolutions

    if architecture == "yolo26n":
        return  # untrained, its best rows are nearly equal: rounding puts them in another order
    batch = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    one = np.concatenate([answers(source, batch[i : i + 1]) for i in range(len(batch))])
    other = np.concatenate([answers(target, batch[i : i + 1]) for i in range(len(batch))])
    error = np.linalg.norm(one - other) / np.linalg.norm(one)
    assert 0 < error < 0.05
