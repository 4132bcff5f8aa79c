"""Gates on slices: recall of a class at night, in rain, of small boxes; judged on the interval.

verdicts(limits, compared, split) → GateVerdict, one for each slice and class that is asked
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...contracts.estimates import MINIMUM_GROUPS, MINIMUM_IMAGES, Estimate, rounded_up
from ...contracts.recordings.groups import EvidenceUnit
from ...contracts.recordings.slices import MINIMUM_BOXES, SliceName, SliceScore, SliceTable
from ...contracts.releases import (
    MIN_RECALL_IN,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseLimits,
)
from ..models import ComparedModels, JudgedSplit
from .deciding import decided, more_that_decides


def verdicts(
    limits: ReleaseLimits, compared: ComparedModels, split: JudgedSplit
) -> Iterator[GateVerdict]:
    """Judge every gate on a slice, in the scenario's order."""
    table = compared.candidate.slices
    for slice_name, of_class in limits.min_recall_in.items():
        for class_name, least in of_class.items():
            gate = f"{MIN_RECALL_IN}.{slice_name}.{class_name}"
            outcome, measured, cause = _judged(table, slice_name, class_name, least, split)
            yield GateVerdict(gate, outcome, least, measured, cause, slice_name=slice_name)


def slice_limits(limits: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Every limit by its gate, to be checked."""
    return {
        f"{MIN_RECALL_IN}.{slice_name}.{class_name}": least
        for slice_name, of_class in limits.items()
        for class_name, least in of_class.items()
    }


def _judged(
    table: SliceTable | None, slice_name: str, class_name: str, least: float, split: JudgedSplit
) -> tuple[str, Estimate | None, GateCause]:
    if table is None:
        return UNDECIDED, None, GateCause(CauseKind.NOT_MEASURED)
    score, unit = table.find(SliceName.read(slice_name), class_name), table.unit
    if score is None:
        needed = _needed_units(unit)
        cause = GateCause(CauseKind.NO_IMAGES, needed=needed, split=split.name, unit=unit)
        return UNDECIDED, None, cause
    measured = score.interval
    if measured is None:
        return UNDECIDED, None, _too_few(score, unit, split)
    if split.unknown_recordings:
        return UNDECIDED, measured, GateCause(CauseKind.UNKNOWN_RECORDINGS, unit=unit)
    # Of more images of the split a slice has its share.
    groups = None if unit is EvidenceUnit.IMAGE else score.units
    outcome, cause = decided(measured, least, least=True) or (
        UNDECIDED,
        more_that_decides(measured, least, split, unit, groups),
    )
    return outcome, measured, cause


def _too_few(score: SliceScore, unit: EvidenceUnit, split: JudgedSplit) -> GateCause:
    """The cause of a slice without an interval, and what would give it one."""
    needed = _needed_units(unit)
    if unit is not EvidenceUnit.IMAGE and score.units < needed:
        return GateCause(
            CauseKind.FEW_GROUPS,
            more=needed - score.units,
            held=score.units,
            needed=needed,
            split=split.name,
            bare=score.recall,
            unit=unit,
        )
    # So many boxes as an interval takes come with so many times the images.
    times = max(needed / score.units, MINIMUM_BOXES / score.boxes)
    more = rounded_up(max(1.0, split.images * (times - 1)))
    few_images = unit is EvidenceUnit.IMAGE and score.units < needed
    return GateCause(
        CauseKind.FEW_IMAGES if few_images else CauseKind.FEW_BOXES,
        more=more,
        held=score.units if few_images else score.boxes,
        needed=needed if few_images else MINIMUM_BOXES,
        split=split.name,
        bare=score.recall,
        unit=unit,
    )


def _needed_units(unit: EvidenceUnit) -> int:
    return MINIMUM_IMAGES if unit is EvidenceUnit.IMAGE else MINIMUM_GROUPS
