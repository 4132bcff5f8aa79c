"""The state of a file: size, times and number. The same state later means the same content.

A file that was changed at most RACY_NS before it was read may change once more within one tick of
the clock and look the same, so its state proves nothing (git calls such entries racily clean). The
time of the last change of its inode counts too: programs can set the other time back, as a restored
backup does, but not that one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

RACY_NS = 2_000_000_000
"""FAT keeps times of two seconds, other file systems finer ones."""


class FileState(NamedTuple):
    """What `stat` says of a file, links followed; times in ns."""

    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, path: Path | str) -> FileState:
        """Raises OSError: it is not there, or closed to us."""
        found = os.stat(path)  # noqa: PTH116 - fast
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)

    def is_settled(self, read_at_ns: int) -> bool:
        """Whether it proves the content that was read at that time, or later."""
        return max(self.modified, self.changed) < read_at_ns - RACY_NS


class TreeState(NamedTuple):
    """The state of many files: one hash for all, and when the last of them was changed."""

    digest: str
    changed: int

    def is_settled(self, read_at_ns: int) -> bool:
        """As of a file."""
        return self.changed < read_at_ns - RACY_NS


def state_of_trees(
    folders: Iterable[Path], files: Iterable[Path], counts: Callable[[str], bool]
) -> TreeState:
    """The state of everything in some folders and below, and of some files.

    Args:
        counts: file name → whether the file matters; folders always do, hidden ones too.

    Raises:
        OSError: something is closed to us, or went while it was looked at.
    """
    digest = hashlib.sha256()
    newest = 0
    for file in files:
        state = FileState.of(file)
        newest = max(newest, state.modified, state.changed)
        digest.update(f"{file}{tuple(state)}\n".encode("utf-8", "surrogateescape"))
    seen: set[tuple[int, int]] = set()
    waiting = [str(folder) for folder in folders]
    while waiting:
        folder = waiting.pop()
        try:
            opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):  # it may come
            digest.update(f"{folder} is not there\n".encode("utf-8", "surrogateescape"))
            continue
        try:
            there = os.fstat(opened)
            lines: list[str] = []
            below: list[str] = []
            if (there.st_dev, there.st_ino) not in seen:  # links may lead in a circle
                seen.add((there.st_dev, there.st_ino))
                lines, below, last = _entries(opened, counts)
                newest = max(newest, last)
        finally:
            os.close(opened)
        waiting += [f"{folder}{os.sep}{name}" for name in sorted(below, reverse=True)]
        lines.sort()
        text = "\n".join([folder, *lines, ""])
        digest.update(text.encode("utf-8", "surrogateescape"))
    return TreeState(digest.hexdigest(), newest)


def _entries(opened: int, counts: Callable[[str], bool]) -> tuple[list[str], list[str], int]:
    """A line for each entry of an open folder, the folders in it, and the latest change."""
    lines: list[str] = []
    below: list[str] = []
    newest = 0
    with os.scandir(opened) as entries:
        for entry in entries:
            name = entry.name
            if entry.is_dir():
                below.append(name)
                lines.append(f"{name}/")
            elif counts(name):
                try:
                    found = entry.stat()
                except FileNotFoundError:  # a link that leads nowhere
                    found = entry.stat(follow_symlinks=False)
                changed = found.st_ctime_ns
                modified = found.st_mtime_ns
                newest = max(newest, changed, modified)
                lines.append(f"{name}/{found.st_size}/{modified}/{changed}/{found.st_ino}")
    return lines, below, newest
