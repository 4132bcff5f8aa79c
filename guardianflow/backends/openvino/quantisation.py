"""INT8 for OpenVINO by NNCF: ranges from images, the detection tail kept float."""

from __future__ import annotations

from typing import Any

from ..exporting import environment, loggers_to_log, prints_to_log, require
from ..quantisation import detection_tail as recipes
from ..quantisation import layer_groups
from ..quantisation.calibration import CalibrationImages, how_done

PERCENTILE = 0.9999


def require_nncf() -> Any:
    """The nncf package; raises MissingDependencyError where it is not installed."""
    with environment(NNCF_CI="1"):  # it reports its use over the network otherwise
        return require("nncf", "OpenVINO int8", "pip install nncf")


def quantise(
    nncf: Any,
    model: Any,
    images: CalibrationImages,
    method: str,
    *,
    preset: str = "mixed",
    bias_correction: bool = True,
    compress_weights: bool = True,
    conservative: bool = False,
) -> tuple[Any, dict[str, str]]:
    """Quantise a float `openvino.Model`; the model itself is left as it is.

    Args:
        method: 'entropy', 'minmax' or 'percentile'; OpenvinoBackend.export says what each is.
        preset: 'mixed' or 'performance'.
        bias_correction: whether biases make up for the mean error of quantised weights.
        compress_weights: store weights as 8-bit numbers; False leaves them float behind the
            operations that quantise them, so that they can still be left out.
        conservative: leave more float in a graph of no known structure.

    Returns:
        The quantised model, and what was done, as `how_done` gives it.
    """
    from nncf.openvino.quantization.backend_parameters import BackendParameters

    estimators = _range_estimators()
    estimator, used = estimators[method]
    graph = recipes.graph_of_openvino(model)
    kept, missing = recipes.detection_tail(graph), tuple[str, ...]()
    if conservative:
        kept, missing = layer_groups.safely_float(graph)

    def quantised_by(ranges: Any) -> Any:
        return nncf.quantize(
            model,
            nncf.Dataset(images),
            preset=nncf.QuantizationPreset(preset),
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(names=kept),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                activations_range_estimator_params=ranges,
                disable_bias_correction=not bias_correction,
                backend_params={BackendParameters.COMPRESS_WEIGHTS: compress_weights},
            ),
        )

    with loggers_to_log("nncf"), prints_to_log():
        try:
            quantised = quantised_by(estimator)
        except ValueError as exc:
            # numpy's word for a layer whose output hardly varies, as in a barely trained model
            if "Too many bins" not in str(exc):
                raise
            quantised = quantised_by(estimators["minmax"][0])
            used = "nncf minmax (a layer's range is too narrow for a histogram)"
    return quantised, how_done(used, len(kept), missing)


def _range_estimators() -> dict[str, tuple[Any, str]]:
    """Method → NNCF's estimator of a range, and its name."""
    from nncf.quantization import range_estimator as ranges

    quantile = ranges.StatisticsCollectorParameters(
        statistics_type=ranges.StatisticsType.QUANTILE,
        aggregator_type=ranges.AggregatorType.MEAN,
        quantile_outlier_prob=1 - PERCENTILE,
    )
    by_quantiles = ranges.RangeEstimatorParameters(min=quantile, max=quantile)
    return {
        "entropy": (ranges.RangeEstimatorParametersSet.HISTOGRAM, "nncf histogram"),
        "minmax": (ranges.RangeEstimatorParametersSet.MINMAX, "nncf minmax"),
        "percentile": (by_quantiles, f"nncf mean quantile {PERCENTILE}"),
    }
