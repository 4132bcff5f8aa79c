"""What a search for a quantised model tried: what each try loses against what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...contracts.estimates import Estimate
from .drawing import BLUE, GREEN, GREY, RED, figure_at, light_grid, literal, require_some


@dataclass(frozen=True)
class TryPoint:
    """One try.

    Args:
        label: for the legend.
        cost: of a call, relative to the float model.
        drop: of mAP50-95, original − try, with its interval.
        accepted: within the limits.
        best: the one that was chosen.
    """

    label: str
    cost: float
    drop: Estimate
    accepted: bool
    best: bool = False


def search_frontier(
    points: Sequence[TryPoint],
    limit: float,
    path: Path,
    *,
    title: str = "What was tried",
    cost_name: str = "Latency relative to the float model",
) -> Path:
    """Drop over cost, with intervals; the limit as a line, numbers in the order of the tries.

    Args:
        points: in the order in which they were tried.
        limit: of the drop.
        path: .png to write.
    """
    require_some(points, "a picture of a search")
    with figure_at(path, 10, max(4.6, 1.5 + 0.42 * len(points))) as figure:
        axes = figure.add_subplot()
        axes.axhline(limit, color=RED, ls="--", lw=1, label=f"limit {limit:g}")
        axes.axhline(0, color=GREY, lw=0.8)
        for number, point in enumerate(points, start=1):
            colour = GREEN if point.best else BLUE if point.accepted else RED
            words = "chosen" if point.best else "accepted" if point.accepted else "rejected"
            below, above = point.drop.value - point.drop.low, point.drop.high - point.drop.value
            axes.errorbar(
                point.cost,
                point.drop.value,
                yerr=[[below], [above]],
                fmt="*" if point.best else "o",
                markersize=15 if point.best else 8,
                color=colour,
                markerfacecolor=colour if point.accepted else "white",
                capsize=3,
                lw=1,
                label=f"{number}  {literal(point.label)}\n    {words}: "
                f"{point.cost:.2f} ×, drop {point.drop.value:+.4f}",
            )
            axes.annotate(
                str(number),
                (point.cost, point.drop.value),
                xytext=(8, 6),
                textcoords="offset points",
                fontsize=8,
            )
        axes.set(title=title, xlabel=cost_name, ylabel="mAP50-95 lost (original − quantised)")
        light_grid(axes)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)
    return path
