"""Solves one convolution: its values are to become, behind an activation, what is wanted of them.

    given now   patches, R × K of a group
    wanted      what the original gave there, in front of its activation, R × O
    solved      weights, O × K, and a bias, so that new(patches · weights + bias) fits old(wanted)

All tensors have a group of the convolution as their first dimension.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .layer_trace import Freedom

if TYPE_CHECKING:
    import torch

    Activation = Callable[[torch.Tensor], torch.Tensor]

SHAPE_ROWS = 2000
SCALES = (0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
SHIFTS = (-0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
FINE = 0.1
LEAST_SLOPE = 0.05
"""Of an activation's counterpart: a channel that hardly varies is left where it is."""
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
"""How much weights are held back from moving, as shares of what a layer is given on average."""
LEAST_RIDGE = 1e-9
STEPS = 12
STEP_LENGTH = 0.7
VAIN_STEPS = 2
BETTER = 0.999
SETTINGS = (
    *(SHAPE_ROWS, SCALES, SHIFTS, FINE, LEAST_SLOPE, RIDGES, LEAST_RIDGE),
    *(STEPS, STEP_LENGTH, VAIN_STEPS, BETTER),
)


@dataclass(frozen=True, eq=False)
class Line:
    """A convolution and its norm as one: weights groups × O × K, bias groups × 1 × O."""

    weights: torch.Tensor
    bias: torch.Tensor

    def of(self, patches: torch.Tensor) -> torch.Tensor:
        return patches @ self.weights.transpose(1, 2) + self.bias

    def scaled(self, scale: torch.Tensor, shift: torch.Tensor) -> Line:
        return Line(self.weights * scale.transpose(1, 2), self.bias * scale + shift)


@dataclass(frozen=True, eq=False)
class Rows:
    """Some places of some images: groups × R × K, and groups × R × O."""

    patches: torch.Tensor
    wanted: torch.Tensor


@dataclass(frozen=True, eq=False)
class Activations:
    """What follows a convolution in the original network, and in the changed one."""

    old: Activation
    new: Activation


def solve(
    start: Line, fitted: Rows, judging: Rows, activations: Activations | None, freedom: Freedom
) -> Line:
    """The line that the judging rows prefer: as it was, by least squares, or after some steps.

    Args:
        start: as it is now.
        fitted: rows that the equations are made of.
        judging: of other images.
        activations: None where none follows.
        freedom: what may be done to its values behind the activation.

    Raises:
        RuntimeError: torch's, where values are not finite.
    """
    if activations is None:
        return _Problem(start, fitted, judging, fitted.wanted, judging.wanted).solved()
    goal, judging_goal = activations.old(fitted.wanted), activations.old(judging.wanted)
    if activations.new is not activations.old and freedom is not Freedom.NONE:
        shape = _likest(fitted.wanted, goal, activations.new, freedom)
        fitted = Rows(fitted.patches, shape.scale * fitted.wanted + shape.shift)
        start = start.scaled(shape.scale, shape.shift)
        goal, judging_goal = shape.undone(goal), shape.undone(judging_goal)
    return _Problem(start, fitted, judging, goal, judging_goal, activations.new).solved()


