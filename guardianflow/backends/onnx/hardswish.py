"""HardSwish in 8 bits for ONNX Runtime's CPU kernels, which know none.

    x · clip(x / 6 + 1/2, 0, 1)

Left alone its clip is computed in float32, with a conversion before and one behind it, which costs
more than a SiLU. But the clip of x's 8-bit levels q, read with another scale and zero point, is the
same:

    Q(x) = q ──┬──────────────────── DQ ─────────────── Mul ─ Q
               └─ Clip(q₋₃, q₃) ─ DQ(1/(q₃ − q₋₃), q₋₃) ─┘
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import editing

REACH = 3.0
"""Where the clip begins and ends."""
LEVELS = 255


def clip_levels(model: Any) -> int:
    """Rewrite every quantised HardSwish of an `onnx.ModelProto` of Q/DQ pairs in place; how many.

    Those that are not quantised as a whole stay as they are.
    """
    from onnx import helper

    graph, constants, done = model.graph, editing.constants(model.graph), 0
    for node in [each for each in graph.node if is_clip_of_hard_swish(each)]:
        before: Any = editing.maker(graph, node.input[0])
        quantise, dequantise, product = _behind(graph, node)
        kinds = [each.op_type if each else "" for each in (before, quantise, dequantise, product)]
        if kinds != ["DequantizeLinear", "QuantizeLinear", "DequantizeLinear", "Mul"]:
            continue
        if node.input[0] not in product.input:
            continue
        levels, scale, zero = before.input[:3]
        reach = round(REACH / float(constants[scale]))
        middle = int(constants[zero])
        if not 1 <= reach <= middle:
            continue
        name = node.name
        added: dict[str, Any] = {
            f"{name}/lowest": np.array(middle - reach, np.uint8),
            f"{name}/highest": np.array(min(middle + reach, LEVELS), np.uint8),
            f"{name}/scale": np.array(1 / (2 * reach), np.float32),
        }
        editing.add_constants(graph, added)
        lowest, highest, own_scale = added
        clip = helper.make_node(
            "Clip", [levels, lowest, highest], [f"{name}/levels"], f"{name}/Clip"
        )
        dequantise.input[:] = [clip.output[0], own_scale, lowest]
        editing.replace(graph, [node, quantise], [clip])
        done += 1
    return done


def is_clip_of_hard_swish(node: Any) -> bool:
    """Whether it is clip(x / 6 + 1/2, 0, 1); the operator may have other slopes."""
    given = {each.name: each.f for each in node.attribute}
    slope, middle = given.get("alpha", 0.2), given.get("beta", 0.5)
    is_it = abs(slope - 1 / 6) < 1e-5 and abs(middle - 0.5) < 1e-5
    return bool(node.op_type == "HardSigmoid" and is_it)


def _behind(graph: Any, node: Any) -> list[Any]:
    """The three nodes, one behind the other, that alone read a node; None where there is none."""
    found: list[Any] = []
    for _ in range(3):
        node = editing.only_reader(graph, node) if node is not None else None
        found.append(node)
    return found
