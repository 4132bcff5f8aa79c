"""Draws variants of one model by what each gains and what it loses.

    accuracy_against_latency   variants that were measured alone, by their own figures
    compared_variants          variants against the original: drop over speed-up
    search_frontier            what a search tried: drop over relative latency

Each function takes points and the path to write and returns that path; with nothing to draw it
raises EvaluationError. Names may be Hangul. Intervals are drawn where there are any, and no axis
makes a small difference look large: SMALLEST_SPAN. A point without a time stands in a strip of its
own, beside the axis of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .drawing import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    RED,
    figure_at,
    legend_beside,
    light_grid,
    literal,
    require_some,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "D", "^", "v", "P", "X")  # 7 with 8 colours: 56 different marks
Bounds = tuple[float, float]
# Of an axis of mAP: a twentieth of what it can be, so that thousandths look like what they are.
SMALLEST_SPAN = 0.05
ROOM = 0.06


@dataclass(frozen=True)
class TradeoffPoint:
    """One variant.

    Args:
        name: e.g. 'openvino_int8'.
        speed: median latency of a call, relative latency, or speed-up, as the picture wants it;
            None where it was not measured.
        accuracy: mAP50-95, or how much of it was lost: original − variant.
        speed_bounds, accuracy_bounds: of the 95 % intervals; None where there is none.
        size_mb: of its files; None where it is not known.
        within: lost no more than the limits.
        best: the one that was chosen.
    """

    name: str
    speed: float | None
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
    with figure_at(path, 9.5, 4.8) as figure:
        timed, untimed = _axes_for(figure, points)
        labels = []
        for index, point in enumerate(points):
            colour = COLOURS[index % len(COLOURS)]
            size = "" if point.size_mb is None else f", {point.size_mb:.1f} MB"
            time = "no time" if point.speed is None else f"{point.speed:.1f} ms"
            labels.append(
                f"{literal(point.name)}\n{point.accuracy:.3f}{_shown(point)}, {time}{size}"
            )
            _draw_point(
                point,
                timed,
                untimed,
                marker=MARKERS[index % len(MARKERS)],
                markersize=9,
                markeredgewidth=1.8,
                color=colour,
                markerfacecolor="white" if _is_beaten(point, points) else colour,
                label=labels[-1],
            )
        left = timed or untimed
        assert left is not None  # there is a point
        left.set_ylim(*_accuracy_limits(points, within=(0.0, 1.0)))
        left.set_ylabel("mAP50-95")
        bounded = any(each.accuracy_bounds or each.speed_bounds for each in points)
        figure.suptitle(f"Accuracy against latency{', 95 % intervals' if bounded else ''}")
        if timed is not None:
            reach = [(each.speed or 0.0, *(each.speed_bounds or ())) for each in points]
            timed.set_xlim(0, max(map(max, reach)) * 1.15)
            timed.set_xlabel("Latency, median of a call, ms")
        hollow = any(_is_beaten(each, points) for each in points)
        beaten = "hollow: another is no worse in both\nand better in one" if hollow else None
        _legend(timed, untimed, labels, title=beaten, labelspacing=0.9)
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
        words = ("best", "within limits", "loses too much")
        left, timed = _draw_drops(figure, points, limit, words, original=True)
        left.set_ylabel("mAP50-95 lost (original − variant)")
        figure.suptitle(title)
        if timed is not None:
            timed.set_xlabel("Speed-up against the original, timed by turns (more is faster)")
            timed.set_xlim(left=0)
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
        words = ("chosen", "accepted", "rejected")
        left, timed = _draw_drops(figure, points, limit, words)
        left.set_ylabel("mAP50-95 lost (original − quantised)")
        figure.suptitle(title)
        if timed is not None:
            timed.set_xlabel("Latency relative to the float model")
    return path


def _draw_drops(
    figure: Figure,
    points: Sequence[TradeoffPoint],
    limit: float,
    words: tuple[str, str, str],
    *,
    original: bool = False,
) -> tuple[Axes, Axes | None]:
    """Numbered points with their intervals, a line at the limit, and the legend beside them.

    Args:
        words: for the legend, of the best point, one within the limits, and one beyond.
        original: mark where it stands, at (1, 0).

    Returns:
        The axes with the scale of accuracy, and those with times, which may be the same; None where
        no point has a time.
    """
    timed, untimed = _axes_for(figure, points)
    for axes in filter(None, (timed, untimed)):
        first = axes is (timed or untimed)
        axes.axhline(limit, color=RED, ls="--", lw=1, label=f"limit {limit:g}" if first else None)
        axes.axhline(0, color=GREY, lw=0.8)
    if original and timed is not None:
        timed.axvline(1, color=GREY, lw=0.8)
        timed.plot(1, 0, "D", color=GREY, markersize=8, label="the original", linestyle="none")
    labels = []
    for number, point in enumerate(points, start=1):
        kind = 0 if point.best else 1 if point.within else 2
        colour = (GREEN, BLUE, RED)[kind]
        time = "no time" if point.speed is None else f"{point.speed:.2f} ×"
        labels.append(
            f"{number}  {literal(point.name)}\n    {words[kind]}: {time}, "
            f"drop {point.accuracy:+.4f}"
        )
        axes, place = _draw_point(
            point,
            timed,
            untimed,
            marker="*" if point.best else "o",
            markersize=15 if point.best else 8,
            color=colour,
            markerfacecolor=colour if point.within else "white",
            label=labels[-1],
        )
        axes.annotate(
            str(number),
            (place, point.accuracy),
            xytext=(8, 6),
            textcoords="offset points",
            fontsize=8,
        )
    left = timed or untimed
    assert left is not None  # there is a point
    left.set_ylim(*_accuracy_limits(points, shown=(0.0, limit)))
    _legend(timed, untimed, labels, fontsize=8)
    return left, timed


# --- axes and points ------------------------------------------------------------------------------


def _axes_for(figure: Figure, points: Sequence[TradeoffPoint]) -> tuple[Axes | None, Axes | None]:
    """Axes for points with a time, and beside them a strip for those without; None without any."""
    untimed = [point for point in points if point.speed is None]
    if not untimed:
        timed = figure.add_subplot()
        light_grid(timed)
        return timed, None
    if len(untimed) == len(points):
        return None, _strip(figure.add_subplot(), untimed)
    widths = [1.0, min(0.6, 0.1 + 0.06 * len(untimed))]
    timed, strip = figure.subplots(1, 2, sharey=True, width_ratios=widths)
    light_grid(timed)
    return timed, _strip(strip, untimed)


def _strip(axes: Axes, untimed: Sequence[TradeoffPoint]) -> Axes:
    """Points side by side, in their order."""
    light_grid(axes, "y")
    axes.set_xlim(-0.7, len(untimed) - 0.3)
    axes.set_xticks([])
    axes.set_xlabel("Not timed")
    return axes


def _draw_point(
    point: TradeoffPoint, timed: Axes | None, untimed: Axes | None, **style: Any
) -> tuple[Axes, float]:
    """A mark with its intervals, on the axes where it belongs; those and its place there."""
    below, above = point.accuracy_bounds or (point.accuracy, point.accuracy)
    style |= {"linestyle": "none", "capsize": 3, "elinewidth": 1}
    whiskers = _whiskers(point.accuracy, (below, above)) if point.accuracy_bounds else None
    if point.speed is None:
        assert untimed is not None  # _axes_for made one for it
        # In a strip marks stand beside each other: as many as stand there already.
        place = float(len(untimed.containers))
        untimed.errorbar(place, point.accuracy, yerr=whiskers, **style)
        return untimed, place
    assert timed is not None
    across = _whiskers(point.speed, point.speed_bounds)
    timed.errorbar(point.speed, point.accuracy, xerr=across, yerr=whiskers, **style)
    return timed, point.speed


def _accuracy_limits(
    points: Sequence[TradeoffPoint],
    shown: tuple[float, ...] = (),
    within: Bounds | None = None,
) -> Bounds:
    """Of the axis: all intervals and what else is shown are on it, and it spans SMALLEST_SPAN.

    Args:
        within: values that can't be passed; the axis ends a little beyond.
    """
    values = [*shown, *(point.accuracy for point in points)]
    values += [bound for point in points for bound in point.accuracy_bounds or ()]
    low, high = min(values), max(values)
    missing = max(0.0, SMALLEST_SPAN - (high - low)) / 2
    low, high = low - missing, high + missing
    room = ROOM * (high - low)
    low, high = low - room, high + room
    if within is not None:
        edge = ROOM / 2 * (within[1] - within[0])
        low, high = max(low, within[0] - edge), min(high, within[1] + edge)
    return low, high


def _shown(point: TradeoffPoint) -> str:
    """' [0.412…0.447]'; '' without an interval."""
    bounds = point.accuracy_bounds
    return "" if bounds is None else f" [{bounds[0]:.3f}…{bounds[1]:.3f}]"


def _legend(timed: Axes | None, untimed: Axes | None, order: Sequence[str], **style: Any) -> None:
    """All marks in one legend, to the right of everything.

    Args:
        order: labels of the points.
    """
    both = [axes for axes in (timed, untimed) if axes is not None]
    drawn: list[tuple[Any, str]] = []
    for axes in both:
        drawn += zip(*axes.get_legend_handles_labels(), strict=True)
    # Lines first, then the points in their order, whichever axes they stand on.
    drawn.sort(key=lambda each: order.index(each[1]) if each[1] in order else -1)
    handles, labels = zip(*drawn, strict=True)
    legend_beside(both[-1], handles=handles, labels=labels, **style)


def _whiskers(value: float, bounds: Bounds | None) -> list[list[float]] | None:
    """matplotlib's form: how far below and above. A ratio's interval may miss its own ratio."""
    if bounds is None:
        return None
    return [[max(0.0, value - bounds[0])], [max(0.0, bounds[1] - value)]]


def _is_beaten(point: TradeoffPoint, points: Sequence[TradeoffPoint]) -> bool:
    """Whether another is better in one and no worse in the other; not without a time."""
    mine = point.speed
    if mine is None:
        return False
    return any(
        (other.speed < mine or other.accuracy > point.accuracy)
        and other.speed <= mine
        and other.accuracy >= point.accuracy
        for other in points
        if other.speed is not None
    )
