"""Walks a directory of scripts: what lies there, without its data sets and its machinery.

A data set may hold 100,000 images on a slow disk: it is neither read nor listed. Links to
directories are not followed, so that a loop ends and nothing outside is taken for the script's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

DATA_DIRECTORIES = frozenset({"data", "dataset", "datasets"})
MACHINERY = frozenset(
    {
        *(".git", ".hg", ".svn", ".dvc", ".cache", ".idea", ".vscode", ".ipynb_checkpoints"),
        *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", "node_modules"),
        *("venv", ".venv", "site-packages", "mlruns", "wandb"),
    }
)
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
IMAGES_OF_A_DATA_SET = 200
"""More pictures in one directory are a data set or a whole video's frames, not plots."""
PAIRED = frozenset({"images", "labels"})
"""Two directories side by side that make a data set of detection."""


@dataclass(frozen=True)
class FoundFile:
    """A file: its path below the root with '/', and what the system says of it."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def walk(root: Path, skipped: Callable[[str, str], None] | None = None) -> Iterator[FoundFile]:
    """Every regular file below `root`, in no particular order.

    Args:
        skipped: told of each directory that is not looked into, or whose pictures are left out:
            its path, and why. Machinery such as .git is left out silently.
    """
    tell = skipped or (lambda _path, _why: None)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as entries:
                listed = list(entries)
        except OSError as exc:
            tell(folder or ".", f"can't be read: {exc.strerror}")
            continue
        names = {entry.name for entry in listed}
        pictures = [name for name in names if name[name.rfind(".") :].lower() in IMAGES]
        if len(pictures) > IMAGES_OF_A_DATA_SET:
            tell(folder or ".", f"holds {len(pictures)} pictures: a data set, not plots")
            crowd = set(pictures)
            listed = [entry for entry in listed if entry.name not in crowd]
        for entry in listed:
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    why = _why_not(entry, names)
                    if why is None:
                        waiting.append(path)
                    elif why:
                        tell(path, why)
                elif entry.is_symlink():
                    if entry.is_dir():
                        tell(path, "is a link to a directory")
                elif entry.is_file(follow_symlinks=False):
                    yield _as_found(path, entry.stat(follow_symlinks=False))
            except OSError:  # it went away meanwhile
                continue


def is_passed_by(name: str) -> bool:
    """Whether a directory of this name is not looked into: machinery or data."""
    return name in MACHINERY or name.lower() in DATA_DIRECTORIES


def _why_not(entry: os.DirEntry[str], beside: set[str]) -> str | None:
    """The reason not to look into a directory; '' for no need to say, None where it is."""
    name = entry.name
    if name in MACHINERY or os.path.lexists(os.path.join(entry.path, "pyvenv.cfg")):  # noqa: PTH118
        return ""
    if name.lower() in DATA_DIRECTORIES or (name in PAIRED and beside >= PAIRED):
        return "is a data set"
    return None


def found_file(root: Path, file: Path) -> FoundFile:
    """One file below `root` as the system has it. Raises OSError where it is gone."""
    return _as_found(file.relative_to(root).as_posix(), file.stat())


def _as_found(path: str, status: os.stat_result) -> FoundFile:
    return FoundFile(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
