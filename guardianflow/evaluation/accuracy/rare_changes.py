"""Bounds on changes of recall that too few images, or groups of them, show to be drawn.

Where hardly an image changes recall, draws repeat those few and know of no others: the more so, the
rarer the change is. The exact bound on how many there may be takes over then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .average_precision import ClassMatches, Int64
from .few_groups import unseen_change
from .resampling import found_images


@dataclass(frozen=True, eq=False)
class RecallCounts:
    """Boxes of each class in each unit: an image, or a group of images.

    Args:
        rises, falls: classes×units, boxes by which a unit raises or lowers the value if above 0.
        truth: classes×units, true boxes.
    """

    rises: Int64
    falls: Int64
    truth: Int64


def counts_by_unit(
    models: Sequence[Sequence[ClassMatches]], units: Int64, conf_threshold: float
) -> RecallCounts:
    """Of one model's recall, or of the second model's less the first one's.

    Args:
        models: for each the matches of each class, all classes with truth, same truth.
        units: int64, the unit of each image: 0…U−1.
    """
    truth = _counted([m.true_image_ids for m in models[0]], units)
    found = [_counted([found_images(m, conf_threshold) for m in each], units) for each in models]
    if len(models) == 1:
        return RecallCounts(rises=found[0], falls=truth - found[0], truth=truth)
    return RecallCounts(rises=found[1] - found[0], falls=found[0] - found[1], truth=truth)


def unseen_recall_changes(
    names: Sequence[str], counts: RecallCounts, confidence: float, *, minimum: int
) -> dict[str, tuple[float, float]]:
    """Recall key → how far below and above its value the interval must reach at least.

    Args:
        minimum: units that must hold a class for it to be bounded.
    """
    share = 1 / counts.truth.sum(axis=1, keepdims=True)
    rises_by, falls_by, holds = counts.rises * share, counts.falls * share, counts.truth > 0
    unseen = {
        f"recall.{name}": (
            unseen_change(falls_by[index][holds[index]], confidence),
            unseen_change(rises_by[index][holds[index]], confidence),
        )
        for index, name in enumerate(names)
    }
    # A class in a handful of units can't be bounded, here as little as alone.
    common = holds.sum(axis=1) >= minimum
    if common.any():
        weight = float(common.mean())
        any_holds = np.logical_or.reduce(holds[common], axis=0)
        unseen["recall"] = (
            weight * unseen_change(falls_by[common].mean(axis=0)[any_holds], confidence),
            weight * unseen_change(rises_by[common].mean(axis=0)[any_holds], confidence),
        )
    return unseen


def _counted(image_ids: Sequence[Int64], units: Int64) -> Int64:
    """Classes×units: how often each unit's images are named."""
    count = int(units.max()) + 1
    return np.stack([np.bincount(units[ids], minlength=count) for ids in image_ids])
