"""A model over recordings, once: what it found is kept in the work directory for every stage.

    <work_dir>/footage/detections/*.npz   one for each recording and model, the oldest removed first

Rules, truth and ways of counting change nothing of it, so they are tried without looking again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.recordings.alarms import Recording, RecordingDetections
from guardianflow.support.locks import take_lock

from ...stage.code_identity import digest_of_modules, modules_of
from ...stage.stage import StageContext

if TYPE_CHECKING:
    from guardianflow.contracts.ports import ObjectDetector
    from guardianflow.detector import Detector

FOLDER = "detections"
MOST_BYTES = 2 * 1024**3
"""Kept in all: some thousand hours of quiet footage."""
PATIENCE_S = 1800.0
"""For another process that looks at the same recording; then it is done twice, which harms none."""
IMAGE_LIBRARIES = ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "av")
OWN_MODULES = (
    "guardianflow.detector",
    "guardianflow.evaluation.alarms.detecting",
    "guardianflow.site_data.footage.recordings",
)


def model_identity(context: StageContext, detector: Detector) -> str:
    """sha256 (hex) over all that decides which boxes a model finds in given pictures."""
    from ...reuse.identity import versions_of

    info = detector.info
    own = (*OWN_MODULES, *modules_of(info.backend))
    parts = {
        "answers": detector.spec.answers,
        "device": [info.device, info.execution_precision],
        "library": info.library,
        "images": versions_of(*IMAGE_LIBRARIES),
        "code": digest_of_modules(own, context.settings.own_code_file),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def detect_all(
    context: StageContext,
    detector: ObjectDetector,
    recordings: Sequence[Recording],
    identity: str,
    label: str,
) -> dict[str, RecordingDetections]:
    """Recording → what the detector finds in it, from disk where it lies there.

    Args:
        identity: of the model; '' keeps nothing.
        label: of the progress that is told.

    Raises:
        EvaluationError: pictures of several sizes, times that don't rise.
    """
    from guardianflow.evaluation.alarms.detecting import (
        detect_recording,
        detections_key,
        kept_detections,
    )

    folder = context.settings.footage_dir / FOLDER
    whole = max(1, round(sum(each.duration_s for each in recordings)))
    found: dict[str, RecordingDetections] = {}
    before = 0.0
    for recording in recordings:

        def detect(one: Recording, begun: float = before) -> RecordingDetections:
            def told(done: float, _: float) -> None:
                context.events.progress(round(begun + done), whole, note=label)

            return detect_recording(detector, one, progress=told)

        if identity:
            path = folder / f"{detections_key(recording, identity)[:32]}.npz"
            make = partial(kept_detections, recording, folder, identity, detect)
            found[recording.name] = _kept(path, make)
        else:
            found[recording.name] = detect(recording)
        before += recording.duration_s
    return found


def _kept(path: Path, read_or_make: Callable[[], RecordingDetections]) -> RecordingDetections:
    """One process at a time for one recording; the file is marked as used now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock: AbstractContextManager[object]
    try:
        lock = take_lock(path.parent / f"{path.stem[:2]}.lock", PATIENCE_S)
    except (TimeoutError, OSError):
        lock = nullcontext()
    with lock:
        made = read_or_make()
    with suppress(OSError):  # another process may have removed it
        os.utime(path)
    remove_oldest(path.parent, MOST_BYTES, keep=path)
    return made


def remove_oldest(folder: Path, most_bytes: int, *, keep: Path) -> None:
    """Remove what was used longest ago until no more than so many bytes are left.

    Args:
        keep: stays, however large it is.
    """
    known: dict[Path, os.stat_result] = {}
    for path in folder.glob("*.npz"):
        with suppress(FileNotFoundError):  # another process removes too
            known[path] = path.stat()
    size = sum(each.st_size for each in known.values())
    for path in sorted(known, key=lambda each: known[each].st_mtime):
        if size <= most_bytes:
            return
        if path != keep:
            path.unlink(missing_ok=True)
            size -= known[path].st_size
