"""Finds what of the judged splits is in train already: files, pictures, recordings, cameras.

    pictures    identical files, twins, views of one camera: told by the pictures alone
    groups      the same recording, frames beside each other, the same camera: where they are known

Each judged split is looked for in train; test in val too, which chose the model.
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np

from ...contracts.recordings.groups import ImageGroups, ImageOrigin
from ...contracts.recordings.leaks import (
    TOUCHED,
    TWINS,
    DataLeaks,
    Leak,
    LeakKind,
    Likeness,
    SplitLeaks,
)
from ...contracts.results import LocalDataset
from ..labels import label_path_of
from .comparison import View
from .memory import Progress, ThumbnailMemory, Thumbnails
from .processes import find_all_matches
from .search import Learnt, Match
from .video import by_name

PAIRS = (("test", "train"), ("val", "train"), ("test", "val"))
"""Judged, learnt."""
HINTS = 2
"""Neighbours by name on each side that are compared whatever describes them."""


def find_leaks(
    dataset: LocalDataset,
    cache_dir: Path,
    *,
    judged: Iterable[str] | None = None,
    progress: Progress | None = None,
    searching: Progress | None = None,
) -> DataLeaks:
    """Look for what crosses splits. Files that have not changed are not read again.

    Args:
        cache_dir: of data sets.
        judged: splits to look at; None: every one.
        progress: told of images read.
        searching: told of judged images looked for.
    """
    splits = {name: tuple(images) for name, images in dataset.splits.items()}
    wanted = None if judged is None else set(judged)
    pairs = [
        (split, among)
        for split, among in PAIRS
        if splits.get(split) and splits.get(among) and (wanted is None or split in wanted)
    ]
    used = dict.fromkeys(name for pair in pairs for name in pair)
    shown = [path for name in used for path in splits[name]]
    thumbnails = ThumbnailMemory(cache_dir, shown).look_at(shown, progress)
    row_of = {path: row for row, path in enumerate(thumbnails.paths)}
    learnt: dict[str, tuple[list[int], Learnt]] = {}
    leaks: list[Leak] = []
    for split, among in pairs:
        if among not in learnt:
            rows = [row_of[path] for path in splits[among] if path in row_of]
            learnt[among] = (rows, Learnt.of(thumbnails.pictures[rows]))
        mine = [row_of[path] for path in splits[split] if path in row_of]
        found = _by_pictures((split, among), thumbnails, mine, *learnt[among], searching)
        leaks += (_of_its_own(each, dataset.groups) for each in found)
        if dataset.groups is not None:
            leaks += _by_groups((split, among), splits[split], splits[among], dataset.groups)
    every = [path for name in dict.fromkeys(split for split, _ in pairs) for path in splits[name]]
    rows = [row_of[path] for path in every if path in row_of]
    return DataLeaks(
        tuple(_counted(pair, splits[pair[0]], leaks) for pair in pairs),
        tuple(leaks),
        plain=sum(View.of(thumbnails.pictures[row]).is_plain for row in rows),
        unread=len(thumbnails.unread),
        by_groups=dataset.groups is not None,
    )


def _counted(pair: tuple[str, str], images: Sequence[Path], leaks: Sequence[Leak]) -> SplitLeaks:
    found: dict[LeakKind, set[Path]] = defaultdict(set)
    for leak in leaks:
        if (leak.split, leak.among) == pair:
            found[leak.kind].add(leak.image)
    twins = frozenset[Path]().union(*(found[kind] for kind in TWINS))
    touched = frozenset[Path]().union(*(found[kind] for kind in TOUCHED))
    counts = {kind: len(found[kind]) for kind in LeakKind if found[kind]}
    return SplitLeaks(*pair, len(images), counts, twins, touched)


# --- by pictures ---------------------------------------------------------------------------------


def _by_pictures(
    pair: tuple[str, str],
    thumbnails: Thumbnails,
    judged: Sequence[int],
    among: Sequence[int],
    learnt: Learnt,
    progress: Progress | None,
) -> Iterator[Leak]:
    split, other = pair
    same = _same_files(thumbnails, judged, among)
    left = [row for row in judged if row not in same]
    hints = _neighbours_by_name(thumbnails.paths, left, among)
    matches = find_all_matches(thumbnails.pictures[left], learnt, hints, progress)
    found = dict(zip(left, matches, strict=True))
    for row in judged:
        path = thumbnails.paths[row]
        if row in same:
            file = thumbnails.paths[same[row]]
            yield Leak(split, other, path, file, LeakKind.SAME_FILE, 1.0)
        elif (kind := _kind_of(found[row])) is not None:
            file = thumbnails.paths[among[found[row].other]]
            compared = found[row].compared
            agreement = round(float(compared.agreement), 3)
            yield Leak(split, other, path, file, kind, agreement, compared.still)


def _of_its_own(leak: Leak, groups: ImageGroups | None) -> Leak:
    """The leak; where groups tell two recordings, their frames are one view and no moment of both.

    Somebody stands where another stood days ago, or nobody does, and the pictures look alike. A
    copy under another name shows one thing at one place: there nothing has moved.
    """
    if groups is None or leak.kind is not LeakKind.TWIN:
        return leak
    mine, theirs = (groups.origins[path].recording for path in (leak.image, leak.other))
    copied = leak.still and any(_shows_objects(path) for path in (leak.image, leak.other))
    if copied or not (mine and theirs) or mine == theirs:
        return leak
    return replace(leak, kind=LeakKind.SAME_SCENE)


def _shows_objects(image: Path) -> bool:
    with suppress(OSError):
        return label_path_of(image).stat().st_size > 0
    return False


def _kind_of(match: Match) -> LeakKind | None:
    kinds = {Likeness.TWIN: LeakKind.TWIN, Likeness.SCENE: LeakKind.SAME_SCENE}
    return kinds.get(match.compared.likeness)


def _same_files(
    thumbnails: Thumbnails, judged: Sequence[int], among: Sequence[int]
) -> dict[int, int]:
    """Judged → learnt rows of one content. Read whole is only what may be the same."""
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in among:
        alike[_look(thumbnails, row)].append(row)
    hashes: dict[int, str] = {}

    def content(row: int) -> str:
        if row not in hashes:
            hashes[row] = f"unread {row}"
            with suppress(OSError):
                hashes[row] = hashlib.sha256(thumbnails.paths[row].read_bytes()).hexdigest()
        return hashes[row]

    found: dict[int, int] = {}
    for row in judged:
        for other in alike.get(_look(thumbnails, row), ()):
            if content(row) == content(other):
                found[row] = other
                break
    return found


def _look(thumbnails: Thumbnails, row: int) -> tuple[int, int]:
    """What files of one content have in common; others may too, their contents tell."""
    return thumbnails.sizes[row], crc32(thumbnails.pictures[row].tobytes())


def _neighbours_by_name(
    paths: Sequence[Path], judged: Sequence[int], among: Sequence[int]
) -> list[list[int]]:
    """For each judged image those places in `among` whose names come next, either way."""
    order = sorted(range(len(among)), key=lambda place: _name(paths[among[place]]))
    names = [_name(paths[among[place]]) for place in order]
    found = []
    for row in judged:
        at = bisect(names, _name(paths[row]))
        found.append([order[i] for i in range(max(0, at - HINTS), min(len(order), at + HINTS))])
    return found


def _name(path: Path) -> list[tuple[int, str]]:
    """By the file's name alone: splits lie in folders of their own."""
    return by_name(path)[1]


