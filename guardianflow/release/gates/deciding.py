"""An interval against a limit: what it decides, and what more evidence would."""

from __future__ import annotations

from ...contracts.estimates import Estimate, more_groups, more_images
from ...contracts.releases import FAIL, PASS, CauseKind, GateCause
from ..models import JudgedSplit


def decided(measured: Estimate, limit: float, *, least: bool) -> tuple[str, GateCause] | None:
    """Pass or fail where the whole interval lies on one side of the limit; None where not.

    Args:
        least: whether the limit is the least that is asked, or else the most.
    """
    kept = measured.low >= limit if least else measured.high <= limit
    missed = measured.high < limit if least else measured.low > limit
    if not (kept or missed):
        return None
    return (PASS, GateCause(CauseKind.KEPT)) if kept else (FAIL, GateCause(CauseKind.MISSED))


def reach_and_distance(measured: Estimate, limit: float) -> tuple[float, float]:
    """How far the interval reaches from its value to the limit's side, and how far that is."""
    value = measured.value
    reach = value - measured.low if value > limit else measured.high - value
    return reach, abs(value - limit)


def more_that_decides(
    measured: Estimate, limit: float, split: JudgedSplit, unit: str, groups: int | None
) -> GateCause:
    """How many more recordings, or images of the split, would decide it.

    Args:
        groups: recordings or cameras that the interval is over; None: it is over images.
    """
    reach, distance = reach_and_distance(measured, limit)
    if groups is None:
        kind, more = CauseKind.MORE_IMAGES, more_images(reach, distance, split.images)
    else:
        kind, more = CauseKind.MORE_GROUPS, more_groups(reach, distance, groups)
    return GateCause(CauseKind.AT_LIMIT if more is None else kind, more=more, unit=unit)
