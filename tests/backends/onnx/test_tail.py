"""The streamlined tail of an ONNX graph computes what the traced one does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from guardianflow.backends import interchange
from guardianflow.backends.onnx.tail import streamline
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(("architecture", "places"), [("yolo11n", 1), ("yolo26n", 0)])
def test_the_function_stays_the_same(
    package: MakePackage, images: np.ndarray, tmp_path: Path, architecture: str, places: int
) -> None:
    interchange.to_onnx(package(architecture), tmp_path / "graph.onnx")
    model = onnx.load(tmp_path / "graph.onnx")
    batch = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    before, kinds_before = run(model, batch), kinds(model)
    assert streamline(model) == places
    np.testing.assert_allclose(run(model, batch), before, atol=2e-3, rtol=1e-4)
    assert (kinds(model) == kinds_before) == (places == 0)
    assert streamline(model) == 0, "once is enough"


def dfl_network(bins: int, sides: int) -> onnx.ModelProto:
    """Box logits through the DFL, as PyTorch traces it."""
    constants = {
        "four": np.array([0, sides, bins, 20], np.int64),
        "three": np.array([0, sides, -1], np.int64),
        "weights": np.arange(bins, dtype=np.float32).reshape(1, bins, 1, 1),
    }
    nodes = [
        helper.make_node("Reshape", ["logits", "four"], ["parts"], "reshape"),
        helper.make_node("Transpose", ["parts"], ["turned"], "transpose", perm=[0, 2, 1, 3]),
        helper.make_node("Softmax", ["turned"], ["shares"], "softmax", axis=1),
        helper.make_node("Conv", ["shares", "weights"], ["expected"], "dfl"),
        helper.make_node("Reshape", ["expected", "three"], ["distances"], "result"),
    ]
    graph = helper.make_graph(
        nodes,
        "dfl",
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, sides * bins, 20])],
        [helper.make_tensor_value_info("distances", TensorProto.FLOAT, [1, sides, 20])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (8, 0), (8, 500), (8, -500), (0, 90)])
def test_large_logits_neither_overflow_nor_vanish(scale: float, shift: float) -> None:
    random = np.random.default_rng(0)
    logits = (scale * random.standard_normal((1, 64, 20)) + shift).astype(np.float32)
    logits += np.repeat(np.float32([0, 200, -200, 40]), 16)[:, None]  # sides differ in level
    model = dfl_network(16, 4)
    before = run(model, logits)
    assert streamline(model) == 1
    assert "Softmax" not in kinds(model)
    assert len(model.graph.initializer) == 4, "what nobody reads any more is gone"
    np.testing.assert_allclose(run(model, logits), before, atol=1e-4)


def test_a_distance_that_somebody_else_reads_stays() -> None:
    model = dfl_network(16, 4)
    model.graph.output.append(
        helper.make_tensor_value_info("shares", TensorProto.FLOAT, [1, 16, 4, 20])
    )
    assert streamline(model) == 0
