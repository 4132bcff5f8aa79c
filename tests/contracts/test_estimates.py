"""Estimates turn and write themselves; how much measuring an interval takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.contracts.estimates import (
    MOST_MORE_IMAGES,
    Estimate,
    difference_of_independent,
    estimates_as_metrics,
    minimum_runs,
    more_images,
    rounded_up,
)

NUMBERS = st.floats(-10, 10)


@given(st.tuples(NUMBERS, NUMBERS, NUMBERS).map(sorted))
def test_the_other_side_sees_the_same_difference(bounds: list[float]) -> None:
    low, value, high = bounds
    turned = -Estimate(value, low, high)
    assert turned.low <= turned.value <= turned.high
    assert (turned.value, turned.low, turned.high) == (-value, -high, -low)
    assert -turned == Estimate(value, low, high)


@given(st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_what_is_written_as_metrics_is_read_back(numbers: tuple[float, float, float]) -> None:
    estimate = Estimate(*numbers)
    metrics = estimate.as_metrics("drop.mAP50")
    assert list(metrics) == ["drop.mAP50", "drop.mAP50_low", "drop.mAP50_high"]
    assert Estimate.from_metrics(metrics, "drop.mAP50") == estimate
    for key in metrics:
        rest = {name: value for name, value in metrics.items() if name != key}
        assert Estimate.from_metrics(rest, "drop.mAP50") is None


def test_the_difference_of_two_that_nothing_joins_is_as_wide_as_both_together() -> None:
    one, other = Estimate(0.8, 0.74, 0.84), Estimate(0.5, 0.47, 0.58)
    found = difference_of_independent(one, other)
    # 0.06 and 0.08 below, 0.04 and 0.03 above: sides of right angles
    assert (found.value, found.low, found.high) == pytest.approx((0.3, 0.2, 0.35))
    assert difference_of_independent(other, one) == -found
    assert difference_of_independent(one, Estimate.exactly(0.5)).low == pytest.approx(0.24)


def test_many_are_written_below_one_prefix() -> None:
    estimates = {"mAP50": Estimate(0.5, 0.4, 0.6), "recall.head": Estimate.exactly(1)}
    assert estimates_as_metrics(estimates, "det.") == {
        "det.mAP50": 0.5,
        "det.mAP50_low": 0.4,
        "det.mAP50_high": 0.6,
        "det.recall.head": 1.0,
        "det.recall.head_low": 1.0,
        "det.recall.head_high": 1.0,
    }


def test_a_unit_stands_at_the_end_of_each_key() -> None:
    assert Estimate(9.0, 8.0, 11.0).as_metrics("latency_p95", "_ms") == {
        "latency_p95_ms": 9.0,
        "latency_p95_low_ms": 8.0,
        "latency_p95_high_ms": 11.0,
    }


@pytest.mark.parametrize(("percent", "confidence", "runs"), [(95, 0.95, 59), (50, 0.95, 6)])
def test_minimum_runs_is_what_order_statistics_take(
    percent: int, confidence: float, runs: int
) -> None:
    from guardianflow.evaluation.timing.order_statistics import interval_ranks

    assert minimum_runs(percent, confidence) == runs
    for sure in (0.5, 0.9, confidence, 0.99):
        least = minimum_runs(percent, sure)
        assert interval_ranks(least, percent, sure) is not None
        assert least == 2 or interval_ranks(least - 1, percent, sure) is None


@given(st.floats(0, 1), st.integers(1, 10_000))
def test_at_the_limit_nothing_helps(reach: float, images: int) -> None:
    assert more_images(reach, 0.0, images) is None
    assert more_images(1.0, 1e-12, images) is None


@given(st.floats(1e-6, 1), st.floats(1e-6, 1), st.integers(1, 10**6))
def test_advice_stays_within_reason(reach: float, distance: float, images: int) -> None:
    more = more_images(reach, distance, images)
    assert more is None or 10 <= more <= 1.1 * MOST_MORE_IMAGES + 10


@given(st.floats(0, 10**7))
def test_rounding_goes_up_and_keeps_two_digits(count: float) -> None:
    rounded = rounded_up(count)
    assert max(10, count) <= rounded <= max(10, 1.1 * count + 1)
    assert set(str(rounded)[2:]) <= {"0"}
