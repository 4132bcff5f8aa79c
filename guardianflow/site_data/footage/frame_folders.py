"""Pictures in a folder as a recording, and where their times come from.

    times.csv   name,seconds: of each picture, or
    fps.txt     pictures a second, a number, or
    fps         as it was said

Pictures are in order of their names, numbers counted as numbers.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...contracts.errors import EvaluationError, Problem, Problems
from ...support.pictures.kinds import PictureError
from ...support.suggestions import did_you_mean
from ...support.text.encodings import NotUtf8Error, decode_utf8
from ...support.text.spelling import nfc
from ..memory.images import ImageMemory
from .moments import seconds_of
from .videos import check_rate

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray
    from ...contracts.sequences import Float64Array

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
TIMES, RATE = "times.csv", "fps.txt"
NAME_COLUMNS = ("name", "file", "frame", "image", "filename")
TIME_COLUMNS = ("seconds", "time_s", "time", "t", "at_s")
HIGHEST_FPS = 1000.0
SHOWN = 5


@dataclass(frozen=True, eq=False)
class FrameFacts:
    """The pictures of a folder, in order.

    Args:
        times_s: float64, since the first; rising.
        hashes: sha256 (hex) of each file.
    """

    paths: tuple[Path, ...]
    times_s: Float64Array
    hashes: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        steps = np.diff(self.times_s)
        return float(self.times_s[-1]) + (float(np.median(steps)) if len(steps) else 0.0)


def pictures_in(folder: Path) -> list[Path]:
    """Image files right in a folder, in order; companions that some systems write are none."""
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    ]
    return sorted(found, key=lambda path: natural(path.name))


def natural(name: str) -> list[tuple[int, str]]:
    """A key for sorting: frame_9 before frame_10."""
    parts = re.split(r"(\d+)", nfc(name))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts if part]


def read_frames(
    folder: Path, fps: float | None, problems: Problems, memory: ImageMemory
) -> FrameFacts | None:
    """Look at every picture and read their times; what is wrong is added to `problems`."""
    before = len(problems)
    paths = tuple(pictures_in(folder))
    facts, damaged = memory.look_at(paths)
    problems += [Problem(message, str(path)) for path, message in sorted(damaged.items())]
    sizes = {(each.width, each.height): path for path, each in reversed(facts.items())}
    if len(sizes) > 1:
        shown = ", ".join(f"{w}×{h} ({path.name})" for (w, h), path in list(sizes.items())[:3])
        problems.add(f"the pictures must be of one size but are {shown}", folder)
    times = _times(folder, paths, fps, problems)
    if len(problems) > before or times is None:
        return None
    return FrameFacts(paths, times - times[0], tuple(facts[path].sha256 for path in paths))


def _times(
    folder: Path, paths: Sequence[Path], fps: float | None, problems: Problems
) -> Float64Array | None:
    if (folder / TIMES).is_file():
        times = _listed_times(folder / TIMES, paths, problems)
        if times is not None and fps is not None:
            check_rate(times, fps, folder, problems)
        return times
    written = _written_rate(folder / RATE, problems) if (folder / RATE).is_file() else None
    if fps is not None and written is not None and abs(written - fps) > 0.02 * fps:
        problems.add(f"says {written:g} but fps is {fps:g}; which is right?", folder / RATE)
    rate = fps if fps is not None else written
    if rate is None:
        if not (folder / RATE).is_file():
            problems.add(
                f"must say when its pictures were taken: a {TIMES} with the columns name,seconds "
                f"in it, an {RATE} with pictures a second, or fps",
                folder,
            )
        return None
    return np.arange(len(paths), dtype=np.float64) / rate


def _written_rate(file: Path, problems: Problems) -> float | None:
    text = file.read_bytes()[:100].decode("utf-8-sig", "replace").strip()
    rate = seconds_of(text)
    if rate is None or not 0 < rate <= HIGHEST_FPS:
        problems.add(f"must hold pictures a second, above 0, but holds '{text}'", file)
        return None
    return rate


def _listed_times(file: Path, paths: Sequence[Path], problems: Problems) -> Float64Array | None:
    before = len(problems)
    try:
        rows = list(csv.reader(io.StringIO(decode_utf8(file.read_bytes(), file.name))))
    except (NotUtf8Error, csv.Error) as exc:
        problems.add(str(exc), file)
        return None
    header = [nfc(cell).strip().lower() for cell in rows[0]] if rows else []
    name_at = next((header.index(each) for each in NAME_COLUMNS if each in header), None)
    time_at = next((header.index(each) for each in TIME_COLUMNS if each in header), None)
    if name_at is None or time_at is None:
        problems.add(
            f"must have the columns name,seconds but has '{','.join(header)}'", f"{file}:1"
        )
        return None
    known = {nfc(path.name): path for path in paths}
    stems = {nfc(path.stem): path for path in paths}
    times: dict[Path, float] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        name, text = (nfc(row[at].strip()) if at < len(row) else "" for at in (name_at, time_at))
        path, seconds = known.get(name) or stems.get(name), seconds_of(text)
        if path is None:
            problems.add(
                f"'{name}' is no picture of this folder{did_you_mean(name, known)}",
                f"{file}:{line}",
            )
        elif seconds is None:
            problems.add(f"must give seconds but got '{text}'", f"{file}:{line}")
        elif path in times:
            problems.add(f"'{name}' is there twice", f"{file}:{line}")
        else:
            times[path] = seconds
    lacking = [path.name for path in paths if path not in times]
    if lacking and len(problems) == before:
        more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        problems.add(f"must time every picture but lacks {', '.join(lacking[:SHOWN])}{more}", file)
    if len(problems) > before:
        return None
    found = np.array([times[path] for path in paths], dtype=np.float64)
    back = np.flatnonzero(np.diff(found) <= 0)
    if len(back):
        at = int(back[0])
        problems.add(
            f"times must rise in the order of names, but {paths[at + 1].name} is at "
            f"{found[at + 1]:g} s after {paths[at].name} at {found[at]:g} s",
            file,
        )
        return None
    return found


def folder_frames(facts: FrameFacts) -> Iterator[tuple[float, ImageArray]]:
    """The pictures with their times, one in memory at a time.

    Raises:
        EvaluationError: one can't be read any more.
    """
    import cv2  # and with it the decoder: not to look at names and times

    from ...support.pictures.decoding import decode

    for path, seconds in zip(facts.paths, facts.times_s, strict=True):
        try:
            image = decode(path.read_bytes())
        except (OSError, PictureError, cv2.error) as exc:
            raise EvaluationError(f"picture {path} can't be read any more: {exc}") from exc
        yield float(seconds), image
