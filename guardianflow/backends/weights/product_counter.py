"""Counts the multiply-adds of a PyTorch model without computing them.

PyTorch is imported here: import this module only where it is needed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode


def _convolution(
    image: Any,
    weight: Any,
    bias: Any = None,  # noqa: ARG001 - an addition is not counted
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,  # noqa: ARG001 - the weight has a group's channels alone
) -> tuple[tuple[int, ...], int]:
    """Shape of a conv2d's result, and the multiply-adds of each of its numbers."""
    sides = tuple(
        (side + 2 * pad - step * (kernel - 1) - 1) // stride_ + 1
        for side, pad, step, kernel, stride_ in zip(
            image.shape[2:], padding, dilation, weight.shape[2:], stride, strict=True
        )
    )
    return (image.shape[0], weight.shape[0], *sides), math.prod(weight.shape[1:])


def _matrices(first: Any, second: Any) -> tuple[tuple[int, ...], int]:
    """The same of a product of two matrices, or of stacks of them."""
    stacked = np.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    return (*stacked, first.shape[-2], second.shape[-1]), first.shape[-1]


_MAY_BE_PRODUCT = re.compile(r"conv|mm|matmul|linear|einsum|attention|dot|inner|outer|cdist|fft")
_PRODUCTS: Mapping[str, Callable[..., tuple[tuple[int, ...], int]]] = {
    "conv2d": _convolution,
    "matmul": _matrices,
    "mm": _matrices,
}


class ProductCounter(TorchFunctionMode):  # type: ignore[misc]
    """While it is entered, a product gives a tensor of the right shape and no values.

    Attributes:
        flops: 2 for each multiply-add.
        unknown: functions that may take products and are not known here; they are computed, and
            not counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self.unknown: set[str] = set()

    def __torch_function__(
        self, function: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name, kwargs = getattr(function, "__name__", ""), kwargs or {}
        if name in _PRODUCTS:
            try:
                shape, terms = _PRODUCTS[name](*args, **kwargs)
            except (TypeError, ValueError):  # arguments of a form that is not known here
                self.unknown.add(name)
            else:
                self.flops += 2 * math.prod(shape) * terms
                return torch.empty(shape)
        elif _MAY_BE_PRODUCT.search(name):
            self.unknown.add(name)
        return function(*args, **kwargs)
