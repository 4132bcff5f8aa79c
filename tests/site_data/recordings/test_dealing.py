"""Groups dealt out to splits: whole, and as near to the shares as they allow."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.site_data.recordings.dealing import deal_groups

SHARES = (0.6, 0.2, 0.2)


def made(groups: int, classes: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    sizes = random.lognormal(3, 1, groups).astype(np.int64) + 1
    rates = random.uniform(0.02, 0.6, (classes, groups))
    shown = [random.binomial(sizes, rate) for rate in rates]
    return np.stack([*shown, sizes], axis=1)


def distance(counts: np.ndarray, where: np.ndarray) -> float:
    """The largest difference of a share from what was asked for."""
    counts = counts[:, counts.sum(axis=0) > 0]
    sums = np.stack([counts[where == split].sum(axis=0) for split in range(len(SHARES))])
    return float(np.abs(sums / counts.sum(axis=0) - np.array(SHARES)[:, None]).max())


def test_many_uneven_recordings_come_within_a_hundredth_of_every_share() -> None:
    counts = made(groups=120, classes=8, seed=3)
    assert distance(counts, deal_groups(counts, SHARES, seed=42)) < 0.01


def test_few_recordings_come_nearly_as_near_as_any_split_can() -> None:
    worse = []
    for seed in range(10):
        counts = made(groups=8, classes=2, seed=seed)
        every = (np.array(w) for w in itertools.product(range(3), repeat=8) if len({*w}) == 3)
        best = min(distance(counts, where) for where in every)
        worse.append(distance(counts, deal_groups(counts, SHARES, seed=1)) - best)
    assert max(worse) < 0.08
    assert np.mean(worse) < 0.03


def test_the_same_seed_gives_the_same_split() -> None:
    counts = made(groups=30, classes=4, seed=5)
    one, same = (deal_groups(counts, SHARES, seed=7) for _ in range(2))
    assert one.tolist() == same.tolist()


@settings(max_examples=60, deadline=None)
@given(
    groups=st.integers(3, 40),
    classes=st.integers(0, 5),
    seed=st.integers(0, 10_000),
)
def test_every_split_has_a_group(groups: int, classes: int, seed: int) -> None:
    counts = made(groups, classes, seed) if classes else made(groups, 1, seed)[:, -1:]
    where = deal_groups(counts, SHARES, seed)
    assert {*where.tolist()} == {0, 1, 2}


def test_one_recording_that_holds_most_images_stays_whole() -> None:
    counts = np.array([[90, 100], [3, 5], [2, 5], [1, 5]])
    where = deal_groups(counts, SHARES, seed=0)
    assert where[0] == 0
    assert sorted(where[1:].tolist()) in ([0, 1, 2], [1, 1, 2], [1, 2, 2])


@pytest.mark.parametrize("groups", [3, 250])
def test_classes_that_none_shows_change_nothing(groups: int) -> None:
    counts = made(groups, 2, seed=1)
    wider = np.insert(counts, 1, 0, axis=1)
    assert deal_groups(counts, SHARES, 1).tolist() == deal_groups(wider, SHARES, 1).tolist()
