"""How large a detector is and how much it computes: parameters and floating-point operations.

Counted on the PyTorch model as it is deployed (batch norms folded into their convolutions, the
training's second head left out) when its package is made, and carried along in the lineage: an
export has the figures of its source, whatever its own format hides.

The model is moved to PyTorch's 'meta' device, where tensors have shapes and no values. So nothing
is computed, a large model counts in a second, and no instruction can end the process.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path

from ...contracts.backends import SOURCE
from ...contracts.errors import BackendError, ConfigurationError
from ...contracts.results import DetectorPackage, DetectorSpec
from ..exporting import foreign_errors, loggers_to_log
from . import checkpoints, ultralytics_models

LOGGER = logging.getLogger(__name__)

PARAMETERS, FLOPS = "parameters", "flops"


def model_figures(package: DetectorPackage) -> dict[str, int]:
    """Count a PyTorch package's parameters, and what one image at its input size costs.

    Returns:
        'parameters', and 'flops': 2 for each multiply-add of convolutions and matrix products, as
        torch.utils.flop_counter counts. Biases, activations, pooling and resizing are left out, as
        is the custom.

    Raises:
        ConfigurationError: a package of another backend; see `figures_from_lineage`.
        BackendError: the model can't be counted.
    """
    spec = package.spec
    if spec.backend != SOURCE:
        raise ConfigurationError(
            f"only a PyTorch detector can be counted but got one of '{spec.backend}'; its figures "
            "are in its lineage, where its source was counted"
        )
    accepted = checkpoints.accepted_by(spec)
    return _count(package.weights_path, spec.output, spec.input_size, accepted)


def lineage_figures(
    weights: Path, output: str, input_size: int, accepted: Collection[str] = ()
) -> dict[str, str]:
    """The figures as a new package's lineage holds them; {} where the model can't be counted.

    Args:
        weights: an Ultralytics checkpoint, already found to be a detector.
        output: 'grid' or 'end_to_end'.
        input_size: side, pixels.
        accepted: as for `ultralytics_models.load_detector`.
    """
    try:
        figures = _count(weights, output, input_size, accepted)
    except BackendError as exc:  # a detector is no worse for an uncounted layer
        LOGGER.warning("size and operations of %s are not known: %s", weights.name, exc)
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


def _count(
    weights: Path, output: str, input_size: int, accepted: Collection[str]
) -> dict[str, int]:
    model = ultralytics_models.load_detector(weights, accepted)
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with (
        foreign_errors(f"counting the operations of {weights.name}"),
        loggers_to_log("ultralytics"),
        warnings.catch_warnings(),
        torch.inference_mode(),
    ):
        warnings.simplefilter("ignore")  # about values, which are not there
        strides = model.model[-1].stride
        model = ultralytics_models.prepare(model.to("meta"), output, input_size)
        model.model[-1].stride = strides  # the head reads their values to place its anchors
        counter = FlopCounterMode(display=False)
        with counter:
            model(torch.empty(1, 3, input_size, input_size, device="meta"))
    return {
        PARAMETERS: sum(parameter.numel() for parameter in model.parameters()),
        FLOPS: int(counter.get_total_flops()),
    }
