"""A HardSwish in 8 bits is the same function, without a float operator in it."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from guardianflow.backends.onnx.hardswish import clip_levels

LEVELS = 255


def quantised(low: float, high: float, *, shown: bool = False) -> onnx.ModelProto:
    """x → Q DQ → HardSwish → Q DQ, with levels from low to high, as quantize_static writes it."""
    scale = (high - low) / LEVELS
    constants = {
        "x_scale": np.float32(scale), "x_zero": np.uint8(round(-low / scale)),
        "s_scale": np.float32(1 / LEVELS), "s_zero": np.uint8(0),
        "y_scale": np.float32((high + 0.375) / LEVELS),
        "y_zero": np.uint8(round(0.375 / ((high + 0.375) / LEVELS))),
    }  # fmt: skip

    def pair(name: str, result: str) -> list[onnx.NodeProto]:
        of = [f"{name[0]}_scale", f"{name[0]}_zero"]
        return [
            helper.make_node("QuantizeLinear", [name, *of], [f"{name}_q"], f"{name}_q"),
            helper.make_node("DequantizeLinear", [f"{name}_q", *of], [result], result),
        ]

    nodes = [
        *pair("x", "xd"),
        helper.make_node("HardSigmoid", ["xd"], ["s"], "s", alpha=1 / 6, beta=0.5),
        *pair("s", "sd"),
        helper.make_node("Mul", ["xd", "sd"], ["y"], "y"),
        *pair("y", "result"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "activation", [value("x", TensorProto.FLOAT, ["n"])],
        [value(name, TensorProto.FLOAT, ["n"]) for name in ("result", *(["s"] if shown else []))],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: onnx.ModelProto, values: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["result"], {"x": values})[0]


@pytest.mark.parametrize("high", [3.0, 5.5, 12.0, 45.0, 90.0])
def test_it_is_as_near_to_the_function_as_its_levels_allow(high: float) -> None:
    model = quantised(-3.0, high)
    x = np.linspace(-8, high, 4001, dtype=np.float32)
    wanted = x * np.clip(x / 6 + 0.5, 0, 1)
    before = np.abs(run(model, x) - wanted)
    assert clip_levels(model) == 1
    assert "HardSigmoid" not in [node.op_type for node in model.graph.node]
    after = np.abs(run(model, x) - wanted)
    step = (high + 3) / LEVELS
    assert after.max() <= 1.6 * step
    assert after.mean() <= before.mean() + step / 20
    assert clip_levels(model) == 0, "once is enough"


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (quantised(-1.0, 5.0), "there is no level for -3"),
        (quantised(-3.0, 5.0, shown=True), "somebody else reads the clip"),
    ],
)
def test_where_the_levels_do_not_have_it_all_it_stays(model: onnx.ModelProto, why: str) -> None:
    assert clip_levels(model) == 0, why
