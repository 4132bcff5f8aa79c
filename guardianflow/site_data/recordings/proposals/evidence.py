"""Times that cameras wrote into files, and whether neighbouring images look nearly the same.

Only to find out whether images are frames of videos: which images are twins of which, and across
splits, is asked of site_data/twins, whose small pictures are taken here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from ...progress import tracked
from ...twins import thumbnails

SIDE = 32
"""Pixels of a thumbnail's side."""
NEAR = 0.9
"""Correlation of two thumbnails, from which on they look nearly the same."""
MOST_LOOKED_AT = 20_000
PROBED = 50
"""Files that are looked into before all are: most sets have no times at all."""
TIMED = 0.95
_EXIF_IFD, _TAKEN, _MAKE, _MODEL, _SERIAL = 0x8769, 0x9003, 0x010F, 0x0110, 0xA431


@dataclass(frozen=True)
class Neighbours:
    """Images in the order of their names, each compared with the next.

    Args:
        correlations: for each image but the last, with the next; None: unreadable. None for all
            where there were too many to look at.
        at_random: share of pairs drawn at random that look nearly the same: of one fixed camera,
            nearly all.
    """

    correlations: tuple[float | None, ...] | None
    at_random: float = 0.0

    @property
    def near(self) -> tuple[bool | None, ...] | None:
        """Whether each looks nearly like the next."""
        if self.correlations is None:
            return None
        return tuple(None if each is None else each >= NEAR for each in self.correlations)

    @property
    def share(self) -> float:
        """Share of neighbours that look nearly the same."""
        known = [each for each in self.near or () if each is not None]
        return sum(known) / len(known) if known else 0.0


def compare_neighbours(images: Sequence[Path]) -> Neighbours:
    """Compare each image with the next.

    Args:
        images: in the order of their names.
    """
    if len(images) > MOST_LOOKED_AT:
        return Neighbours(None)
    looked = tracked(images, "comparing neighbouring images", len(images))
    seen = [thumbnail_of(path) for path in looked]
    found = tuple(correlation_of(one, other) for one, other in pairwise(seen))
    order = np.random.default_rng(0).permutation(len(images)).tolist()
    drawn = tuple(correlation_of(seen[i], seen[j]) for i, j in pairwise(order))
    return Neighbours(found, Neighbours(drawn).share)


def thumbnail_of(path: Path) -> npt.NDArray[np.float32] | None:
    """A small grey picture with mean 0 and length 1; None for one that is unreadable or even."""
    try:
        whole = thumbnails.thumbnail_of(path)
    except (ValueError, OSError):
        return None
    small = cv2.resize(whole, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    length = float(np.linalg.norm(small))
    return (small / length).ravel() if length > SIDE else None  # less than a grey level a pixel


def correlation_of(
    one: npt.NDArray[np.float32] | None, other: npt.NDArray[np.float32] | None
) -> float | None:
    """Correlation of two thumbnails; None where one is none."""
    return None if one is None or other is None else float(one @ other)


def read_times(images: Sequence[Path]) -> Mapping[Path, tuple[str, float]]:
    """Image → (camera, seconds since 1970) of its EXIF; {} where few have one."""
    step = max(1, len(images) // PROBED)
    probed = [_taken(path) for path in images[::step]]
    if sum(each is not None for each in probed) < TIMED * len(probed):
        return {}
    looked = tracked(images, "reading times of images", len(images))
    return {path: taken for path in looked if (taken := _taken(path)) is not None}


def _taken(path: Path) -> tuple[str, float] | None:
    try:
        with Image.open(path) as image:
            exif = image.getexif()
    except (OSError, ValueError, SyntaxError, ImportError, Image.DecompressionBombError):
        return None
    inner = exif.get_ifd(_EXIF_IFD)
    text = str(inner.get(_TAKEN, "")).strip("\0 ")
    try:
        moment = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    named = (exif.get(_MAKE), exif.get(_MODEL), inner.get(_SERIAL))
    camera = " ".join(str(each).strip("\0 ") for each in named if each)
    return camera, moment.timestamp()
