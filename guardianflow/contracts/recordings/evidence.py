"""What the intervals of accuracy count as one piece of evidence. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .groups import EvidenceUnit


@dataclass(frozen=True)
class EvidenceBasis:
    """The unit that intervals of accuracy were made over.

    Args:
        unit: camera, recording or image.
        names: group of each judged image, in their order; () where each image is its own.
        images: how many were judged.
        alike: of neighbouring images, the share that are near copies; None where nobody looked,
            because the recordings are known.
        unknown_recordings: images look like frames of videos, and nothing says of which: intervals
            over images are too narrow to judge by then.
        asked: the scenario asked for the unit; else it is the largest known one that is meant.
    """

    unit: EvidenceUnit = EvidenceUnit.IMAGE
    names: tuple[str, ...] = ()
    images: int = 0
    alike: float | None = None
    unknown_recordings: bool = False
    asked: bool = False

    @property
    def groups(self) -> int:
        """How many pieces of evidence there are."""
        return len(set(self.names)) if self.names else self.images

    def as_metrics(self) -> dict[str, float]:
        """det.interval_recordings, _cameras or _images, for tables of several runs."""
        return {_key_of(self.unit): float(self.groups)}

    def among(self, places: Sequence[int]) -> EvidenceBasis:
        """The same for some of the judged images, by their places."""
        names = tuple(self.names[place] for place in places) if self.names else ()
        return replace(self, names=names, images=len(places))


def evidence_in(metrics: Mapping[str, float]) -> tuple[str, int | None]:
    """The unit and how many of it, as EvidenceBasis.as_metrics wrote it; ('', None) without."""
    found = [
        (str(unit), int(metrics[_key_of(unit)]))
        for unit in EvidenceUnit
        if _key_of(unit) in metrics
    ]
    return found[0] if found else ("", None)


def _key_of(unit: EvidenceUnit) -> str:
    return f"det.interval_{unit}s"
