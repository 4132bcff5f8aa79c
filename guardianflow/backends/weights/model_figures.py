"""Counts a detector's parameters and floating-point operations.

Counted on the PyTorch model as it is deployed (batch norms folded into their convolutions, the
training's second head left out) when its package is made, and carried along in the lineage: an
export has the figures of its source, whatever its own format hides.

Convolutions and matrix products are not computed, only their shapes: a large model counts in a
second, and no instruction can end the process. A model with products that are not known here is
counted by torch.utils.flop_counter on PyTorch's 'meta' device, whose import takes seconds.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

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
    figures = ((PARAMETERS, "model_params_m", 1e6), (FLOPS, "model_flops_g", 1e9))
    return {
        prefix + key: int(spec.lineage[name]) / scale
        for name, key, scale in figures
        if spec.lineage.get(name, "").isdecimal()
    }


def _count(model: Any, name: str, output: str, input_size: int) -> dict[str, int]:
    import torch

    from .product_counter import ProductCounter

    with (
        foreign_errors(f"counting the operations of {name}"),
        loggers_to_log("ultralytics"),
        warnings.catch_warnings(),
        torch.inference_mode(),
    ):
        warnings.simplefilter("ignore")  # about values, which are not there
        with ProductCounter():  # folding takes products too, which are not the model's
            model = ultralytics_models.prepare(model, output, input_size)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        with ProductCounter() as counter:
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
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, input_size, input_size, device="meta"))
    return int(counter.get_total_flops())
