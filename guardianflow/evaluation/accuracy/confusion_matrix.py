"""Which class is taken for which: counted for every true box and every detection, and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.results import Detections, LabelledImage
from ..pictures.drawing import GREY, figure_at, literal, require_some
from .average_precision import IOU_THRESHOLDS, Bool, Float64, Int64, assign, iou_matrix
from .detection import check_judgeable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More rows than this can't be read, nor their numbers.
SHOWN_CLASSES = 20
LONGEST_NAME = 18


def confusion_matrix(
    predictions: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    *,
    conf_threshold: float = 0.25,
) -> Int64:
    """Count what each true box was taken for, and what each detection lay on.

    In each image detections with at least the deployed confidence are taken from the best score
    down, whatever their class; each gets the free true box of any class that it overlaps most, if
    the IoU reaches 0.5. A box reported for several classes counts for its best score alone, as a
    deployed detector shows it. So a class's diagonal can differ from its recall, where only boxes
    of the same class are matched.

    Args:
        predictions: one per image, in the order of `images`.
        images: at least one, with at least one true box among them.
        class_names: index = class id.
        conf_threshold: the deployed confidence.

    Returns:
        int64, (C+1)×(C+1). Row: the true class; column: the class reported. The last column counts
        missed boxes, the last row false alarms; their corner is 0, for nobody counts what is not
        there and was not reported.

    Raises:
        EvaluationError: as evaluate_detections.
    """
    check_judgeable(predictions, images, class_names)
    classes = len(class_names)
    matrix = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    for found, image in zip(predictions, images, strict=True):
        kept = _shown(found, conf_threshold)
        overlaps = iou_matrix(_xywh(found.boxes_xyxy[kept]), _xywh(image.boxes_xyxy))
        given = np.full(len(kept), -1, dtype=np.int64)
        if overlaps.size:
            given = assign(overlaps, IOU_THRESHOLDS[:1])[:, 0]
        lies_on = np.append(image.class_ids, classes)[given]  # -1, no true box: background
        np.add.at(matrix, (lies_on, found.class_ids[kept]), 1)
        missed = np.delete(image.class_ids, given[given >= 0])
        matrix[:, classes] += np.bincount(missed, minlength=classes + 1)
    return matrix


def confusion_matrix_picture(
    matrix: Int64,
    class_names: Sequence[str],
    path: Path,
    *,
    title: str = "What true boxes were taken for",
) -> Path:
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
    labels = [literal(_short(class_names[index])) for index in shown]
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
        axes.set(title=_titled(title, len(shown), classes), xlabel="Reported as")
        axes.set_ylabel("True class")
        axes.axhline(len(counts) - 1.5, color=GREY, lw=1)
        axes.axvline(len(counts) - 1.5, color=GREY, lw=1)
        axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, shrink=0.7, label="Share of the class's true boxes")
    return path


def _shown(found: Detections, conf_threshold: float) -> Int64:
    """Rows with at least the deployed confidence, best first, no box twice."""
    order = np.argsort(-found.scores, kind="stable")
    order = order[found.scores[order] >= np.float32(conf_threshold)]
    _, first = np.unique(found.boxes_xyxy[order], axis=0, return_index=True)
    kept: Int64 = order[np.sort(first)]
    return kept


def _xywh(boxes_xyxy: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Float64:
    boxes = boxes_xyxy.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return boxes


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


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _titled(title: str, shown: int, classes: int) -> str:
    if shown == classes:
        return title
    return f"{title}\nthe {shown} most confused of {classes} classes"
