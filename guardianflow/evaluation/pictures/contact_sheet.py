"""Truth against found on the images where a detector does worst.

Drawn by Pillow: matplotlib takes five times as long for a dozen photographs with their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ...contracts.errors import EvaluationError
from ...contracts.results import Detections, LabelledImage
from ...support.text.shortening import on_one_line
from ..accuracy.matching import IOU_THRESHOLDS, Bool, assign, iou_matrix, to_xywh
from ..images.preprocessing import load_image
from .drawing import BLUE, GREEN, GREY, RED, ending, font_for, require_some, save_sheet, write

CROWD = 12
# In pixels.
TILE_WIDTH, TILE_HEIGHT, GAP = 440, 370, 15
NARROWEST = 2 * TILE_WIDTH + GAP
HEADING, WORDS, CAPTION, LABEL = 22, 18, 16, 11
LINE, DASH, HOLE = 3, 12, 6
LEGEND = (("found", GREEN, False), ("missed", RED, False), ("false alarm", BLUE, True))


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
    tiles = [_tile(images[i], judged[i], class_names) for i in worst_first]
    heading = (
        f"{len(tiles)} of {len(images)} images, most misses first (confidence ≥ {conf_threshold:g})"
    )
    save_sheet(_sheet(tiles, heading), path)
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


def _sheet(tiles: Sequence[Image.Image], heading: str) -> Image.Image:
    """The tiles in rows of four, the heading above and the legend below."""
    rows = [tiles[start : start + 4] for start in range(0, len(tiles), 4)]
    width = max(NARROWEST, len(rows[0]) * (TILE_WIDTH + GAP) - GAP) + 2 * GAP
    heights = [max(tile.height for tile in row) + GAP for row in rows]
    sheet = Image.new("RGB", (width, sum(heights) + 2 * HEADING + 2 * WORDS + 2 * GAP), "white")
    draw = ImageDraw.Draw(sheet)
    write(draw, (width / 2, GAP), heading, HEADING, "black", at="ma")
    y = 2 * HEADING + GAP
    for row, height in zip(rows, heights, strict=True):
        left = (width - len(rows[0]) * (TILE_WIDTH + GAP) + GAP) // 2
        for column, tile in enumerate(row):
            sheet.paste(tile, (left + column * (TILE_WIDTH + GAP), y))
        y += height
    for place, (said, colour, dashed) in enumerate(LEGEND, start=-1):
        x = width // 2 + 170 * place
        for dash in range(x - 60, x - 24, DASH + HOLE if dashed else DASH):
            draw.rectangle((dash, y + 8, dash + DASH - 1, y + 8 + LINE - 1), colour)
        write(draw, (x - 12, y), said, WORDS, "black")
    return sheet


def _tile(image: LabelledImage, judged: _Judged, class_names: Sequence[str]) -> Image.Image:
    """One image with its boxes; above it its name and how much is wrong."""
    scale = min(TILE_WIDTH / image.width, TILE_HEIGHT / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    picture = Image.fromarray(load_image(image.path)).resize(size, reducing_gap=2.0)
    _draw_boxes(picture, _boxes(image, judged, class_names), scale)
    tile = Image.new("RGB", (TILE_WIDTH, size[1] + 3 * CAPTION), "white")
    tile.paste(picture, ((TILE_WIDTH - size[0]) // 2, 3 * CAPTION))
    name = ending(image.path.name, CAPTION, TILE_WIDTH)
    wrong = f"{judged.missed_count} of {len(image.class_ids)} missed, {judged.false_count} false"
    draw = ImageDraw.Draw(tile)
    for line, said in enumerate((name, wrong)):
        colour = RED if judged.missed_count else GREY
        write(draw, (TILE_WIDTH / 2, line * 1.3 * CAPTION), said, CAPTION, colour, at="ma")
    return tile


class _Box(NamedTuple):
    """A box to draw; `label` may be ''."""

    xyxy: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    label: str
    colour: str
    dashed: bool = False


def _boxes(image: LabelledImage, judged: _Judged, class_names: Sequence[str]) -> list[_Box]:
    found, names = judged.detections, [on_one_line(name, "?") for name in class_names]
    crowded = len(judged.missed) + judged.false_count > CROWD
    boxes: list[_Box] = []
    for row, true_box in enumerate(judged.true_box):
        name = f"{names[found.class_ids[row]]} {found.scores[row]:.2f}"
        if true_box < 0:
            boxes.append(_Box(found.boxes_xyxy[row], name, BLUE, dashed=True))
        else:
            # Among many boxes only the errors are named, or nothing could be read.
            boxes.append(_Box(image.boxes_xyxy[true_box], "" if crowded else name, GREEN))
    return boxes + [
        _Box(image.boxes_xyxy[missed], names[image.class_ids[missed]], RED)
        for missed in np.flatnonzero(judged.missed)
    ]


def _draw_boxes(picture: Image.Image, boxes: Sequence[_Box], scale: float) -> None:
    """Draw all frames, then all names: within the picture, so that each can be seen whole."""
    draw = ImageDraw.Draw(picture, "RGBA")
    last = np.array([picture.width - 1, picture.height - 1] * 2)
    scaled = [np.clip(box.xyxy * scale, 0, last).round().astype(int) for box in boxes]
    # A box without an area, or one that lies the other way round, is drawn too.
    corners = [(*np.minimum(c[:2], c[2:]), *np.maximum(c[:2], c[2:])) for c in scaled]
    for (left, top, right, bottom), box in zip(corners, boxes, strict=True):
        # A white line on both sides keeps the colour visible on any photograph.
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline="white", width=LINE + 2)
        draw.rectangle((left, top, right, bottom), outline=box.colour, width=LINE)
        if box.dashed:
            for x in range(left + DASH, right - HOLE, DASH + HOLE):
                draw.rectangle((x, top, x + HOLE - 1, top + LINE - 1), "white")
                draw.rectangle((x, bottom - LINE + 1, x + HOLE - 1, bottom), "white")
            for y in range(top + DASH, bottom - HOLE, DASH + HOLE):
                draw.rectangle((left, y, left + LINE - 1, y + HOLE - 1), "white")
                draw.rectangle((right - LINE + 1, y, right, y + HOLE - 1), "white")
    for (left, top, _, _), box in zip(corners, boxes, strict=True):
        if box.label:
            width = font_for(box.label, LABEL).getlength(box.label) + 4
            x = max(0, min(left, picture.width - width))
            y = max(0, top - LABEL - 3)
            draw.rectangle((x, y, x + width, y + LABEL + 3), box.colour + "CC")
            write(draw, (x + 2, y), box.label, LABEL, "white")
