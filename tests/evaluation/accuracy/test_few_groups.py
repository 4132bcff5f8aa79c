"""Intervals from few groups: what is known exactly, and what no interval may leave out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.estimates import MINIMUM_GROUPS
from guardianflow.evaluation.accuracy.few_groups import (
    difference_interval,
    jackknife_error,
    ratio_interval,
    share_interval,
)

GROUPS = st.lists(
    st.integers(1, 40).flatmap(lambda most: st.tuples(st.integers(0, most), st.just(most))),
    min_size=MINIMUM_GROUPS,
    max_size=30,
)


def arrays(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    above, below = np.array(rows, dtype=np.float64).T
    return above, below


def bounds(rows: list[tuple[int, int]], confidence: float = 0.95) -> tuple[float, float]:
    found = ratio_interval(*arrays(rows), confidence)
    assert found is not None
    return found


@given(rows=GROUPS, chance=st.randoms(), repeats=st.integers(2, 50))
def test_bounds_hold_the_ratio_whatever_the_order_and_however_often_all_is_repeated(
    rows: list[tuple[int, int]], chance: object, repeats: int
) -> None:
    low, high = bounds(rows)
    above, below = arrays(rows)
    assert 0 <= low <= above.sum() / below.sum() <= high <= 1
    assert high > low
    shuffled = sorted(rows, key=lambda _: chance.random())  # type: ignore[attr-defined]
    assert bounds(shuffled) == pytest.approx((low, high), abs=1e-12)
    repeated = [(a * repeats, b * repeats) for a, b in rows]
    assert bounds(repeated) == pytest.approx((low, high), abs=1e-9)


def test_groups_without_truth_say_nothing_and_a_handful_gives_no_interval() -> None:
    rows = [(8, 10), (9, 10), (5, 10), (7, 10), (10, 10)]
    assert bounds(rows) == bounds([*rows, (0, 0)])
    assert ratio_interval(*arrays([*rows[1:], (0, 0)])) is None


def test_groups_that_all_agree_still_leave_room_for_others() -> None:
    for rows, groups in (([(10, 10)] * 20, 20), ([(10, 10)] * 5, 5)):
        low, high = bounds(rows)
        assert high == 1
        assert low <= 1 - stats.beta.ppf(0.975, 1, groups) + 1e-12


def test_a_rate_without_events_has_the_exact_upper_bound() -> None:
    days = np.full(6, 5.0)
    assert ratio_interval(np.zeros(6), days, highest=math.inf) == pytest.approx(
        (0, stats.chi2.ppf(0.975, 2) / 2 / 30)
    )
    found = ratio_interval(np.array([9.0, 30, 2, 0, 11, 14]), days, highest=math.inf)
    assert found is not None
    assert found[0] < 66 / 30 < found[1]


def test_what_can_not_be_is_refused() -> None:
    ones = np.ones(5)
    with pytest.raises(EvaluationError, match=r"must lie from 0 to 1 .*highest=math\.inf"):
        ratio_interval(2 * ones, ones)
    with pytest.raises(EvaluationError, match="must lie from 0"):
        ratio_interval(ones, 0 * ones, highest=math.inf)
    with pytest.raises(EvaluationError, match="highest must be 1"):
        ratio_interval(ones, ones, highest=5.0)
    with pytest.raises(EvaluationError, match=r"one numerator .* confidence must be"):
        ratio_interval(ones[:4], ones, 95.0)


def test_groups_of_one_size_give_the_standard_error_of_their_mean() -> None:
    values = np.array([0.2, 0.5, 0.9, 0.4, 0.7, 0.6])
    left_out = (values.sum() - values) / 5
    error = jackknife_error(float(values.mean()), left_out)
    assert error == pytest.approx(values.std(ddof=1) / math.sqrt(6))
    low, high = difference_interval(0.55, error, 6, 0.95)
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 5) * error)


def test_a_share_of_very_many_groups_has_the_binomial_interval() -> None:
    error = math.sqrt(0.9 * 0.1 / 400)
    low, high = share_interval(0.9, error, 1e9, 0.95)
    exact = stats.binomtest(360, 400).proportion_ci(0.95)
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-6)


@pytest.mark.parametrize("highest", [1.0, math.inf])
def test_the_truth_is_held_where_groups_differ(highest: float) -> None:
    """`python -m benchmarks.interval_coverage` is the full study; this one sees gross errors."""
    chance = np.random.default_rng(3)
    held, trials, groups = 0, 400, 8
    for _ in range(trials):
        sizes = np.maximum(1, chance.lognormal(3, 0.7, groups).round())
        if math.isinf(highest):
            truth, given = 2.0, chance.poisson(chance.gamma(4, 0.5, groups) * sizes)
        else:
            truth, given = 0.8, chance.binomial(sizes.astype(int), chance.beta(4, 1, groups))
        found = ratio_interval(given.astype(np.float64), sizes, highest=highest)
        assert found is not None
        held += found[0] <= truth <= found[1]
    # Good intervals fall below in one of 10 000 such tests, those of boxes practically always.
    assert stats.binom.ppf(1e-4, trials, 0.94) <= held < trials
