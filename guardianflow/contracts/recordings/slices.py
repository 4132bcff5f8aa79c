"""Slices of a split: the part of its boxes that are small, of its images that are dark, blurred …

    SliceName    a dimension and a value of it: light, night
    SliceScore   how well one class is found in one slice
    SliceTable   all of a model's slices, and which is worst
    SliceChange  how a slice differs between two models

Every box counts in one slice of a dimension. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..estimates import Estimate
from .groups import EvidenceUnit

SIZE, INPUT_PX, LIGHT, BLUR, CAMERA = "size", "input_px", "light", "blur", "camera"
BOX_DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    SIZE: ("small", "medium", "large"),
    INPUT_PX: ("under8", "8to16", "16to32", "32to64", "from64"),
}
"""Dimension → its values, told by each box."""
DAY, DIM, NIGHT = "day", "dim", "night"
SHARP, SOFT, BLURRED = "sharp", "soft", "blurred"
MEASURED_DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    LIGHT: (DAY, DIM, NIGHT),
    BLUR: (SHARP, SOFT, BLURRED),
}
"""Dimension → its values, measured from each picture."""
FIXED_DIMENSIONS: Mapping[str, tuple[str, ...]] = {**BOX_DIMENSIONS, **MEASURED_DIMENSIONS}
BARE_VALUES: Mapping[str, str] = {
    value: dimension for dimension in (SIZE, LIGHT, BLUR) for value in FIXED_DIMENSIONS[dimension]
}
"""Values that need no dimension before them, and whose they are."""
MINIMUM_BOXES = 20
"""Of fewer boxes no interval is made, whatever they are from."""
UNKNOWN = "unknown"
"""The value of images that a file of groups says nothing of."""


@dataclass(frozen=True, order=True)
class SliceName:
    """A dimension and a value of it.

    Args:
        dimension: one of FIXED_DIMENSIONS, 'camera', or a column of groups.csv.
    """

    dimension: str
    value: str

    @property
    def short(self) -> str:
        """As a scenario writes it: 'night', 'camera.gate', 'input_px.8to16'."""
        return self.value if self.value in BARE_VALUES else f"{self.dimension}.{self.value}"

    @classmethod
    def read(cls, text: str) -> SliceName:
        """Reads 'night', 'light.night' or 'weather.rain'.

        Raises:
            ValueError: it has no dimension and is none of BARE_VALUES.
        """
        if text in BARE_VALUES:
            return cls(BARE_VALUES[text], text)
        dimension, dot, value = text.partition(".")
        if not (dot and dimension and value):
            raise ValueError(f"'{text}' has no dimension")
        return cls(dimension, value)


@dataclass(frozen=True)
class ImageTraits:
    """The slices that each image of a split belongs to; all in the order of the split's images.

    Args:
        values: dimension → a value for each image: 'light', 'blur', 'camera', columns of groups.
        unit: what is drawn anew for intervals.
        groups: name of each image's unit; None where the unit is the image.
    """

    values: Mapping[str, Sequence[str]]
    unit: EvidenceUnit = EvidenceUnit.IMAGE
    groups: Sequence[str] | None = None


@dataclass(frozen=True)
class SliceScore:
    """How well one class, or all together, are found in one slice.

    Args:
        class_name: '' for the boxes of all classes.
        boxes, found: true boxes in it, and those found at IoU 0.5 and the deployed confidence.
        units: recordings, cameras or images that hold one of the boxes.
        interval: of found ÷ boxes; None where boxes or units are too few for one.
        ap50, ap: average precision at IoU 0.5 and over 0.5…0.95; for all classes the mean over
            those with boxes in the slice.
        ap50_interval: None where units are too few.
        against_rest: its recall less that of the same class in the rest of the dimension; None
            where either has too few boxes or units.
        p_value: how likely it is to see that much where there is no difference, after Holm's
            correction for all slices looked at; None where it was no candidate.
    """

    name: SliceName
    class_name: str
    boxes: int
    found: int
    units: int
    interval: Estimate | None
    ap50: float
    ap: float
    ap50_interval: Estimate | None = None
    against_rest: Estimate | None = None
    p_value: float | None = None

    @property
    def recall(self) -> float:
        return self.found / self.boxes


@dataclass(frozen=True)
class WorstSlice:
    """The slice and class that are found worst, of those with boxes and units enough.

    Args:
        score: its figures.
        overall: the class's recall on all images.
        certain: worse than the rest of its dimension, after the correction for many looks.
        looks: slices and classes that were looked at.
    """

    score: SliceScore
    overall: float
    certain: bool
    looks: int


@dataclass(frozen=True)
class SliceTable:
    """A model's slices.

    Args:
        scores: by dimension and value; of each, all classes together first.
        unit: what was drawn anew for intervals.
        confidence: of the intervals.
        conf_threshold: deployed confidence, at which recall is taken.
        worst: None where no slice has boxes and units enough.
        worst_scene: the same among slices of whole images: light, blur, camera, columns.
    """

    scores: tuple[SliceScore, ...]
    unit: EvidenceUnit
    confidence: float
    conf_threshold: float
    worst: WorstSlice | None = None
    worst_scene: WorstSlice | None = None

    def find(self, name: SliceName, class_name: str = "") -> SliceScore | None:
        """The figures of one; None where the split has no box of it."""
        both = (name, class_name)
        return next((s for s in self.scores if (s.name, s.class_name) == both), None)


@dataclass(frozen=True)
class SliceChange:
    """The recall of one class in one slice: second model less first, on the same boxes.

    Args:
        class_name: '' for all classes together.
        difference: with its interval, for this slice alone.
        p_value: after Holm's correction for all slices of the table.
    """

    name: SliceName
    class_name: str
    boxes: int
    units: int
    difference: Estimate
    p_value: float


@dataclass(frozen=True)
class SliceChanges:
    """How slices differ between two models.

    Args:
        changes: those with boxes and units enough, the largest loss first.
        confidence: of the intervals, and of what counts as certain.
    """

    changes: tuple[SliceChange, ...]
    confidence: float

    @property
    def worse(self) -> tuple[SliceChange, ...]:
        """Those that lost for certain, after the correction for many looks."""
        certain = (each for each in self.changes if each.p_value < 1 - self.confidence)
        return tuple(each for each in certain if each.difference.high < 0)
