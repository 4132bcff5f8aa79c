"""Finds of each judged picture its twin, or its scene, among pictures that were learnt.

as they lie   candidates told by fine descriptions, compared where they lie
moved         where that finds nothing: broad descriptions under many poses; where one fits, the
              picture is laid on it. Of a cropped frame of a fixed camera any frame of that
              camera tells how it lies; which frame it is, is looked for then
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from ...contracts.recordings.leaks import Likeness
from .candidates import BROAD, FINE, POSES, described, nearest
from .comparison import UNLIKE, Compared, View, compare, level_of
from .poses import Pose, Poses, coarse, pose_of, refined
from .thumbnails import SIDE

Progress = Callable[[int, int], None]
Pictures = npt.NDArray[np.uint8]
"""N×SIDE×SIDE."""

CANDIDATES, POSED_CANDIDATES, COMPARED = 16, 32, 3
"""By descriptions as they lie, under poses, and of both those that are compared."""
LEAST_FIT = 0.5
"""Correlation of two pictures at a pose, below which they are not compared."""
SURE_SCENE = 0.8
"""Agreement where they lie, above which no pose is looked for."""
AT_ONCE = 1024
KEPT_COARSE, KEPT_VIEWS = 16_384, 256
"""Of learnt pictures, some 40 MB each at most."""


class Match(NamedTuple):
    """The best found for one judged picture.

    Args:
        other: row of the learnt picture; -1 for none.
    """

    other: int = -1
    compared: Compared = UNLIKE

    @property
    def is_twin(self) -> bool:
        return self.compared.likeness is Likeness.TWIN

    def or_better(self, other: int, compared: Compared) -> Match:
        """The better one of two."""
        order = list(Likeness)
        mine, theirs = (
            (-order.index(each.likeness), -each.different, each.agreement)
            for each in (self.compared, compared)
        )
        found = compared.likeness is not Likeness.NONE
        return Match(other, compared) if found and theirs > mine else self


@dataclass(frozen=True, eq=False)
class Learnt:
    """The pictures that are looked among, and what is made of them: once, where it is asked for.

    Args:
        fine, broad: their descriptions.
    """

    pictures: Pictures
    fine: npt.NDArray[np.float32]
    broad: npt.NDArray[np.float32]

    @classmethod
    def of(cls, pictures: Pictures) -> Learnt:
        return cls(pictures, described(pictures, FINE), described(pictures, BROAD))

    @cached_property
    def coarse(self) -> Callable[[int], npt.NDArray[np.float32]]:
        """A picture by its row, as `coarse` and `_even` give it: a tenth of it."""
        return lru_cache(KEPT_COARSE)(lambda row: coarse(self.pictures[row]))

    @cached_property
    def even(self) -> Callable[[int], npt.NDArray[np.float32]]:
        return lru_cache(KEPT_COARSE)(lambda row: _even(self.coarse(row)))

    @cached_property
    def view(self) -> Callable[[int], View]:
        """Neighbours in a recording are compared with the same few pictures."""
        return lru_cache(KEPT_VIEWS)(lambda row: View.of(self.pictures[row]))


def find_matches(
    judged: Pictures,
    learnt: Learnt,
    hints: Sequence[Sequence[int]] | None = None,
    progress: Progress | None = None,
) -> list[Match]:
    """Look for each judged picture among the learnt ones.

    Args:
        judged: uint8, N×SIDE×SIDE.
        hints: for each judged picture rows that are compared whatever describes them: its
            neighbours by name.
        progress: called with judged pictures done and all.
    """
    found: list[Match] = []
    with _single_threaded_libraries(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(judged), AT_ONCE):
            some = judged[start : start + AT_ONCE]
            told = hints[start : start + AT_ONCE] if hints else [()] * len(some)
            found += _find(some, learnt, told, pool)
            if progress is not None:
                progress(len(found), len(judged))
    return found


@contextmanager
def _single_threaded_libraries() -> Iterator[None]:
    """Pictures and products are small: a library's own threads wait for each other, no more.

    So would threads of ours that compare pictures: each of some thirty steps takes microseconds
    and gives Python's lock away, which doubles the processor's time and saves none.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        cv2.setNumThreads(before)


