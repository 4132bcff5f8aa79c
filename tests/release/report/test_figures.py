"""Figures of a report: digits enough to see why, nothing absent shown as a number."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseLimits,
)
from guardianflow.release.report.figures import (
    RULES,
    GateFigures,
    amount,
    number,
    signed,
    telling_decimals,
)
from guardianflow.release.report.gates import CHART_WIDTH, interval_chart
from guardianflow.release.report.tables import difference
from guardianflow.release.report.wording import Wording

KEPT, MISSED = GateCause(CauseKind.KEPT), GateCause(CauseKind.MISSED)


def test_every_limit_of_a_release_has_a_rule() -> None:
    limits = {each.name for each in fields(ReleaseLimits)} - {"confidence"}
    assert set(RULES) == limits


@given(
    values=st.lists(st.floats(0, 1).map(lambda x: round(x, 5)), min_size=1, max_size=3),
    limit=st.floats(0, 1).map(lambda x: round(x, 5)),
)
def test_rounding_moves_no_figure_across_its_limit(values: list[float], limit: float) -> None:
    decimals = telling_decimals(values, limit, 3)
    for value in values:
        rounded = float(f"{value:.{decimals}f}")
        assert (rounded > limit, rounded < limit) == (value > limit, value < limit)


def test_a_value_just_below_its_limit_does_not_look_as_if_it_kept_it() -> None:
    gate = GateVerdict("min_mAP50", FAIL, 0.9, Estimate(0.89, 0.88, 0.89996), MISSED)
    assert GateFigures(gate).high == "0.89996"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (float("nan"), "–"), (float("inf"), "∞"), (-0.0001, "0.000"), (-0.5, "−0.500")],
)
def test_figures_say_what_is_absent_and_never_minus_zero(value: float | None, text: str) -> None:
    assert number(value, 3) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1973, "0.197"), (21.44, "21.4"), (1234.56, "1234.6"), (0.0, "0.0"), (None, "–")],
)
def test_small_amounts_keep_digits_enough_to_compare(value: float | None, text: str) -> None:
    assert amount(value) == text
    if value:
        gate = GateVerdict("max_size_mb", PASS, 5000, Estimate(value, value, value), KEPT)
        assert GateFigures(gate).value == f"{text} MB"


def test_an_interval_that_ends_just_beside_zero_does_not_seem_to_reach_it() -> None:
    cell = difference(Estimate(-0.01, -0.02, -0.0003), Wording())
    assert (cell.kind, cell.interval) == ("worse", "−0.0200 … −0.0003")
    cell = difference(Estimate(0.01, -0.0003, 0.02), Wording())
    assert (cell.kind, cell.interval) == ("unsure", "−0.0003 … +0.0200")


def test_differences_carry_their_sign() -> None:
    assert [signed(x, 3) for x in (0.012, -0.012, 0.0, -0.0001)] == [
        "+0.012",
        "−0.012",
        "0.000",
        "0.000",
    ]


@given(
    bounds=st.tuples(*[st.floats(-1e3, 1e3)] * 3).map(sorted),
    limit=st.floats(-1e3, 1e3),
    gate=st.sampled_from(["min_fps", "max_latency_p95_ms"]),
)
def test_the_small_picture_keeps_its_order_and_its_frame(
    bounds: list[float], limit: float, gate: str
) -> None:
    low, value, high = bounds
    judged = GateVerdict(gate, PASS, limit, Estimate(value, low, high), KEPT)
    chart = interval_chart(judged, GateFigures(judged), Wording())
    assert chart is not None
    assert 0 <= chart.low <= chart.value <= chart.high <= CHART_WIDTH
    assert chart.good_width >= 0
    inside = chart.good_from <= chart.value <= chart.good_from + chart.good_width
    keeps = value >= limit if gate == "min_fps" else value <= limit
    assert inside or not keeps
