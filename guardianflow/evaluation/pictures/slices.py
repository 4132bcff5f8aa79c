"""Draws slices: recall of each with its interval, and the class that is found worst in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.recordings.slices import SliceScore, SliceTable
from ...support.text import shortening
from .drawing import (
    BLUE,
    GREY,
    ORANGE,
    figure_at,
    figures_beside,
    legend_below,
    light_grid,
    literal,
    shortened,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_ROWS = 40
LONGEST_CLASS = 14


def slices_forest(table: SliceTable, path: Path, *, title: str = "Recall by slice") -> Path:
    """Recall of each slice, all classes together, and of its worst class, with intervals.

    A slice of too few boxes or recordings is drawn hollow, without an interval. With more than 40
    slices those with the lowest recall are shown, and the picture says so.

    Args:
        path: .png to write.

    Raises:
        EvaluationError: the table is empty.
    """
    whole = [each for each in table.scores if not each.class_name]
    if not whole:
        raise EvaluationError("a picture of slices needs at least one slice to draw")
    shown = _shown(whole)
    heights = np.arange(len(shown))[::-1]
    with figure_at(path, 10, 1.9 + 0.3 * len(shown)) as figure:
        axes = figure.add_subplot()
        axes.axvline(whole[0].recall, color=GREY, lw=1, ls=":")
        for height, score in zip(heights, shown, strict=True):
            _draw(axes, score, float(height), BLUE, "o")
            worst = _worst_class(score, table.scores)
            if worst is not None:
                _draw(axes, worst, height - 0.22, ORANGE, "v")
            figures_beside(axes, height, _figures(score, worst, table))
        for before, height in zip(shown[:-1], heights[1:], strict=True):
            after = shown[len(shown) - 1 - int(height)]
            if before.name.dimension != after.name.dimension:
                axes.axhline(height + 0.5, color=GREY, lw=0.5, ls=":")
        axes.set_yticks(heights, [shortened(_label(score)) for score in shown])
        said = literal(title)
        if len(shown) < len(whole):
            said += f"\nthe {len(shown) - 1} lowest of {len(whole) - 1} slices"
        axes.set(title=said, xlim=(-0.02, 1.02), ylim=(-0.8, len(shown) - 0.3))
        axes.set_xlabel(
            f"Recall at confidence {table.conf_threshold:g} with its "
            f"{100 * table.confidence:.4g} % interval; hollow: too few to judge"
        )
        light_grid(axes, "x")
        lines = {
            "all classes together": {"color": BLUE, "marker": "o"},
            "the class found worst": {"color": ORANGE, "marker": "v"},
            "recall on all images": {"color": GREY, "ls": ":"},
        }
        legend_below(figure, lines)
    return path


def _shown(whole: Sequence[SliceScore]) -> list[SliceScore]:
    """All, or the first, which is everything, and those with the lowest recall in their order."""
    if len(whole) <= SHOWN_ROWS:
        return list(whole)
    lowest = sorted(whole[1:], key=lambda each: each.recall)[: SHOWN_ROWS - 1]
    return [whole[0], *(each for each in whole[1:] if each in lowest)]


def _draw(axes: Axes, score: SliceScore, height: float, colour: str, marker: str) -> None:
    bounds = score.interval
    if bounds is not None:
        axes.plot([bounds.low, bounds.high], [height, height], color=colour, lw=2)
    face = colour if bounds is not None else "white"
    axes.plot(score.recall, height, marker=marker, color=colour, mfc=face, ms=6, ls="none")


def _worst_class(score: SliceScore, scores: Sequence[SliceScore]) -> SliceScore | None:
    judged = [s for s in scores if s.name == score.name and s.class_name and s.interval]
    return min(judged, key=lambda each: each.recall) if len(judged) > 1 else None


def _figures(score: SliceScore, worst: SliceScore | None, table: SliceTable) -> str:
    counts = f"{score.recall:.3f}  {score.boxes:,} boxes, {score.units:,} {table.unit.value}"
    counts += "s" if score.units != 1 else ""
    if worst is None:
        return counts
    name = literal(shortening.shortened(worst.class_name, LONGEST_CLASS))
    return f"{counts}; {name} {worst.recall:.3f} of {worst.boxes:,}"


def _label(score: SliceScore) -> str:
    name = score.name
    return name.value if name.dimension == "all" else f"{name.dimension}: {name.value}"
