"""Ranges as ONNX Runtime's 8-bit kernels use them best, made of those that were measured.

In front of a SiLU or a HardSwish only what is not far below zero counts: both give about 0 there.
Measured ranges reach as far below zero as above, so half of the 256 levels would tell nothing. A
SiLU's range begins where its result is a quarter of a level of what it gives, or less.

The parts of a concatenation get one range with the whole, and so does what only moves values: they
are copied then, not computed anew, and not rounded twice. What a ReLU gives has one with its like
alone: the range itself is what cuts off below 0.

A yolo11n of 80 classes at 640 px, against float32: scores are 0.062 off instead of 0.081 (root mean
square), boxes 1.25 px instead of 1.69, and concatenations take a quarter less time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .hardswish import LEVELS, REACH, is_clip_of_hard_swish

MOVERS = ("Concat", "Split", "MaxPool", "Resize")
"""Operators whose results are values that they were given."""
LIMITERS = ("Relu", "Clip")
"""Operators that the range of their result does: where it began below 0, nothing would."""


def fit(prepared: Path, measured: Path, target: Path) -> None:
    """Write `target`: the ranges of `measured`, fitted to the network.

    Args:
        prepared: the float network that they were measured of.
        measured: a file that `onnxruntime.quantization.save_tensors_data` wrote.
    """
    import onnx

    graph = onnx.load(str(prepared)).graph
    whole = json.loads(measured.read_text(encoding="utf-8"))
    ranges = {name: (_number(each["lowest"]), _number(each["highest"]))
              for name, each in whole["data"].items()}  # fmt: skip
    for names in _moved_together(graph):
        there = [ranges[name] for name in names if name in ranges]
        for name in names:
            if name in ranges:
                ranges[name] = (min(low for low, _ in there), max(high for _, high in there))
    for read, operator, given in _activations(graph):
        if read in ranges and given in ranges:
            low, high = ranges[read]
            if operator == "HardSigmoid":  # whose clip needs a level for its beginning
                ranges[read] = (-REACH, high)
            else:
                ranges[read] = (max(low, _floor(*ranges[given])), high)
    for name, (low, high) in ranges.items():
        whole["data"][name] |= {"lowest": low, "highest": high}
    target.write_text(json.dumps(whole), encoding="utf-8")


def _floor(low: float, high: float) -> float:
    """Below which a SiLU gives what is no more than a quarter of a level of this range from 0."""
    level, x = (max(high, 0.0) - min(low, 0.0)) / LEVELS, -1.5
    while x > -20 and -x / (1 + math.exp(-x)) > level / 4:
        x -= 0.25
    return x


def _activations(graph: Any) -> Iterator[tuple[str, str, str]]:
    """Of each x · operator(x): x, if nothing else reads it, the operator, and the result."""
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in graph.node:
        read = node.input[0] if node.input else ""
        if node.op_type not in ("Sigmoid", "HardSigmoid") or len(readers[read]) != 2:
            continue
        if node.op_type == "HardSigmoid" and not is_clip_of_hard_swish(node):
            continue
        product = next(each for each in readers[read] if each is not node)
        if product.op_type == "Mul" and set(product.input) == {read, node.output[0]}:
            yield read, node.op_type, product.output[0]


def _moved_together(graph: Any) -> list[set[str]]:
    """Tensors that have values of one another, and what limits them, if anything does, alike."""
    sets: dict[str, set[str]] = {}
    limits = {node.output[0]: node.op_type for node in graph.node if node.op_type in LIMITERS}

    def join(names: Iterable[str]) -> None:
        joined = set[str]().union(*(sets.get(name, {name}) for name in names))
        sets.update(dict.fromkeys(joined, joined))

    def limit_of(name: str) -> str:
        return next((limits[each] for each in sets.get(name, {name}) if each in limits), "")

    for node in graph.node:
        if node.op_type not in MOVERS:
            continue
        if node.op_type != "Concat":
            join([node.input[0], *node.output])
        elif len({limit_of(name) for name in node.input}) == 1:
            join([*node.input, *node.output])
        else:
            join([*(name for name in node.input if not limit_of(name)), *node.output])
    return [set(names) for names in {frozenset(each) for each in sets.values()}]


def _number(value: Any) -> float:
    """A number, or what the library wrote of an array of one."""
    if isinstance(value, dict):
        (value,) = value["data"] if isinstance(value["data"], list) else [value["data"]]
    return float(value)
