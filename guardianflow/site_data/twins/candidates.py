"""Finds for each picture the few that may be its twins, among hundreds of thousands.

    fine    256 numbers: what lies as it lies there, told from thousands of frames of one camera
    broad   100 numbers, under 17 poses: what is cropped or shifted

They are blotches and edges, normalised: their product is 1 for the same picture. All pairs are
tried, block by block, as matrix products: nothing is missed for being filed in another place, and
memory is that of one block.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from .poses import Move, between
from .thumbnails import SIDE

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Grey = npt.NDArray[np.uint8] | Float32

BLOCK_ASKED, BLOCK_AMONG = 256, 4096
"""Rows of one product: what stays near the processor."""


class Kind(NamedTuple):
    """A way to describe a picture.

    Args:
        cells: a side, of which there are cells² numbers.
        light: blotches larger than this, in cells, are light and shade, and don't count.
        least: products below it are no candidates.
    """

    cells: int
    light: float
    least: float


FINE = Kind(16, 3.0, 0.6)
BROAD = Kind(10, 2.0, 0.5)
AREA = cv2.INTER_AREA
LEAST_LENGTH = 1.0
"""Grey levels a cell, of what is no light and shade: below it a picture is flat."""


class _Reading(NamedTuple):
    """How pictures of SIDE pixels are described.

    Args:
        down: float32, K·cells × SIDE: the means of cells along an axis, in K ways to lie on it.
        ways: of each pose those of its two axes, down and right.
        light: float32, cells × cells: light and shade along an axis.
    """

    down: Float32
    ways: tuple[tuple[int, int], ...]
    light: Float32


def _shifts_and_crops() -> tuple[tuple[Move, Move], ...]:
    """The poses looked for, each as how it lies along both axes."""
    kept, moved = 0.93, (-0.05, 0.0, 0.05)
    shifts = [((1.0, down), (1.0, right)) for down, right in product(moved, repeat=2)]
    crops = [
        ((scale, down), (scale, right))
        for scale in (kept, 1 / kept)
        for down, right in product((0.0, 1 - scale), repeat=2)
    ]
    return (*shifts, *crops)


POSES = _shifts_and_crops()
STILL: Move = (1.0, 0.0)


@cache
def _reading(kind: Kind, poses: tuple[tuple[Move, Move], ...]) -> _Reading:
    moves = list(dict.fromkeys(move for pose in poses for move in pose))
    cells = cv2.resize(np.eye(SIDE, dtype=np.float32), (SIDE, kind.cells), interpolation=AREA)
    down = np.concatenate([cells @ _lying(move) for move in moves])
    ways = tuple((moves.index(one), moves.index(other)) for one, other in poses)
    light = cv2.GaussianBlur(np.eye(kind.cells, dtype=np.float32), (0, 0), kind.light, sigmaY=1e-9)
    return _Reading(down, ways, light.T)


def _lying(move: Move) -> Float32:
    """The matrix that moves one axis; beside the picture it goes on as at its edge."""
    scale, place = move
    at = (np.arange(SIDE) + 0.5) * scale + place * SIDE - 0.5
    return between(np.clip(at, 0, SIDE - 1), SIDE)


def described(
    pictures: Sequence[Grey] | Grey,
    kind: Kind,
    poses: tuple[tuple[Move, Move], ...] = ((STILL, STILL),),
) -> Float32:
    """Describe pictures, each as it lies or under some poses.

    Returns:
        float32, N×poses×cells², where only one pose is asked for N×cells²; each of length 1, or
        zeros where the picture is flat.
    """
    reading, size = _reading(kind, poses), kind.cells**2
    found = np.empty((len(pictures), len(poses), size), np.float32)
    for start in range(0, len(pictures), BLOCK_ASKED):
        block = np.asarray(pictures[start : start + BLOCK_ASKED], np.float32)
        small = np.matmul(reading.down, block) @ reading.down.T
        for place, (down, right) in enumerate(reading.ways):
            rows, columns = (
                slice(way * kind.cells, (way + 1) * kind.cells) for way in (down, right)
            )
            cells = small[:, rows, columns]
            bands = cells - reading.light @ cells @ reading.light.T
            found[start : start + len(block), place] = bands.reshape(-1, size)
    lengths = np.linalg.norm(found, axis=2, keepdims=True)
    plain = lengths <= LEAST_LENGTH * kind.cells
    found /= np.where(plain, np.inf, lengths)
    return found[:, 0] if len(poses) == 1 else found


def nearest(
    asked: Float32,
    among: Float32,
    count: int,
    least: float,
    pool: ThreadPoolExecutor | None = None,
) -> list[Int64]:
    """For each asked the rows of `among` with the largest products, largest first.

    Args:
        asked: float32, N×D, or N×P×D: then the largest product of its P rows counts.
        among: float32, M×D.
        count: at most so many.
        least: and none below it.
        pool: blocks are multiplied side by side in it.
    """
    rows = asked if asked.ndim == 3 else asked[:, None]
    turned = np.ascontiguousarray(among.T)
    blocks = (rows[start : start + BLOCK_ASKED] for start in range(0, len(rows), BLOCK_ASKED))
    work = partial(_nearest_of_block, among=turned, count=count, least=least)
    found = pool.map(work, blocks) if pool is not None else map(work, blocks)
    return [each for block in found for each in block]


def _nearest_of_block(asked: Float32, among: Float32, count: int, least: float) -> list[Int64]:
    poses = np.ascontiguousarray(asked.transpose(1, 0, 2))
    kept: list[list[tuple[Int64, Float32]]] = [[] for _ in asked]
    for start in range(0, among.shape[1], BLOCK_AMONG):
        block = among[:, start : start + BLOCK_AMONG]
        products = poses[0] @ block
        other = np.empty_like(products)
        for pose in poses[1:]:
            np.matmul(pose, block, out=other)
            np.maximum(products, other, out=products)
        for row in np.flatnonzero(products.max(axis=1) >= least):
            mine = products[row]
            places = np.flatnonzero(mine >= least)
            if len(places) > count:
                places = places[np.argpartition(-mine[places], count - 1)[:count]]
            kept[row].append((places + start, mine[places]))
    return [_largest(each, count) for each in kept]


def _largest(parts: Sequence[tuple[Int64, Float32]], count: int) -> Int64:
    if not parts:
        return np.zeros(0, np.int64)
    places = np.concatenate([each for each, _ in parts])
    values = np.concatenate([each for _, each in parts])
    best: Int64 = places[np.argsort(-values, kind="stable")[:count]]
    return best
