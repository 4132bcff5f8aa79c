"""What of a judged split is in train already: pictures, recordings, cameras.

    Likeness  of two pictures
    LeakKind  of two images: by their files, pictures, recordings, cameras
    Leak      one judged image, and the learnt one that it leaks from
    SplitLeaks, DataLeaks   of two splits; of a data set
    LeakNote  what a reader of a split's figures must know; few numbers, JSON-able

Frozen values, standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

DEFAULT_MOST = 0.05
"""Share of a split's images that may leak where nobody says how many may."""


class Likeness(StrEnum):
    """What two pictures are to each other, likest first."""

    TWIN = "twin"
    SCENE = "scene"
    NONE = "none"


class LeakKind(StrEnum):
    """What a judged image has in common with a learnt one, gravest first.

    SAME_FILE       byte for byte
    TWIN            the same picture, encoded, scaled, cropped or lit otherwise, or one moment later
    NEIGHBOUR       the frame before or after it in its recording
    SAME_RECORDING  another frame of its recording
    SAME_CAMERA     another recording of its camera
    SAME_SCENE      one view, told by the pictures, at another moment
    """

    SAME_FILE = "same_file"
    TWIN = "twin"
    NEIGHBOUR = "neighbour"
    SAME_RECORDING = "same_recording"
    SAME_CAMERA = "same_camera"
    SAME_SCENE = "same_scene"


TWINS = (LeakKind.SAME_FILE, LeakKind.TWIN)
TOUCHED = (*TWINS, LeakKind.NEIGHBOUR, LeakKind.SAME_RECORDING)
"""Kinds for which an image says nothing about new footage. One camera on another day may."""


@dataclass(frozen=True)
class Leak:
    """A judged image and a learnt one.

    Args:
        split, among: of the judged image; of the learnt one.
        image, other: absolute paths.
        agreement: share of the two pictures that agrees, 0…1; None where they were not compared.
        still: compared, nothing had to have moved between them.
    """

    split: str
    among: str
    image: Path
    other: Path
    kind: LeakKind
    agreement: float | None = None
    still: bool = True


@dataclass(frozen=True)
class SplitLeaks:
    """What of one split is in another.

    Args:
        images: of the judged split.
        counts: kind → images that have it, each kind for itself; absent where none does.
        twins: images with a twin or their very file.
        touched: images with one of TOUCHED.
    """

    split: str
    among: str
    images: int
    counts: Mapping[LeakKind, int] = field(default_factory=dict)
    twins: frozenset[Path] = frozenset()
    touched: frozenset[Path] = frozenset()

    @property
    def share(self) -> float:
        """Of the images that say nothing about new footage, 0…1."""
        return len(self.touched) / self.images if self.images else 0.0


@dataclass(frozen=True)
class DataLeaks:
    """What crosses the splits of a data set.

    Args:
        splits: of each pair, judged among learnt: (test, train), (val, train), (test, val).
        leaks: of each judged image the gravest of each kind of evidence, in the order of paths.
        plain: judged images too plain to be compared (black, fogged): only their files are.
        unread: images that could not be read.
        by_groups: whether recordings are known; else pictures alone tell.
    """

    splits: tuple[SplitLeaks, ...]
    leaks: tuple[Leak, ...] = ()
    plain: int = 0
    unread: int = 0
    by_groups: bool = False

    def of(self, split: str, among: str = "train") -> SplitLeaks | None:
        """None where the data set has not both."""
        found = (each for each in self.splits if (each.split, each.among) == (split, among))
        return next(found, None)


class LeakUnknown(StrEnum):
    """Why it can't be told what a model has learnt of a split.

    NO_TRAIN    the data set has no train split
    OTHER_DATA  the model was trained on other data than the scenario's, or on nobody knows what
    NOT_LOOKED  it could not be looked at here: no OpenCV, no memory, unreadable files
    """

    NO_TRAIN = "no_train"
    OTHER_DATA = "other_data"
    NOT_LOOKED = "not_looked"


@dataclass(frozen=True)
class LeakNote:
    """What a reader of a split's figures must know.

    Args:
        split: judged.
        images: of it.
        twins: of these with a twin in train.
        touched: with a twin, or of a recording that is in train.
        most: share that may leak.
        untouched: figures on the other images: 'mAP50', 'mAP50_95', 'recall' → value, low, high.
            Empty where they are too few.
        unknown: why more may leak than was seen; None where that is known.
        told: of `unknown`, in the words of what failed.
    """

    split: str
    images: int
    twins: int = 0
    touched: int = 0
    most: float = DEFAULT_MOST
    untouched: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    unknown: LeakUnknown | None = None
    told: str = ""

    @property
    def share(self) -> float:
        return self.touched / self.images if self.images else 0.0

    @property
    def rest(self) -> int:
        """Images that are not touched."""
        return self.images - self.touched

    @property
    def leaks(self) -> bool:
        """More than may."""
        return self.share > self.most

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"share": self.share}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LeakNote:
        """Raises KeyError, TypeError or ValueError for what `to_dict` can't have made."""
        known = {key: values[key] for key in cls.__dataclass_fields__ if key in values}
        known["untouched"] = {k: tuple(v) for k, v in known.get("untouched", {}).items()}
        unknown = known.get("unknown")
        return cls(**{**known, "unknown": LeakUnknown(unknown) if unknown else None})
