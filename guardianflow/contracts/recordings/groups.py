"""Cameras and recordings that images come from, and the unit that evidence is counted in.

Frames of one recording are near copies of each other: they are one piece of evidence, not many.
Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class EvidenceUnit(StrEnum):
    """The unit that intervals draw anew, largest first."""

    CAMERA = "camera"
    RECORDING = "recording"
    IMAGE = "image"


class GroupSource(StrEnum):
    """What says which recording an image belongs to."""

    PATTERN = "pattern"
    FILE = "file"
    FOLDER = "folder"


@dataclass(frozen=True)
class GroupRule:
    """Tells the recording of an image: what a scenario asks for.

    Args:
        text: the regular expression, or the path of a CSV; '' for folders.
    """

    source: GroupSource
    text: str = ""

    def __str__(self) -> str:
        return f"{self.source}: {self.text}" if self.text else str(self.source)


@dataclass(frozen=True)
class ImageOrigin:
    """Camera, recording and time of one image.

    Args:
        camera: '' where it is not known.
        recording: unique among all cameras; '' where it is not known.
        moment: place in the recording, larger is later: a frame number, or seconds; None where it
            is not known.
        columns: further columns of groups.csv, as written: {'weather': 'rain'}.
    """

    camera: str = ""
    recording: str = ""
    moment: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    def of(self, unit: EvidenceUnit) -> str:
        """Name of its group; '' where it is not known. An image is its own group: always ''."""
        return {EvidenceUnit.CAMERA: self.camera, EvidenceUnit.RECORDING: self.recording}.get(
            unit, ""
        )


@dataclass(frozen=True)
class ImageGroups:
    """The origins of a data set's images.

    Args:
        origins: absolute image path → origin, one for every image of every split.
        fingerprint: sha256 (hex) over names of images and their origins; what rests on groups
            rests on it. Moving the set does not change it.
    """

    source: GroupSource
    origins: Mapping[Path, ImageOrigin]
    fingerprint: str = ""

    def names(self, images: Sequence[Path], unit: EvidenceUnit) -> tuple[str, ...] | None:
        """Group of each image; None where one of them has none of this unit.

        Raises:
            KeyError: an image that is not in the data set.
        """
        names = tuple(self.origins[path].of(unit) for path in images)
        return names if all(names) else None
