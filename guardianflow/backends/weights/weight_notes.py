"""What a reader of a foreign detector's numbers must know of its file.

Kept in the package's lineage, so that every stage that measures it can say it beside the number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...contracts.results import DetectorSpec

if TYPE_CHECKING:
    from .weight_files import WeightFacts

NMS_CONFIDENCE = "nms_confidence"
"""Lineage: boxes below this were dropped by the file's own NMS."""
MADE_FOR = "made_for_size"
"""Lineage: the input size that the file was trained or exported for, where another is used."""

ASSUMED = "input_size_assumed"
"""Lineage: nobody said the input size, so that a usual one was taken."""


def lineage_of(facts: WeightFacts, given: int | None, input_size: int) -> dict[str, str]:
    """The lineage entries of what is to be told; none for a usual file.

    Args:
        given: the caller's input size; None where the caller said none.
        input_size: the one that is used.
    """
    entries = {}
    if facts.nms_confidence is not None:
        entries[NMS_CONFIDENCE] = f"{facts.nms_confidence:g}"
    if facts.made_for not in (None, input_size):
        entries[MADE_FOR] = str(facts.made_for)
    if given is None and facts.input_size is None and facts.made_for is None:
        entries[ASSUMED] = "true"
    return entries


def is_assumed(spec: DetectorSpec) -> bool:
    """Whether nobody said the input size."""
    return ASSUMED in spec.lineage


def notes_of(spec: DetectorSpec) -> tuple[str, ...]:
    """Sentences for people; () where there is nothing to tell."""
    notes = []
    if confidence := spec.lineage.get(NMS_CONFIDENCE):
        notes.append(
            f"the file drops boxes below confidence {confidence} by an NMS of its own, so its mAP "
            "and recall are lower (by up to 0.2) than the network's: export it without nms=True"
        )
    if size := spec.lineage.get(MADE_FOR):
        notes.append(
            f"the file was made for an input of {size} px but is used at {spec.input_size} px, "
            f"which changes its accuracy: leave model.input_size (--imgsz) out to take {size}"
        )
    return tuple(notes)


def tags_of(spec: DetectorSpec) -> dict[str, str]:
    """A run's tags about it."""
    found = {
        f"weights.{key}": spec.lineage[key]
        for key in (NMS_CONFIDENCE, MADE_FOR)
        if key in spec.lineage
    }
    notes = notes_of(spec)
    return found | ({"weights.warnings": "; ".join(notes)} if notes else {})
