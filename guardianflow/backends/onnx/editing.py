"""Reading and rewriting an ONNX graph: who makes and reads a value, constants, nodes replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


@contextmanager
def rewritten(file: Path) -> Iterator[Any]:
    """The `onnx.ModelProto` of a file, written back at the end of the block."""
    import onnx

    model = onnx.load(str(file))
    yield model
    onnx.save(model, str(file))


def maker(graph: Any, value: str) -> Any | None:
    """The node that makes a value; None for a constant or an input of the graph."""
    return next((node for node in graph.node if value in node.output), None)


def readers(graph: Any, value: str) -> list[Any]:
    """The nodes that read a value."""
    return [node for node in graph.node if value in node.input]


def only_reader(graph: Any, node: Any) -> Any | None:
    """The one node that reads another one's result; None where others do, or it is an output."""
    found = readers(graph, node.output[0])
    is_output = any(output.name == node.output[0] for output in graph.output)
    return found[0] if len(found) == 1 and not is_output else None


def constants(graph: Any) -> Mapping[str, np.ndarray]:
    """The values of a graph's constants by name."""
    from onnx import numpy_helper

    return {each.name: numpy_helper.to_array(each) for each in graph.initializer}


def attribute(node: Any, name: str, otherwise: Any = None) -> Any:
    """A node's attribute, as Python has it."""
    from onnx import helper

    found = [helper.get_attribute_value(each) for each in node.attribute if each.name == name]
    return found[0] if found else otherwise


def shapes(model: Any) -> dict[str, list[int]]:
    """The sizes of each value of an `onnx.ModelProto`; 0 for one that is not fixed."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        each.name: [size.dim_value for size in each.type.tensor_type.shape.dim]
        for each in [*graph.input, *graph.value_info, *graph.output]
    }


def add_constants(graph: Any, values: Mapping[str, npt.NDArray[Any]]) -> None:
    """Give a graph more constants."""
    from onnx import numpy_helper

    graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in values.items())


def replace(graph: Any, old: Sequence[Any], new: Sequence[Any]) -> None:
    """Put nodes in others' place, where the last of these was; what nobody reads then goes."""
    place = list(graph.node).index(old[-1])
    for offset, node in enumerate(new):
        graph.node.insert(place + offset, node)
    for node in old:
        graph.node.remove(node)
    remove_unread(graph)


def remove_unread(graph: Any) -> None:
    """Remove constants that nobody reads: ONNX Runtime warns of them on every opening."""
    read = {name for each in graph.node for name in each.input}
    for unread in [each for each in graph.initializer if each.name not in read]:
        graph.initializer.remove(unread)
