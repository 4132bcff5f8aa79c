"""Finds what stays float when a detector is quantised, by the structure of its graph.

A detector's last convolutions give logits and box distances. What follows decodes them: class
scores in 0…1 end up in the same tensor as boxes in pixels. One 8-bit scale over both leaves no
level for a score, so the accuracy of a naively quantised detector is zero. The tail costs next to
nothing, so it stays float.

    image ─ conv … conv ─┬─ conv(box) ─ reshape ─ softmax ─ DFL conv ─ … ┐
                         └─ conv(class) ─ reshape ─ sigmoid ─────────────┴─ concat ─ output
             quantised ──────────────┘ └──────── detection tail: float ───────────────────

No layer name or number of an architecture appears here: the tail is found by walking back from
the outputs until convolutions are met. That holds for heads with and without DFL, and for
end-to-end heads that go on with TopK and Gather.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...contracts.errors import BackendError

FLOAT_TAIL_RULE = "detection-tail-float"

CONVOLUTIONS = frozenset(
    {
        "Conv",
        "ConvTranspose",
        "Convolution",
        "GroupConvolution",
        "ConvolutionBackpropData",
        "GroupConvolutionBackpropData",
    }
)
# They hand on a tensor's shape, not its values: what feeds them is not part of the tail.
SHAPE_READERS = frozenset({"Shape", "ShapeOf", "Size"})
# They move values about without mixing them: a softmax seen through these alone is the DFL's.
REARRANGEMENTS = frozenset(
    {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Cast", "Convert", "Flatten"}
)
SOFTMAXES = frozenset({"Softmax", "SoftMax"})
SCORES = frozenset({"Sigmoid"})
PRODUCTS = frozenset({"MatMul", "Gemm"})
NO_OPERATIONS = frozenset({"Constant", "Parameter", "Result"})


@dataclass(frozen=True)
class Operation:
    """A node of a graph.

    Args:
        name: unique in its graph; what a quantiser calls it.
        kind: operator type, e.g. 'Conv'.
        inputs: names of the operations that feed it, in order; constants and graph inputs left
            out.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """Operations by name, and the names of those that produce the model's outputs."""

    operations: Mapping[str, Operation]
    outputs: tuple[str, ...]


def detection_tail(graph: Graph) -> list[str]:
    """Names of the operations to keep float, in the graph's own order.

    The backward closure of the outputs, cut at convolutions. A convolution that reads a softmax
    through nothing but rearrangements is the DFL's expectation over distances, not a feature
    extractor: it belongs to the tail and the walk goes on behind it.

    Raises:
        BackendError: the walk met no convolution: this graph is not a convolutional detector's.
    """
    tail: set[str] = set()
    met_convolution = False
    waiting = list(graph.outputs)
    while waiting:
        name = waiting.pop()
        if name in tail:
            continue
        operation = graph.operations[name]
        if operation.kind in CONVOLUTIONS and not _reads_softmax(graph, operation):
            met_convolution = True
            continue
        tail.add(name)
        if operation.kind not in SHAPE_READERS:
            waiting.extend(operation.inputs)
    if not met_convolution:
        raise BackendError(
            "the model's outputs do not come from convolutions, so no detection tail can be told "
            "from its backbone; quantise a convolutional detector, or export it as fp32 or fp16"
        )
    return [name for name in graph.operations if name in tail]


def missing_patterns(graph: Graph) -> tuple[str, ...]:
    """Patterns of every known structure that this graph has not, in words; () for none.

    What stays float is read off these patterns. Without them it may be read off wrongly.

    Raises:
        BackendError: as `detection_tail`.
    """
    tail = [graph.operations[name] for name in detection_tail(graph)]
    kinds = {operation.kind for operation in tail}
    found = {
        "class scores (a sigmoid after the last convolutions)": bool(kinds & SCORES),
        "separate branches for boxes and classes (two last convolutions)": len(
            last_convolutions(graph)
        )
        > 1,
        "outputs that come straight from convolutions (no matrix product between)": not (
            kinds & PRODUCTS
        ),
    }
    return tuple(words for words, there in found.items() if not there)


def last_convolutions(graph: Graph) -> list[str]:
    """Names of the convolutions that the detection tail reads: box and class branches' ends."""
    tail = set(detection_tail(graph))
    read = {source for name in tail for source in graph.operations[name].inputs}
    return [
        name
        for name, operation in graph.operations.items()
        if name in read - tail and operation.kind in CONVOLUTIONS
    ]


def _reads_softmax(graph: Graph, convolution: Operation) -> bool:
    inputs = convolution.inputs
    while inputs:
        source = graph.operations[inputs[0]]
        if source.kind in SOFTMAXES:
            return True
        if source.kind not in REARRANGEMENTS:
            return False
        inputs = source.inputs
    return False


def operations_of_kind(graph: Graph, kinds: Iterable[str]) -> list[str]:
    """Names of all operations of these kinds, in the graph's order."""
    wanted = frozenset(kinds)
    return [name for name, operation in graph.operations.items() if operation.kind in wanted]


def graph_of_onnx(model: Any) -> Graph:
    """Read the structure of an `onnx.ModelProto`.

    Raises:
        BackendError: nodes without a name, or two of one name: a quantiser could not be told
            which is meant.
    """
    nodes = list(model.graph.node)
    names = [node.name for node in nodes]
    if not all(names) or len(set(names)) != len(names):
        raise BackendError("every node of the ONNX graph must have a name of its own")
    producer = {output: node.name for node in nodes for output in node.output}
    constants = {node.name for node in nodes if node.op_type == "Constant"}
    operations = {
        node.name: Operation(
            node.name,
            node.op_type,
            tuple(
                producer[value]
                for value in node.input
                if value in producer and producer[value] not in constants
            ),
        )
        for node in nodes
        if node.name not in constants
    }
    outputs = tuple(producer[output.name] for output in model.graph.output)
    return Graph(operations, outputs)


def graph_of_openvino(model: Any) -> Graph:
    """Read the structure of an `openvino.Model`; names are the friendly names NNCF goes by."""

    def sources(node: Any) -> tuple[str, ...]:
        found = (node.input_value(i).get_node() for i in range(node.get_input_size()))
        return tuple(n.get_friendly_name() for n in found if n.get_type_name() not in NO_OPERATIONS)

    operations = {
        node.get_friendly_name(): Operation(
            node.get_friendly_name(), node.get_type_name(), sources(node)
        )
        for node in model.get_ordered_ops()
        if node.get_type_name() not in NO_OPERATIONS
    }
    outputs = tuple(name for result in model.get_results() for name in sources(result))
    return Graph(operations, outputs)
