"""The thumbnails of image files, remembered by the state of each file.

A large set is read through once, by threads, and then only looked at. What was read before somebody
interrupts is kept.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...support.files import whole_file
from ...support.sealed_files import read_sealed, write_sealed
from ..memory.file_state import FileState
from .thumbnails import FORMAT, SIDE, Thumbnail, thumbnail_of

Progress = Callable[[int, int], None]

AT_ONCE, TOLD_EVERY = 4096, 64
"""Images that threads are given, and of which progress is told."""
FOLDER = "twins"


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """Small pictures of image files.

    Args:
        paths: those that could be read, each once.
        pictures: uint8, one for each, SIDE×SIDE.
        sizes: of the files, bytes.
        unread: path → why it could not be read.
    """

    paths: tuple[Path, ...]
    pictures: npt.NDArray[np.uint8]
    sizes: tuple[int, ...]
    unread: Mapping[Path, str]


class ThumbnailMemory:
    """Thumbnails, kept in two files between runs: pixels, and what they are of.

    Two processes may use one memory: what the other one learnt meanwhile is learnt again later.

    Args:
        cache_dir: of data sets.
        images: of the set; sets of one folder share a memory.
    """

    def __init__(self, cache_dir: Path, images: Sequence[Path]) -> None:
        top = os.path.commonpath([str(path.parent) for path in images]) if images else ""
        key = hashlib.sha256(top.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._folder, self._key = cache_dir / FOLDER, key
        self._file = self._folder / f"{key}.json"
        self._states: dict[str, tuple[FileState, int]] = {}
        self._pixels: npt.NDArray[np.uint8] = np.zeros((0, SIDE, SIDE), np.uint8)
        with suppress(ValueError, KeyError, TypeError, OSError, IndexError, AttributeError):
            self._recall()

    def _recall(self) -> None:
        kept = read_sealed(self._file)
        if not kept or kept["format"] != FORMAT:
            return
        pixels = np.load(self._folder / str(kept["pixels"]), mmap_mode="r")
        if pixels.shape == (len(kept["images"]), SIDE, SIDE) and pixels.dtype == np.uint8:
            self._states = {
                path: (FileState(*map(int, state)), row)
                for row, (path, state) in enumerate(kept["images"])
            }
            self._pixels = pixels

    def look_at(self, images: Sequence[Path], progress: Progress | None = None) -> Thumbnails:
        """Thumbnails of every image, read where they are not remembered.

        Args:
            progress: called with images read and to be read; not where all are remembered.
        """
        images = list(dict.fromkeys(images))
        states: dict[Path, FileState] = {}
        unread: dict[Path, str] = {}
        for path in images:
            try:
                states[path] = FileState.of(path)
            except OSError as exc:
                unread[path] = f"can't be read: {exc.strerror}"
        known = {path: self._states.get(str(path)) for path in states}
        rows = {path: each[1] for path, each in known.items() if each and each[0] == states[path]}
        new = [path for path in states if path not in rows]
        read: dict[Path, Thumbnail] = {}
        began = time.time_ns()
        try:
            for path, found in _read(new, progress):
                if isinstance(found, str):
                    unread[path] = found
                else:
                    read[path] = found
        finally:
            if read:
                settled = [path for path in read if states[path].is_settled(began)]
                self._save({path: (states[path], read[path]) for path in settled})
        paths = tuple(path for path in images if path not in unread)
        pictures = np.empty((len(paths), SIDE, SIDE), np.uint8)
        for row, path in enumerate(paths):
            pictures[row] = read[path] if path in read else self._pixels[rows[path]]
        return Thumbnails(paths, pictures, tuple(states[path].size for path in paths), unread)

    def _save(self, learnt: Mapping[Path, tuple[FileState, Thumbnail]]) -> None:
        """Replace the files; what is no longer there is forgotten."""
        texts = {str(path) for path in learnt}
        kept = {
            path: known
            for path, known in self._states.items()
            if path not in texts and os.path.exists(path)  # noqa: PTH110 - fast
        }
        pixels = np.empty((len(kept) + len(learnt), SIDE, SIDE), np.uint8)
        rows: list[tuple[str, FileState]] = []
        for path, (state, row) in kept.items():
            pixels[len(rows)] = self._pixels[row]
            rows.append((path, state))
        for image, (state, thumbnail) in learnt.items():
            pixels[len(rows)] = thumbnail
            rows.append((str(image), state))
        name = f"{self._key}-{uuid.uuid4().hex[:8]}.npy"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with whole_file(self._folder / name) as unfinished, unfinished.open("wb") as stream:
                np.save(stream, pixels)
        except OSError:
            return  # a memory saves time, no more
        write_sealed(self._file, {"format": FORMAT, "pixels": name, "images": rows})
        for older in self._folder.glob(f"{self._key}-*.npy"):
            if older.name != name:
                older.unlink(missing_ok=True)
        # Rows of what was read before have moved, but this object still reads the old pixels,
        # which stay while they are mapped.


def _read(
    paths: Sequence[Path], progress: Progress | None
) -> Iterator[tuple[Path, Thumbnail | str]]:
    """By threads; who interrupts waits for what has begun, no more."""
    done = 0
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(paths), AT_ONCE):
            some = paths[start : start + AT_ONCE]
            for path, found in zip(some, pool.map(_examine, some), strict=True):
                yield path, found
                done += 1
                if progress is not None and (done % TOLD_EVERY == 0 or done == len(paths)):
                    progress(done, len(paths))


def _examine(path: Path) -> Thumbnail | str:
    """Read one image; a text says why it can't be."""
    try:
        return thumbnail_of(path)
    except ValueError as exc:
        return str(exc)
    except OSError as exc:
        return f"can't be read: {exc.strerror or exc}"
