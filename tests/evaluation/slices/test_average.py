"""Averages of all classes at once are, to the last bit, those of each class by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.evaluation.accuracy.average_precision import (
    RECALL_POINTS,
    ClassMatches,
    precision_at_recalls,
)
from guardianflow.evaluation.slices.average import average_precisions, left_out_averages


class Made:
    """Detections of some classes at one threshold, and true boxes of each class in each block."""

    def __init__(self, seed: int, classes: int, blocks: int, most: int) -> None:
        rng = np.random.default_rng(seed)
        self.truth = rng.integers(0, 6, (classes, blocks))
        self.truth[np.arange(classes), rng.integers(0, blocks, classes)] += 1
        parts = []
        for class_id in range(classes):
            found = int(rng.integers(0, most + 1))
            blocks_of = rng.integers(0, blocks, found)
            counted = rng.random(found) < 0.8
            hits = counted & (rng.random(found) < 0.5)
            for block in range(blocks):  # no more hits than true boxes
                mine = np.flatnonzero(hits & (blocks_of == block))
                hits[mine[self.truth[class_id, block] :]] = False
            parts.append((np.full(found, class_id), blocks_of, counted, hits))
        self.classes, self.blocks, self.counted, self.hits = map(
            np.concatenate, zip(*parts, strict=True)
        )

    def of_class(self, class_id: int) -> tuple[np.ndarray, np.ndarray]:
        """Hits and blocks of what counts."""
        rows = (self.classes == class_id) & self.counted
        return self.hits[rows], self.blocks[rows]


def made() -> st.SearchStrategy[Made]:
    sizes = st.integers(1, 5), st.integers(1, 20), st.integers(0, 60)
    return st.builds(Made, st.integers(0, 10**6), *sizes)


def _plain(hits: np.ndarray, ranks: np.ndarray, instances: int) -> float:
    """Mean over the recalls of the best precision there or further on."""
    if not hits.any():
        return 0.0
    precision = np.cumsum(hits) / ranks
    recall = np.cumsum(hits) / instances
    best = [max((precision[hits & (recall >= r)]).tolist(), default=0.0) for r in RECALL_POINTS]
    return float(np.array(best).mean())


@settings(max_examples=200, deadline=None)
@given(made())
def test_each_class_has_the_average_of_cocos_rules(some: Made) -> None:
    instances = some.truth.sum(axis=1)
    found = average_precisions(some.hits[:, None], some.counted[:, None], some.classes, instances)
    for class_id, count in enumerate(instances.tolist()):
        hits, _ = some.of_class(class_id)
        nothing = np.zeros(len(hits), np.int64)
        alone = ClassMatches(-np.arange(len(hits)), hits[:, None], count, nothing, nothing)
        assert found[class_id, 0] == precision_at_recalls(alone).mean(axis=1)[0]


@settings(max_examples=200, deadline=None)
@given(made())
def test_without_a_block_it_is_the_average_of_what_is_left(some: Made) -> None:
    found = left_out_averages(some.hits, some.counted, some.classes, some.blocks, some.truth)
    for (class_id, block), value in np.ndenumerate(found):
        left = int(some.truth[class_id].sum() - some.truth[class_id, block])
        hits, blocks = some.of_class(class_id)
        kept = hits[blocks != block]
        if left:
            assert value == _plain(kept, np.arange(1, len(kept) + 1), left)
        else:
            assert np.isnan(value)


def test_recalls_are_reached_where_their_floating_point_numbers_are() -> None:
    """29 of 100 is 0.29 only by rounding; each count of true boxes is tried."""
    for count in [*range(2, 400), 1000, 2900, 54321]:
        hits = np.ones((count, 1), bool)
        hits[-1] = False  # precision is 1 up to the last recall, which is not reached
        counted, classes = np.ones_like(hits), np.zeros(count, np.int64)
        (value,) = average_precisions(hits, counted, classes, np.array([count]))
        recall = np.arange(1, count) / count
        reached = (recall.max(initial=0.0) >= RECALL_POINTS).sum()
        assert value == pytest.approx(reached / 101, abs=1e-12), count
