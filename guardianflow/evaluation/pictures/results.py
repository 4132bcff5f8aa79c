"""Pictures of results, as PNG files.

Each function takes values and the path to write, and returns that path; with nothing to draw it
raises EvaluationError. Class names may be Hangul.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...contracts.measurements import LatencyResult
from ..accuracy.average_precision import RECALL_POINTS, Float64
from .contact_sheet import detections_contact_sheet
from .drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    RED,
    SKY,
    figure_at,
    light_grid,
    literal,
    require_some,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "VariantPoint",
    "average_precision_bars",
    "detections_contact_sheet",
    "latency_by_batch_size",
    "precision_recall_curve",
    "variants_comparison",
]

CURVE_COLOURS = (BLUE, ORANGE, GREEN, RED, PINK, SKY, "#8C6D31", "#7A68A6")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")  # 7 with 8 colours: 56 different marks


def precision_recall_curve(
    curves: Mapping[str, Float64], path: Path, *, title: str = "Precision and recall at IoU 0.5"
) -> Path:
    """Precision over recall of each class, and the mean of all.

    With more classes than colours, the best and the worst are named and the rest is grey.

    Args:
        curves: class name → float64, 101: precision at recall 0, 0.01 … 1, as
            detection.precision_recall_curves gives it.
        path: .png to write.
    """
    require_some(curves, "a precision-recall picture")
    average = {name: float(curve.mean()) for name, curve in curves.items()}
    by_ap = sorted(curves, key=average.__getitem__, reverse=True)
    half = len(CURVE_COLOURS) // 2
    named = by_ap if len(by_ap) <= 2 * half else by_ap[:half] + by_ap[-half:]
    with figure_at(path, 8, 4.8) as figure:
        axes = figure.add_subplot()
        between = [curves[name] for name in by_ap[half:-half]] if named is not by_ap else []
        for curve in between:
            axes.plot(RECALL_POINTS, curve, color=GREY, lw=0.6, alpha=0.35)
        for name, colour in zip(named, CURVE_COLOURS, strict=False):
            label = f"{average[name]:.3f}  {literal(name)}"
            axes.plot(RECALL_POINTS, curves[name], color=colour, lw=1.5, label=label)
        if between:
            axes.plot([], [], color=GREY, lw=0.6, label=f"{len(between)} classes between these")
        if len(curves) > 1:
            mean = np.mean(list(curves.values()), axis=0)
            axes.plot(RECALL_POINTS, mean, "k--", lw=2.5, label=f"{mean.mean():.3f}  all classes")
        axes.set(title=title, xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.02))
        light_grid(axes)
        axes.legend(title="AP50", loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    return path


def average_precision_bars(
    ap: Mapping[str, float],
    ap50: Mapping[str, float],
    path: Path,
    *,
    title: str = "Average precision by class",
) -> Path:
    """AP50-95 and AP50 of each class, best class on top.

    Args:
        ap, ap50: class name → value in 0…1, the same names.
        path: .png to write.
    """
    require_some(ap, "a picture of average precision")
    names = sorted(ap, key=lambda name: ap[name])
    rows = np.arange(len(names))
    few = len(names) <= 30
    size, row_inches = (9, 0.42) if few else (7, 0.19)
    with figure_at(path, 8, 1.5 + len(names) * row_inches) as figure:
        axes = figure.add_subplot()
        axes.barh(rows, [ap50[n] for n in names], height=0.8, color="#B5D3E8", label="AP50")
        axes.barh(rows, [ap[n] for n in names], height=0.45, color=BLUE, label="AP50-95")
        for row, name in enumerate(names):
            end = max(ap50[name], ap[name]) + 0.01
            text = f"{ap[name]:.3f} / {ap50[name]:.3f}"
            axes.text(end, row, text, va="center", fontsize=size, color=GREY)
        axes.set_yticks(rows, [literal(name) for name in names], fontsize=size)
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.set(title=title, xlim=(0, 1.2), ylim=(-0.7, len(names) - 0.3))
        axes.set_xlabel("AP50-95 / AP50")
        light_grid(axes, "x")
        figure.legend(loc="outside lower right", ncols=2, frameon=False)
    return path


def latency_by_batch_size(
    results: Sequence[LatencyResult], path: Path, *, title: str = "Latency and throughput"
) -> Path:
    """Latency of a call (median, p95 and p99 where measured) and images a second.

    Args:
        results: one per batch size.
        path: .png to write.
    """
    require_some(results, "a picture of latency")
    ordered = sorted(results, key=lambda result: result.batch_size)
    columns = np.arange(len(ordered))
    with figure_at(path, 9, 4.2) as figure:
        figure.suptitle(title)
        left, right = figure.subplots(1, 2)
        medians = [result.latency_p50_ms for result in ordered]
        left.bar(columns, medians, width=0.6, color=BLUE, label="median")
        _scatter_known(left, [r.latency.p95.value_ms for r in ordered], "p95", "D", ORANGE)
        _scatter_known(left, [r.latency.p99.value_ms for r in ordered], "p99", "^", RED)
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
        shown = [label for label in ("median", "p95", "p99") if label in by_label]
        figure.legend(
            [by_label[label] for label in shown],
            shown,
            loc="outside lower left",
            ncols=3,
            frameon=False,
        )
    return path


@dataclass(frozen=True)
class VariantPoint:
    """One variant in a comparison.

    Args:
        name: e.g. 'openvino_int8'.
        latency_p50_ms: median latency of a call.
        mAP50_95: 0…1.
        size_mb: of its files; None where it is not known.
    """

    name: str
    latency_p50_ms: float
    mAP50_95: float  # noqa: N815 - the field's own spelling
    size_mb: float | None = None


def variants_comparison(
    points: Sequence[VariantPoint], path: Path, *, title: str = "Accuracy against latency"
) -> Path:
    """mAP50-95 over median latency; a variant that another beats is drawn hollow.

    A variant is beaten when another is better in one of the two and no worse in the other.

    Args:
        points: one per variant, measured on the same images and machine.
        path: .png to write.
    """
    require_some(points, "a comparison of variants")
    latency = np.array([point.latency_p50_ms for point in points])
    accuracy = np.array([point.mAP50_95 for point in points])
    with figure_at(path, 9, 4.8) as figure:
        axes = figure.add_subplot()
        for index, point in enumerate(points):
            colour = CURVE_COLOURS[index % len(CURVE_COLOURS)]
            beaten = _is_beaten(index, latency, accuracy)
            size = "" if point.size_mb is None else f", {point.size_mb:.1f} MB"
            axes.plot(
                point.latency_p50_ms,
                point.mAP50_95,
                marker=MARKERS[index % len(MARKERS)],
                markersize=10,
                markeredgewidth=1.8,
                color=colour,
                markerfacecolor="none" if beaten else colour,
                linestyle="none",
                label=f"{literal(point.name)}\n{point.mAP50_95:.3f}, "
                f"{point.latency_p50_ms:.1f} ms{size}",
            )
        # Differences between variants are small beside their level: the axis shows a window.
        room = max(accuracy.max() - accuracy.min(), 0.02)
        axes.set_ylim(accuracy.min() - 0.3 * room, accuracy.max() + 0.3 * room)
        axes.set_xlim(0, latency.max() * 1.15)
        axes.set(title=title, xlabel="Latency, median of a call, ms", ylabel="mAP50-95")
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


def _scatter_known(
    axes: Axes, values: Sequence[float | None], label: str, marker: str, colour: str
) -> None:
    """Marks above the bars that have a value; none and no legend entry where no bar has."""
    known = [(column, value) for column, value in enumerate(values) if value is not None]
    if known:
        columns, heights = zip(*known, strict=True)
        axes.scatter(columns, heights, marker=marker, color=colour, label=label, zorder=3)


def _is_beaten(index: int, latency: Float64, accuracy: Float64) -> bool:
    """Whether another variant is better in one and no worse in the other."""
    no_worse = (latency <= latency[index]) & (accuracy >= accuracy[index])
    better = (latency < latency[index]) | (accuracy > accuracy[index])
    return bool((no_worse & better).any())
