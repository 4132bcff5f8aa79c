"""One convolution is solved: weights and bias, from what it is given now to what it gave then."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from guardianflow.backends.quantisation.layer_fit import Activations, Line, Rows, solve
from guardianflow.backends.quantisation.layer_trace import Freedom

SAME = Activations(functional.silu, functional.silu)
CHANGED = Activations(functional.silu, functional.hardswish)


def drawn(*shape: int, seed: int, spread: float = 1.0) -> torch.Tensor:
    return spread * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def error(line: Line, rows: Rows, activations: Activations) -> float:
    """Of the values behind the activation, as those who read them may scale and shift them."""
    given, wanted = activations.new(line.of(rows.patches)), activations.old(rows.wanted)
    spread, goal = given - given.mean(1, keepdim=True), wanted - wanted.mean(1, keepdim=True)
    slope = (spread * goal).sum(1, keepdim=True) / spread.square().sum(1, keepdim=True)
    return float((slope * spread - goal).square().mean() / goal.square().mean())


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_line_that_gives_all_of_it_is_found(
    groups: int, channels: int, columns: int, seed: int
) -> None:
    right = Line(
        drawn(groups, channels, columns, seed=seed), drawn(groups, 1, channels, seed=seed + 1)
    )
    patches = drawn(groups, 400, columns, seed=seed + 2)
    rows = Rows(patches, right.of(patches))
    start = Line(0.8 * right.weights, right.bias - 1)
    found = solve(start, rows, rows, None, Freedom.NONE)
    torch.testing.assert_close(found.of(patches), rows.wanted, rtol=0.02, atol=0.02)


@given(st.integers(0, 1000), st.sampled_from(Freedom))
@settings(max_examples=15, deadline=None)
def test_it_never_ends_further_from_what_is_wanted_than_it_began(
    seed: int, freedom: Freedom
) -> None:
    """Equations of images that have nothing to do with the judging ones."""
    start = Line(drawn(1, 3, 6, seed=seed), drawn(1, 1, 3, seed=seed + 1))
    patches = drawn(1, 50, 6, seed=seed + 2)
    fitted = Rows(patches, drawn(1, 50, 3, seed=seed + 3))
    judging = Rows(drawn(1, 50, 6, seed=seed + 4), start.of(drawn(1, 50, 6, seed=seed + 4)))
    found = solve(start, fitted, judging, SAME, freedom)
    assert error(found, judging, SAME) <= error(start, judging, SAME) + 1e-6


def test_scaled_values_are_several_times_as_close_and_shifted_ones_closer() -> None:
    line = Line(drawn(1, 8, 12, seed=1, spread=0.3), drawn(1, 1, 8, seed=2))
    patches, others = drawn(1, 4000, 12, seed=3), drawn(1, 1000, 12, seed=4)
    fitted, judging = Rows(patches, line.of(patches)), Rows(others, line.of(others))
    errors = {
        freedom: error(solve(line, fitted, judging, CHANGED, freedom), judging, CHANGED)
        for freedom in Freedom
    }
    assert errors[Freedom.SCALED] < errors[Freedom.SHIFTED] < errors[Freedom.NONE]
    assert errors[Freedom.SCALED] < 0.5 * error(line, judging, CHANGED)


def test_a_channel_that_is_always_the_same_stays() -> None:
    line = Line(torch.zeros(1, 2, 4), torch.tensor([[[0.5, -9.0]]]))
    patches = drawn(1, 200, 4, seed=5)
    rows = Rows(patches, line.of(patches))
    found = solve(line, rows, rows, CHANGED, Freedom.SCALED)
    assert found.of(patches).isfinite().all()
    torch.testing.assert_close(
        functional.hardswish(found.of(patches)), functional.silu(rows.wanted), rtol=0.1, atol=0.02
    )


def test_values_that_are_not_finite_are_an_error() -> None:
    line = Line(torch.ones(1, 1, 2), torch.zeros(1, 1, 1))
    rows = Rows(torch.full((1, 20, 2), float("nan")), torch.zeros(1, 20, 1))
    with pytest.raises(RuntimeError):
        solve(line, rows, rows, None, Freedom.NONE)