def _find(
    judged: Pictures, learnt: Learnt, hints: Sequence[Sequence[int]], pool: ThreadPoolExecutor
) -> list[Match]:
    near = nearest(described(judged, FINE), learnt.fine, CANDIDATES, FINE.least, pool)
    candidates = [[*hint, *rows.tolist()] for hint, rows in zip(hints, near, strict=True)]
    found = [
        _compared(View.of(picture), rows, learnt, Match())
        for picture, rows in zip(judged, candidates, strict=True)
    ]
    left = [
        i
        for i, match in enumerate(found)
        if not match.is_twin and match.compared.agreement < SURE_SCENE
    ]
    if left:
        posed = described(judged[left], BROAD, POSES)
        near = nearest(posed, learnt.broad, POSED_CANDIDATES, BROAD.least, pool)
        laid: dict[int, tuple[View, Pose]] = {}
        for i, rows in zip(left, near, strict=True):
            also = list(dict.fromkeys([*candidates[i][:COMPARED], *rows.tolist()]))
            view = View.of(judged[i])
            found[i], pose = _moved(view, also, learnt, found[i])
            if pose is not None:
                laid[i] = view, pose
        _compare_laid(laid, learnt, found, pool)
    return found


def _compared(
    view: View, rows: Sequence[int], learnt: Learnt, best: Match, pose: Pose | None = None
) -> Match:
    """Compare with those that differ least where they differ most."""
    if not len(rows) or view.is_plain:
        return best
    posed = view if pose is None else view.posed(pose)[0]
    mine = _even(coarse(posed.grey))
    apart = (np.abs(mine - learnt.even(row)) for row in rows)
    different = [float(cv2.blur(each, (3, 3)).max()) for each in apart]
    for place in np.argsort(different, kind="stable")[:COMPARED]:
        row = int(rows[place])
        best = best.or_better(row, compare(view, learnt.view(row), pose))
        if best.is_twin:
            break
    return best


def _even(small: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A picture as `coarse` gives it, in one contrast."""
    even: npt.NDArray[np.float32] = small / np.float32(level_of(small).spread + 1e-6)
    return even


def _moved(
    view: View, rows: Sequence[int], learnt: Learnt, best: Match
) -> tuple[Match, Pose | None]:
    """Compare with those it fits at a pose.

    Returns:
        The best one, and the pose at which it is the frame of a known fixed camera.
    """
    if not len(rows) or view.is_plain:
        return best, None
    numbers, fits = Poses(coarse(view.grey)).best([learnt.coarse(row) for row in rows])
    for place in np.argsort(-fits, kind="stable")[:COMPARED]:
        if fits[place] < LEAST_FIT:
            break
        row = int(rows[place])
        other = learnt.view(row)
        pose = refined(view.grey, other.grey, pose_of(int(numbers[place]), SIDE))
        seen = compare(view, other, pose)
        best = best.or_better(row, seen)
        if best.is_twin:
            break
        if seen.likeness is Likeness.SCENE:
            return best, pose
    return best, None


def _compare_laid(
    laid: Mapping[int, tuple[View, Pose]],
    learnt: Learnt,
    found: list[Match],
    pool: ThreadPoolExecutor,
) -> None:
    """Compare frames of fixed cameras, laid as these's frames lie, with the nearest of those.

    Args:
        laid: place in `found`, which gets what is better → the picture, how it lies.
    """
    if not laid:
        return
    greys = np.stack([view.posed(pose)[0].grey for view, pose in laid.values()])
    near = nearest(described(greys, FINE), learnt.fine, CANDIDATES, FINE.least, pool)
    for (i, (view, pose)), rows in zip(laid.items(), near, strict=True):
        found[i] = _compared(view, rows.tolist(), learnt, found[i], pose)
