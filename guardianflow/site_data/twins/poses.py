"""Looks for how one thumbnail lies on another: cropped, scaled a little, shifted.

    Poses      one picture under a grid of poses; what of them fits others best
    refined    a pose to a fraction of a pixel (ECC, Evangelidis and Psarakis 2008)

A pose is what OpenCV's warpAffine takes with WARP_INVERSE_MAP: from places of the second picture to
places of the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Pose = tuple[tuple[float, float, float], tuple[float, float, float]]
Move = tuple[float, float]
"""Of one axis: scale, and place in shares of the side."""

COARSE = 24
"""Side of the pictures that the grid is tried on, pixels."""
CROPS = (0.95, 0.9)
SHIFTS = (-0.1, -0.05, 0.0, 0.05, 0.1)
ITERATIONS, PRECISION = 15, 3e-2
"""Of correlation: steps that gain less find no twin more (benchmarks.leaks), and take longer."""
LARGEST_STEP = 0.06
"""That refining may go, in shares of the side: further it has lost its way."""


def coarse(grey: npt.NDArray[np.generic]) -> Float32:
    """float32, COARSE×COARSE: edges and blotches, without light and shade of the whole."""
    small = cv2.resize(np.asarray(grey, np.float32), (COARSE, COARSE), interpolation=cv2.INTER_AREA)
    found: Float32 = small - cv2.GaussianBlur(small, (0, 0), 2.5)
    return found


class Poses:
    """A picture under every pose of the grid.

    Args:
        picture: as `coarse` gives it.
    """

    def __init__(self, picture: Float32) -> None:
        grid = _grid()
        across = np.matmul(picture, grid.warps.transpose(0, 2, 1))
        posed = np.matmul(grid.warps[grid.down], across[grid.right]).reshape(len(grid.down), -1)
        self._posed = posed * grid.covered
        self._lengths = np.sqrt((self._posed**2).sum(axis=1))

    def best(self, others: Sequence[Float32]) -> tuple[npt.NDArray[np.int64], Float32]:
        """For each other picture the pose that correlates most, by its number, and how much."""
        grid = _grid()
        flat = np.stack([each.ravel() for each in others], axis=1)
        energy = np.sqrt(np.maximum(grid.covered @ (flat * flat), 0)) * self._lengths[:, None]
        scores = (self._posed @ flat) / (energy + np.float32(1e-6))
        best = scores.argmax(axis=0)
        return best, scores[best, np.arange(len(others))]


class _Grid(NamedTuple):
    """The poses that are tried.

    Args:
        moves: of one axis; warps: the same as matrices, COARSE×COARSE.
        down, right: the moves of each pose.
        covered: float32, poses × COARSE²: where the moved picture lies.
    """

    moves: tuple[Move, ...]
    warps: Float32
    down: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    covered: Float32


@cache
def _grid() -> _Grid:
    kinds = {
        "shifted": [(1.0, place) for place in SHIFTS],
        "cropped": [(s, share * (1 - s)) for s in CROPS for share in (0.0, 0.5, 1.0)],
        "whole": [(1 / s, share * (1 - 1 / s)) for s in CROPS for share in (0.0, 0.5, 1.0)],
    }
    still = (1.0, 0.0)
    # Of two pictures one is cropped, in one direction or both: never each in its own.
    pairs = [pair for moves in kinds.values() for pair in product([still, *moves], repeat=2)]
    pairs = list(dict.fromkeys(pairs))
    moves = tuple(dict.fromkeys(move for pair in pairs for move in pair))
    made = [_warp(move) for move in moves]
    down = np.array([moves.index(one) for one, _ in pairs])
    right = np.array([moves.index(other) for _, other in pairs])
    inside = np.stack([each for _, each in made])
    covered = np.einsum("pa,pd->pad", inside[down], inside[right]).reshape(len(pairs), -1)
    return _Grid(moves, np.stack([each for each, _ in made]), down, right, covered)


def _warp(move: Move) -> tuple[Float32, Float32]:
    """The matrix that moves one axis, and where it has something."""
    scale, place = move
    at = (np.arange(COARSE) + 0.5) * scale + place * COARSE - 0.5
    inside: Float32 = ((at >= -0.5) & (at <= COARSE - 0.5)).astype(np.float32)
    return between(at, COARSE), inside


def between(places: npt.NDArray[np.floating[Any]], side: int) -> Float32:
    """The matrix that reads one axis of a picture at these places; it is 0 beside the picture."""
    low = np.floor(places).astype(int)
    share = places - low
    matrix = np.zeros((len(places), side), np.float32)
    for row in range(len(places)):
        for column, weight in ((low[row], 1 - share[row]), (low[row] + 1, share[row])):
            if 0 <= column < side:
                matrix[row, column] += weight
    return matrix


def pose_of(number: int, side: int) -> Pose:
    """A pose of the grid, for pictures of this side."""
    grid = _grid()
    (sy, ty), (sx, tx) = (grid.moves[each[number]] for each in (grid.down, grid.right))
    # Places are pixels' middles: 0.5 lies at the frame's edge.
    x, y = (t * side + 0.5 * s - 0.5 for s, t in ((sx, tx), (sy, ty)))
    return ((sx, 0.0, x), (0.0, sy, y))


def refined(one: Float32, other: Float32, pose: Pose) -> Pose:
    """A pose to a fraction of a pixel; as it was where that leads nowhere."""
    start = np.array(pose, np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ITERATIONS, PRECISION)
    try:
        _, found = cv2.findTransformECC(
            other, one, start.copy(), cv2.MOTION_AFFINE, criteria, None, 3
        )
    except cv2.error:  # it leads out of the picture
        return pose
    if np.abs(found - start).max() > LARGEST_STEP * one.shape[0]:
        return pose
    (a, b, c), (d, e, f) = found.tolist()
    return ((a, b, c), (d, e, f))
