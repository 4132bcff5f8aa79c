"""Intervals and chances over units, and the correction for many looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.evaluation.slices.units import (
    UnitCounts,
    chance_of,
    difference_to_rest,
    holm,
    paired_difference,
    recall_interval,
    together,
    unit_counts,
)

RECORDING = EvidenceUnit.RECORDING


def counts(boxes, found, first=0):
    return UnitCounts(
        np.arange(first, first + len(boxes)), np.array(boxes, float), np.array(found, float)
    )


def test_holm_as_worked_by_hand():
    """0.01 · 4, 0.02 · 3, 0.03 · 2, and never less than the one before."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_lowers_nothing(chances):
    corrected = holm(chances)
    for before, after in zip(chances, corrected, strict=True):
        assert before <= after <= 1
    assert [c for _, c in sorted(zip(chances, corrected, strict=True))] == sorted(corrected)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=60))
def test_parts_add_up_to_the_whole_and_the_rest_is_what_is_left(rows):
    units, found = np.array([u for u, _ in rows]), np.array([f for _, f in rows])
    half = np.arange(len(rows)) % 2 == 0
    whole, part, other = (
        unit_counts(units[rows_], found[rows_]) for rows_ in (slice(None), half, ~half)
    )
    if not (~half).any():
        return
    for one, two in ((together([part, other]), whole), (whole.less(part), other)):
        assert one.units.tolist() == two.units.tolist()
        assert one.boxes.tolist() == two.boxes.tolist()
        assert one.found.tolist() == two.found.tolist()


@pytest.mark.parametrize(("units", "boxes"), [(4, 50), (5, 3)])
def test_too_few_recordings_or_boxes_have_no_interval(units, boxes):
    few = counts([boxes] * units, [1] * units)
    assert recall_interval(few, RECORDING, 0.95) is None
    assert paired_difference(few, few, RECORDING, 0.95) is None
    assert difference_to_rest(few, counts([50] * 9, [4] * 9, 20), RECORDING, 0.95) is None


def test_images_as_units_must_be_twenty():
    assert recall_interval(counts([2] * 19, [1] * 19), EvidenceUnit.IMAGE, 0.95) is None
    assert recall_interval(counts([2] * 20, [1] * 20), EvidenceUnit.IMAGE, 0.95) is not None


def test_a_difference_that_all_recordings_show_is_no_chance():
    rng = np.random.default_rng(1)
    dark = counts([20] * 10, rng.integers(4, 9, 10))
    bright = counts([20] * 10, rng.integers(15, 19, 10), first=10)
    told = difference_to_rest(dark, bright, RECORDING, 0.95)
    assert told is not None
    difference, chance = told
    assert difference.value == pytest.approx(dark.recall - bright.recall)
    assert difference.high < 0
    assert chance < 1e-4


def test_recordings_that_all_agree_do_not_make_a_difference_certain_beyond_their_number():
    """Five of five against five of five: no spread, but five are five."""
    told = difference_to_rest(
        counts([4] * 5, [0] * 5), counts([4] * 5, [4] * 5, first=5), RECORDING, 0.95
    )
    assert told is not None
    difference, chance = told
    assert difference.value == -1.0
    assert difference.low < difference.high
    assert chance > 1e-3


def test_chances_under_no_difference_are_even():
    """Of 2,000 pairs of slices without a difference about 5 % have a chance below 5 %."""
    rng = np.random.default_rng(7)
    below = 0
    for _ in range(2000):
        rates = rng.beta(6, 3, 24)
        boxes = rng.integers(5, 40, 24)
        found = rng.binomial(boxes, rates)
        told = difference_to_rest(
            counts(boxes[:10], found[:10]),
            counts(boxes[10:], found[10:], first=10),
            RECORDING,
            0.95,
        )
        assert told is not None
        below += told[1] < 0.05
    assert 0.02 <= below / 2000 <= 0.07


def test_models_that_find_the_same_boxes_do_not_differ():
    same = counts([10] * 8, [7] * 8)
    told = paired_difference(same, same, RECORDING, 0.95)
    assert told is not None
    difference, chance = told
    assert difference.value == 0
    assert difference.low < 0 < difference.high  # what eight recordings can't show
    assert chance == 1.0


def test_pairing_takes_out_what_is_hard_for_both():
    rng = np.random.default_rng(2)
    before = rng.integers(2, 19, 12)  # recordings differ widely
    told = paired_difference(
        counts([20] * 12, before),
        counts([20] * 12, before - rng.integers(1, 3, 12)),
        RECORDING,
        0.95,
    )
    assert told is not None
    difference, chance = told
    assert difference.high < 0
    assert chance < 1e-4


def test_what_all_units_agree_on_is_as_sure_as_tosses_of_a_coin():
    assert chance_of(-0.5, 0.0, 6.0) == pytest.approx(2 * 0.5**6)
    assert chance_of(0.0, 0.0, 6.0) == 1.0
