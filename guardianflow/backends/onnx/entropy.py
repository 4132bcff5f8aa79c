"""The range of an activation that loses the least, as ONNX Runtime's entropy calibration finds it.

The library adds up bins one by one in Python, a third of an int8 export. Here NumPy adds them
up; for as many levels the ranges are the same to the last bit. The library looks at 128 levels
around zero whatever the activation; here there are as many as 8 bits really give it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def asymmetric_range(histogram: tuple[Any, ...], levels: int) -> tuple[np.floating, np.floating]:
    """The range for a quantiser whose levels lie between the lowest and the highest value.

    What SiLU gives is hardly below zero, so nearly all levels lie above it: they are as fine as
    twice as many around zero, and less is worth cutting off.

    Args, Returns: as of entropy_range.
    """
    lowest, highest = (float(each) for each in histogram[2:4])
    reach, whole = max(-lowest, highest), max(highest, 0.0) - min(lowest, 0.0)
    share = 2 * reach / whole if 0 < whole < float("inf") else 1.0
    return entropy_range(histogram, round(levels * share))


def entropy_range(histogram: tuple[Any, ...], levels: int) -> tuple[np.floating, np.floating]:
    """The narrower range around zero that comes nearest to the histogram when it has few levels.

    Stands for HistogramCollector.get_entropy_threshold.

    Args:
        histogram: counts, edges, lowest and highest value, as the collector keeps them.
        levels: into which the range is divided.

    Returns:
        Lowest and highest value.
    """
    import numpy as np

    counts, edges, lowest, highest = histogram[:4]
    middle, narrowest = counts.size // 2, levels // 2
    reaches = range(narrowest, middle + 1)
    losses = [edges.dtype.type(_loss(counts, middle, reach, levels)) for reach in reaches]
    reach = reaches[int(np.argmin(losses))]
    low, high = edges[middle - reach], edges[min(middle + reach + 1, counts.size)]
    return (lowest if low < lowest else low), (highest if high > highest else high)


def _loss(counts: npt.NDArray[np.int64], middle: int, reach: int, levels: int) -> float:
    """Divergence of the histogram, clipped at `reach` bins from the middle, from its levels."""
    import numpy as np
    from onnxruntime.quantization.calibrate import entropy, smooth_distribution

    start, end = middle - reach, middle + reach + 1
    inside = counts[start:end]
    clipped = inside.copy()
    clipped[0] += counts[:start].sum()
    clipped[-1] += counts[end:].sum()
    bins = inside.size // levels  # of a level; what is over belongs to the last
    whole = bins * levels
    sums = inside[:whole].reshape(levels, bins).sum(axis=1)
    sums[-1] += inside[whole:].sum()
    filled = np.count_nonzero(clipped[:whole].reshape(levels, bins), axis=1)
    rough = np.zeros_like(clipped)
    rough[:whole] = np.repeat(np.where(filled, sums / np.maximum(filled, 1), 0), bins)
    smooth = smooth_distribution(clipped), smooth_distribution(rough)
    return np.inf if any(each is None for each in smooth) else float(entropy(*smooth))
