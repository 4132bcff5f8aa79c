"""Found and true boxes of each recording or image: intervals, differences, and chance.

    unit_counts         true boxes → what each unit found of them; unit_counts_of by class
    recall_interval     the interval of one recall
    difference_to_rest  a slice's recall less that of the rest, and how likely that is by chance
    paired_difference   a second model's recall less the first's, on the same boxes
    holm                corrects for many looks

Units are independent, boxes are not: errors are those of leaving one unit out at a time, as in
few_groups.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...contracts.estimates import MINIMUM_GROUPS, MINIMUM_IMAGES, Estimate
from ...contracts.recordings.groups import EvidenceUnit
from ...contracts.recordings.slices import MINIMUM_BOXES
from ..accuracy.average_precision import Bool, Float64, Int64
from ..accuracy.few_groups import (
    FEW_CHANGES,
    ROUNDING,
    difference_interval,
    effective_groups,
    jackknife_error,
    ratio_interval,
    student_t,
    unseen_change,
)


@dataclass(frozen=True, eq=False)
class UnitCounts:
    """Boxes of one slice and class, by the unit that holds them.

    Args:
        units: int64, ascending, those that hold a box.
        boxes, found: float64, one for each of them.
    """

    units: Int64
    boxes: Float64
    found: Float64

    @property
    def recall(self) -> float:
        return float(self.found.sum() / self.boxes.sum())

    def less(self, part: UnitCounts) -> UnitCounts:
        """All without a part of them."""
        at = np.searchsorted(self.units, part.units)
        boxes, found = self.boxes.copy(), self.found.copy()
        boxes[at] -= part.boxes
        found[at] -= part.found
        left = boxes > 0
        return UnitCounts(self.units[left], boxes[left], found[left])

    def suffice(self, unit: EvidenceUnit) -> bool:
        """Whether boxes and units are enough for an interval."""
        enough = len(self.units) >= minimum_units(unit)
        return enough and float(self.boxes.sum()) >= MINIMUM_BOXES


def minimum_units(unit: EvidenceUnit) -> int:
    """Units that must hold a box: a handful of images can't tell how much images differ."""
    return MINIMUM_IMAGES if unit is EvidenceUnit.IMAGE else MINIMUM_GROUPS


def unit_counts(units: Int64, found: Bool) -> UnitCounts:
    """Count by unit.

    Args:
        units: int64, one for each true box.
        found: bool, one for each true box.
    """
    return _summed(units, np.ones(len(units)), found)


def unit_counts_of(classes: Int64, units: Int64, found: Bool) -> dict[int, UnitCounts]:
    """Count by class and unit.

    Args:
        classes, units, found: one for each true box; classes ascending.

    Returns:
        Class id → its counts, of the classes that have a box.
    """
    most = int(units.max(initial=0)) + 1
    both = unit_counts(classes * most + units, found)
    of_class, units = np.divmod(both.units, most)
    known, starts = np.unique(of_class, return_index=True)
    edges = [*starts.tolist(), len(units)]
    return {
        class_id: UnitCounts(units[first:last], both.boxes[first:last], both.found[first:last])
        for class_id, (first, last) in zip(known.tolist(), pairwise(edges), strict=True)
    }


def together(parts: Sequence[UnitCounts]) -> UnitCounts:
    """The sum of several slices or classes."""
    arrays = zip(*((part.units, part.boxes, part.found) for part in parts), strict=True)
    return _summed(*map(np.concatenate, arrays))


def _summed(units: Int64, boxes: Float64, found: Float64 | Bool) -> UnitCounts:
    known, places = np.unique(units, return_inverse=True)
    sums = (np.bincount(places, values).astype(np.float64) for values in (boxes, found))
    return UnitCounts(known, *sums)


def recall_interval(counts: UnitCounts, unit: EvidenceUnit, confidence: float) -> Estimate | None:
    """Found ÷ true with its interval; None of too few boxes or units."""
    if not counts.suffice(unit):
        return None
    bounds = ratio_interval(counts.found, counts.boxes, confidence)
    return None if bounds is None else Estimate(counts.recall, *bounds)