@dataclass(eq=False)
class _Problem:
    """One layer's.

    Args:
        goal, judging_goal: what is wanted behind `new`.
    """

    start: Line
    fitted: Rows
    judging: Rows
    goal: torch.Tensor
    judging_goal: torch.Tensor
    new: Activation | None = None

    def __post_init__(self) -> None:
        self._mean = self.fitted.patches.mean(1, keepdim=True)
        self._centred = self.fitted.patches - self._mean

    def solved(self) -> Line:
        best, least = self.start, self._error(self.start)
        line, error, factor = self._least_squares()
        if error < least:
            best, least = line, error
        vain = 0
        for _ in range(STEPS if self.new is not None else 0):
            line = self._step(line, factor)
            error = self._error(line)
            vain = 0 if error < least * BETTER else vain + 1
            if vain == 0:
                best, least = line, error
            elif vain == VAIN_STEPS:
                break
        return best

    def _error(self, line: Line) -> float:
        values = line.of(self.judging.patches)
        values = values if self.new is None else self.new(values)
        return float((values - self.judging_goal).square().mean())

    def _least_squares(self) -> tuple[Line, float, torch.Tensor]:
        """The best of some ridges, its error, and the Cholesky factor of its equations."""
        import torch

        count, centred = self._centred.shape[1], self._centred
        level = self.fitted.wanted.mean(1, keepdim=True)
        left = self.fitted.wanted - level - centred @ self.start.weights.transpose(1, 2)
        squares = (centred.transpose(1, 2) @ centred).double() / count
        right = (centred.transpose(1, 2) @ left).double() / count
        size = squares.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
        ones = torch.eye(squares.shape[1], dtype=squares.dtype)
        found = []
        for ridge in RIDGES:
            factor = torch.linalg.cholesky(squares + (ridge * size + LEAST_RIDGE) * ones)
            moved = torch.cholesky_solve(right, factor).transpose(1, 2).float()
            weights = self.start.weights + moved
            line = Line(weights, level - self._mean @ weights.transpose(1, 2))
            found.append((line, self._error(line), factor))
        return min(found, key=lambda each: each[1])

    def _step(self, line: Line, factor: torch.Tensor) -> Line:
        """A step towards the goal behind the activation, in the metric of the patches."""
        import torch

        assert self.new is not None
        values = line.of(self.fitted.patches)
        with torch.enable_grad():
            values.requires_grad_(True)
            loss = (self.new(values) - self.goal).square().sum() / 2
            (slope,) = torch.autograd.grad(loss, values)
        gradient = (self._centred.transpose(1, 2) @ slope).double() / slope.shape[1]
        moved = -STEP_LENGTH * torch.cholesky_solve(gradient, factor).transpose(1, 2).float()
        bias = -STEP_LENGTH * slope.mean(1, keepdim=True) - self._mean @ moved.transpose(1, 2)
        return Line(line.weights + moved, line.bias + bias)


@dataclass(frozen=True, eq=False)
class _Shape:
    """slope · new(scale · x + shift) + offset ≈ old(x), each groups × 1 × O."""

    scale: torch.Tensor
    shift: torch.Tensor
    slope: torch.Tensor
    offset: torch.Tensor

    def undone(self, wanted: torch.Tensor) -> torch.Tensor:
        """What the new activation has to give, so that slope and offset make `wanted` of it."""
        return (wanted - self.offset) / self.slope


def _likest(given: torch.Tensor, wanted: torch.Tensor, new: Activation, freedom: Freedom) -> _Shape:
    """Where, channel by channel, the new activation is most like the old one."""
    import torch

    every = max(1, given.shape[1] // SHAPE_ROWS)
    given, wanted = given[:, ::every], wanted[:, ::every]
    mean = wanted.mean(1, keepdim=True)
    one, centred = torch.ones_like(mean), wanted - mean

    def tried(scale: torch.Tensor, shift: torch.Tensor) -> tuple[torch.Tensor, ...]:
        values = new(scale * given + shift)
        level = values.mean(1, keepdim=True)
        spread, slope = values - level, one
        if freedom is Freedom.SCALED:
            squares = spread.square().sum(1, keepdim=True).clamp_min(LEAST_RIDGE)
            slope = (centred * spread).sum(1, keepdim=True) / squares
        error = (slope * spread - centred).square().mean(1, keepdim=True)
        error = error.masked_fill(slope < LEAST_SLOPE, float("inf"))
        return error, scale, shift, slope, mean - slope * level

    unchanged = (new(given) - wanted).square().mean(1, keepdim=True)
    best: tuple[torch.Tensor, ...] = (unchanged, one, 0 * one, one, 0 * one)
    for scale, shift in itertools.product(SCALES, SHIFTS):
        best = _better(best, tried(scale * one, shift * one))
    _, scale, shift, *_ = best
    for up, right in itertools.product((-FINE, 0.0, FINE), repeat=2):
        best = _better(best, tried(scale + up, shift + right))
    return _Shape(*best[1:])


def _better(
    first: tuple[torch.Tensor, ...], second: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, ...]:
    """Channel by channel, the one whose first number is lower."""
    lower = second[0] < first[0]
    return tuple(new.where(lower, old) for old, new in zip(first, second, strict=True))
