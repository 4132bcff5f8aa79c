"""Draws variants of one model by what each gains and what it loses.

    accuracy_against_latency   variants that were measured alone, by their own figures
    compared_variants          variants against the original: drop over speed-up
    search_frontier            what a search tried: drop over relative latency

Each function takes points and the path to write and returns that path; with nothing to draw it
raises EvaluationError. Names may be Hangul.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..accuracy.average_precision import Float64
from .drawing import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    RED,
    figure_at,
    light_grid,
    literal,
    require_some,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "D", "^", "v", "P", "X")  # 7 with 8 colours: 56 different marks
Bounds = tuple[float, float]


@dataclass(frozen=True)
class TradeoffPoint:
    """One variant.

    Args:
        name: e.g. 'openvino_int8'.
        speed: median latency of a call, relative latency, or speed-up, as the picture wants it.
        accuracy: mAP50-95, or how much of it was lost: original − variant.
        speed_bounds, accuracy_bounds: of the 95 % intervals; None where there is none.
        size_mb: of its files; None where it is not known.
        within: lost no more than the limits.
        best: the one that was chosen.
    """

    name: str
    speed: float
    accuracy: float
    speed_bounds: Bounds | None = None
    accuracy_bounds: Bounds | None = None
    size_mb: float | None = None
    within: bool = False
    best: bool = False


def accuracy_against_latency(points: Sequence[TradeoffPoint], path: Path) -> Path:
    """mAP50-95 over median latency; a variant that another beats is drawn hollow.

    A variant is beaten when another is better in one of the two and no worse in the other.

    Args:
        points: one per variant, measured on the same images and machine.
        path: .png to write.
    """
    require_some(points, "a comparison of variants")
    latency = np.array([point.speed for point in points])
    accuracy = np.array([point.accuracy for point in points])
    with figure_at(path, 9, 4.8) as figure:
        axes = figure.add_subplot()
        for index, point in enumerate(points):
            colour = COLOURS[index % len(COLOURS)]
            beaten = _is_beaten(index, latency, accuracy)
            size = "" if point.size_mb is None else f", {point.size_mb:.1f} MB"
            axes.plot(
                point.speed,
                point.accuracy,
                marker=MARKERS[index % len(MARKERS)],
                markersize=10,
                markeredgewidth=1.8,
                color=colour,
                markerfacecolor="none" if beaten else colour,
                linestyle="none",
                label=f"{literal(point.name)}\n{point.accuracy:.3f}, {point.speed:.1f} ms{size}",
            )
        # Differences between variants are small beside their level: the axis shows a window.
        room = max(accuracy.max() - accuracy.min(), 0.02)
        axes.set_ylim(accuracy.min() - 0.3 * room, accuracy.max() + 0.3 * room)
        axes.set_xlim(0, latency.max() * 1.15)
        axes.set(title="Accuracy against latency", ylabel="mAP50-95")
        axes.set_xlabel("Latency, median of a call, ms")
        light_grid(axes)
        any_beaten = any(_is_beaten(index, latency, accuracy) for index in range(len(points)))
        axes.legend(
            title="hollow: another is no worse in both\nand better in one" if any_beaten else None,
            loc="upper left",
            bbox_to_anchor=(1.01, 1),
            frameon=False,
            labelspacing=0.9,
        )
    return path


def compared_variants(
    points: Sequence[TradeoffPoint],
    limit: float,
    path: Path,
    *,
    title: str = "Variants against the original",
) -> Path:
    """Drop of mAP50-95 over speed-up, both with their intervals; the original stands at (1, 0).

    Args:
        points: one per variant that was measured, without the original.
        limit: of the drop, drawn as a line.
        path: .png to write.
    """
    require_some(points, "a picture of variants")
    with figure_at(path, 10, max(4.6, 1.5 + 0.5 * len(points))) as figure:
        axes = figure.add_subplot()
        words = ("best", "within limits", "loses too much")
        _draw_drops(axes, points, limit, words, original=True)
        axes.set(title=title, ylabel="mAP50-95 lost (original − variant)")
        axes.set_xlabel("Speed-up against the original, timed by turns (more is faster)")
        axes.set_xlim(left=0)
    return path


def search_frontier(
    points: Sequence[TradeoffPoint], limit: float, path: Path, *, title: str = "What was tried"
) -> Path:
    """Drop of mAP50-95 over relative latency, with intervals, and the limit as a line.

    Args:
        points: in the order in which they were tried, which numbers them.
        limit: of the drop.
        path: .png to write.
    """
    require_some(points, "a picture of a search")
    with figure_at(path, 10, max(4.6, 1.5 + 0.42 * len(points))) as figure:
        axes = figure.add_subplot()
        _draw_drops(axes, points, limit, ("chosen", "accepted", "rejected"))
        axes.set(title=title, ylabel="mAP50-95 lost (original − quantised)")
        axes.set_xlabel("Latency relative to the float model")
    return path


def _draw_drops(
    axes: Axes,
    points: Sequence[TradeoffPoint],
    limit: float,
    words: tuple[str, str, str],
    *,
    original: bool = False,
) -> None:
    """Numbered points with their intervals, a line at the limit, and the legend beside them.

    Args:
        words: for the legend, of the best point, one within the limits, and one beyond.
        original: mark where it stands, at (1, 0).
    """
    axes.axhline(limit, color=RED, ls="--", lw=1, label=f"limit {limit:g}")
    axes.axhline(0, color=GREY, lw=0.8)
    if original:
        axes.axvline(1, color=GREY, lw=0.8)
        axes.plot(1, 0, "D", color=GREY, markersize=8, label="the original", linestyle="none")
    for number, point in enumerate(points, start=1):
        kind = 0 if point.best else 1 if point.within else 2
        colour = (GREEN, BLUE, RED)[kind]
        axes.errorbar(
            point.speed,
            point.accuracy,
            xerr=_whiskers(point.speed, point.speed_bounds),
            yerr=_whiskers(point.accuracy, point.accuracy_bounds),
            fmt="*" if point.best else "o",
            markersize=15 if point.best else 8,
            color=colour,
            markerfacecolor=colour if point.within else "white",
            capsize=3,
            lw=1,
            label=f"{number}  {literal(point.name)}\n    {words[kind]}: "
            f"{point.speed:.2f} ×, drop {point.accuracy:+.4f}",
        )
        axes.annotate(
            str(number),
            (point.speed, point.accuracy),
            xytext=(8, 6),
            textcoords="offset points",
            fontsize=8,
        )
    light_grid(axes)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)


def _whiskers(value: float, bounds: Bounds | None) -> list[list[float]] | None:
    """matplotlib's form: how far below and above. A ratio's interval may miss its own ratio."""
    if bounds is None:
        return None
    return [[max(0.0, value - bounds[0])], [max(0.0, bounds[1] - value)]]


def _is_beaten(index: int, latency: Float64, accuracy: Float64) -> bool:
    """Whether another variant is better in one and no worse in the other."""
    no_worse = (latency <= latency[index]) & (accuracy >= accuracy[index])
    better = (latency < latency[index]) | (accuracy > accuracy[index])
    return bool((no_worse & better).any())
