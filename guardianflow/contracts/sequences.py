"""Image sequences with ground truth, tracks over them, and what the tracks are worth.

Frozen values. Arrays are numpy's, named here for type checkers alone: this module imports only
the standard library at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .ports import ImageArray
    from .results import IntArray

    Float64Array = npt.NDArray[np.float64]
    BoolArray = npt.NDArray[np.bool_]

UNNAMED_CLASS = -1
"""Class id of a result row that names no class."""

Classes = Literal["motchallenge", "own", "none"]

METRIC_FIELDS = {
    "hota": "HOTA",
    "deta": "DetA",
    "assa": "AssA",
    "loca": "LocA",
    "mota": "MOTA",
    "motp": "MOTP",
    "idf1": "IDF1",
    "id_precision": "IDP",
    "id_recall": "IDR",
    "id_switches": "IDSW",
    "frag": "Frag",
    "mt": "MT",
    "pt": "PT",
    "ml": "ML",
    "fp": "CLR_FP",
    "fn": "CLR_FN",
    "gt_tracks": "GT_IDs",
    "pred_tracks": "IDs",
}
"""Our metric key → TrackEval's field."""


@dataclass(frozen=True, eq=False)
class TrackRows:
    """Boxes with identities over one sequence: ground truth, or what a tracker reported.

    Args:
        frames: int64, N, counted from 1, sorted; rows of one frame keep the file's order.
        ids: int64, N; the boxes of one object share an id.
        boxes_ltwh: float64, N×4: left, top, width, height in pixels, as the file has them.
        class_ids: int64, N; UNNAMED_CLASS where a result names no class.
        confidences: float64, N; in ground truth it is the mark: a row marked 0 does not count.
    """

    frames: IntArray
    ids: IntArray
    boxes_ltwh: Float64Array
    class_ids: IntArray
    confidences: Float64Array

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def counted(self) -> BoolArray:
        """Rows of ground truth that count: those whose mark is not 0, fractions cut off."""
        counted: BoolArray = abs(self.confidences) >= 1
        return counted

    def where(self, chosen: BoolArray) -> TrackRows:
        """The chosen rows alone."""
        return TrackRows(*(getattr(self, each.name)[chosen] for each in fields(self)))


@dataclass(frozen=True, eq=False)
class TrackingSequence:
    """Consecutive pictures of one camera, and what is in them.

    Args:
        name: of its directory; a result file is called NAME.txt.
        directory: absolute.
        length: how many frames.
        truth: ground truth.
        class_names: class id → name, as the ground truth numbers them.
        classes: what the class ids are. 'motchallenge': MOTChallenge's 13, some of which only
            excuse detections; 'own': those of gt/labels.txt; 'none': the rows name no class.
        frame_rate: pictures a second; None where nothing says.
        width, height: of a picture, pixels; None where neither seqinfo.ini nor a picture says.
        frame_paths: one image file per frame; empty for a video or where none were asked for.
        video_frames: decodes the video, uint8 H×W×3 RGB one by one; None for image files.
        fingerprint: sha256 (hex) over ground truth, classes and pictures; '' without pictures.
    """

    name: str
    directory: Path
    length: int
    truth: TrackRows
    class_names: Mapping[int, str]
    classes: Classes
    frame_rate: float | None = None
    width: int | None = None
    height: int | None = None
    frame_paths: tuple[Path, ...] = ()
    video_frames: Callable[[], Iterator[ImageArray]] | None = None
    fingerprint: str = ""

    @property
    def first_pixel(self) -> int:
        """The leftmost pixel's number: 1 in MOTChallenge, 0 where tools write labels.txt."""
        return 0 if self.classes == "own" else 1

    @property
    def counted_classes(self) -> dict[int, str]:
        """The classes that are judged: those with at least one row that counts."""
        ids = sorted({int(each) for each in self.truth.class_ids[self.truth.counted]})
        return {each: self.class_names[each] for each in ids}


@dataclass(frozen=True)
class MotResult:
    """Scores of tracks, with TrackEval's field names; rates in 0…1, means over α for HOTA.

    A rate that has nothing to be taken from is absent: all of them where no object counts, LocA
    and MOTP where nothing was matched.

    Args:
        sequences: sequence name → scores over all its judged classes.
        combined: over everything.
        classes: class name → scores over all sequences.
        frames: how many frames were judged.
        unjudged: class name → result boxes left out, because no true object of it counts.
        evaluator: name and version of the library that counted.
    """

    sequences: Mapping[str, Mapping[str, float]]
    combined: Mapping[str, float]
    classes: Mapping[str, Mapping[str, float]]
    frames: int
    unjudged: Mapping[str, int]
    evaluator: str

    def as_metrics(self, prefix: str = "mot.") -> dict[str, float]:
        """Flat `{prefix}hota` …; with several classes also `{prefix}{class}.hota` …"""
        parts = {"": self.combined}
        if len(self.classes) > 1:
            parts |= {f"{name}.": scores for name, scores in self.classes.items()}
        return {
            f"{prefix}{part}{key}": float(scores[name])
            for part, scores in parts.items()
            for key, name in METRIC_FIELDS.items()
            if name in scores
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, as `guardianflow mot --json` shows it."""
        return asdict(self)
