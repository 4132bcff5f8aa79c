"""Upsampling by copies gives the very levels that Resize gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from guardianflow.backends.onnx.upsampling import copy_pixels


def network(
    scales: tuple[float, ...] = (1, 1, 2, 2),
    *,
    rows: int | str = 3,
    scale_after: float = 0.02,
    mode: str = "nearest",
    coordinates: str = "asymmetric",
) -> onnx.ModelProto:
    """x → Q DQ → Resize → Q DQ, as quantize_static writes it; 5 channels of 3 × 4."""
    constants: dict[str, Any] = {
        "scale": np.float32(0.02), "zero": np.uint8(100), "scale_after": np.float32(scale_after),
        "times": np.float32(scales),
    }  # fmt: skip

    def pair(read: str, scale: str, result: str) -> list[onnx.NodeProto]:
        levels = f"{read}_levels"
        return [
            helper.make_node("QuantizeLinear", [read, scale, "zero"], [levels], levels),
            helper.make_node("DequantizeLinear", [levels, scale, "zero"], [result], result),
        ]

    nodes = [
        *pair("x", "scale", "before"),
        helper.make_node(
            "Resize", ["before", "", "times"], ["larger"], "resize", mode=mode,
            nearest_mode="floor", coordinate_transformation_mode=coordinates,
        ),
        *pair("larger", "scale_after", "y"),
    ]  # fmt: skip
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "upsampling",
        [value("x", TensorProto.FLOAT, ["batch", 5, rows, 4])],
        [value("y", TensorProto.FLOAT, ["n", "c", "h", "w"])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: onnx.ModelProto, batch: int) -> np.ndarray:
    onnx.checker.check_model(model)
    values = np.random.default_rng(0).uniform(-2, 3, (batch, 5, 3, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": values})[0]


@pytest.mark.parametrize("times", [2, 3])
def test_each_pixel_is_copied_to_the_right_and_down_whatever_the_batch(times: int) -> None:
    model = network((1, 1, times, times))
    before = [run(model, batch) for batch in (1, 4)]
    assert copy_pixels(model) == 1
    assert "Resize" not in [node.op_type for node in model.graph.node]
    for batch, values in zip((1, 4), before, strict=True):
        assert values.shape == (batch, 5, 3 * times, 4 * times)
        np.testing.assert_array_equal(run(model, batch), values)
    assert copy_pixels(model) == 0, "once is enough"


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (network(mode="linear"), "values between pixels are made, not copied"),
        (network(coordinates="align_corners"), "pixels are not copied equally often"),
        (network((1, 1, 2, 3)), "rows are not copied as often as columns"),
        (network((1, 1, 0.5, 0.5)), "it makes the map smaller"),
        (network((1, 2, 2, 2)), "channels are copied too"),
        (network(scale_after=0.03), "levels mean something else behind it"),
        (network(rows="rows"), "the file does not say how large the map is"),
    ],
)
def test_what_is_more_than_copying_stays(model: onnx.ModelProto, why: str) -> None:
    assert copy_pixels(model) == 0, why


def test_what_somebody_reads_in_float_stays() -> None:
    model = network()
    model.graph.output.append(helper.make_tensor_value_info("larger", TensorProto.FLOAT, None))
    assert copy_pixels(model) == 0
