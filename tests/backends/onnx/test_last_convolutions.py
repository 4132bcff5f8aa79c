"""The last convolutions take 8-bit numbers, and what they give is not rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from guardianflow.backends.onnx.last_convolutions import are_products, write_as_products

RANDOM = np.random.default_rng(0)
GIVEN, MADE, ROWS, COLUMNS = 6, 10, 3, 5


def nodes_of_pair(value: str, scale: str, zero: str, result: str) -> list[onnx.NodeProto]:
    levels = f"{value}_levels"
    return [
        helper.make_node("QuantizeLinear", [value, scale, zero], [levels], levels),
        helper.make_node("DequantizeLinear", [levels, scale, zero], [result], result),
    ]


def network(*, bias: bool = True, read_in_8_bits: bool = False) -> onnx.ModelProto:
    """x → Q DQ → Conv → Q DQ → Sigmoid (the tail), as quantize_static writes it."""
    scales = RANDOM.uniform(0.002, 0.01, MADE).astype(np.float32)
    constants: dict[str, Any] = {
        "in_scale": np.float32(0.03), "in_zero": np.uint8(90),
        "out_scale": np.float32(0.05), "out_zero": np.uint8(128),
        "levels": RANDOM.integers(-127, 128, (MADE, GIVEN, 1, 1)).astype(np.int8),
        "w_scale": scales, "w_zero": np.zeros(MADE, np.int8),
        "b_levels": RANDOM.integers(-900, 900, MADE).astype(np.int32),
        "b_scale": (scales * 0.03).astype(np.float32), "b_zero": np.zeros(MADE, np.int32),
    }  # fmt: skip
    back = "DequantizeLinear"
    nodes = [
        *nodes_of_pair("x", "in_scale", "in_zero", "values"),
        helper.make_node(back, ["levels", "w_scale", "w_zero"], ["weights"], "weights", axis=0),
        helper.make_node(back, ["b_levels", "b_scale", "b_zero"], ["bias"], "bias", axis=0),
        helper.make_node("Conv", ["values", "weights", *(["bias"] if bias else [])], ["c"], "conv"),
        *nodes_of_pair("c", "out_scale", "out_zero", "rounded"),
        helper.make_node("Sigmoid", ["rounded"], ["y"], "tail"),
    ]
    outputs = ["y"]
    if read_in_8_bits:
        nodes.append(helper.make_node("Relu", ["rounded"], ["other"], "other"))
        outputs.append("other")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes if bias else [node for node in nodes if node.name != "bias"],
        "end",
        [value("x", TensorProto.FLOAT, ["batch", GIVEN, ROWS, COLUMNS])],
        [value(name, TensorProto.FLOAT, ["n", "c", "h", "w"]) for name in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()
         if bias or not k.startswith("b_")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: onnx.ModelProto, batch: int) -> list[np.ndarray]:
    onnx.checker.check_model(model)
    values = np.random.default_rng(batch).uniform(-2.5, 4, (batch, GIVEN, ROWS, COLUMNS))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": values.astype(np.float32)})


def exact(model: onnx.ModelProto, batch: int) -> np.ndarray:
    """The same of its 8-bit values and weights, in float64 and without rounding the result."""
    c: dict[str, np.ndarray] = {
        e.name: np.asarray(numpy_helper.to_array(e), np.float64) for e in model.graph.initializer
    }
    x = np.random.default_rng(batch).uniform(-2.5, 4, (batch, GIVEN, ROWS, COLUMNS))
    x = np.float32(x)
    levels = np.clip(np.rint(x / np.float32(0.03)) + 90, 0, 255)
    weights = c["levels"][:, :, 0, 0] * c["w_scale"][:, None]
    sums = np.einsum("mg,bgrc->bmrc", weights, (levels - 90) * c["in_scale"])
    if "b_levels" in c:
        sums += (c["b_levels"] * c["b_scale"])[:, None, None]
    return 1 / (1 + np.exp(-sums))


@pytest.mark.parametrize("bias", [True, False])
def test_the_tail_gets_the_sums_themselves_whatever_the_batch(bias: bool) -> None:
    model = network(bias=bias)
    wanted = {batch: exact(model, batch) for batch in (1, 3)}
    rounded = {batch: run(model, batch)[0] for batch in (1, 3)}
    assert are_products(model, ["conv"]) == [], "its weights are no constant of the file yet"
    assert write_as_products(model, ["conv"], ["tail"]) == 1
    assert [n.op_type for n in model.graph.node].count("QuantizeLinear") == 1, "that of x"
    for batch in (1, 3):
        assert np.abs(rounded[batch] - wanted[batch]).max() > 1e-3
        np.testing.assert_allclose(run(model, batch)[0], wanted[batch], atol=1e-5)
    assert write_as_products(model, ["conv"], ["tail"]) == 0, "once is enough"


def test_who_read_the_result_in_8_bits_still_does() -> None:
    model = network(read_in_8_bits=True)
    wanted, other = exact(model, 2), run(model, 2)[1]
    assert write_as_products(model, ["conv"], ["tail"]) == 1
    result, same = run(model, 2)
    np.testing.assert_allclose(result, wanted, atol=1e-5)
    np.testing.assert_allclose(
        same, other, atol=0.051
    )  # a sum between two levels may go either way
    assert np.mean(same == other) > 0.95


def test_one_that_was_left_float_stays() -> None:
    model = float_network()
    assert write_as_products(model, ["conv"], ["tail"]) == 0


def float_network(
    weights: tuple[int, ...] = (MADE, GIVEN, 1, 1), rows: int | str = ROWS, **attributes: Any
) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], "conv", **attributes),
            helper.make_node("Sigmoid", ["c"], ["y"], "tail"),
        ],
        "end",
        [value("x", TensorProto.FLOAT, ["batch", GIVEN, rows, COLUMNS])],
        [value("y", TensorProto.FLOAT, ["n", "c", "h", "w"])],
        [numpy_helper.from_array(np.zeros(weights, np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize(
    ("model", "is_product"),
    [
        (float_network(), True),
        (float_network(pads=[0, 0, 0, 0], strides=[1, 1], group=1), True),
        (float_network((MADE, GIVEN, 3, 3), pads=[1, 1, 1, 1]), False),
        (float_network(strides=[2, 2]), False),
        (float_network(pads=[1, 1, 1, 1]), False),
        (float_network((MADE, 3, 1, 1), group=2), False),
        (float_network(rows="rows"), False),
    ],
)
def test_a_convolution_of_one_by_one_over_a_map_of_known_size_is_a_product(
    model: onnx.ModelProto, is_product: bool
) -> None:
    assert are_products(model, ["conv", "tail"]) == (["conv"] if is_product else [])
    assert are_products(model, []) == []