def difference_to_rest(
    part: UnitCounts, rest: UnitCounts, unit: EvidenceUnit, confidence: float
) -> tuple[Estimate, float] | None:
    """Recall of a slice less that of the rest, and how likely it is to see as much by chance.

    A unit may hold boxes of both: it is left out of both at once.

    Returns:
        The difference with its interval, and the two-sided probability; None of too few.
    """
    if not (part.suffice(unit) and rest.suffice(unit)):
        return None
    value = part.recall - rest.recall
    units = _union(part.units, rest.units)
    left_out = _left_out(part, units) - _left_out(rest, units)
    effective = min(effective_groups(part.boxes), effective_groups(rest.boxes))
    error = jackknife_error(value, left_out)
    if error <= ROUNDING:
        # Units that all agree can't tell how many there are that don't; their bounds can.
        error = _error_of_bounds(part, rest, effective, confidence)
    low, high = difference_interval(value, error, effective, confidence)
    return Estimate(value, low, high), chance_of(value, error, effective)


def paired_difference(
    before: UnitCounts, after: UnitCounts, unit: EvidenceUnit, confidence: float
) -> tuple[Estimate, float] | None:
    """Second model's recall less the first's, and how likely it is to see as much by chance.

    Args:
        before, after: of the same true boxes.

    Returns:
        As difference_to_rest.
    """
    if not before.suffice(unit):
        return None
    boxes, total = before.boxes, float(before.boxes.sum())
    gained = after.found - before.found
    value = float(gained.sum()) / total
    left_out = (gained.sum() - gained) / (total - boxes)
    effective = effective_groups(boxes)
    error = jackknife_error(value, left_out)
    low, high = difference_interval(value, error, effective, confidence)
    changed = np.count_nonzero(gained)
    if changed <= FEW_CHANGES and changed < len(gained) / 2:
        # The few that change say too little of how many there are.
        low = max(-1.0, min(low, value - unseen_change(-gained / total, confidence)))
        high = min(1.0, max(high, value + unseen_change(gained / total, confidence)))
    return Estimate(value, low, high), chance_of(value, error, effective)


def chance_of(value: float, error: float, effective: float) -> float:
    """How likely a difference as large or larger is where there is none, by Student's t."""
    from scipy.special import stdtr

    if abs(value) <= ROUNDING:
        return 1.0
    if error <= ROUNDING:  # all units agree on it
        return float(2 * 0.5 ** max(1.0, effective))
    return float(2 * stdtr(max(1.0, effective - 1), -abs(value) / error))


def holm(chances: Sequence[float]) -> list[float]:
    """Probabilities after correction for many looks.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979. Among looks that see nothing but chance, one with less than p comes up
    with a probability of p at most, however the looks depend on each other.
    """
    ordered = sorted(range(len(chances)), key=chances.__getitem__)
    corrected, highest = [0.0] * len(chances), 0.0
    for place, index in enumerate(ordered):
        highest = max(highest, min(1.0, chances[index] * (len(chances) - place)))
        corrected[index] = highest
    return corrected


def _union(one: Int64, other: Int64) -> Int64:
    """As np.union1d, which takes longer than all that is made of it here."""
    both = np.sort(np.concatenate([one, other]))
    return both[np.diff(both, prepend=-1) > 0]


def _left_out(counts: UnitCounts, units: Int64) -> Float64:
    """Recall without each of `units`; those that hold none change nothing."""
    boxes, found = np.zeros(len(units)), np.zeros(len(units))
    at = np.searchsorted(units, counts.units)
    boxes[at], found[at] = counts.boxes, counts.found
    left_out: Float64 = (found.sum() - found) / (boxes.sum() - boxes)
    return left_out


def _error_of_bounds(
    part: UnitCounts, rest: UnitCounts, effective: float, confidence: float
) -> float:
    reach = 0.0
    for counts in (part, rest):
        bounds = ratio_interval(counts.found, counts.boxes, confidence)
        if bounds is not None:
            reach += max(counts.recall - bounds[0], bounds[1] - counts.recall) ** 2
    return math.sqrt(reach) / student_t(effective, confidence)
