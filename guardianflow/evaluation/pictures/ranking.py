"""Draws what was ranked: a value with its interval each, one below the other.

ranked_intervals   models on the same images, one model on several data sets
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    SKY,
    figure_at,
    keep_from_below_zero,
    legend_beside,
    light_grid,
    require_some,
    shortened,
)

SHOWN: Mapping[str, tuple[str, str]] = {
    "reference": (BLUE, "held against"),
    "better": (GREEN, "differs: better"),
    "worse": (RED, "differs: worse"),
    "same": (SKY, "the same"),
    "undecided": (ORANGE, "can't tell"),
    "apart": (GREY, "other images"),
}
"""Mark → colour, and words of the legend."""
ROOM = 0.08


@dataclass(frozen=True)
class RankedPoint:
    """One row.

    Args:
        mark: how it stands to the one that all are held against.
        bounds: of the interval; None where there is none.
    """

    name: str
    value: float
    bounds: tuple[float, float] | None
    mark: str


def ranked_intervals(
    points: Sequence[RankedPoint], path: Path, *, title: str, axis: str, zero: bool = False
) -> Path:
    """Each value with its interval, the first one on top; what differs is told by its colour.

    Args:
        axis: what the values are.
        zero: draw a line where nothing would change.
        path: .png to write.

    Raises:
        EvaluationError: there is nothing to draw.
    """
    require_some(points, "a picture of ranks")
    with figure_at(path, 9.5, max(2.6, 1.4 + 0.42 * len(points))) as figure:
        axes = figure.add_subplot()
        light_grid(axes, "x")
        told: set[str] = set()
        for place, point in enumerate(points):
            colour, words = SHOWN[point.mark]
            low, high = point.bounds or (point.value, point.value)
            axes.errorbar(
                point.value,
                place,
                xerr=[[max(0.0, point.value - low)], [max(0.0, high - point.value)]],
                marker="o",
                markersize=7,
                capsize=3,
                linestyle="none",
                color=colour,
                markerfacecolor=colour if point.bounds else "white",
                label=None if words in told else words,
            )
            told.add(words)
        if zero:
            axes.axvline(0, color=GREY, lw=0.8)
        else:
            ends = (end for point in points for end in (point.value, *(point.bounds or ())))
            keep_from_below_zero(axes, "x", ends)
        axes.set_yticks(range(len(points)), [shortened(point.name) for point in points])
        axes.set_ylim(len(points) - 0.4, -0.6)
        axes.set_xlabel(axis)
        bounded = any(point.bounds for point in points)
        figure.suptitle(f"{shortened(title, 90)}{', 95 % intervals' if bounded else ''}")
        legend_beside(axes)
    return path
