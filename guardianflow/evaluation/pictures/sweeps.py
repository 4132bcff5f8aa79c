"""Draws what a sweep came to.

    sweep_history          each trial's value in the order of asking, and the best so far
    parallel_coordinates   a line a trial through the values of its parameters to its own
    parameter_importance   how much of the spread each parameter accounts for
    pareto_front           two objectives against each other, those that none beats joined

Each function takes trials that ended well and the path to write and returns that path; with nothing
to draw it raises EvaluationError.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .drawing import (
    BLUE,
    GREY,
    RED,
    figure_at,
    keep_from_below_zero,
    light_grid,
    literal,
    require_some,
    shortened,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Value = str | int | float | bool | None
MOST_NAMES = 12
"""Of values that are named on one axis."""
APART = 0.03
"""Of an axis, between two numbers that can both be read."""
LOG_FROM = 20.0
"""Largest over smallest value from which an axis is drawn in powers of ten."""


@dataclass(frozen=True)
class SweptPoint:
    """One combination that ended well.

    Args:
        index: in the order of asking.
        values: of the objectives.
        best: the best, or one that no other beats.
    """

    index: int
    params: Mapping[str, Value]
    values: tuple[float, ...]
    best: bool = False


def sweep_history(
    points: Sequence[SweptPoint], path: Path, *, objective: str, maximize: bool, title: str
) -> Path:
    require_some(points, "trials")
    order = sorted(points, key=lambda each: each.index)
    pick, so_far = max if maximize else min, [order[0].values[0]]
    for each in order[1:]:
        so_far.append(pick(so_far[-1], each.values[0]))
    with figure_at(path, 8, 4.5) as figure:
        from matplotlib.ticker import MaxNLocator

        axes = figure.subplots()
        indices = [each.index for each in order]
        axes.step(indices, so_far, where="post", color=RED, label="best so far")
        axes.scatter(indices, [each.values[0] for each in order], color=BLUE, label="trial")
        axes.set(title=literal(title), xlabel="trial", ylabel=literal(objective))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        keep_from_below_zero(axes, "y", [each.values[0] for each in order])
        axes.legend(frameon=False)
        light_grid(axes)
    return path


def parallel_coordinates(
    points: Sequence[SweptPoint], path: Path, *, objective: str, maximize: bool, title: str
) -> Path:
    require_some(points, "trials")
    names = list(points[0].params)
    columns = [_Column.of([each.params[name] for each in points]) for name in names]
    columns.append(_Column.of([each.values[0] for each in points], powers=False))
    shades = columns[-1].places if maximize else [1 - place for place in columns[-1].places]
    from matplotlib import colormaps

    with figure_at(path, 2.2 + 1.7 * len(columns), 4.8) as figure:
        axes = figure.subplots()
        for row, shade in sorted(enumerate(shades), key=lambda each: each[1]):
            heights = [column.places[row] for column in columns]
            colour = colormaps["viridis_r"](0.05 + 0.9 * shade)
            axes.plot(range(len(columns)), heights, color=colour, linewidth=0.8 + 1.6 * shade)
        for place, column in enumerate(columns):
            axes.axvline(place, color=GREY, linewidth=0.8)
            for height, text in column.marks:
                axes.annotate(
                    text,
                    (place, height),
                    xytext=(4, 0),
                    textcoords="offset points",
                    fontsize=7,
                    va="center",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                )
        labels = [shortened(name.rpartition(".")[2], 20) for name in [*names, objective]]
        axes.set_xticks(range(len(columns)), labels)
        axes.set(title=literal(f"{title}: the darker, the better"), yticks=[])
        axes.set_xlim(-0.2, len(columns) - 0.4)
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    return path


def parameter_importance(importance: Mapping[str, float], path: Path, *, title: str) -> Path:
    """Args: importance: parameter → share; they add up to 1."""
    require_some(importance, "parameters")
    order = sorted(importance.items(), key=lambda each: each[1])
    with figure_at(path, 7, 1.6 + 0.45 * len(order)) as figure:
        axes = figure.subplots()
        bars = axes.barh([shortened(name) for name, _ in order], [s for _, s in order], color=BLUE)
        axes.bar_label(bars, fmt="%.2f", padding=3)
        axes.set(title=literal(title), xlabel="importance", xlim=(0, 1.08))
        light_grid(axes, "x")
    return path


def pareto_front(
    points: Sequence[SweptPoint], path: Path, *, objectives: Sequence[str], title: str
) -> Path:
    """The first two objectives."""
    require_some(points, "trials")
    with figure_at(path, 7.5, 5) as figure:
        axes = figure.subplots()
        beaten = [each for each in points if not each.best]
        front = sorted((each for each in points if each.best), key=lambda each: each.values[1])
        _scatter(axes, beaten, GREY, "beaten by another")
        _scatter(axes, front, RED, "Pareto front")
        axes.step([e.values[1] for e in front], [e.values[0] for e in front], where="post",
                  color=RED, linewidth=0.8)  # fmt: skip
        for each in front:
            axes.annotate(str(each.index), (each.values[1], each.values[0]), xytext=(5, 4),
                          textcoords="offset points", fontsize=8)  # fmt: skip
        axes.set(title=literal(title), xlabel=literal(objectives[1]), ylabel=literal(objectives[0]))
        keep_from_below_zero(axes, "x", [each.values[1] for each in points])
        keep_from_below_zero(axes, "y", [each.values[0] for each in points])
        axes.legend(frameon=False)
        light_grid(axes)
    return path


def _scatter(axes: Axes, points: Sequence[SweptPoint], colour: str, label: str) -> None:
    if points:
        axes.scatter([e.values[1] for e in points], [e.values[0] for e in points],
                     color=colour, label=label)  # fmt: skip


@dataclass(frozen=True)
class _Column:
    """An axis: where each trial's value lies on it from 0 to 1, and what is written beside it."""

    places: list[float]
    marks: list[tuple[float, str]]

    @classmethod
    def of(cls, values: Sequence[Value], *, powers: bool = True) -> _Column:
        numbers = [each for each in values if isinstance(each, (int, float))]
        if len(numbers) < len(values) or any(isinstance(each, bool) for each in values):
            return cls._of_names(values)
        low, high = min(numbers), max(numbers)
        log = powers and low > 0 and high / low >= LOG_FROM
        scale = math.log if log else float
        span = scale(high) - scale(low)
        places = [(scale(each) - scale(low)) / span if span else 0.5 for each in numbers]
        marked = dict(zip(numbers, places, strict=True))
        ends = {high: marked[high], low: marked[low]}
        if len(marked) <= MOST_NAMES:
            for number, place in sorted(marked.items(), reverse=True):
                if all(abs(place - other) >= APART for other in ends.values()):
                    ends[number] = place
        return cls(places, [(place, f"{number:.4g}") for number, place in ends.items()])

    @classmethod
    def _of_names(cls, values: Sequence[Value]) -> _Column:
        names = sorted({str(each) for each in values})
        height = {name: place / max(1, len(names) - 1) for place, name in enumerate(names)}
        marks = [(height[name], shortened(name, 16)) for name in names[:MOST_NAMES]]
        return cls([height[str(each)] for each in values], marks)
