"""INT8 graphs with explicit Q/DQ pairs for TensorRT, from the ranges that ONNX Runtime's int8 uses.

TensorRT wants what its kernels compute: signed 8 bits around zero for activations and weights,
pairs before the layers that have weights, biases left float. The rest it fuses itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..exporting import loggers_to_log, prints_to_log
from ..quantisation import detection_tail as recipes
from ..quantisation import layer_groups
from ..quantisation.calibration import CalibrationImages, how_done
from . import quantisation
from .kept_float import structure_of

QUANTISED = ("Conv", "MatMul", "Add")
"""Layers with weights, and the sums of residual branches, which else stay float between them."""


def quantise_explicit(
    model: Path, target: Path, images: CalibrationImages, method: str, work: Path
) -> dict[str, str]:
    """Write `target`: Q/DQ pairs everywhere but at the detection end.

    Args:
        model: float32 ONNX file whose nodes all have names.
        method: 'entropy', 'minmax' or 'percentile'.
        work: directory for intermediate files.

    Returns:
        What was really done, as `how_done` gives it.
    """
    prepared, ranges = work / "prepared.onnx", work / "ranges.json"
    quantisation.prepare(model, prepared)
    quantisation.save_ranges(prepared, ranges, method, images, work, symmetric=True)
    structure = structure_of(prepared)
    more, missing = layer_groups.safely_float(structure)
    ends = [*recipes.detection_tail(structure), *recipes.last_convolutions(structure)]
    kept = list(dict.fromkeys([*ends, *more]))
    _write(prepared, target, ranges, method, kept)
    return how_done(f"{quantisation.calibration_used(method)}, explicit Q/DQ", len(kept), missing)


def _write(
    prepared: Path, target: Path, ranges: Path, method: str, float_nodes: Iterable[str]
) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with prints_to_log(), loggers_to_log("root"):
        quantize_static(
            str(prepared),
            str(target),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_exclude=list(float_nodes),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=next(m for m in CalibrationMethod if m.name.lower() == method),
            calibration_cache_path=ranges,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "AddQDQPairToWeight": True,
                "QuantizeBias": False,
                # A pair between a convolution and its SiLU would keep TensorRT from fusing them.
                "OpTypesToExcludeOutputQuantization": list(QUANTISED),
            },
        )
