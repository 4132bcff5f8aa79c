"""Truth against found on the images where a detector does worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.results import Detections, LabelledImage
from ..accuracy.average_precision import IOU_THRESHOLDS, Bool, assign, iou_matrix, to_xywh
from ..images.preprocessing import load_image
from .drawing import BLUE, GREEN, GREY, RED, figure_at, literal, require_some

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A picture wide enough for people has no use for more pixels than this on a side.
THUMBNAIL_SIDE = 640
CROWD = 12


def detections_contact_sheet(
    images: Sequence[LabelledImage],
    predictions: Sequence[Detections],
    class_names: Sequence[str],
    path: Path,
    *,
    conf_threshold: float = 0.25,
    count: int = 12,
) -> Path:
    """Draw the images with most misses first; where misses are equal, most false alarms first.

    A true box that was found at IoU 0.5 is green and carries the detection's score, a missed one
    is red, a false alarm blue and dashed.

    Args:
        images, predictions: one for one.
        class_names: index = class id.
        path: .png to write.
        conf_threshold: detections below it are left out.
        count: images shown, at most.

    Returns:
        `path`.

    Raises:
        EvaluationError: no images, not one prediction per image, an image can't be decoded.
    """
    require_some(images, "a contact sheet")
    if len(images) != len(predictions):
        raise EvaluationError(
            f"a contact sheet needs one prediction per image but has {len(predictions)} for "
            f"{len(images)}"
        )
    judged = [
        _judge(image, prediction, conf_threshold)
        for image, prediction in zip(images, predictions, strict=True)
    ]
    worst_first = sorted(
        range(len(images)), key=lambda i: (-judged[i].missed_count, -judged[i].false_count)
    )[:count]
    columns = min(len(worst_first), 4)
    rows = -(-len(worst_first) // columns)
    with figure_at(path, max(3.5 * columns, 7.0), 3.1 * rows + 0.9) as figure:
        figure.suptitle(
            f"{len(worst_first)} of {len(images)} images, most misses first "
            f"(confidence ≥ {conf_threshold:g})"
        )
        cells = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in cells:
            axes.set_axis_off()
        for axes, index in zip(cells, worst_first, strict=False):
            _draw(axes, images[index], judged[index], class_names)
        _legend(figure)
    return path


@dataclass(frozen=True, eq=False)
class _Judged:
    """Detections at the threshold, and which of them and of the true boxes have a partner.

    Args:
        true_box: int64, one per detection: the true box it found, -1 for a false alarm.
        missed: bool, one per true box.
    """

    detections: Detections
    true_box: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    missed: Bool

    @property
    def missed_count(self) -> int:
        return int(self.missed.sum())

    @property
    def false_count(self) -> int:
        return int((self.true_box < 0).sum())


def _judge(image: LabelledImage, prediction: Detections, confidence: float) -> _Judged:
    """Match one image's detections with its true boxes at IoU 0.5, as the metrics do."""
    order = np.argsort(-prediction.scores, kind="stable")
    order = order[prediction.scores[order] >= confidence]
    kept = Detections(
        prediction.boxes_xyxy[order], prediction.scores[order], prediction.class_ids[order]
    )
    true_box = np.full(len(kept), -1, dtype=np.int64)
    for class_id in np.intersect1d(kept.class_ids, image.class_ids):
        mine = np.flatnonzero(kept.class_ids == class_id)
        truth = np.flatnonzero(image.class_ids == class_id)
        overlaps = iou_matrix(to_xywh(kept.boxes_xyxy[mine]), to_xywh(image.boxes_xyxy[truth]))
        given = assign(overlaps, IOU_THRESHOLDS[:1])[:, 0]
        true_box[mine[given >= 0]] = truth[given[given >= 0]]
    missed = np.ones(len(image.class_ids), dtype=bool)
    missed[true_box[true_box >= 0]] = False
    return _Judged(kept, true_box, missed)


def _draw(axes: Axes, image: LabelledImage, judged: _Judged, class_names: Sequence[str]) -> None:
    picture = load_image(image.path)
    step = max(1, max(picture.shape[:2]) // THUMBNAIL_SIDE)
    # Pixel coordinates stay those of the full image, so boxes need no scaling.
    axes.imshow(picture[::step, ::step], extent=(0, image.width, image.height, 0))
    found = judged.detections
    crowded = len(judged.missed) + judged.false_count > CROWD
    for row, true_box in enumerate(judged.true_box):
        name = f"{class_names[found.class_ids[row]]} {found.scores[row]:.2f}"
        if true_box < 0:
            _box(axes, found.boxes_xyxy[row], name, BLUE, dashed=True)
        else:
            # Among many boxes only the errors are named, or nothing could be read.
            _box(axes, image.boxes_xyxy[true_box], "" if crowded else name, GREEN)
    for missed in np.flatnonzero(judged.missed):
        _box(axes, image.boxes_xyxy[missed], class_names[image.class_ids[missed]], RED)
    name = image.path.name if len(image.path.name) <= 34 else f"…{image.path.name[-33:]}"
    axes.set_title(
        f"{literal(name)}\n{judged.missed_count} of {len(image.class_ids)} missed, "
        f"{judged.false_count} false",
        fontsize=9,
        color=RED if judged.missed_count else GREY,
    )


def _box(
    axes: Axes,
    box_xyxy: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    label: str,
    colour: str,
    dashed: bool = False,
) -> None:
    from matplotlib.patches import Rectangle

    x1, y1, x2, y2 = (float(value) for value in box_xyxy)
    # A white line underneath keeps the colour visible on any photograph.
    for edge, wide, style in (("white", 2.4, "-"), (colour, 1.6, (0, (4, 2)) if dashed else "-")):
        frame = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=edge, lw=wide, ls=style)
        axes.add_patch(frame)
    if label:
        axes.text(
            x1,
            y1,
            literal(label),
            color="white",
            fontsize=5.5,
            va="bottom",
            clip_on=True,
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
        )


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=GREEN, lw=2, label="found"),
        Line2D([], [], color=RED, lw=2, label="missed"),
        Line2D([], [], color=BLUE, lw=2, ls="--", label="false alarm"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
