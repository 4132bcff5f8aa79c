"""Directories and files in the work directory, and for a while, that their makers left.

An attempt's directory names the process that it belongs to, and is removed once that is dead for
certain and nothing in it has changed for a day. What names none (files that were being fetched,
directories below the system's temporary one) has kept still for a week.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from guardianflow.support.process_identity import ProcessIdentity
from guardianflow.support.secrets.files import write_private

OWNER_FILE = "owner.json"
DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
DEEPEST = 3
"""How far below the work directory something unfinished may lie."""
ATTEMPTS = ("stages", "wrap")
ELSEWHERE = (*ATTEMPTS, "trainings", "spool", "batches")
"""Of the work directory, but with an order of their own."""
# Not what may keep still for a week while its process lives (automation, code, command, project,
# resume, sweep), nor guardianflow-training-: what a trainer that was given no directory made is its
# user's.
TEMPORARY = re.compile(
    r"guardianflow-(best|build|check|clean|copy|git|images|log|look|metrics|model|report|sent|sign"
    r"|twins|verify|pull-[0-9a-f]{12}"
    r"|(native|onnx|openvino|tensorrt)(-recipes)?)-\w{8}"
)
# Names that guardianflow.support.files and the Git source give to what is not whole yet.
UNFINISHED_FILE = re.compile(r"\..+\.[0-9a-f]{12}(\.\w+)?")
UNFINISHED_FOLDER = re.compile(r"\..+\.[a-z0-9_]{8}|(clone|damaged)-[a-z0-9_]{8}")


class Kind(StrEnum):
    ATTEMPT = "attempt"
    UNFINISHED = "unfinished"
    TEMPORARY = "temporary"


@dataclass(frozen=True)
class LeftFolder:
    """A directory or file that nobody needs any more.

    Args:
        still_s: since something in it changed last.
    """

    kind: Kind
    path: Path
    still_s: float

    def remove(self) -> bool:
        """Remove it; False where it is gone already. Raises OSError."""
        try:
            shutil.rmtree(self.path) if self.path.is_dir() else self.path.unlink()
        except FileNotFoundError:
            return False
        return True


def mark_owner(folder: Path) -> None:
    """Note that a directory is this process'. Raises OSError."""
    write_private(folder / OWNER_FILE, ProcessIdentity.of_this_process().to_json())


def left_folders(work_dir: Path, older_than_s: float = DAY_S) -> Iterator[LeftFolder]:
    """All that may be removed, with what names no process only where it is a week old.

    Args:
        older_than_s: nothing that has changed since is named; a day at least.
    """
    least_s = max(older_than_s, DAY_S)
    for home in ATTEMPTS:
        for folder in _entries(work_dir / home):
            if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith("."):
                yield from _still(Kind.ATTEMPT, folder, _least_age(folder, least_s))
    unowned_s = max(least_s, WEEK_S)
    for path in _unfinished(work_dir, DEEPEST):
        yield from _still(Kind.UNFINISHED, path, unowned_s)
    for path in _entries(Path(tempfile.gettempdir())):
        if TEMPORARY.fullmatch(path.name) and not path.is_symlink() and _is_ours(path):
            yield from _still(Kind.TEMPORARY, path, unowned_s)


def _least_age(folder: Path, dead_s: float) -> float:
    """How long a directory must have kept still to be removed; for ever, where its process lives.

    Also where it can't be seen from here. One of before there was an owner's file has none.
    """
    owner = _owner_of(folder)
    if owner is None:
        return max(dead_s, WEEK_S)
    return dead_s if owner.is_dead() else float("inf")


def owner_is_dead(folder: Path) -> bool:
    """Whether the process that an attempt's directory names is gone for certain."""
    owner = _owner_of(folder)
    return owner is not None and owner.is_dead()


def _owner_of(folder: Path) -> ProcessIdentity | None:
    try:
        return ProcessIdentity.from_json((folder / OWNER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _still(kind: Kind, path: Path, least_s: float) -> Iterator[LeftFolder]:
    if least_s == float("inf"):
        return
    still_s = time.time() - _newest(path)
    if still_s >= least_s:
        yield LeftFolder(kind, path, still_s)


def _newest(path: Path) -> float:
    """When anything in a tree changed last; now, where that can't be read: it may change."""
    try:
        newest = path.lstat().st_mtime
        if not path.is_dir():
            return newest
        for folder, _, files in os.walk(path, onerror=_raise):
            here = Path(folder)
            newest = max(newest, here.lstat().st_mtime)
            for name in files:
                newest = max(newest, (here / name).lstat().st_mtime)
    except OSError:
        return time.time()
    return newest


def _raise(exc: OSError) -> None:
    raise exc


def _unfinished(folder: Path, depth: int) -> Iterator[Path]:
    for path in _entries(folder):
        if path.is_symlink():
            continue
        if not path.is_dir():
            if UNFINISHED_FILE.fullmatch(path.name):
                yield path
        elif UNFINISHED_FOLDER.fullmatch(path.name):
            yield path
        elif depth > 1 and path.name not in ELSEWHERE:
            yield from _unfinished(path, depth - 1)


def _is_ours(path: Path) -> bool:
    with suppress(OSError):
        return path.lstat().st_uid == os.getuid()
    return False


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
