"""The files that a script wrote: its directory before and after, compared by content.

    before = take_snapshot(root)
    …the script runs…
    changes = find_changes(root, before, rules)

A file counts when it is new or holds something else than before; that somebody touched it, or
wrote the same bytes again, does not count. Data sets are neither looked into nor kept.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from guardianflow.contracts.results import sha256_of

from .registry_schema import LegacyArtifacts
from .scan.versions import glob_pattern
from .walk import FoundFile, walk

WEIGHTS, RESULTS, PLOTS, CONFIGS, OTHER = "weights", "results", "plots", "config", "files"
CATEGORIES = {
    WEIGHTS: {".pt", ".pth", ".onnx", ".engine", ".xml", ".bin", ".torchscript", ".tflite"},
    RESULTS: {".csv", ".json", ".jsonl", ".txt"},
    PLOTS: {".png", ".jpg", ".jpeg", ".svg", ".pdf"},
    CONFIGS: {".yaml", ".yml", ".toml", ".ini"},
}
EVENT_FILE = "events.out.tfevents."
DATA_FILES = frozenset({".cache", ".npy", ".npz", ".zip", ".tar", ".gz", ".mp4", ".avi"})

HASHED_FILE_BYTES = 16_000_000
HASHED_BYTES = 256_000_000
HASHED_SECONDS = 0.5
"""What is read before the script starts, so that it need not wait for it long."""
SETTLED_NS = 2_000_000_000
"""A file younger than this may change again within its time stamp's granularity."""


@dataclass(frozen=True)
class Snapshot:
    """A directory at one moment.

    Args:
        files: by path below the root.
        digests: sha256 of those that were read.
        skipped: (directory, why it was not looked into).
        taken_ns: nanoseconds since 1970.
    """

    files: Mapping[str, FoundFile]
    digests: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[tuple[str, str], ...] = ()
    taken_ns: int = 0


@dataclass(frozen=True)
class Change:
    """A file that the script wrote.

    Args:
        path: below the root, with '/'; of a file elsewhere a path that begins with 'outside'.
        category: 'weights', 'results', 'plots', 'config' or 'files'.
        is_new: it was not there before, as far as is known.
        place: the file.
        outside: it lies elsewhere than below the root.
    """

    path: str
    category: str
    size: int
    mtime_ns: int
    is_new: bool
    place: Path
    outside: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For config/changes.json: `from` says where a file from elsewhere was."""
        told = {key: value for key, value in vars(self).items() if key not in ("place", "outside")}
        return told | ({"from": str(self.place)} if self.outside else {})


@dataclass(frozen=True)
class Changes:
    """Files to keep, and (path, reason) of those that are not."""

    kept: tuple[Change, ...]
    left_out: tuple[tuple[str, str], ...]


def take_snapshot(root: Path) -> Snapshot:
    """List the directory, and read the small files that could be kept later, newest first."""
    skipped: list[tuple[str, str]] = []
    taken_ns = time.time_ns()
    files = {each.path: each for each in walk(root, lambda *said: skipped.append(said))}
    digests: dict[str, str] = {}
    left, deadline = HASHED_BYTES, time.monotonic() + HASHED_SECONDS
    for each in sorted(files.values(), key=lambda found: found.mtime_ns, reverse=True):
        if not category_of(each.path) or each.size > HASHED_FILE_BYTES:
            continue
        left -= each.size
        if left < 0 or time.monotonic() > deadline:
            break
        if digest := _digest(root / each.path):
            digests[each.path] = digest
    return Snapshot(files, digests, tuple(skipped), taken_ns)


def find_changes(
    root: Path,
    before: Snapshot,
    rules: LegacyArtifacts,
    outside: Sequence[tuple[FoundFile, Path]] = (),
) -> Changes:
    """Compare the directory with what it was.

    A file of the same size and times is the same. With other times, its content decides where it
    was read before; a larger one that was rewritten counts as changed.

    Args:
        outside: what the script wrote elsewhere, see outcome/outside.py.
    """
    skipped: list[tuple[str, str]] = []
    found = {each.path: each for each in walk(root, lambda *said: skipped.append(said))}
    changed = [each for each in found.values() if not _is_unchanged(root, each, before)]
    places = {each.path: place for each, place in outside}
    keep, left_out = _chosen([*changed, *(each for each, _ in outside)], rules, places)
    known = {path for path, _ in before.skipped}
    left_out += [(path, why) for path, why in skipped if path not in known]
    kept = tuple(
        Change(
            each.path,
            category_of(each.path) or OTHER,
            each.size,
            each.mtime_ns,
            each.path not in before.files,
            places.get(each.path, root / each.path),
            each.path in places,
        )
        for each in keep
    )
    return Changes(kept, tuple(left_out))


def category_of(path: str) -> str:
    """'weights', 'results', 'plots' or 'config'; '' for a file of no known use to a run."""
    name = PurePosixPath(path)
    if name.name.startswith(EVENT_FILE):
        return RESULTS
    suffix = name.suffix.lower()
    return next((category for category, has in CATEGORIES.items() if suffix in has), "")


def _is_unchanged(root: Path, now: FoundFile, before: Snapshot) -> bool:
    old = before.files.get(now.path)
    if old is None or old.size != now.size:
        return False
    same_times = (old.mtime_ns, old.ctime_ns, old.inode) == (now.mtime_ns, now.ctime_ns, now.inode)
    # Within a coarse clock's tick a file may be written twice and look untouched.
    if same_times and old.mtime_ns < before.taken_ns - SETTLED_NS:
        return True
    known = before.digests.get(now.path)
    if known is None:
        return same_times
    return _digest(root / now.path) == known


def _digest(path: Path) -> str:
    """sha256; '' for a file that can't be read."""
    try:
        return sha256_of(path)
    except OSError:
        return ""


ORDER = (WEIGHTS, RESULTS, CONFIGS, PLOTS, OTHER)


def _chosen(
    changed: Iterable[FoundFile], rules: LegacyArtifacts, outside: Container[str] = ()
) -> tuple[list[FoundFile], list[tuple[str, str]]]:
    """Files to keep, and why others are not; `include` speaks of the directory's own files."""
    include = [glob_pattern(each) for each in rules.include]
    exclude = [glob_pattern(each) for each in rules.exclude]
    keep: list[FoundFile] = []
    left_out: list[tuple[str, str]] = []
    room = rules.max_total_mb * 1e6
    for each in sorted(changed, key=_rank):
        path, suffix = each.path, PurePosixPath(each.path).suffix.lower()
        named = bool(include) and path not in outside
        if any(pattern.fullmatch(path) for pattern in exclude):
            left_out.append((path, "is excluded"))
        elif named and not any(pattern.fullmatch(path) for pattern in include):
            left_out.append((path, "is not included"))
        elif not named and (suffix in DATA_FILES or not category_of(path)):
            if suffix not in (".pyc", ".py"):
                left_out.append((path, "is of no kind that is kept; name it in artifacts.include"))
        elif each.size > rules.max_file_mb * 1e6:
            left_out.append((path, f"has {each.size / 1e6:.0f} MB, over max_file_mb"))
        elif each.size > room:
            left_out.append((path, "max_total_mb is reached"))
        else:
            room -= each.size
            keep.append(each)
    return keep, left_out


def _rank(file: FoundFile) -> tuple[int, int, str]:
    """Weights first, best.pt before others, so that limits take plots before models."""
    name = PurePosixPath(file.path).stem
    return (ORDER.index(category_of(file.path) or OTHER), 0 if name == "best" else 1, file.path)
