"""INT8 for ONNX Runtime: quantised nodes that its CPU kernels are fast at, ranges from images.

What is measured for a nano detector at 640 px on two VNNI cores (FP32: 25 ms):

    activations uint8, weights int8 per channel, the operators of QUANTISED       21 ms
    convolutions alone (SiLU computed in float between them)                      25–28 ms
    activations int8                                                              67 ms
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exporting import loggers_to_log, prints_to_log, require
from ..hardware import cpu_flags
from ..interchange import name_nodes
from ..quantisation import detection_tail as recipes
from ..quantisation import layer_groups
from ..quantisation.calibration import CalibrationImages, how_done
from . import editing, last_convolutions
from .entropy import asymmetric_range, entropy_range
from .hardswish import clip_levels
from .kept_float import always_float, structure_of
from .ranges import fit
from .tail import streamline
from .upsampling import copy_pixels

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

INSTALL = "pip install onnx onnxruntime"
# SiLU is Sigmoid and Mul: left float they would cost a conversion each way at every layer. A Relu
# or Clip is done by the rounding of the convolution before it, if nothing is rounded between them.
ACTIVATIONS = ("Sigmoid", "Relu", "Clip")
QUANTISED = ("Conv", "MatMul", "Add", "Mul", *ACTIVATIONS, "Concat", "MaxPool", "Split")
DYNAMIC = ("Conv", "MatMul")
ENTROPY_LEVELS = 256
"""Those of 8 bits. With as many around zero a yolov8n kept 97.4 % of its mAP50-95 and a yolo26n
98.3; with as many over each activation's own range 99.3 and 99.1. The library's are 128."""
ENTROPY_BINS = 4 * ENTROPY_LEVELS
"""Levels of one bin each are the narrowest range that is tried, a quarter to half of the whole."""
PERCENTILE_BINS = 2048
PERCENTILE = 99.999
SAMPLES = 65_536


def quantise_static(
    model: Path, target: Path, images: CalibrationImages, method: str, work: Path
) -> dict[str, str]:
    """Write `target`: QDQ nodes everywhere but at the detection end.

    Args:
        model: float32 ONNX file whose nodes all have names.
        method: 'entropy', 'minmax' or 'percentile'.
        work: directory for intermediate files.

    Returns:
        What was really done, as `how_done` gives it.
    """
    prepared, ranges = work / "prepared.onnx", work / "ranges.json"
    prepare(model, prepared)
    save_ranges(prepared, ranges, method, images, work)
    more, missing = layer_groups.safely_float(structure_of(prepared))
    kept = quantise_prepared(prepared, target, ranges, method, more)
    return how_done(calibration_used(method), kept, missing)


def prepare(model: Path, target: Path) -> None:
    """Write `target`: the same float network, folded and fused as it will be run.

    Fusing makes nodes without a name (a HardSwish's parts), and a quantiser goes by names: every
    node of `target` has one of its own.
    """
    require("onnxruntime.quantization", "int8 for ONNX Runtime", INSTALL)
    from onnxruntime.quantization import quant_pre_process

    with prints_to_log(), loggers_to_log("root"):
        quant_pre_process(str(model), str(target), skip_symbolic_shape=True)
    with editing.rewritten(target) as graph:
        name_nodes(graph)


def calibration_used(method: str) -> str:
    """The calibration method in ONNX Runtime's own terms."""
    return {
        "entropy": f"onnxruntime entropy, {ENTROPY_BINS} bins, {ENTROPY_LEVELS} levels",
        "minmax": "onnxruntime minmax",
        "percentile": f"onnxruntime percentile {PERCENTILE}, {PERCENTILE_BINS} bins",
    }[method]


def save_ranges(
    prepared: Path,
    target: Path,
    method: str,
    images: CalibrationImages,
    work: Path,
    *,
    symmetric: bool = False,
) -> None:
    """Write `target`: the range of every activation, for `quantise_prepared`.

    Args:
        prepared: what `prepare` wrote.
        work: directory for intermediate files.
        symmetric: whether the levels will lie around zero, as a GPU's do.
    """
    from onnxruntime.quantization import save_tensors_data

    with prints_to_log(), loggers_to_log("root"):
        save_tensors_data(
            _ranges(prepared, _method(method), images, work, symmetric=symmetric), target
        )


def quantise_prepared(
    prepared: Path, target: Path, ranges: Path, method: str, float_nodes: Iterable[str] = ()
) -> int:
    """Write `target`: QDQ nodes everywhere but at the detection end and at `float_nodes`.

    Args:
        prepared: what `prepare` wrote.
        ranges: what `save_ranges` wrote for it; fitted to the kernels here.
        method: that of `save_ranges`.

    Returns:
        How many nodes were kept float.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    kept = list(dict.fromkeys([*always_float(prepared), *float_nodes]))
    fitted = target.with_name(f"{target.name}.ranges")
    fit(prepared, ranges, fitted)
    with prints_to_log(), loggers_to_log("root"):
        quantize_static(
            str(prepared),
            str(target),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_exclude=kept,
            per_channel=True,
            # Without VNNI two products of 8-bit numbers are summed in 16 bits, which overflows.
            reduce_range=not _has_vnni(),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=_method(method),
            calibration_cache_path=fitted,
        )
    fitted.unlink()
    structure = structure_of(prepared)
    last, tail = recipes.last_convolutions(structure), recipes.detection_tail(structure)
    with editing.rewritten(target) as model:
        last_convolutions.write_as_products(model, last, tail)
        clip_levels(model)
        copy_pixels(model)
        streamline(model)
    return len(kept)


def _method(name: str) -> Any:
    from onnxruntime.quantization import CalibrationMethod

    return next(each for each in CalibrationMethod if each.name.lower() == name)


def quantise_dynamic(model: Path, target: Path, work: Path) -> dict[str, str]:
    """Write `target`: int8 weights, activations quantised at run time, detection end float.

    ONNX Runtime measures every activation on every image, so convolutions get slower by this:
    it saves size, not time.
    """
    prepared = work / "prepared.onnx"
    prepare(model, prepared)
    from onnxruntime.quantization import QuantType, quantize_dynamic

    structure = structure_of(prepared)
    more, missing = layer_groups.safely_float(structure)
    ends_too = [*recipes.detection_tail(structure), *recipes.last_convolutions(structure)]
    kept = list(dict.fromkeys([*ends_too, *more]))
    with prints_to_log(), loggers_to_log("root"):
        quantize_dynamic(
            str(prepared),
            str(target),
            op_types_to_quantize=list(DYNAMIC),
            nodes_to_exclude=kept,
            weight_type=QuantType.QUInt8,  # its integer convolution takes no signed weights
        )
    return how_done("at run time", len(kept), missing)


def _has_vnni() -> bool:
    return bool(cpu_flags() & {"avx512_vnni", "avx_vnni", "asimddp"})


def _ranges(
    model: Path, method: Any, images: CalibrationImages, work: Path, *, symmetric: bool
) -> Any:
    """Value range of every activation, image by image, so that memory does not grow with them.

    ONNX Runtime's histograms widen when a later image exceeds the first, by as many bins of the
    first width as it takes: after a first image that leaves a layer almost silent, that is
    millions. So the extremes are found first, and the histograms span them from the start. They
    count a sample of each activation; the extremes are exact.
    """
    from onnxruntime.quantization import CalibrationMethod, create_calibrator
    from onnxruntime.quantization.calibrate import HistogramCollector

    operators = list(QUANTISED)
    extremes = create_calibrator(
        str(model),
        operators,
        augmented_model_path=str(work / "extremes.onnx"),
        calibrate_method=CalibrationMethod.MinMax,
    )
    input_name = extremes.infer_session.get_inputs()[0].name
    for values in images:
        extremes.collect_data(_OneImage({input_name: values}))
    found = extremes.compute_data()
    if method == CalibrationMethod.MinMax:
        return found
    bins = ENTROPY_BINS if method == CalibrationMethod.Entropy else PERCENTILE_BINS
    calibrator = create_calibrator(
        str(model),
        operators,
        augmented_model_path=str(work / "histograms.onnx"),
        calibrate_method=method,
        extra_options={"num_bins": bins},
    )
    calibrator.collector = HistogramCollector(
        method=calibrator.method,
        symmetric=False,
        num_bins=bins,
        num_quantized_bins=ENTROPY_LEVELS,
        percentile=PERCENTILE,
        scenario="same",
    )
    calibrator.collector.get_entropy_threshold = entropy_range if symmetric else asymmetric_range
    wanted = list(calibrator.tensors_to_calibrate)
    calibrator.collector.histogram_dict = {
        name: _empty_histogram(found[name].range_value, bins) for name in wanted
    }
    for values in images:
        activations = calibrator.infer_session.run(wanted, {input_name: values})
        calibrator.collector.collect(dict(zip(wanted, map(_sample, activations), strict=True)))
    with warnings.catch_warnings():
        # 0/0 in histograms of layers that are constant over all images; their range is kept
        warnings.simplefilter("ignore", RuntimeWarning)
        return calibrator.compute_data()


def _sample(activation: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Every n-th value; n is odd, as sides of feature maps are even and columns must not repeat."""
    flat = activation.ravel()
    return flat[:: (flat.size // SAMPLES) | 1]


def _empty_histogram(extremes: tuple[Any, Any], bins: int) -> tuple[Any, ...]:
    import numpy as np

    lowest, highest = (np.float32(np.asarray(value).item()) for value in extremes)
    threshold = np.array(max(abs(lowest), abs(highest)), dtype=np.float32)
    counts, edges = np.histogram(
        np.empty(0, np.float32), bins, range=(-float(threshold), float(threshold))
    )
    return counts, edges.astype(np.float32), lowest, highest, threshold


class _OneImage:
    """A calibration data reader of one image; duck-typed, as the base class needs the library."""

    def __init__(self, inputs: Mapping[str, npt.NDArray[np.float32]]) -> None:
        self._waiting: Iterator[Mapping[str, npt.NDArray[np.float32]]] = iter([inputs])

    def get_next(self) -> Mapping[str, npt.NDArray[np.float32]] | None:
        return next(self._waiting, None)
