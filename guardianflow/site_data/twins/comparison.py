"""Compares two thumbnails: the same picture, the same scene, or neither.

A place of one picture agrees with the other where what is around it looks alike: the structure term
of SSIM (Wang et al. 2004), by which brightness and contrast of the whole don't count.

    TWIN    every place agrees, up to what moves a few pixels: one moment, or one that looks like it
    SCENE   much of it agrees and something does not: one fixed camera at another moment

Too plain a picture (black, fogged, a covered lens) agrees with nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ...contracts.recordings.leaks import Likeness
from .poses import Pose
from .thumbnails import SIDE, Thumbnail

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

WINDOW = 9
"""Around a place, pixels of a thumbnail: about a tenth of the picture."""
SMOOTHING = 0.8
LEAST_VARIANCE = 4.0  # what noise and compression leave, in grey levels squared
SHARE_OF_VARIANCE = 0.01  # and what scaling leaves, of the picture's own
TEXTURED = 3.0
"""So many times that variance around a place, and there is something to compare."""
PLAIN = 0.08
"""A picture of which less is textured is too plain."""
AGREES, DISAGREES = 0.5, 0.3
SCENE_SHARE = 0.5
"""Of the textured places that must agree in one scene."""
TWIN_SHARE = 0.6
LARGEST_DIFFERENCE = 16
"""Places that may disagree in one picture, less than a thing of 3 pixels across makes."""
HALF = SIDE // 2
MOVES = 3
"""Pixels of half a thumbnail, 6 % of its side, that something moves in one moment."""
MOST_MOVED = 0.4
"""Of the textured places: where more disagree, not something moved but all is another."""
LEAST_OVERLAP = 0.6


class Compared(NamedTuple):
    """Two thumbnails beside each other.

    Args:
        likeness: what they are to each other.
        agreement: share of the textured places that agree, 0…1.
        different: places that disagree, in pixels of a thumbnail.
        still: nothing had to have moved between them.
    """

    likeness: Likeness
    agreement: float
    different: int
    still: bool = True


class Level(NamedTuple):
    """Brightness and contrast: mean and standard deviation, in grey levels."""

    mean: float
    spread: float


def level_of(grey: Float32, where: Bool | None = None) -> Level:
    """Of a picture, or of a part of it; many times as fast as NumPy's own on so small ones."""
    mean, spread = cv2.meanStdDev(grey, mask=None if where is None else where.view(np.uint8))
    return Level(float(mean[0, 0]), float(spread[0, 0]))


UNLIKE = Compared(Likeness.NONE, 0.0, SIDE * SIDE)


@dataclass(frozen=True, eq=False)
class View:
    """A thumbnail and what is compared of it.

    Args:
        grey: float32, N×N.
        window: side of what is around a place, pixels.
    """

    grey: Float32
    window: int = WINDOW

    @classmethod
    def of(cls, thumbnail: Thumbnail) -> View:
        return cls(cv2.GaussianBlur(thumbnail.astype(np.float32), (0, 0), SMOOTHING))

    @cached_property
    def mean(self) -> Float32:
        return _around(self.grey, self.window)

    @cached_property
    def variance(self) -> Float32:
        found: Float32 = _around(self.grey * self.grey, self.window) - self.mean * self.mean
        return np.maximum(found, 0, out=found)

    @cached_property
    def floor(self) -> np.float32:
        """The variance that means nothing."""
        return np.float32(max(LEAST_VARIANCE, SHARE_OF_VARIANCE * level_of(self.grey).spread ** 2))

    @cached_property
    def is_plain(self) -> bool:
        return float((self.variance > TEXTURED * self.floor).mean()) < PLAIN

    @property
    def halved(self) -> View:
        small = cv2.resize(self.grey, (HALF, HALF), interpolation=cv2.INTER_AREA)
        return View(small, WINDOW // 2 + 1)

    def posed(self, pose: Pose) -> tuple[View, Bool]:
        """As it lies on another picture, and where it does."""
        matrix = np.asarray(pose, np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(
            self.grey, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        covered = cv2.warpAffine(np.ones_like(self.grey), matrix, (SIDE, SIDE), flags=flags)
        return View(moved), _around(covered, WINDOW) > 0.98


EVERYWHERE: Bool = np.ones((SIDE, SIDE), bool)


def compare(one: View, other: View, pose: Pose | None = None) -> Compared:
    """Judge two pictures.

    Args:
        pose: how the first lies on the second; None: as they are.
    """
    if one.is_plain or other.is_plain:
        return UNLIKE
    if pose is None:
        return _judged(one, other, EVERYWHERE)
    moved, covered = one.posed(pose)
    return _judged(moved, other, covered) if covered.mean() >= LEAST_OVERLAP else UNLIKE


def _judged(one: View, other: View, where: Bool) -> Compared:
    floor = max(one.floor, other.floor)
    one = _levelled(one, other, where)
    textured = where & (np.maximum(one.variance, other.variance) > TEXTURED * floor)
    count = int(np.count_nonzero(textured))
    if count < PLAIN * SIDE * SIDE:
        return UNLIKE
    alike = _structure(one, other, floor)[textured]
    agreement = np.count_nonzero(alike > AGREES) / count
    different = int(np.count_nonzero(alike < DISAGREES))
    if agreement < SCENE_SHARE:
        return Compared(Likeness.NONE, agreement, different)
    still = different <= LARGEST_DIFFERENCE
    if not still and different <= MOST_MOVED * count:
        different = 4 * _unmoved(one.halved, other.halved, textured, floor)
    same = agreement >= TWIN_SHARE and different <= LARGEST_DIFFERENCE
    return Compared(Likeness.TWIN if same else Likeness.SCENE, agreement, different, still)


def _levelled(one: View, other: View, where: Bool) -> View:
    """The first in the brightness and contrast of the second."""
    mine, theirs = level_of(one.grey, where), level_of(other.grey, where)
    gain = min(max(theirs.spread / mine.spread, 0.4), 2.5) if mine.spread else 1.0
    return View(one.grey * np.float32(gain) + np.float32(theirs.mean - gain * mine.mean))


def _around(values: Float32, window: int) -> Float32:
    """Mean around each place."""
    found: Float32 = cv2.boxFilter(values, -1, (window, window), borderType=cv2.BORDER_REFLECT)
    return found


def _structure(one: View, other: View, floor: np.float32) -> Float32:
    """Likeness of what is around each place, −1…1."""
    shared = _around(one.grey * other.grey, one.window) - one.mean * other.mean
    alike: Float32 = (2 * shared + floor) / (one.variance + other.variance + floor)
    return alike


def _unmoved(one: View, other: View, textured: Bool, floor: np.float32) -> int:
    """Places that disagree even where what is around them may have moved, either way."""
    theirs = np.full((HALF, HALF), -1, np.float32)
    mine = theirs.copy()
    span = range(-MOVES, MOVES + 1)
    for down in span:
        for right in span:
            a = np.s_[max(0, down) : HALF + min(0, down), max(0, right) : HALF + min(0, right)]
            b = np.s_[max(0, -down) : HALF + min(0, -down), max(0, -right) : HALF + min(0, -right)]
            shared = _around(one.grey[a] * other.grey[b], one.window)
            shared -= one.mean[a] * other.mean[b]
            alike = (2 * shared + floor) / (one.variance[a] + other.variance[b] + floor)
            np.maximum(theirs[b], alike, out=theirs[b])
            np.maximum(mine[a], alike, out=mine[a])
    places = textured[::2, ::2]
    return max(int(np.count_nonzero(each[places] < DISAGREES)) for each in (mine, theirs))
