"""A detector over recordings: once for each model, and kept, so that rules are tried in no time.

    detect_recording(detector, recording)   frame by frame; a few pictures are in memory at a time
    kept_detections(recording, folder, …)   the same from disk where it lies there, else made
    save_detections, load_detections        one .npz a recording, whole or not at all

What is kept is named by the footage's fingerprint, the model's identity and the least confidence;
with any other of them it is made anew. Another truth needs no detection.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
import zlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.recordings.alarms import Recording, RecordingDetections
from ...contracts.results import Detections
from ...support.files import whole_file

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray, ObjectDetector

    Progress = Callable[[float, float], None]

KEPT_CONFIDENCE = 0.05
"""Boxes from here on are kept: a rule may be tuned as low."""
FORMAT = 1
"""Of the files; another one is made anew."""
BLOCK = 4096
"""Pictures with boxes that are kept one by one before they are joined."""
ARRAYS = ("times_s", "frames", "boxes_xyxy", "scores", "class_ids")

logger = logging.getLogger(__name__)


def detect_recording(
    detector: ObjectDetector,
    recording: Recording,
    *,
    batch_size: int = 1,
    progress: Progress | None = None,
) -> RecordingDetections:
    """Everything that a detector finds in a recording, at a low confidence.

    Non-maximum suppression goes from the best box down, so boxes above a higher threshold are
    those that the detector would give at that threshold.

    Args:
        batch_size: pictures in memory at a time.
        progress: called with the seconds done and those of the whole recording.

    Raises:
        EvaluationError: no picture, pictures of several sizes, times that do not rise.
    """
    times = array("d")
    found = _Found()
    size: tuple[int, int] | None = None
    frames = recording.frames()
    while batch := list(islice(frames, batch_size)):
        for at_s, image in batch:
            size = _checked(recording.name, image, size, at_s, times)
            times.append(at_s)
        images = [image for _, image in batch]
        found.add(detector.predict(images, confidence=KEPT_CONFIDENCE))
        if progress is not None:
            progress(min(times[-1], recording.duration_s), recording.duration_s)
    if size is None:
        raise EvaluationError(f"recording '{recording.name}' has no picture; is it still whole?")
    if progress is not None:
        progress(recording.duration_s, recording.duration_s)
    return RecordingDetections(
        recording=recording.name,
        camera=recording.camera,
        times_s=np.asarray(times, dtype=np.float64),
        duration_s=recording.duration_s,
        width=size[0],
        height=size[1],
        frames=np.repeat(np.arange(len(found.counts), dtype=np.int64), found.counts),
        boxes_xyxy=found.joined("boxes_xyxy", (0, 4), np.float32),
        scores=found.joined("scores", (0,), np.float32),
        class_ids=found.joined("class_ids", (0,), np.int64),
        class_names=tuple(detector.class_names),
        least_confidence=KEPT_CONFIDENCE,
    )


class _Found:
    """Boxes of pictures as they come, in few large arrays: a day has millions of pictures."""

    def __init__(self) -> None:
        self.counts = array("l")
        self._latest: list[Detections] = []
        self._blocks: list[Detections] = []

    def add(self, found: Sequence[Detections]) -> None:
        self.counts.extend(len(each) for each in found)
        self._latest += [each for each in found if len(each)]
        if len(self._latest) >= BLOCK:
            self._fold()

    def joined(self, name: str, empty: tuple[int, ...], kind: type[np.generic]) -> Any:
        """One of the arrays, of all pictures."""
        self._fold()
        parts = [getattr(block, name) for block in self._blocks]
        return np.concatenate(parts).astype(kind) if parts else np.zeros(empty, dtype=kind)

    def _fold(self) -> None:
        if self._latest:
            arrays = [
                np.concatenate([getattr(each, name) for each in self._latest])
                for name in ("boxes_xyxy", "scores", "class_ids")
            ]
            self._blocks.append(Detections(*arrays))
            self._latest = []


def _checked(
    name: str, image: ImageArray, size: tuple[int, int] | None, at_s: float, times: array[float]
) -> tuple[int, int]:
    height, width = image.shape[:2]
    if size not in (None, (width, height)):
        assert size is not None
        raise EvaluationError(
            f"recording '{name}' must have pictures of one size, but at {at_s:.2f} s they become "
            f"{width}×{height} instead of {size[0]}×{size[1]}; cut it there into two recordings"
        )
    if times and at_s <= times[-1]:
        raise EvaluationError(
            f"recording '{name}' must have times that rise, but {at_s:.3f} s follows "
            f"{times[-1]:.3f} s"
        )
    return width, height


# --- on disk --------------------------------------------------------------------------------------


def detections_key(
    recording: Recording, model_identity: str, least_confidence: float = KEPT_CONFIDENCE
) -> str:
    """sha256 (hex) over all that decides what is found.

    Args:
        model_identity: of the detector package, and whatever else decides: device, threshold.
    """
    footage = recording.footage_fingerprint or recording.fingerprint
    parts = [FORMAT, footage, recording.name, model_identity, least_confidence]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def kept_detections(
    recording: Recording,
    folder: Path,
    model_identity: str,
    detect: Callable[[Recording], RecordingDetections],
    *,
    least_confidence: float = KEPT_CONFIDENCE,
) -> RecordingDetections:
    """What was found in a recording: from `folder` where it lies there, else made and kept there.

    Args:
        detect: makes it; called only where it is needed.
    """
    key = detections_key(recording, model_identity, least_confidence)
    path = folder / f"{key[:32]}.npz"
    known = load_detections(path, key)
    if known is not None:
        return replace(known, camera=recording.camera)  # a camera can be told of later
    made = detect(recording)
    save_detections(made, path, key)
    return made


def save_detections(detections: RecordingDetections, path: Path, key: str = "") -> None:
    """Write one .npz, whole or not at all.

    Args:
        key: that load_detections must be given again.
    """
    values = {each.name: getattr(detections, each.name) for each in fields(detections)}
    arrays = {name: values.pop(name) for name in ARRAYS}
    facts = {"format": FORMAT, "key": key, **values}
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as unfinished:
        np.savez_compressed(unfinished, facts=np.array(json.dumps(facts)), **arrays)


def load_detections(path: Path, key: str = "") -> RecordingDetections | None:
    """What save_detections wrote; None where it is absent, damaged, or of another key."""
    if not path.is_file():
        return None
    try:
        # Given a path, numpy leaves the file open when it is no whole archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            facts = json.loads(str(kept["facts"]))
            arrays = {name: kept[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as exc:
        logger.warning("%s can't be read (%s); its recording is detected anew", path, exc)
        return None
    if facts.pop("format", None) != FORMAT or facts.pop("key", None) != key:
        return None
    facts["class_names"] = tuple(facts["class_names"])
    return RecordingDetections(**facts, **arrays)
