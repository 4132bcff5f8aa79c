"""A video's pictures and their times, from the stream's clock.

A camera that sends fewer pictures at night has no frame rate: the number of a picture times 1/fps
is then wrong by hours. A video is decoded once to the end, so that one that is cut short or damaged
on its way is known before anything is made of it; what was learnt is remembered by the state of
the file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...contracts.errors import EvaluationError, Problems
from ...contracts.results import sha256_of
from ...support.files import whole_file
from ..memory.file_state import FileState

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray
    from ...contracts.sequences import Float64Array

VIDEO_SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".avi",
    ".mkv",
    ".webm",
    ".ts",
    ".m2ts",
    ".mts",
    ".mpg",
    ".mpeg",
    ".wmv",
    ".flv",
    ".asf",
    ".dav",
)
COUNTED = (".mp4", ".m4v", ".mov", ".avi")
"""Containers that list their frames; others tell a length, of which OpenCV makes a count."""
FEW_LOST = 2
SHARE_LOST = 0.005
"""So many frames may be lacking: edit lists and the last frames of some encoders."""
SECONDS_LOST, SHARE_OF_LENGTH_LOST = 1.0, 0.02
MOST_STANDING = 0.01
"""Share of frames at which the stream's clock may stand still; they are left out."""
OTHER_RATE = 0.02
"""A rate that differs by more from the one that was said is another rate."""
_FORMAT = 1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class VideoFacts:
    """What decoding a video to its end has told.

    Args:
        times_s: float64, of each picture that is used, since the first; rising.
        decoded: frames in the stream, with those at which its clock stood still.
        told: frames that the container tells; 0 where it doesn't.
        told_fps: that the container tells; 0 where it doesn't.
        width, height: pixels, as shown.
        sha256: of the file.
    """

    times_s: Float64Array
    decoded: int
    told: int
    told_fps: float
    width: int
    height: int
    sha256: str

    @property
    def duration_s(self) -> float:
        """To the end of the last picture, which is shown for a usual step."""
        return float(self.times_s[-1]) + self.usual_step_s

    @property
    def usual_step_s(self) -> float:
        if len(self.times_s) > 1:
            return float(np.median(np.diff(self.times_s)))
        return 1 / self.told_fps if self.told_fps > 0 else 0.0


def read_video(path: Path, problems: Problems, cache_dir: Path | None) -> VideoFacts | None:
    """Decode a video to its end, or remember it; what is wrong is added to `problems`."""
    try:
        state = FileState.of(path)
    except OSError as exc:
        problems.add(f"can't be read: {exc.strerror or exc}", path)
        return None
    memory = _memory_of(path, state, cache_dir)
    facts = _remembered(memory) if memory else None
    if facts is None:
        began = time.time_ns()
        facts = _scanned(path, problems)
        if facts is None:
            return None
        if memory is not None and state.is_settled(began):
            _remember(facts, memory)
    before = len(problems)
    _check(path, facts, problems)
    return facts if len(problems) == before else None


def _scanned(path: Path, problems: Problems) -> VideoFacts | None:
    import cv2  # only where a video is new, not to remember one

    capture = cv2.VideoCapture(str(path))
    try:
        there, first = capture.read() if capture.isOpened() else (False, None)
        if not there or first is None:
            problems.add(
                "is no video that can be decoded: not one, cut short before its end was written, "
                "or of a codec that OpenCV lacks; play it, or convert it with: "
                "ffmpeg -i IN -c:v libx264 OUT.mp4",
                path,
            )
            return None
        told = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        told_fps = capture.get(cv2.CAP_PROP_FPS)
        stamps = [capture.get(cv2.CAP_PROP_POS_MSEC)]
        while capture.grab():
            stamps.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    except cv2.error as exc:
        problems.add(f"can't be decoded: {' '.join(str(exc).split())}", path)
        return None
    finally:
        capture.release()
    seconds = np.asarray(stamps, dtype=np.float64) / 1000
    advancing = np.ones(len(seconds), dtype=bool)  # later than every frame before it
    advancing[1:] = seconds[1:] > np.maximum.accumulate(seconds)[:-1]
    height, width = first.shape[:2]
    return VideoFacts(
        times_s=seconds[advancing] - seconds[0],
        decoded=len(stamps),
        told=int(told) if 0 < told < 1e12 else 0,
        told_fps=float(told_fps) if 0 < told_fps < 1e6 else 0.0,
        width=width,
        height=height,
        sha256=sha256_of(path),
    )


