from __future__ import annotations

import warnings

import numpy as np
import pytest

from guardianflow.backends.onnx.entropy import asymmetric_range, entropy_range

rng = np.random.default_rng(3)
NORMAL = rng.standard_normal(20_000)
VALUES = {
    "normal": NORMAL,
    "narrow with outliers": np.append(NORMAL / 50, [3, -4]),
    "SiLU": NORMAL * 3 / (1 + np.exp(-3 * NORMAL)),
    "half of it zero": np.maximum(NORMAL, 0),
    "few different": np.round(NORMAL),
    "constant": np.full(1000, 0.25),
    "all zero": np.zeros(1000),
    "none": np.empty(0),
}


@pytest.mark.parametrize(
    ("bins", "levels"), [(256, 128), (144, 128), (255, 128), (700, 128), (512, 256), (700, 256)]
)
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_range_is_the_librarys_own_to_the_last_bit(
    values: np.ndarray, bins: int, levels: int
) -> None:
    from onnxruntime.quantization.calibrate import HistogramCollector

    values = values.astype(np.float32)
    reach = float(np.abs(values).max(initial=0)) or 1.0
    counts, edges = np.histogram(values, bins, range=(-reach, reach))
    lowest = values.min(initial=np.float32(np.inf))
    highest = values.max(initial=np.float32(-np.inf))
    histogram = (counts, edges.astype(np.float32), lowest, highest, np.float32(reach))
    collector = HistogramCollector("entropy", False, bins, levels, 99.9, "same")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        theirs = collector.get_entropy_threshold(histogram, levels)
        ours = entropy_range(histogram, levels)
    assert [each.dtype for each in ours] == [each.dtype for each in theirs]
    assert ours == theirs


def test_the_levels_of_values_above_zero_are_as_fine_as_twice_as_many_around_it() -> None:
    values = VALUES["SiLU"].astype(np.float32)
    reach = float(np.abs(values).max())
    counts, edges = np.histogram(values, 1024, range=(-reach, reach))
    lowest, highest = values.min(), values.max()
    histogram = (counts, edges.astype(np.float32), lowest, highest, np.float32(reach))
    twice = round(256 * 2 * reach / (float(highest) - float(lowest)))
    assert 480 < twice < 512
    assert asymmetric_range(histogram, 256) == entropy_range(histogram, twice)
    symmetric = (*histogram[:2], np.float32(-reach), np.float32(reach), np.float32(reach))
    assert asymmetric_range(symmetric, 256) == entropy_range(symmetric, 256)


@pytest.mark.parametrize("name", ["normal", "constant", "all zero", "none"])
def test_a_range_is_found_for_every_activation(name: str) -> None:
    values = VALUES[name].astype(np.float32)
    reach = float(np.abs(values).max(initial=0)) or 1.0
    counts, edges = np.histogram(values, 1024, range=(-reach, reach))
    lowest, highest = (np.float32(x) for x in (values.min(initial=0), values.max(initial=0)))
    histogram = (counts, edges.astype(np.float32), lowest, highest, np.float32(reach))
    low, high = asymmetric_range(histogram, 256)
    assert lowest <= low <= high <= highest
