"""Draws accuracy: of each class, confusions between classes, differences between two models.

Each function takes values and the path to write and returns that path; with nothing to draw it
raises EvaluationError. Names may be Hangul.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.estimates import Estimate
from ...support.text import shortening
from ..accuracy.average_precision import RECALL_POINTS, Bool, Float64, Int64
from .drawing import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    LONGEST_NAME,
    RED,
    figure_at,
    figures_beside,
    legend_below,
    legend_beside,
    light_grid,
    literal,
    require_some,
    shortened,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OVERALL = ("mAP50_95", "mAP50", "recall")
SHOWN_ROWS = 30
# Colour and shape: neither needs the other to be understood.
BETTER, WORSE, UNDECIDED = (GREEN, "^"), (RED, "v"), (GREY, "o")
VERDICT_MARKS = {
    BETTER: "better",
    WORSE: "worse",
    UNDECIDED: "undecided: the interval holds 0",
}
# More rows of a confusion matrix than this can't be read, nor their numbers.
SHOWN_CLASSES = 20
LONGEST_CLASS = 18


def precision_recall_curve(curves: Mapping[str, Float64], path: Path) -> Path:
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
    half = len(COLOURS) // 2
    named = by_ap if len(by_ap) <= 2 * half else by_ap[:half] + by_ap[-half:]
    with figure_at(path, 8, 4.8) as figure:
        axes = figure.add_subplot()
        between = [curves[name] for name in by_ap[half:-half]] if named is not by_ap else []
        for curve in between:
            axes.plot(RECALL_POINTS, curve, color=GREY, lw=0.6, alpha=0.35)
        for name, colour in zip(named, COLOURS, strict=False):
            label = f"{average[name]:.3f}  {literal(name)}"
            axes.plot(RECALL_POINTS, curves[name], color=colour, lw=1.5, label=label)
        if between:
            axes.plot([], [], color=GREY, lw=0.6, label=f"{len(between)} classes between these")
        if len(curves) > 1:
            mean = np.mean(list(curves.values()), axis=0)
            axes.plot(RECALL_POINTS, mean, "k--", lw=2.5, label=f"{mean.mean():.3f}  all classes")
        axes.set(xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.set_title("Precision and recall at IoU 0.5")
        light_grid(axes)
        legend_beside(axes, title="AP50")
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
            figures = f"{ap[name]:.3f} / {ap50[name]:.3f}"
            axes.text(end, row, figures, va="center", fontsize=size, color=GREY)
        axes.set_yticks(rows, [literal(name) for name in names], fontsize=size)
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.set(title=title, xlim=(0, 1.2), ylim=(-0.7, len(names) - 0.3))
        axes.set_xlabel("AP50-95 / AP50")
        light_grid(axes, "x")
        figure.legend(loc="outside lower right", ncols=2, frameon=False)
    return path


def confusion_matrix_picture(matrix: Int64, class_names: Sequence[str], path: Path) -> Path:
    """Counts, coloured by their share of the row: of the true boxes of that class.

    With more than 20 classes only those that are confused most have a row and a column of their
    own, and the picture says so: those that were taken for another class or another class for
    them most often, then those with the most missed boxes and false alarms. The others share one.

    Args:
        matrix: int64, (C+1)×(C+1), from confusion_matrix.
        class_names: index = class id.
        path: .png to write.
    """
    require_some(class_names, "a confusion matrix")
    classes = len(class_names)
    if matrix.shape != (classes + 1, classes + 1):
        raise EvaluationError(
            f"the matrix must be {classes + 1}×{classes + 1} for {classes} classes and the "
            f"background but is {'×'.join(str(n) for n in matrix.shape)}"
        )
    shown = _most_confused(matrix)
    counts = _with_others(matrix, shown)
    labels = [shortened(class_names[index], LONGEST_CLASS) for index in shown]
    labels += ["other classes"] * (len(shown) < classes)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    # Shares of false alarms are of another kind than shares of true boxes: no colour.
    coloured = np.ma.masked_array(shares, np.zeros(shares.shape, bool))
    coloured[-1] = np.ma.masked
    side = 2.2 + (0.62 if len(counts) <= 10 else 0.45) * max(len(counts), 4)
    with figure_at(path, side + 1.6, side) as figure:
        axes = figure.add_subplot()
        image = axes.imshow(coloured, cmap="Blues", vmin=0, vmax=1)
        _write_counts(axes, counts, shares)
        ticks = range(len(counts))
        axes.set_yticks(ticks, [*labels, "nothing there"])
        axes.set_xticks(ticks, [*labels, "missed"], rotation=45, ha="right", rotation_mode="anchor")
        axes.tick_params(length=0)
        title = "What true boxes were taken for"
        if len(shown) < classes:
            title += f"\nthe {len(shown)} most confused of {classes} classes"
        axes.set(title=title, xlabel="Reported as", ylabel="True class")
        axes.axhline(len(counts) - 1.5, color=GREY, lw=1)
        axes.axvline(len(counts) - 1.5, color=GREY, lw=1)
        axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, shrink=0.7, label="Share of the class's true boxes")
    return path


def differences_forest(
    estimates: Mapping[str, Estimate],
    path: Path,
    *,
    title: str = "Second model − first model",
) -> Path:
    """Each difference with its 95 % interval beside a line at 0, the overall ones on top.

    With more than 30 only the overall ones and the classes with the lowest differences are shown,
    and the picture says so.

    Args:
        estimates: key → second − first, as significance.bootstrap_differences gives them.
        path: .png to write.
    """
    require_some(estimates, "a picture of differences")
    overall, classes = _rows(estimates)
    shown = overall + classes[: SHOWN_ROWS - len(overall)]
    with figure_at(path, 9, 1.7 + 0.3 * len(shown)) as figure:
        axes = figure.add_subplot()
        axes.axvline(0, color="black", lw=1)
        heights = np.arange(len(shown))[::-1]
        for height, key in zip(heights, shown, strict=True):
            estimate = estimates[key]
            colour, marker = _verdict_mark(estimate)
            axes.plot([estimate.low, estimate.high], [height, height], color=colour, lw=2)
            size = 8 if key in overall else 5.5
            axes.plot(estimate.value, height, marker=marker, color=colour, ms=size, ls="none")
            figures = f"{estimate.value:+.3f}  [{estimate.low:+.3f}, {estimate.high:+.3f}]"
            figures_beside(axes, height, figures.replace("-", "−"))
        if overall and classes:
            axes.axhline(len(shown) - len(overall) - 0.5, color=GREY, lw=0.6, ls=":")
        axes.set_yticks(heights, [shortened(_row_name(key)) for key in shown])
        title = literal(title)
        if len(shown) < len(overall) + len(classes):
            lowest = len(shown) - len(overall)
            title += f"\nof classes the {lowest} lowest of {len(classes)} values"
        axes.set(title=title, ylim=(-0.7, len(shown) - 0.3))
        axes.set_xlabel("Difference and its 95 % interval; right of 0 the second model is better")
        light_grid(axes, "x")
        present = {_verdict_mark(estimates[key]) for key in shown}
        marks = {said: mark for mark, said in VERDICT_MARKS.items() if mark in present}
        legend_below(figure, {said: {"color": c, "marker": m} for said, (c, m) in marks.items()})
    return path


# --- rows of a confusion matrix ---


def _most_confused(matrix: Int64) -> Int64:
    """All classes, or those that are confused most; in the order of their ids."""
    classes = len(matrix) - 1
    if classes <= SHOWN_CLASSES:
        return np.arange(classes)
    between = matrix[:classes, :classes].copy()
    np.fill_diagonal(between, 0)
    taken_for_another = between.sum(axis=1) + between.sum(axis=0)
    missed_or_false = matrix[:classes, classes] + matrix[classes, :classes]
    worst = np.lexsort((-missed_or_false, -taken_for_another))[:SHOWN_CLASSES]
    return np.sort(worst)


def _with_others(matrix: Int64, shown: Int64) -> Int64:
    """The shown classes, the sum of all others if there are any, the background."""
    classes = len(matrix) - 1
    others = np.setdiff1d(np.arange(classes), shown)
    groups = [[index] for index in shown] + [others] * bool(len(others)) + [[classes]]
    rows = np.stack([matrix[group].sum(axis=0) for group in groups])
    return np.stack([rows[:, group].sum(axis=1) for group in groups], axis=1)


def _write_counts(axes: Axes, counts: Int64, shares: Float64) -> None:
    on_colour: Bool = shares > 0.55
    on_colour[-1] = False
    for row, column in np.argwhere(counts > 0):
        axes.text(
            column,
            row,
            _count(int(counts[row, column])),
            ha="center",
            va="center",
            fontsize=10 if len(counts) <= 10 else 8,
            color="white" if on_colour[row, column] else "black",
        )


def _count(number: int) -> str:
    if number < 10_000:
        return str(number)
    return f"{number / 1e3:.0f}k" if number < 1_000_000 else f"{number / 1e6:.1f}M"


# --- rows of differences ---


def _rows(estimates: Mapping[str, Estimate]) -> tuple[list[str], list[str]]:
    """Overall keys in their order, the others from the lowest difference up."""
    overall = [key for key in OVERALL if key in estimates]
    others = [key for key in estimates if key not in overall]
    return overall, sorted(others, key=lambda key: estimates[key].value)


def _row_name(key: str) -> str:
    """'recall.helmet' → 'helmet: recall'."""
    kinds = {"ap": "AP50-95", "ap50": "AP50", "recall": "recall"}
    overall = {"mAP50": "mAP50", "mAP50_95": "mAP50-95", "recall": "recall, mean"}
    kind, _, name = key.partition(".")
    if not name or kind not in kinds:
        return overall.get(key, key)
    room = LONGEST_NAME - len(kinds[kind]) - 2
    return f"{shortening.shortened(name, room)}: {kinds[kind]}"


def _verdict_mark(estimate: Estimate) -> tuple[str, str]:
    if estimate.low > 0:
        return BETTER
    return WORSE if estimate.high < 0 else UNDECIDED
