"""Opens videos and folders of pictures as recordings with their truth, all checked."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...contracts.errors import ConfigurationError, DatasetError, Problems
from ...contracts.recordings.alarms import Incident, Recording
from ..memory.images import ImageMemory
from .frame_folders import HIGHEST_FPS, folder_frames, read_frames
from .places import Place, find_places
from .truth import Clock, find_truth, read_truth
from .videos import check_rate, read_video, video_frames

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray

    Frames = Callable[[], Iterator[tuple[float, ImageArray]]]


def open_recordings(
    path: Path,
    truth: Path | None = None,
    *,
    rules: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    fps: float | None = None,
    camera_pattern: str | None = None,
    cache_dir: Path | None = None,
) -> tuple[Recording, ...]:
    """Find, read and check recordings. A video is decoded once to its end, unless remembered.

    Args:
        path: a video, a folder of pictures, or a folder that holds such, three deep at most.
        truth: a file or folder; None takes truth.csv in the folder or beside the video, and no
            incidents where there is none.
        rules: names that the truth may speak of; None lets every name be one.
        labels: the truth's label → rule, others are then not read; None takes labels as they are.
        fps: pictures a second, for folders that tell no times; else compared with the times.
        camera_pattern: regular expression with (?P<camera>…), searched in each recording's name;
            None takes the folder above it for the camera.
        cache_dir: where the times and hashes of files are remembered.

    Returns:
        Recordings by name.

    Raises:
        DatasetError: everything wrong with any recording or the truth.
    """
    problems = Problems()
    if fps is not None and not 0 < fps <= HIGHEST_FPS:
        problems.add(f"fps must be above 0, at most {HIGHEST_FPS:g}, but got {fps}")
        fps = None
    try:
        places = find_places(path, camera_pattern, problems)
        truth = find_truth(path, truth)
    except ConfigurationError as exc:
        raise DatasetError([*problems, *exc.problems]) from exc
    looked = {place.name: _look_at(place, fps, problems, cache_dir) for place in places}
    incidents: Mapping[str, tuple[Incident, ...]] = {}
    if truth is not None and places:
        clocks = {name: each.clock if each else None for name, each in looked.items()}
        incidents = read_truth(truth, clocks, rules, labels, problems)
    if problems:
        raise DatasetError(problems)
    return tuple(
        _recording(place, each, incidents.get(place.name, ()))
        for place in places
        if (each := looked[place.name]) is not None
    )


@dataclass(frozen=True, eq=False)
class _Looked:
    clock: Clock
    frames: Frames
    hashes: tuple[str, ...]


def _look_at(
    place: Place, fps: float | None, problems: Problems, cache_dir: Path | None
) -> _Looked | None:
    if place.is_video:
        video = read_video(place.path, problems, cache_dir)
        if video is None:
            return None
        if fps is not None:
            check_rate(video.times_s, fps, place.path, problems)
        frames = functools.partial(video_frames, place.path, video)
        return _Looked(Clock(video.times_s, video.duration_s), frames, (video.sha256,))
    with _memory_of(place.path, cache_dir) as memory:
        folder = read_frames(place.path, fps, problems, memory)
    if folder is None:
        return None
    clock = Clock(folder.times_s, folder.duration_s)
    return _Looked(clock, functools.partial(folder_frames, folder), folder.hashes)


def _recording(place: Place, looked: _Looked, incidents: tuple[Incident, ...]) -> Recording:
    # Where it lies and what its camera is called change nothing that is found in it.
    digest = hashlib.sha256(json.dumps([place.name, looked.hashes]).encode())
    digest.update(looked.clock.times_s.tobytes())
    footage = digest.hexdigest()
    told = [[each.rule, each.start_s, each.end_s] for each in incidents]
    digest.update(json.dumps(told, ensure_ascii=False).encode())
    return Recording(
        name=place.name,
        camera=place.camera,
        path=place.path,
        duration_s=looked.clock.duration_s,
        frames=looked.frames,
        incidents=incidents,
        fingerprint=digest.hexdigest(),
        footage_fingerprint=footage,
    )


@contextlib.contextmanager
def _memory_of(folder: Path, cache_dir: Path | None) -> Iterator[ImageMemory]:
    """What is remembered of a folder's pictures; nothing where no directory is given for it."""
    if cache_dir is None:
        with tempfile.TemporaryDirectory() as passing:
            yield ImageMemory(Path(passing) / "images.json")
        return
    key = hashlib.sha256(str(folder.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    yield ImageMemory(cache_dir / "footage" / f"{key}.json")
