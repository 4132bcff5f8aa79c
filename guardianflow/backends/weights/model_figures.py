"""How large a detector is and how much it computes: parameters and floating-point operations.

Counted on the PyTorch model as it is deployed (batch norms folded into their convolutions, the
training's second head left out) when its package is made, and carried along in the lineage: an
export has the figures of its source, whatever its own format hides.

Convolutions and matrix products are not computed, only their shapes: a large model counts in a
second, and no instruction can end the process. A model with products that are not known here is
counted by torch.utils.flop_counter on PyTorch's 'meta' device, whose import takes seconds.
"""

from __future__ import annotations

import functools
import logging
import math
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...contracts.errors import BackendError
from ...contracts.results import DetectorSpec
from ..exporting import foreign_errors, loggers_to_log
from . import ultralytics_models

LOGGER = logging.getLogger(__name__)

PARAMETERS, FLOPS = "parameters", "flops"


def lineage_figures(model: Any, name: str, output: str, input_size: int) -> dict[str, str]:
    """The figures as a new package's lineage holds them; {} where the model can't be counted.

    Operations are those of one image at its input size: 2 for each multiply-add of convolutions and
    matrix products, as torch.utils.flop_counter counts. Biases, activations, pooling and resizing
    are left out, as is the custom.

    Args:
        model: as `ultralytics_models.load_detector` gives it; it is of no use afterwards.
        name: of its file, for messages.
        output: 'grid' or 'end_to_end'.
        input_size: side, pixels.
    """
    try:
        figures = _count(model, name, output, input_size)
    except BackendError as exc:  # a detector is no worse for an uncounted layer
        LOGGER.warning("size and operations of %s are not known: %s", name, exc)
        return {}
    return {name: str(value) for name, value in figures.items()}


def figures_from_lineage(spec: DetectorSpec, prefix: str = "sys.") -> dict[str, float]:
    """`{prefix}model_params_m` (10⁶) and `{prefix}model_flops_g` (10⁹ for each image).

    {} for a detector whose source was never counted, e.g. one that came as an ONNX file.
    """
    known: Mapping[str, str] = spec.lineage
    figures = {
        "model_params_m": known.get(PARAMETERS, ""),
        "model_flops_g": known.get(FLOPS, ""),
    }
    scale = {"model_params_m": 1e6, "model_flops_g": 1e9}
    return {
        prefix + name: int(value) / scale[name]
        for name, value in figures.items()
        if value.isdecimal()
    }


def _count(model: Any, name: str, output: str, input_size: int) -> dict[str, int]:
    import torch

    with (
        foreign_errors(f"counting the operations of {name}"),
        loggers_to_log("ultralytics"),
        warnings.catch_warnings(),
        torch.inference_mode(),
    ):
        warnings.simplefilter("ignore")  # about values, which are not there
        with counting_mode()():  # folding takes products too, which are not the model's
            model = ultralytics_models.prepare(model, output, input_size)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        counter = counting_mode()()
        with counter:
            model(torch.empty(1, 3, input_size, input_size))
        flops = counter.flops
        if counter.unknown:
            LOGGER.debug("counting by torch.utils.flop_counter: %s", counter.unknown)
            flops = _counted_on_meta(model, input_size)
    return {PARAMETERS: parameters, FLOPS: flops}


def _counted_on_meta(model: Any, input_size: int) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    head = model.model[-1]
    strides, head.shape = head.stride, None  # anchors of the first count lie on another device
    model.to("meta")
    head.stride = strides  # the head reads their values to place its anchors
    counter = FlopCounterMode(display=False)
    with counter:
        model(torch.empty(1, 3, input_size, input_size, device="meta"))
    return int(counter.get_total_flops())


@functools.cache
def counting_mode() -> Any:
    """A class of torch function modes that count products instead of computing them.

    Made here because its base is PyTorch's, which is loaded late.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class CountingMode(TorchFunctionMode):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.flops = 0
            self.unknown: set[str] = set()

        def __torch_function__(
            self, function: Any, _types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            name = getattr(function, "__name__", "")
            if name in _PRODUCTS:
                try:
                    shape, terms = _PRODUCTS[name](*args, **(kwargs or {}))
                except (TypeError, ValueError):  # arguments of a form that is not known here
                    self.unknown.add(name)
                else:
                    self.flops += 2 * math.prod(shape) * terms
                    return torch.empty(shape)
            elif _MAY_BE_PRODUCT.search(name):
                self.unknown.add(name)
            return function(*args, **(kwargs or {}))

    return CountingMode


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
