"""OpenVINO's operations in PyTorch: those that convolutional detectors are made of.

Each entry of OPERATIONS takes an OpenVINO node and gives a function of its inputs. Inputs that say
how rather than what (axes, shapes) are read from the node once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ...contracts.errors import BackendError

Function = Callable[..., Any]


def constant_of(node: Any) -> np.ndarray[Any, Any]:
    """The values of a Constant.

    Raises:
        BackendError: it is no constant.
    """
    if node.get_type_name() != "Constant":
        raise BackendError(
            f"{node.get_friendly_name()} must be a constant but is a {node.get_type_name()}"
        )
    values: np.ndarray[Any, Any] = np.asarray(node.data)
    return values


def constants_of(node: Any, ports: Sequence[int]) -> list[np.ndarray[Any, Any]]:
    """The constants at these inputs of a node."""
    return [constant_of(node.input_value(port).get_node()) for port in ports]


class Constants:
    """Constants that are used and not trained, as tensors where they are needed.

    Args:
        nodes: of the network, by name.
        trained: names of constants that are parameters instead.
    """

    def __init__(self, nodes: Mapping[str, Any], trained: Collection[str]) -> None:
        self._values = {
            name: torch.from_numpy(np.array(constant_of(node)))
            for name, node in nodes.items()
            if node.get_type_name() == "Constant" and name not in trained
        }
        self._placed: dict[str, dict[str, torch.Tensor]] = {}

    def on(self, device: torch.device) -> Mapping[str, torch.Tensor]:
        """All of them by name, on a device."""
        if str(device) not in self._placed:
            self._placed[str(device)] = {
                name: values.to(device) for name, values in self._values.items()
            }
        return self._placed[str(device)]


def _padding(node: Any) -> tuple[int, int, int, int]:
    """Left, right, top, bottom, as `torch.nn.functional.pad` takes them."""
    given = node.get_attributes()
    if str(given.get("auto_pad", "explicit")).lower() not in ("explicit", "notset"):
        raise BackendError(
            f"{node.get_friendly_name()} must name its padding but says '{given['auto_pad']}'"
        )
    (top, left), (bottom, right) = given["pads_begin"], given["pads_end"]
    return left, right, top, bottom


def _convolution(node: Any) -> Function:
    given = node.get_attributes()
    stride, dilation = tuple(given["strides"]), tuple(given["dilations"])
    padding = _padding(node)
    grouped = node.get_type_name() == "GroupConvolution"

    def convolve(images: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        groups = weights.shape[0] if grouped else 1
        kernel = weights.flatten(0, 1) if grouped else weights  # G×O×I×h×w → GO×I×h×w
        left, right, top, bottom = padding
        if left == right and top == bottom:
            return functional.conv2d(images, kernel, None, stride, (top, left), dilation, groups)
        padded = functional.pad(images, padding)
        return functional.conv2d(padded, kernel, None, stride, 0, dilation, groups)

    return convolve


def _max_pool(node: Any) -> Function:
    given = node.get_attributes()
    padding, upwards = _padding(node), str(given["rounding_type"]).lower() == "ceil"

    def pool(images: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(images, padding, value=float("-inf"))
        return functional.max_pool2d(
            padded,
            tuple(given["kernel"]),
            tuple(given["strides"]),
            0,
            tuple(given.get("dilations", (1, 1))),
            ceil_mode=upwards,
        )

    return pool


def _interpolate(node: Any) -> Function:
    mode = str(node.get_attributes()["mode"]).lower()
    if mode != "nearest":
        raise BackendError(f"{node.get_friendly_name()} must be 'nearest' but is '{mode}'")
    shape = node.get_output_partial_shape(0)
    size = (int(shape[2].get_length()), int(shape[3].get_length()))
    return lambda images, *_: functional.interpolate(images, size=size, mode="nearest")


def _reshape(node: Any) -> Function:
    (pattern,) = constants_of(node, [1])
    copies = bool(node.get_attributes()["special_zero"])
    wanted = [int(length) for length in pattern]

    def reshape(values: torch.Tensor, *_: Any) -> torch.Tensor:
        shape = [
            values.shape[axis] if copies and length == 0 else length
            for axis, length in enumerate(wanted)
        ]
        return values.reshape(shape)

    return reshape


def _variadic_split(node: Any) -> Function:
    axis, given = constants_of(node, [1, 2])
    parts = [int(length) for length in given.ravel()]
    along = int(axis.ravel()[0])

    def split(values: torch.Tensor, *_: Any) -> tuple[torch.Tensor, ...]:
        rest = values.shape[along] - sum(length for length in parts if length >= 0)
        lengths = [rest if length < 0 else length for length in parts]
        return tuple(values.split(lengths, along))

    return split


def _split(node: Any) -> Function:
    (axis,) = constants_of(node, [1])
    parts, along = int(node.get_attributes()["num_splits"]), int(axis.ravel()[0])
    return lambda values, *_: values.chunk(parts, along)


def _transpose(node: Any) -> Function:
    (order,) = constants_of(node, [1])
    axes = [int(axis) for axis in order]
    return lambda values, *_: values.permute(axes)


def _matrix_product(node: Any) -> Function:
    given = node.get_attributes()
    turned = bool(given["transpose_a"]), bool(given["transpose_b"])

    def multiply(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        left = first.transpose(-1, -2) if turned[0] else first
        right = second.transpose(-1, -2) if turned[1] else second
        return left @ right

    return multiply


def _concat(node: Any) -> Function:
    axis = int(node.get_attributes()["axis"])
    return lambda *parts: torch.cat(parts, axis)


def _softmax(node: Any) -> Function:
    axis = int(node.get_attributes()["axis"])
    return lambda values: values.softmax(axis)


def _swish(node: Any) -> Function:
    if node.get_input_size() > 1:  # x·sigmoid(βx)
        return lambda values, beta: values * torch.sigmoid(beta * values)
    return lambda values: functional.silu(values)


def _plain(function: Function) -> Callable[[Any], Function]:
    return lambda _: function


OPERATIONS: Mapping[str, Callable[[Any], Function]] = {
    "Convolution": _convolution,
    "GroupConvolution": _convolution,
    "MaxPool": _max_pool,
    "Interpolate": _interpolate,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "VariadicSplit": _variadic_split,
    "Split": _split,
    "Concat": _concat,
    "MatMul": _matrix_product,
    "Softmax": _softmax,
    "Swish": _swish,
    "Add": _plain(torch.add),
    "Subtract": _plain(torch.sub),
    "Multiply": _plain(torch.mul),
    "Divide": _plain(torch.div),
    "Sigmoid": _plain(torch.sigmoid),
    "Relu": _plain(torch.relu),
    "HSwish": _plain(functional.hardswish),
    "Mish": _plain(functional.mish),
}