def _check(path: Path, facts: VideoFacts, problems: Problems) -> None:
    standing = facts.decoded - len(facts.times_s)
    if standing > max(FEW_LOST, MOST_STANDING * facts.decoded):
        problems.add(
            f"has a clock that stands still or goes back at {standing} of {facts.decoded} frames; "
            "write it anew with times: ffmpeg -fflags +genpts -i IN -c copy OUT.mkv",
            path,
        )
        return
    if path.suffix.lower() in COUNTED:
        lost = facts.told - facts.decoded
        if lost > max(FEW_LOST, SHARE_LOST * facts.told):
            problems.add(
                f"is cut short or damaged: its container tells {facts.told} frames but "
                f"{facts.decoded} can be decoded, up to {facts.duration_s:.1f} s; "
                "copy it again, or cut it there",
                path,
            )
    elif facts.told_fps:
        length_s = facts.told / facts.told_fps
        if length_s - facts.duration_s > max(SECONDS_LOST, SHARE_OF_LENGTH_LOST * length_s):
            problems.add(
                f"is cut short or damaged: its container tells {length_s:.1f} s but pictures end "
                f"at {facts.duration_s:.1f} s; copy it again, or cut it there",
                path,
            )


def check_rate(times_s: Float64Array, fps: float, where: Path, problems: Problems) -> None:
    """Compare the rate that was said with the times."""
    if len(times_s) < 2:
        return
    measured = (len(times_s) - 1) / float(times_s[-1] - times_s[0])
    if abs(measured - fps) <= OTHER_RATE * fps:
        return
    steps = np.diff(times_s)
    uneven = steps.max() > 1.5 * steps.min()
    how = f", unevenly: from {1 / steps.max():.3g} to {1 / steps.min():.3g}" if uneven else ""
    problems.add(
        f"must have the {fps:g} pictures a second that were said, but its times give "
        f"{measured:.4g}{how}; leave fps out, and its own times count",
        where,
    )


def video_frames(path: Path, facts: VideoFacts) -> Iterator[tuple[float, ImageArray]]:
    """Decode a video, one frame in memory at a time.

    Yields:
        Seconds since the first picture, from the stream; uint8, H×W×3, RGB.

    Raises:
        EvaluationError: it can't be opened, or has other frames than when it was looked at.
    """
    import cv2

    capture = cv2.VideoCapture(str(path))
    given = 0
    try:
        start, last = 0.0, -np.inf
        while capture.isOpened() and capture.grab():
            seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if seconds <= last:
                continue
            start, last = (seconds if last == -np.inf else start), seconds
            there, frame = capture.retrieve()
            if not there:
                break
            given += 1
            yield seconds - start, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
    if given != len(facts.times_s):
        raise EvaluationError(
            f"video {path} gave {given} pictures but had {len(facts.times_s)} when it was looked "
            "at; has it been changed, or is its disk failing? Start anew"
        )


# --- what is remembered ---------------------------------------------------------------------------


def _memory_of(path: Path, state: FileState, cache_dir: Path | None) -> Path | None:
    if cache_dir is None:
        return None
    named = json.dumps([_FORMAT, str(path.absolute()), list(state)]).encode()
    return cache_dir / "footage" / f"{hashlib.sha256(named).hexdigest()[:32]}.npz"


def _remembered(memory: Path) -> VideoFacts | None:
    try:
        with memory.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            return VideoFacts(times_s=kept["times_s"], **json.loads(str(kept["facts"])))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _remember(facts: VideoFacts, memory: Path) -> None:
    known = asdict(facts)
    times = known.pop("times_s")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(memory) as unfinished:
            np.savez_compressed(unfinished, times_s=times, facts=np.array(json.dumps(known)))
    except OSError as exc:
        logger.warning("%s can't be remembered and will be decoded again: %s", memory, exc)