# --- by groups -----------------------------------------------------------------------------------


def _by_groups(
    pair: tuple[str, str], judged: Sequence[Path], among: Sequence[Path], groups: ImageGroups
) -> Iterator[Leak]:
    """For each judged image the nearest learnt one of its recording, else one of its camera."""
    recordings: dict[str, list[Path]] = defaultdict(list)
    cameras: dict[str, Path] = {}
    for path in among:
        origin = groups.origins[path]
        if origin.recording:
            recordings[origin.recording].append(path)
        if origin.camera:
            cameras.setdefault(origin.camera, path)
    beside = _beside(judged, among, groups)
    for path in judged:
        origin = groups.origins[path]
        if path in beside:
            yield Leak(*pair, path, beside[path], LeakKind.NEIGHBOUR)
        if mates := recordings.get(origin.recording) if origin.recording else None:
            yield Leak(*pair, path, _nearest(origin, mates, groups), LeakKind.SAME_RECORDING)
        if origin.camera in cameras:
            yield Leak(*pair, path, cameras[origin.camera], LeakKind.SAME_CAMERA)


def _nearest(origin: ImageOrigin, mates: Sequence[Path], groups: ImageGroups) -> Path:
    def away(path: Path) -> float:
        moment = groups.origins[path].moment
        return np.inf if moment is None or origin.moment is None else abs(moment - origin.moment)

    return min(mates, key=away)


def _beside(
    judged: Sequence[Path], among: Sequence[Path], groups: ImageGroups
) -> Mapping[Path, Path]:
    """Judged images whose recording goes on, directly before or after, in a learnt one."""
    learnt = set(among)
    recordings: dict[str, list[tuple[float, str, Path]]] = defaultdict(list)
    for path in {*judged, *among}:
        origin = groups.origins[path]
        if origin.recording and origin.moment is not None:
            recordings[origin.recording].append((origin.moment, str(path), path))
    found: dict[Path, Path] = {}
    for frames in recordings.values():
        order = [path for *_, path in sorted(frames)]
        for one, other in pairwise(order):
            for mine, theirs in ((one, other), (other, one)):
                if mine not in learnt and theirs in learnt:
                    found.setdefault(mine, theirs)
    return found
