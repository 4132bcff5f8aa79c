"""The hash and size of each image, remembered by the state of its file.

A large set is read through once and then only looked at.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ...support.sealed_files import read_sealed, write_sealed
from ..progress import tracked
from .file_state import FileState

_FORMAT = 3  # of the memory file; 3: damage and orientation are told by what is decoded


class ImageFacts(NamedTuple):
    """The facts of an image file. Width and height in pixels, as it is shown."""

    sha256: str
    width: int
    height: int


class ImageMemory:
    """Facts of image files, kept in one JSON file between runs.

    Two processes may use one memory: each replaces the file whole, and what the other one learnt
    meanwhile is learnt again later.

    Args:
        file: where it is kept; need not exist.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._known: dict[str, tuple[FileState, ImageFacts]] = {}
        try:
            kept = read_sealed(file) or {}
            if kept.get("format") == _FORMAT:
                self._known = {
                    path: (FileState(*map(int, state)), ImageFacts(str(facts[0]), *facts[1:]))
                    for path, (state, facts) in kept["images"].items()
                }
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            self._known = {}  # nobody but us writes a seal: of another release

    def look_at(self, images: Sequence[Path]) -> tuple[dict[Path, ImageFacts], dict[Path, str]]:
        """Facts of every image, read where they are not remembered.

        Returns:
            Facts by path, and what is wrong by path: unreadable, damaged or cut short.
        """
        facts: dict[Path, ImageFacts] = {}
        wrong: dict[Path, str] = {}
        new: dict[Path, FileState] = {}
        began = time.time_ns()
        for path in images:
            try:
                state = FileState.of(path)
            except OSError as exc:
                wrong[path] = f"can't be read: {exc.strerror}"
                continue
            known = self._known.get(str(path))
            if known is not None and known[0] == state:
                facts[path] = known[1]
            else:
                new[path] = state
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            read = pool.map(_examine, new)
            for path, found in zip(new, tracked(read, "reading images", len(new)), strict=True):
                if isinstance(found, str):
                    wrong[path] = found
                    continue
                facts[path] = found
                self._known.pop(str(path), None)
                if new[path].is_settled(began):
                    self._known[str(path)] = (new[path], found)
        if new:
            self._save(facts)
        return facts, wrong

    def _save(self, current: Iterable[Path]) -> None:
        """Replace the file; what is no longer part of the set is forgotten."""
        paths = [path for path in map(str, current) if path in self._known]
        write_sealed(
            self.file, {"format": _FORMAT, "images": {path: self._known[path] for path in paths}}
        )


def _examine(path: Path) -> ImageFacts | str:
    """Read one image; a text says what is wrong with it."""
    from ..image_files import examined  # and with it OpenCV, which is not needed to look

    try:
        content = path.read_bytes()
        width, height = examined(content, path)
    except ValueError as exc:
        return str(exc)
    except OSError as exc:
        return f"can't be read: {exc.strerror or exc}"
    return ImageFacts(hashlib.sha256(content).hexdigest(), width, height)
