"""Draws times: of calls by batch size, of single calls, and latency under a load of cameras.

Each function takes values and the path to write and returns that path; with nothing to draw it
raises EvaluationError. Names may be Hangul.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.estimates import Estimate
from ...contracts.measurements import CameraCapacity, CameraStep, LatencyResult, Timing
from .drawing import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    ORANGE,
    RED,
    SKY,
    figure_at,
    legend_beside,
    light_grid,
    literal,
    require_some,
    shortened,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

PERCENTILE_MARKS = {50: "o", 95: "D", 99: "^"}
# From this ratio of the longest to the shortest on, a linear axis would press most into a corner.
WIDE_SPREAD = 8.0


def latency_by_batch_size(results: Sequence[LatencyResult], path: Path) -> Path:
    """Latency of a call (median, p95 and p99 where measured) and images a second.

    Args:
        results: one per batch size.
        path: .png to write.
    """
    require_some(results, "a picture of latency")
    ordered = sorted(results, key=lambda result: result.batch_size)
    columns = np.arange(len(ordered))
    with figure_at(path, 9, 4.2) as figure:
        figure.suptitle("Latency and throughput")
        left, right = figure.subplots(1, 2)
        medians = [result.latency_p50_ms for result in ordered]
        left.bar(columns, medians, width=0.6, color=BLUE, label="median")
        _scatter_known(left, [r.latency.p95 for r in ordered], "p95", "D", ORANGE)
        _scatter_known(left, [r.latency.p99 for r in ordered], "p99", "^", RED)
        left.set(xlabel="Batch size and median", ylabel="Latency of a call, ms")
        rates = [result.fps for result in ordered]
        right.bar(columns, rates, width=0.6, color=GREEN)
        right.set(xlabel="Batch size and throughput", ylabel="Images a second")
        sides = max(len(ordered), 4) / 2  # one bar alone need not fill the picture
        for axes, values, unit in ((left, medians, " ms"), (right, rates, "/s")):
            # The figures stand below: above the bars are the marks of p95 and p99.
            names = [
                f"{result.batch_size}\n{value:.1f}{unit}"
                for result, value in zip(ordered, values, strict=True)
            ]
            axes.set_xticks(columns, names)
            middle = (len(ordered) - 1) / 2
            axes.set_xlim(middle - sides, middle + sides)
            light_grid(axes, "y")
        handles, labels = left.get_legend_handles_labels()
        by_label = dict(zip(labels, handles, strict=True))
        shown = {each: by_label[each] for each in ("median", "p95", "p99") if each in by_label}
        figure.legend(shown.values(), shown, loc="outside lower left", ncols=3, frameon=False)
    return path


def latency_distribution(
    timings: Mapping[str, Timing], path: Path, *, title: str = "How long calls took"
) -> Path:
    """Share of calls that took at most so long, with p50, p95 and p99 and their 95 % intervals.

    The axis of times is logarithmic where the slowest call took many times the fastest.

    Args:
        timings: model or stage → its times.
        path: .png to write.
    """
    require_some(timings, "a picture of call times")
    # The legend beside the curves has four lines for each.
    with figure_at(path, 10, max(4.8, 0.9 + 0.8 * len(timings))) as figure:
        axes = figure.add_subplot()
        for index, (name, timing) in enumerate(timings.items()):
            require_some(timing.samples_ms, f"the distribution of {name}")
            colour = COLOURS[index % len(COLOURS)]
            style = "-" if index < len(COLOURS) else "--"
            times = np.sort(timing.samples_ms)
            label = "\n".join([shortened(name), *_percentile_lines(timing)])
            axes.ecdf(times, color=colour, lw=1.6, ls=style, label=label)
            for percent, percentile in timing.percentiles.items():
                if percentile is not None:
                    _mark_percentile(axes, percent, percentile, colour)
        every = np.concatenate([timing.samples_ms for timing in timings.values()])
        shortest, longest = float(every.min()), float(every.max())
        if shortest > 0 and longest / shortest > WIDE_SPREAD:
            _logarithmic(axes, "x", shortest, longest)
        else:
            axes.set_xlim(left=0)
        for share in (0.5, 0.95, 0.99):
            axes.axhline(share, color=GREY, lw=0.5, ls=":")
        axes.set_yticks([0, 0.25, 0.5, 0.75, 0.95], ["0", "25 %", "50 %", "75 %", "95 %"])
        axes.set(title=literal(title), xlabel="Time of a call, ms", ylim=(0, 1.02))
        axes.set_ylabel("Calls that took at most so long")
        light_grid(axes, "x")
        title = "● p50   ◆ p95   ▲ p99, with their intervals"
        legend_beside(axes, title=title, fontsize=8.5, title_fontsize=8.5, labelspacing=0.9)
    return path


def camera_load(capacity: CameraCapacity, path: Path) -> Path:
    """Latency over the number of cameras, the budget, and the largest number that holds.

    Args:
        capacity: with at least one load tried.
        path: .png to write.
    """
    from matplotlib.ticker import FixedLocator, MaxNLocator

    require_some(capacity.steps, "a picture of camera loads")
    steps = sorted(capacity.steps, key=lambda step: step.cameras)
    with figure_at(path, 9, 4.8) as figure:
        axes = figure.add_subplot()
        cameras = [step.cameras for step in steps]
        medians = [_median(step) for step in steps]
        highest, lowest = _draw_p95(axes, steps), min(medians)
        axes.plot(cameras, medians, color=SKY, marker="o", ms=5, lw=1.2, label="median")
        failing = [(s.cameras, m) for s, m in zip(steps, medians, strict=True) if not s.holds]
        if failing:
            at, values = zip(*failing, strict=True)
            axes.plot(at, values, "o", ms=5, mfc="white", color=RED, label="median, fails")
        budget = capacity.latency_budget_ms
        axes.axhline(budget, color="black", lw=1.2, ls="--", label=f"budget for p95, {budget:g} ms")
        highest = max(highest, budget, *medians)
        if lowest > 0 and highest > 5 * max(budget, lowest):
            _logarithmic(axes, "y", min(lowest, budget), highest)
        else:
            axes.set_ylim(0, 1.1 * highest)
        if capacity.cameras:
            axes.axvline(
                capacity.cameras,
                color=GREEN,
                lw=6,
                alpha=0.25,
                zorder=0,
                label=f"largest that holds: {capacity.cameras}",
            )
        axes.set(title=_found(capacity), ylabel="Frame arrives → boxes, ms")
        axes.set_xlabel(f"Cameras, {capacity.fps:g} frames/s each")
        axes.set_xlim(min(cameras) - 0.6, max(cameras) + 0.6)
        axes.xaxis.set_major_locator(
            FixedLocator(cameras) if len(cameras) <= 15 else MaxNLocator(integer=True)
        )
        light_grid(axes)
        legend_beside(axes)
    return path


def _scatter_known(
    axes: Axes, values: Sequence[Estimate | None], label: str, marker: str, colour: str
) -> None:
    """Marks above the bars that have a value; none and no legend entry where no bar has."""
    known = [(column, each.value) for column, each in enumerate(values) if each is not None]
    if known:
        columns, heights = zip(*known, strict=True)
        axes.scatter(columns, heights, marker=marker, color=colour, label=label, zorder=3)


def _percentile_lines(timing: Timing) -> list[str]:
    """Lines of the legend for one model: its percentiles, or why there is none."""
    lines = []
    for percent, percentile in timing.percentiles.items():
        if percentile is None:
            lines.append(f"p{percent}: insufficient samples ({len(timing.samples_ms)})")
        else:
            digits = ".4g" if percentile.value < 1000 else ".0f"
            lines.append(f"p{percent}: {percentile.value:{digits}} ms")
    return lines


def _mark_percentile(axes: Axes, percent: int, found: Estimate, colour: str) -> None:
    share, mark = percent / 100, PERCENTILE_MARKS[percent]
    bounds = [found.low, found.high]
    axes.plot(bounds, [share, share], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
    axes.plot(found.value, share, mark, color=colour, ms=7, mec="white", mew=0.8)


def _draw_p95(axes: Axes, steps: Sequence[CameraStep]) -> float:
    """p95 with its interval, filled where the load holds; returns the highest point drawn."""
    known = [(step, step.latency.p95) for step in steps if step.latency.p95 is not None]
    cameras = [step.cameras for step, _ in known]
    axes.plot(cameras, [p95.value for _, p95 in known], color=GREY, lw=1.2, zorder=1)
    labels = {True: "p95, holds", False: "p95, fails"}
    for step, p95 in known:
        colour = BLUE if step.holds else RED
        axes.errorbar(
            step.cameras,
            p95.value,
            yerr=[[p95.value - p95.low], [p95.high - p95.value]],
            color=colour,
            marker="D",
            ms=7,
            mfc=colour if step.holds else "white",
            mew=1.6,
            elinewidth=1.6,
            capsize=4,
            ls="none",
            label=labels.pop(step.holds, None),  # of the first of its kind alone
        )
    unknown = len(steps) - len(known)
    if unknown:
        plural = "s" if unknown > 1 else ""
        axes.plot([], [], ls="none", label=f"p95: insufficient samples\nat {unknown} load{plural}")
    return max((p95.high for _, p95 in known), default=0.0)


def _median(step: CameraStep) -> float:
    if not step.latency.samples_ms:
        raise EvaluationError(f"the load of {step.cameras} cameras has no times to draw")
    return float(np.median(step.latency.samples_ms))


def _found(capacity: CameraCapacity) -> str:
    within = f"with p95 within {capacity.latency_budget_ms:g} ms"
    if not capacity.cameras:
        return f"Not even one camera holds {within}"
    plural = "s" if capacity.cameras > 1 else ""
    return f"{capacity.cameras} camera{plural} hold{'' if plural else 's'} {within}"


def _logarithmic(axes: Axes, axis: Literal["x", "y"], lowest: float, highest: float) -> None:
    """A logarithmic axis with plain numbers on it instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    limits = (lowest / 1.15, highest * 1.15)
    axes.set(**{f"{axis}scale": "log", f"{axis}lim": limits})
    ticks: Axis = axes.xaxis if axis == "x" else axes.yaxis
    many = highest / lowest > 300
    ticks.set_major_locator(LogLocator(base=10, subs=(1.0,) if many else (1.0, 2.0, 5.0)))
    ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ticks.set_minor_formatter(NullFormatter())
