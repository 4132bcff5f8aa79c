"""Alarms: the rules that raise them, what truly happened, and what was found in recordings.

    AlarmRule, Hold      when a rule raises an alarm
    Recording            pictures of one camera in order of time, with what truly happened
    RecordingDetections  what a detector found in one, kept so that rules can be tried in no time
    Incident, Alarm      a true interval; a moment at which a rule spoke

Frozen values. Arrays are numpy's, named here for type checkers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Not of results.py and ports.py, which import from here.
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float32]
    Float64Array = npt.NDArray[np.float64]
    ImageArray = npt.NDArray[np.uint8]
    IntArray = npt.NDArray[np.int64]

TOLERANCE_S = 10.0
"""An alarm so near an incident's start is a hit (i-LIDS, UK Home Office)."""


@dataclass(frozen=True)
class Hold:
    """The stretch for which a rule's condition must hold before it speaks.

    Args:
        frames, of: in `frames` of the last `of` pictures; None where `seconds` is given.
        seconds: without a break; None where frames are given.
    """

    frames: int | None = 1
    of: int | None = 1
    seconds: float | None = None


@dataclass(frozen=True)
class AlarmRule:
    """A condition on one picture, and how long it must hold.

    Args:
        class_name: of the boxes that count.
        zone: polygon (x, y); a box counts when the middle of its lower edge lies in it. () is the
            whole picture.
        zone_in_pixels: else shares of the picture, 0…1.
        min_confidence: 0…1.
        cooldown_s: after an alarm, so long none of this rule is raised; where the condition goes on
            to hold, it is raised again then. 0: once for each stretch through which it holds.
        without: a box counts only when no box of this class lies on it (its middle within the box,
            its confidence at least min_confidence too); '' asks for none.
    """

    name: str
    class_name: str
    zone: tuple[tuple[float, float], ...] = ()
    zone_in_pixels: bool = False
    min_confidence: float = 0.25
    hold: Hold = field(default_factory=Hold)
    cooldown_s: float = 0.0
    without: str = ""


@dataclass(frozen=True)
class Incident:
    """Something that truly happened, and that a rule should tell of."""

    recording: str
    rule: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Alarm:
    """A moment at which a rule spoke."""

    recording: str
    rule: str
    at_s: float
    frame: int


@dataclass(frozen=True)
class Recording:
    """Footage of one camera, with its truth.

    Args:
        name: unique; the truth names it so.
        camera: '' where it is not known; then each recording is its own.
        path: a video file, or a folder of pictures in order.
        duration_s: from the stream.
        frames: reads it anew: (seconds since its start from the stream's clock, uint8 H×W×3 RGB).
        incidents: of this recording, by start.
        fingerprint: sha256 (hex) over footage and truth.
        footage_fingerprint: over footage alone, which decides what is found.
    """

    name: str
    camera: str
    path: Path
    duration_s: float
    frames: Callable[[], Iterator[tuple[float, ImageArray]]]
    incidents: tuple[Incident, ...] = ()
    fingerprint: str = ""
    footage_fingerprint: str = ""


@dataclass(frozen=True, eq=False)
class RecordingDetections:
    """All that a detector found in one recording, at a low confidence.

    Args:
        times_s: float64, F, rising: of each picture.
        width, height: of a picture, pixels.
        frames: int64, N, 0…F−1, sorted: the picture of each box.
        boxes_xyxy: float32, N×4, pixels.
        scores: float32, N.
        class_ids: int64, N, index into class_names.
        least_confidence: boxes below it were not kept.
    """

    recording: str
    camera: str
    times_s: Float64Array
    duration_s: float
    width: int
    height: int
    frames: IntArray
    boxes_xyxy: FloatArray
    scores: FloatArray
    class_ids: IntArray
    class_names: tuple[str, ...]
    least_confidence: float = 0.0
