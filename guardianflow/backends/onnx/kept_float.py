"""What no static recipe quantises, because ONNX Runtime's 8-bit kernels are no faster at it.

Beside the detection tail: the layer that reads the image, attention's products, and those last
convolutions whose results could not be had unrounded.
"""

from __future__ import annotations

from pathlib import Path

from ..quantisation import detection_tail as recipes
from ..quantisation import layer_groups
from . import last_convolutions

ACTIVATIONS = ("Sigmoid", "HardSigmoid", "Mul", "Relu", "Clip")


def always_float(prepared: Path) -> list[str]:
    """Names of the nodes that no static recipe quantises.

    Args:
        prepared: what `quantisation.prepare` wrote.
    """
    import onnx

    model = onnx.load(str(prepared))
    structure = recipes.graph_of_onnx(model)
    last = recipes.last_convolutions(structure)
    products = last_convolutions.are_products(model, last)
    kept = [*recipes.detection_tail(structure), *(name for name in last if name not in products)]
    return [*kept, *first_layer(structure), *attention_products(structure)]


def attention_products(graph: recipes.Graph) -> list[str]:
    """Products of two activations, and scalings by a constant beside them.

    With its softmax and its products' results in 8 bits a yolo11n's attention took 1.0 of 27 ms at
    640 px, in float it takes 0.5, and nothing is rounded between.
    """
    readers = layer_groups.readers_of(graph)
    found = {
        name for name, each in graph.operations.items()
        if each.kind == "MatMul" and len(set(each.inputs)) > 1
    }  # fmt: skip
    passing = recipes.REARRANGEMENTS | recipes.SOFTMAXES
    waiting, met = list(found), set(found)
    while waiting:
        name = waiting.pop()
        for near in {*graph.operations[name].inputs, *readers[name]} - met:
            operation = graph.operations[near]
            is_scaling = operation.kind == "Mul" and len(operation.inputs) == 1
            if is_scaling:
                found.add(near)
            if is_scaling or operation.kind in passing:
                met.add(near)
                waiting.append(near)
    return [name for name in graph.operations if name in found]


def first_layer(graph: recipes.Graph) -> list[str]:
    """The convolution that reads the image, first, and its activation.

    Three channels are too few for an 8-bit kernel: 2.2 ms of 30 of a yolo11n at 640 px, and 0.7
    for the conversion of the image, against 0.9 and 0.5 of a float convolution.
    """
    convolutions = recipes.operations_of_kind(graph, recipes.CONVOLUTIONS)
    found = [name for name in convolutions if not graph.operations[name].inputs][:1]
    for name, operation in graph.operations.items():
        reads_first_alone = operation.inputs and set(operation.inputs) <= set(found)
        if operation.kind in ACTIVATIONS and reads_first_alone:
            found.append(name)
    return found


def structure_of(model: Path) -> recipes.Graph:
    """The structure of an ONNX file."""
    import onnx

    return recipes.graph_of_onnx(onnx.load(str(model)))
