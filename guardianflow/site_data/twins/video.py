"""Whether a split's images are frames of videos: neighbours by name that look alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...contracts.recordings.leaks import Likeness
from .comparison import View, compare
from .memory import ThumbnailMemory

VIDEO_SHARE = 0.2
"""Of images near-equal to a neighbour, from which on a split is taken for frames of videos."""

_DIGITS = re.compile(r"(\d+)")


def looks_like_video(images: Sequence[Path], cache_dir: Path) -> float:
    """The share of images that show the scene of the one before or after them by name, 0…1.

    Args:
        cache_dir: of data sets, where thumbnails are remembered.
    """
    seen = ThumbnailMemory(cache_dir, images).look_at(images)
    order = sorted(range(len(seen.paths)), key=lambda row: by_name(seen.paths[row]))
    if len(order) < 2:
        return 0.0
    alike = [False] * len(order)
    before = View.of(seen.pictures[order[0]])
    for place, row in enumerate(order[1:], start=1):
        view = View.of(seen.pictures[row])
        if compare(before, view).likeness is not Likeness.NONE:
            alike[place - 1] = alike[place] = True
        before = view
    return sum(alike) / len(alike)


def by_name(path: Path) -> tuple[str, list[tuple[int, str]]]:
    """The key that sorts names as people count: frame 9 before frame 10."""
    parts = _DIGITS.split(path.name)
    return str(path.parent), [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
