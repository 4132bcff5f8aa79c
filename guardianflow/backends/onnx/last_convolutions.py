"""The last convolutions with 8-bit numbers in and float numbers out.

ONNX Runtime's 8-bit convolution rounds its result to 8 bits as well. At the last ones that is the
class scores and box distances themselves, and costs 0.005 of mAP50-95. Its 8-bit matrix product can
leave its sums as they are, and a convolution of 1 × 1 is one, a row for each pixel:

    DQ ─┬─ Conv ─ Q ─ DQ ─ tail      channels last ─ [pixels, channels] ─ DQ ─┬─ Gemm ─ … ─ tail
    DQ ─┘                                                        weights ─ DQ ─┘

Those of a yolo11n at 640 px took 2.0 of 27 ms in float, with the conversions; so they take 1.6.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from . import editing


def are_products(model: Any, names: Collection[str]) -> list[str]:
    """Which of an `onnx.ModelProto`'s convolutions are matrix products, of 1 × 1 and fixed size."""
    weights = {each.name: list(each.dims) for each in model.graph.initializer}
    shapes = editing.shapes(model)
    return [
        node.name
        for node in model.graph.node
        if node.name in names
        and node.op_type == "Conv"
        and weights.get(node.input[1], [])[2:] == [1, 1]
        and editing.attribute(node, "group", 1) == 1
        and all(step == 1 for step in editing.attribute(node, "strides", [1]))
        and not any(editing.attribute(node, "pads", [0]))
        and all(shapes.get(node.output[0], [0])[1:])
    ]


def write_as_products(model: Any, names: Collection[str], tail: Collection[str]) -> int:
    """Rewrite those 8-bit convolutions of a model of Q/DQ pairs in place; how many.

    Args:
        names: the last convolutions. Those that were left float stay, as `are_products` tells.
        tail: names of the nodes that get the result unrounded.
    """
    graph, shapes, done = model.graph, editing.shapes(model), 0
    for node in [e for e in graph.node if e.op_type == "Conv" and e.name in names]:
        inputs = [editing.maker(graph, value) for value in node.input]
        if all(each is not None and each.op_type == "DequantizeLinear" for each in inputs):
            _hand_on_unrounded(graph, node, tail)
            _rewrite(graph, node, inputs, shapes[node.output[0]])
            done += 1
    return done


def _hand_on_unrounded(graph: Any, node: Any, tail: Collection[str]) -> None:
    """Let the tail read a node's result itself; its Q and DQ go where nobody else reads them."""
    result = node.output[0]
    for rounded in [each for each in editing.readers(graph, result) if each.name not in tail]:
        for back in editing.readers(graph, rounded.output[0]):
            of_tail = [e for e in editing.readers(graph, back.output[0]) if e.name in tail]
            for reader in of_tail:
                reader.input[:] = [result if i == back.output[0] else i for i in reader.input]
            if not editing.readers(graph, back.output[0]):
                graph.node.remove(back)
        if not editing.readers(graph, rounded.output[0]):
            graph.node.remove(rounded)


def _rewrite(graph: Any, node: Any, inputs: list[Any], shape: list[int]) -> None:
    from onnx import helper

    name, (values, weights, *bias) = node.name, inputs
    levels = editing.constants(graph)[weights.input[0]]
    made, given = levels.shape[:2]
    added = {
        f"{name}/weights": np.ascontiguousarray(levels.reshape(made, given).T),
        f"{name}/flat": np.array([-1, given], np.int64),
        f"{name}/size": np.array([-1, *shape[2:], made], np.int64),
    }
    editing.add_constants(graph, added)
    turned, flat, size = added
    steps = ["pixels", "rows", "values", "columns", "sums", "map"]
    pixels, rows, value, columns, sums, whole = (f"{name}/{step}" for step in steps)

    def back(levels: str, of: Any, result: str, **attributes: Any) -> Any:
        return helper.make_node(
            "DequantizeLinear", [levels, *of.input[1:]], [result], result, **attributes
        )

    new = [
        helper.make_node("Transpose", [values.input[0]], [pixels], pixels, perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", [pixels, flat], [rows], rows),
        back(rows, values, value),
        back(turned, weights, columns, axis=1),
        helper.make_node("Gemm", [value, columns, *(e.output[0] for e in bias)], [sums], name),
        helper.make_node("Reshape", [sums, size], [whole], whole),
        helper.make_node(
            "Transpose", [whole], list(node.output), f"{name}/back", perm=[0, 3, 1, 2]
        ),
    ]
    gone = [each for each in (values, weights) if not _read_by_others(graph, each, node)]
    editing.replace(graph, [*gone, node], new)


def _read_by_others(graph: Any, read: Any, node: Any) -> bool:
    return any(each is not node for each in editing.readers(graph, read.output[0]))
