"""Deals groups out to splits so that sizes and classes have the shares that were asked for.

Greedy over the largest groups first, then groups are moved and exchanged while that brings the
shares nearer; the best of several seeded orders. A group is never parted. (Stratification with
groups is a partition problem, so no method that is quick finds the best of all.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

ORDERS = 24
"""Seeded orders of groups that are tried."""
MOST_EXCHANGED = 200
"""Groups up to which pairs are exchanged, too: their number grows with the square."""
MOST_STEPS = 1_000
LEAST_GAIN = 1e-12


def deal_groups(counts: Int64, shares: Sequence[float], seed: int) -> Int64:
    """The split of each group.

    Args:
        counts: groups × classes, the images that show each class; the last column is all images.
            At least as many groups as splits.
        shares: of the splits, each > 0, 1 together.
        seed: the same counts and seed give the same split.

    Returns:
        int64, an index into `shares` a group; every split has at least one.
    """
    shown = counts[:, counts.sum(axis=0) > 0].astype(np.float64)
    parts = shown / shown.sum(axis=0)
    classes = parts.shape[1] - 1
    weights = np.ones(parts.shape[1])
    weights[-1] = max(1, classes)  # sizes count as much as all classes together
    parts = parts * np.sqrt(weights)
    wanted = np.outer(np.asarray(shares, dtype=np.float64), np.sqrt(weights))
    random = np.random.default_rng(seed)
    best, least = np.zeros(len(parts), dtype=np.int64), np.inf
    for _ in range(ORDERS):
        jitter = 1 + 0.3 * random.random(len(parts))
        order = np.argsort(-parts.max(axis=1) * jitter, kind="stable")
        found = _improved(_greedy(parts, wanted, order), parts, wanted)
        error = _error(found, parts, wanted)
        if error < least - LEAST_GAIN:
            best, least = found, error
    return best


def _greedy(parts: Float64, wanted: Float64, order: Int64) -> Int64:
    """Each group to the split that it brings nearest; the last groups to those that have none."""
    count = len(wanted)
    where = np.zeros(len(parts), dtype=np.int64)
    sums = np.zeros_like(wanted)
    scale = wanted[:, -1:] ** 0.5
    has = np.zeros(count, dtype=bool)
    for done, group in enumerate(order):
        lacks = (wanted - sums) / scale
        gain = (lacks**2 - (lacks - parts[group] / scale) ** 2).sum(axis=1)
        if len(order) - done <= count - has.sum():
            gain[has] = -np.inf
        split = int(np.argmax(gain))
        where[group], has[split] = split, True
        sums[split] += parts[group]
    return where


def _improved(where: Int64, parts: Float64, wanted: Float64) -> Int64:
    """Move and exchange groups while the shares come nearer."""
    where, groups, splits = where.copy(), len(parts), len(wanted)
    inverse = 1 / wanted[:, -1]
    norms = (parts**2).sum(axis=1)
    rows = np.arange(groups)
    for _ in range(MOST_STEPS):
        over = np.stack([parts[where == s].sum(axis=0) for s in range(splits)]) - wanted
        dots = parts @ over.T  # G×S
        sizes = np.bincount(where, minlength=splits)
        own = inverse[where]
        # The error after a group left its split and entered another, less the error before.
        leave = own * (norms - 2 * dots[rows, where])
        moved = leave[:, None] + inverse[None, :] * (norms[:, None] + 2 * dots)
        moved[rows, where] = np.inf
        moved[sizes[where] == 1] = np.inf
        group, split = np.unravel_index(int(np.argmin(moved)), moved.shape)
        gain, pair = float(moved[group, split]), None
        if groups <= MOST_EXCHANGED:
            gain, pair = min(
                ((gain, pair), _best_exchange(where, parts, norms, dots, inverse)),
                key=lambda each: each[0],
            )
        if gain > -LEAST_GAIN:
            break
        if pair is None:
            where[group] = split
        else:
            where[pair[0]], where[pair[1]] = where[pair[1]], where[pair[0]]
    return where


def _best_exchange(
    where: Int64, parts: Float64, norms: Float64, dots: Float64, inverse: Float64
) -> tuple[float, tuple[int, int] | None]:
    """The pair of groups of two splits whose exchange lowers the error most, and by how much."""
    squares = np.maximum(norms[:, None] + norms[None, :] - 2 * parts @ parts.T, 0)
    here = dots[:, where]  # [i, j]: of group i with the split of group j
    mine = dots[np.arange(len(where)), where]
    # In i's split comes j − i, in j's split i − j.
    change = inverse[where][:, None] * (squares + 2 * (here.T - mine[:, None]))
    change = change + inverse[where][None, :] * (squares + 2 * (here - mine[None, :]))
    change[where[:, None] == where[None, :]] = np.inf
    one, other = np.unravel_index(int(np.argmin(change)), change.shape)
    value = float(change[one, other])
    return value, (int(one), int(other)) if np.isfinite(value) else None


def _error(where: Int64, parts: Float64, wanted: Float64) -> float:
    sums = np.stack([parts[where == s].sum(axis=0) for s in range(len(wanted))])
    return float((((sums - wanted) ** 2) / wanted[:, -1:]).sum())
