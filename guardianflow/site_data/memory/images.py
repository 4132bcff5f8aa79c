"""Facts of each image, its hash and size above all, remembered by the state of its file.

A large set is read through once and then only looked at.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from ...support.sealed_files import read_sealed, write_sealed
from ..progress import tracked
from .file_state import FileState

Facts = TypeVar("Facts")
_FORMAT = 3  # of the memory file; 3: damage and orientation are told by what is decoded


class ImageFacts(NamedTuple):
    """The facts of an image file. Width and height in pixels, as it is shown."""

    sha256: str
    width: int
    height: int


class FactMemory(Generic[Facts]):
    """Facts of image files, kept in one JSON file between runs.

    Two processes may use one memory: each replaces the file whole, and what the other one learnt
    meanwhile is learnt again later.

    Args:
        file: where it is kept; need not exist.
        form: of the file, and of how facts are found: those of another form are found anew.
        facts_of: makes facts of what was kept as JSON.
        examine: finds the facts of one file; a text says what is wrong with it.
        doing: what a bar says meanwhile.
    """

    def __init__(
        self,
        file: Path,
        form: int,
        facts_of: Callable[[Sequence[Any]], Facts],
        examine: Callable[[Path], Facts | str],
        doing: str,
    ) -> None:
        self.file, self._form = file, form
        self._find, self._doing = examine, doing
        self._known: dict[str, tuple[FileState, Facts]] = {}
        # Nobody but us writes a seal: what can't be understood is of another release.
        with suppress(ValueError, KeyError, TypeError, AttributeError, IndexError):
            kept = read_sealed(file) or {}
            if kept.get("format") == form:
                self._known = {
                    path: (FileState(*map(int, state)), facts_of(facts))
                    for path, (state, facts) in kept["images"].items()
                }

    def look_at(self, images: Sequence[Path]) -> tuple[dict[Path, Facts], dict[Path, str]]:
        """Facts of every image, read where they are not remembered.

        Returns:
            Facts by path, and what is wrong by path: unreadable, damaged or cut short.
        """
        facts: dict[Path, Facts] = {}
        wrong: dict[Path, str] = {}
        new: dict[Path, FileState] = {}
        began = time.time_ns()
        for path in images:
            try:
                state = FileState.of(path)
            except OSError as exc:
                wrong[path] = f"can't be read: {exc.strerror or exc}"
                continue
            known = self._known.get(str(path))
            if known is not None and known[0] == state:
                facts[path] = known[1]
            else:
                new[path] = state
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            read = pool.map(self._find, new)
            for path, found in zip(new, tracked(read, self._doing, len(new)), strict=True):
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
            self.file, {"format": self._form, "images": {path: self._known[path] for path in paths}}
        )


class ImageMemory(FactMemory[ImageFacts]):
    """The hash and size of image files, which are looked at closely once."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, _FORMAT, _facts_of, _examine, "reading images")


def _facts_of(kept: Sequence[Any]) -> ImageFacts:
    return ImageFacts(str(kept[0]), *kept[1:])


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
