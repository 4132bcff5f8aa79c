"""What counts in a range of box sizes, or in some of the images, of boxes that were paired once.

In a range of sizes COCO ignores the true boxes outside: they are not missed, a detection that has
one of them is neither right nor wrong, and one that has none counts only if it lies in the range
itself. A detection takes a true box outside the range only where it gets none inside, so pairs may
change from range to range; but only among detections that overlap several true boxes enough. Those
are kept, and paired anew for each range; all others are paired once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..accuracy.matching import Bool, Int32, MatchedBoxes, assign


@dataclass(frozen=True, eq=False)
class Counted:
    """What counts of a slice.

    Args:
        truth: bool, G: the true boxes in it.
        given: int32, D×T, as in MatchedBoxes.
        hits: bool, D×T: the detection found a true box of the slice.
        counted: bool, D×T: it is a hit or a false alarm of the slice, not ignored.
        rows: bool, D: detections that count at one threshold at least.
    """

    truth: Bool
    given: Int32
    hits: Bool
    counted: Bool
    rows: Bool


def count_in_images(matched: MatchedBoxes, inside: Bool) -> Counted:
    """What counts in a slice of whole images.

    Args:
        inside: bool, one for each image.
    """
    rows = inside[matched.found.image_ids]
    counted = np.broadcast_to(rows[:, None], matched.given.shape)
    return Counted(
        truth=inside[matched.truth.image_ids],
        given=matched.given,
        hits=(matched.given >= 0) & counted,
        counted=counted,
        rows=rows,
    )


def count_in_range(matched: MatchedBoxes, truth_inside: Bool, found_inside: Bool) -> Counted:
    """What counts in a range of box sizes.

    Args:
        truth_inside: bool, G: the true boxes that lie in the range.
        found_inside: bool, D: the detections that do.
    """
    given = matched.given
    mixed = [each for each in matched.disputes if _is_mixed(truth_inside[each.truth])]
    if mixed:
        given = given.copy()
        for each in mixed:
            got = assign(each.overlaps, matched.thresholds, truth_inside[each.truth])
            given[each.found] = np.where(got >= 0, got + each.truth.start, -1)
    hits: Bool = np.append(truth_inside, False)[given]  # −1, none, is the last
    counted: Bool = hits | ((given < 0) & found_inside[:, None])
    rows: Bool = np.logical_or.reduce(counted, axis=1)
    return Counted(truth_inside, given, hits, counted, rows)


def _is_mixed(inside: Bool) -> bool:
    return bool(inside.any() and not inside.all())
