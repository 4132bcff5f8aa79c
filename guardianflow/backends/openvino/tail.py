"""The detection tail of an OpenVINO graph in an order that suits the CPU: same function, less time.

The plugin computes convolutions with channels last. The tail as PyTorch traces it wants them
first, so every box tensor is turned round, and the softmax of the DFL walks through memory in
strides. On yolo11n int8 at 640 px the tail takes an eighth of the network's time. So

    conv ─ reshape ─ concat ─ transpose ─ softmax ─ DFL conv          one memory pass an arrow
    conv ─ reshape ─ concat ─ subtract each side's max ─ exp ─ one matrix product ─ divide

where the product gives Σ bin·exp and Σ exp of each side at once, and scores take their sigmoid
where the convolution writes them. What a graph has otherwise is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np


def streamline(openvino: Any, model: Any) -> int:
    """Rewrite the tail of an `openvino.Model` in place.

    Args:
        model: float weights or quantised; shapes but for the batch are static.

    Returns:
        How many places were rewritten; 0 where the graph has none of these patterns.
    """
    done = 0
    for node in list(model.get_ordered_ops()):
        if node.get_type_name() == "Softmax":
            found = _Distances.read(node)
            if found is not None:
                found.rewrite(openvino.opset13)
                done += 1
        elif node.get_type_name() == "Sigmoid":
            done += _early_sigmoid(openvino.opset13, node)
    if done:
        model.validate_nodes_and_infer_types()
    return done


@dataclass(frozen=True)
class _Distances:
    """The DFL: expected distance of each of a box's sides over `bins`.

    Args:
        levels: outputs of the last convolutions, N×(sides·bins)×H×W.
        weights: what each bin stands for, bins.
        result: the node that gives N×sides×anchors.
    """

    levels: tuple[Any, ...]
    sides: int
    weights: np.ndarray
    result: Any

    @classmethod
    def read(cls, softmax: Any) -> Self | None:
        """The pattern around a softmax, or None where it is another one (attention, say)."""
        transpose, convolution = softmax.input_value(0).get_node(), _only_reader(softmax)
        if transpose.get_type_name() != "Transpose" or convolution is None:
            return None
        reshape = transpose.input_value(0).get_node()
        concat = reshape.input_value(0).get_node()
        result = _only_reader(convolution)
        kinds = [n.get_type_name() for n in (reshape, concat, convolution, result) if n is not None]
        if kinds != ["Reshape", "Concat", "Convolution", "Reshape"]:
            return None
        order, levels = _constant(transpose.input_value(1)), _flattened_levels(concat)
        shape = softmax.output(0).get_partial_shape()
        if order is None or order.tolist() != [0, 2, 1, 3] or levels is None:
            return None
        if _axis(softmax) != 1 or len(shape) != 4:
            return None
        bins, sides = shape[1].get_length(), shape[2].get_length()
        weights = _constant(convolution.input_value(1))
        if weights is None or weights.shape != (1, bins, 1, 1):
            return None
        return cls(levels, sides, np.asarray(weights, np.float32).ravel(), result)

    def rewrite(self, ops: Any) -> None:
        bins = len(self.weights)
        parts = [
            ops.reshape(
                ops.transpose(level, ops.constant([0, 2, 3, 1])),
                ops.constant([0, -1, self.sides * bins]),
                True,
            )
            for level in self.levels
        ]
        logits = ops.concat(parts, 1)
        by_side = ops.reshape(logits, ops.constant([0, 0, self.sides, bins]), True)
        # As a softmax does: no power overflows, and no side's sum is below 1, in float16 neither.
        highest = ops.reduce_max(by_side, ops.constant([3]), True)
        powers = ops.reshape(
            ops.exp(ops.subtract(by_side, highest)), ops.constant([0, 0, self.sides * bins]), True
        )
        sums = ops.matmul(
            powers, ops.constant(expectation_matrix(self.weights, self.sides)), False, False
        )
        halves = ops.split(ops.transpose(sums, ops.constant([0, 2, 1])), ops.constant(1), 2)
        replace_output(self.result, ops.divide(halves.output(0), halves.output(1)))


def expectation_matrix(weights: np.ndarray, sides: int) -> np.ndarray:
    """The matrix that powers of a box's logits are multiplied with.

    Args:
        weights: what each bin stands for, bins.

    Returns:
        float32, (sides·bins)×(2·sides): a column for Σ bin·exp of each side, then for Σ exp.
    """
    each, column = np.eye(sides, dtype=np.float32), np.asarray(weights, np.float32)[:, None]
    return np.hstack([np.kron(each, column), np.kron(each, np.ones_like(column))])


def _early_sigmoid(ops: Any, sigmoid: Any) -> int:
    """Take the sigmoid of each level before they are joined: it fuses with the convolution."""
    concat = sigmoid.input_value(0).get_node()
    if concat.get_type_name() != "Concat" or len(concat.output(0).get_target_inputs()) != 1:
        return 0
    levels = _flattened_levels(concat)
    if levels is None:
        return 0
    for index, level in enumerate(levels):
        reshape = concat.input_value(index).get_node()
        reshape.input(0).replace_source_output(ops.sigmoid(level).output(0))
    replace_output(sigmoid, concat)
    return 1


def _flattened_levels(concat: Any) -> tuple[Any, ...] | None:
    """The tensors that a concat of N×C×(H·W) joins, as N×C×H×W; None for any other concat."""
    if concat.get_type_name() != "Concat":
        return None
    levels = []
    for index in range(concat.get_input_size()):
        reshape = concat.input_value(index).get_node()
        if reshape.get_type_name() != "Reshape" or _only_reader(reshape) is None:
            return None
        before = reshape.input_value(0).get_partial_shape()
        after = reshape.output(0).get_partial_shape()
        if len(before) != 4 or len(after) != 3 or before[1] != after[1]:
            return None
        levels.append(reshape.input_value(0))
    return tuple(levels) if _axis(concat) in (2, -1) else None


def _axis(node: Any) -> int:
    axis: int = node.get_attributes()["axis"]
    return axis


def _only_reader(node: Any) -> Any | None:
    targets = node.output(0).get_target_inputs()
    return next(iter(targets)).get_node() if len(targets) == 1 else None


def _constant(value: Any) -> np.ndarray | None:
    node = value.get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return np.array(node.data) if node.get_type_name() == "Constant" else None


def replace_output(old: Any, new: Any) -> None:
    """Let all that reads a node's only output read another node's."""
    for target in old.output(0).get_target_inputs():
        target.replace_source_output(new.output(0))
