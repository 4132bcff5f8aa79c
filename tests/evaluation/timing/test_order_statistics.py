"""Percentiles of times: nearest rank, and an interval that holds its promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.estimates import Estimate
from guardianflow.evaluation.timing.order_statistics import interval_ranks, percentile_of, timing_of

TIMES = st.lists(st.floats(0.01, 1e4), min_size=1, max_size=600)


@given(TIMES, st.sampled_from([50, 95, 99]))
def test_a_percentile_is_numpy_s_nearest_rank(times, percent):
    found = percentile_of(times, percent)
    if found is not None:
        assert found.value == np.percentile(times, percent, method="inverted_cdf")
        assert found.low <= found.value <= found.high
    else:
        assert interval_ranks(len(times), percent) is None


@pytest.mark.parametrize(("percent", "least"), [(50, 6), (95, 59), (99, 299)])
def test_fewer_times_than_this_can_t_carry_it(percent, least):
    assert interval_ranks(least, percent) is not None
    assert interval_ranks(least - 1, percent) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(6, 3000), st.sampled_from([50, 90, 95, 99]))
def test_the_ranks_enclose_the_percentile_with_at_least_95_percent(count, percent):
    ranks = interval_ranks(count, percent)
    if ranks is None:
        return
    low, high = ranks
    assert 1 <= low < high <= count
    below = binom(count, percent / 100)
    assert below.cdf(high - 1) - below.cdf(low - 1) >= 0.95 - 1e-9
    # no narrower pair would do
    for first in range(1, count - (high - low) + 2):
        last = first + high - low - 1
        if first < last <= count:
            assert below.cdf(last - 1) - below.cdf(first - 1) < 0.95 + 1e-9


@pytest.mark.parametrize(("count", "percent"), [(100, 50), (400, 95), (1000, 99)])
def test_the_interval_covers_the_true_percentile_about_95_times_in_100(count, percent):
    rng = np.random.default_rng(count)
    truth = float(np.exp(0.5 * {50: 0.0, 95: 1.6448536, 99: 2.3263479}[percent]))
    covered = 0
    for _ in range(1000):
        found = percentile_of(rng.lognormal(0, 0.5, count), percent)
        covered += found.low <= truth <= found.high
    assert 930 <= covered <= 975


def test_a_timing_keeps_every_time():
    timing = timing_of([3.0, 1.0, 2.0, 100.0, 1.0, 1.0])
    assert timing.samples_ms == (3.0, 1.0, 2.0, 100.0, 1.0, 1.0)
    assert timing.mean_ms == 18
    assert timing.p50 == Estimate(1, 1, 100)
    assert timing.p95 is None


def test_nothing_measured_is_an_error():
    with pytest.raises(EvaluationError, match="no time was measured"):
        timing_of([])
    with pytest.raises(EvaluationError, match="from 1 to 99 but is 100"):
        interval_ranks(50, 100)


@given(count=st.integers(2, 400), percent=st.sampled_from([50, 95]))
def test_more_confidence_never_narrows_an_interval(count, percent):
    reach = []
    for confidence in (0.5, 0.8, 0.95, 0.99):
        ranks = interval_ranks(count, percent, confidence)
        reach.append(float("inf") if ranks is None else ranks[1] - ranks[0])
    assert reach == sorted(reach)


def test_a_confidence_that_is_none_is_refused():
    with pytest.raises(EvaluationError, match="confidence must be above 0 and below 1 but is 1"):
        interval_ranks(50, 50, 1)
