"""Variants of one model beside each other: what each loses against what it gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .drawing import BLUE, GREEN, GREY, RED, figure_at, light_grid, literal, require_some

Bounds = tuple[float, float]


@dataclass(frozen=True)
class ComparedPoint:
    """One variant, against the original.

    Args:
        name: e.g. 'openvino_int8'.
        speedup: original's time ÷ variant's, timed by turns.
        drop: of mAP50-95, original − variant.
        speedup_bounds, drop_bounds: of the 95 % intervals; None where there is none.
        within: lost no more than the limits.
        best: the one that was chosen.
    """

    name: str
    speedup: float
    drop: float
    speedup_bounds: Bounds | None
    drop_bounds: Bounds | None
    within: bool
    best: bool = False


def compared_variants(
    points: Sequence[ComparedPoint],
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
        axes.axhline(limit, color=RED, ls="--", lw=1, label=f"limit {limit:g}")
        axes.axhline(0, color=GREY, lw=0.8)
        axes.axvline(1, color=GREY, lw=0.8)
        axes.plot(1, 0, "D", color=GREY, markersize=8, label="the original", linestyle="none")
        for number, point in enumerate(points, start=1):
            colour = GREEN if point.best else BLUE if point.within else RED
            words = "best" if point.best else "within limits" if point.within else "loses too much"
            axes.errorbar(
                point.speedup,
                point.drop,
                xerr=_whiskers(point.speedup, point.speedup_bounds),
                yerr=_whiskers(point.drop, point.drop_bounds),
                fmt="*" if point.best else "o",
                markersize=15 if point.best else 8,
                color=colour,
                markerfacecolor=colour if point.within else "white",
                capsize=3,
                lw=1,
                label=f"{number}  {literal(point.name)}\n    {words}: "
                f"{point.speedup:.2f} ×, drop {point.drop:+.4f}",
            )
            axes.annotate(
                str(number),
                (point.speedup, point.drop),
                xytext=(8, 6),
                textcoords="offset points",
                fontsize=8,
            )
        axes.set(
            title=title,
            xlabel="Speed-up against the original, timed by turns (more is faster)",
            ylabel="mAP50-95 lost (original − variant)",
        )
        axes.set_xlim(left=0)
        light_grid(axes)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)
    return path


def _whiskers(value: float, bounds: Bounds | None) -> list[list[float]] | None:
    """matplotlib's form: how far below and above. A ratio's interval may miss its own ratio."""
    if bounds is None:
        return None
    return [[max(0.0, value - bounds[0])], [max(0.0, bounds[1] - value)]]
