"""The pictures of a sequence: image files one per frame, or a video decoded frame by frame."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from ...contracts.errors import EvaluationError, Problem, Problems
from ...contracts.results import sha256_of
from ..memory.images import ImageMemory

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov")
SHOWN_NAMES = 5


@dataclass(frozen=True)
class Pictures:
    """The pictures of a sequence, in order.

    Args:
        paths: image files; empty for a video.
        video_frames: decodes a video; None for image files.
        length: how many there are.
        width, height: of each, pixels.
        frame_rate: of a video; None for image files.
        hashes: sha256 (hex) of each file.
    """

    paths: tuple[Path, ...]
    video_frames: Callable[[], Iterator[ImageArray]] | None
    length: int
    width: int
    height: int
    frame_rate: float | None
    hashes: tuple[str, ...]


def find_pictures(
    directory: Path,
    image_folder: Path,
    length: int | None,
    memory: ImageMemory,
    problems: Problems,
) -> Pictures | None:
    """The pictures of a sequence, looked at.

    Args:
        directory: of the sequence; a video lies in it.
        image_folder: where its image files are, if there are any.
        length: frames as seqinfo.ini says; None where it doesn't.
        problems: what is wrong is added here; None comes back then.
    """
    if image_folder.is_dir():
        return _images(image_folder, length, memory, problems)
    videos = sorted(p for p in _visible(directory) if p.suffix.lower() in VIDEO_SUFFIXES)
    named = [p for p in videos if p.stem == "video"]
    if len(named or videos) == 1:
        return _video((named or videos)[0], length, problems)
    message = (
        f"holds {len(videos)} videos ({', '.join(p.name for p in videos[:SHOWN_NAMES])}); call the "
        f"one that gt/gt.txt is about video{videos[0].suffix}"
        if videos
        else f"has no pictures: neither a folder {image_folder.name}/ nor a video "
        f"({', '.join(VIDEO_SUFFIXES)})"
    )
    problems.add(message, directory)
    return None


def _images(
    folder: Path, length: int | None, memory: ImageMemory, problems: Problems
) -> Pictures | None:
    files = [p for p in _visible(folder) if p.suffix.lower() in IMAGE_SUFFIXES]
    wrong = _order(files, length, folder)
    if wrong:
        problems.add(wrong, folder)
        return None
    paths = tuple(sorted(files, key=_natural))
    facts, damaged = memory.look_at(paths)
    problems += [Problem(message, str(path)) for path, message in sorted(damaged.items())]
    if damaged:
        return None
    sizes = {(facts[path].width, facts[path].height): path for path in reversed(paths)}
    if len(sizes) > 1:
        shown = ", ".join(f"{w}×{h} ({path.name})" for (w, h), path in list(sizes.items())[:3])
        problems.add(f"the pictures must be of one size but are {shown}", folder)
        return None
    ((width, height),) = sizes
    hashes = tuple(facts[path].sha256 for path in paths)
    return Pictures(paths, None, len(paths), width, height, None, hashes)


def _visible(folder: Path) -> Iterator[Path]:
    """Without the companions that some systems put beside a file ('._000001.jpg')."""
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def _order(files: list[Path], length: int | None, folder: Path) -> str:
    """The reason why these image files are not frames 1, 2, 3 …; '' when they are."""
    if not files:
        return f"holds no image; frames are expected as {folder.name}/000001.jpg …"
    if all(path.stem.isdecimal() for path in files):
        numbers = [int(path.stem) for path in files]
        twice = [number for number, times in Counter(numbers).items() if times > 1]
        if twice:
            return f"frame {min(twice)} is there twice, under names that differ in suffix or zeros"
        if 0 in numbers:
            return "the first image is number 0, but ground truth counts frames from 1; rename them"
        missing = sorted(set(range(1, (length or max(numbers)) + 1)) - set(numbers))
        if missing:
            width = len(files[0].stem)
            names = ", ".join(f"{n:0{width}d}" for n in missing[:SHOWN_NAMES])
            more = f" … and {len(missing) - SHOWN_NAMES} more" if len(missing) > SHOWN_NAMES else ""
            return f"images are missing for {len(missing)} frames: {names}{more}"
    if length is not None and len(files) != length:
        return f"holds {len(files)} images but seqinfo.ini says seqLength={length}"
    return ""


def _natural(path: Path) -> list[tuple[int, str]]:
    """frame_9 before frame_10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts if part]


def _video(path: Path, length: int | None, problems: Problems) -> Pictures | None:
    capture = cv2.VideoCapture(str(path))
    try:
        told = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        there, first = capture.read()
    finally:
        capture.release()
    if not there:
        problems.add("is no video that OpenCV can decode", path)
        return None
    if told <= 0:  # some containers don't say
        told = sum(1 for _ in video_frames(path))
    if length is not None and told != length:
        problems.add(f"has {told} frames but seqinfo.ini says seqLength={length}", path)
        return None
    height, width = first.shape[:2]
    return Pictures(
        paths=(),
        video_frames=functools.partial(video_frames, path),
        length=told,
        width=width,
        height=height,
        frame_rate=rate if rate > 0 else None,
        hashes=(sha256_of(path),),
    )


def video_frames(path: Path) -> Iterator[ImageArray]:
    """Decode a video, one frame in memory at a time.

    Yields:
        uint8, H×W×3, RGB.

    Raises:
        EvaluationError: it can't be opened.
    """
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise EvaluationError(f"video {path} can't be opened; is it still there and whole?")
        while True:
            there, frame = capture.read()
            if not there:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
