"""YOLO label files: one object a row, `class cx cy width height`, shares of the image's sides.

A row may also be an outline, `class x1 y1 x2 y2 x3 y3 …`, or a pose, a box and then keypoints: the
box is taken, as Ultralytics takes it when it trains a detector.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..contracts.errors import Problems
from ..support.text.encodings import NotUtf8Error, decode_utf8
from ..support.text.shortening import shortened

COLUMNS = 5
FEWEST_OUTLINE = 7  # a class and three points
# Exporters round, and boxes are drawn over the edge: 1.01 is that, 1.2 a box in pixels. Ultralytics
# draws the line there, too.
TOLERANCE = 0.01
SHOWN_LENGTH = 120
EDGE = 1e-3  # by which a box may reach out of its image without a word


class RowOddities(NamedTuple):
    """Rows that were read otherwise than as they stand.

    Args:
        clipped: boxes that reach out of their image and are cut at its edge.
        outlines: the box around them is taken.
        poses: their keypoints are left out.
        repeated: rows that say the same as one before; they count once.
    """

    clipped: int = 0
    outlines: int = 0
    poses: int = 0
    repeated: int = 0


class LabelRows(NamedTuple):
    """A label file's content.

    Args:
        class_ids: int64, K.
        boxes_cxcywh: float64, K×4, shares of the image's sides.
        problems: what is wrong with it, by row.
        odd: what is to be told of it.
        trainable_as_written: whether Ultralytics reads the same of the file: it takes outlines
            alone or boxes alone, and poses only where the data.yaml says how long they are.
    """

    class_ids: npt.NDArray[np.int64]
    boxes_cxcywh: npt.NDArray[np.float64]
    problems: Problems
    odd: RowOddities = RowOddities()
    trainable_as_written: bool = True

    def as_text(self) -> str:
        """The same as rows of boxes."""
        rows = zip(self.class_ids.tolist(), self.boxes_cxcywh.tolist(), strict=True)
        return "".join(f"{i} {' '.join(map(repr, box))}\n" for i, box in rows)


def _in_single_precision(row: Sequence[float]) -> bytes:
    """What tells a row from another: Ultralytics compares them in this precision."""
    return struct.pack(f"{len(row)}f", *row)


def label_path_of(image: Path) -> Path:
    """Where Ultralytics looks: the last folder 'images' becomes 'labels', the suffix '.txt'."""
    head, found, tail = str(image).rpartition(f"{os.sep}images{os.sep}")
    path = Path(f"{head}{os.sep}labels{os.sep}{tail}") if found else image
    return path.with_suffix(".txt")


def read_labels(
    image: Path,
    class_count: int,
    problems: Problems,
    *,
    label: Path | None = None,
    pose_columns: int = 0,
) -> tuple[LabelRows, bytes | None]:
    """The rows of an image's label file, and its content; None: there is none, or it can't be read.

    An image without a label file is background. What is wrong is added to `problems`.

    Args:
        label: the file; None: where Ultralytics looks, if there is one.
        pose_columns: of a row of a pose; 0: there are none.
    """
    path = label_path_of(image) if label is None else label
    content = None
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if label is not None or path.is_symlink():
            problems.add("is a link to a file that is not there", path)
    except OSError as exc:
        problems.add(f"can't be read: {exc.strerror}", path)
    rows = parse_labels(content or b"", path, class_count, pose_columns)
    problems += rows.problems
    return rows, content


def parse_labels(content: bytes, path: Path, class_count: int, pose_columns: int = 0) -> LabelRows:
    """Read a label file's rows. Rows that occur twice count once, as in Ultralytics' loader.

    Args:
        content: of the file.
        path: for messages.
        class_count: ids must be below it.
        pose_columns: of a row of a pose; 0: there are none.
    """
    problems = Problems()
    found: dict[bytes, list[float]] = {}
    clipped = outlines = poses = read = 0
    try:
        text = decode_utf8(content, path.name)
    except NotUtf8Error as exc:
        problems.add(str(exc), path)
        text = ""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        is_pose = bool(pose_columns) and len(words) == pose_columns
        if is_pose:
            words = words[:COLUMNS]
        try:
            key, row = _read_row(words, class_count)
        except ValueError as exc:
            problems.add(str(exc), f"{path}:{number}")
            continue
        read += 1
        if key in found:
            continue
        found[key] = row
        poses += is_pose
        outlines += len(words) > COLUMNS
        clipped += _reaches_out(row)
    as_written = not poses and outlines in (0, len(found))
    if not as_written:  # it is written anew as boxes, and two outlines of one box are one box then
        boxes: dict[bytes, list[float]] = {}
        for row in found.values():
            boxes.setdefault(_in_single_precision(row), row)
        found = boxes
    table = np.array(list(found.values()), dtype=np.float64).reshape(-1, COLUMNS)
    odd = RowOddities(clipped, outlines, poses, read - len(found))
    ids = table[:, 0].astype(np.int64)
    return LabelRows(ids, table[:, 1:], problems, odd, as_written)


def _read_row(words: list[str], class_count: int) -> tuple[bytes, list[float]]:
    """What tells a row from another, and its class and box.

    Raises:
        ValueError: what is wrong with it.
    """
    is_outline = len(words) >= FEWEST_OUTLINE and len(words) % 2 == 1
    if len(words) != COLUMNS and not is_outline:
        raise ValueError(
            f"a row must have 5 columns, class cx cy width height, but got {len(words)}"
            f"{_columns_hint(len(words))}"
        )
    try:
        row = [float(word) for word in words]
    except ValueError:
        raise ValueError(f"a row must be 5 numbers but got '{_shown(words)}'") from None
    class_id = row[0]
    if not all(-TOLERANCE <= share <= 1 + TOLERANCE for share in row[1:]):  # NaN fails it too
        raise ValueError(
            f"coordinates must be shares of the image, 0 to 1, but got '{_shown(words[1:])}'"
        )
    if not class_id.is_integer():
        raise ValueError(f"a class id must be a whole number but got {words[0]}")
    if not 0 <= class_id < class_count:
        raise ValueError(
            f"class id {words[0]} is unknown: data.yaml names {class_count} (0…{class_count - 1})"
        )
    key = _in_single_precision(row)
    if is_outline:
        xs, ys = row[1::2], row[2::2]
        x1, y1, x2, y2 = min(xs), min(ys), max(xs), max(ys)
        row = [class_id, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
    _, x, y, width, height = row
    if min(width, height) <= 0:
        sides = f"{width:g} and {height:g}" if is_outline else f"{words[3]} and {words[4]}"
        raise ValueError(f"a box's width and height must be above 0 but got {sides}")
    if min(x + width / 2, y + height / 2) <= 0 or max(x - width / 2, y - height / 2) >= 1:
        raise ValueError(f"the box lies outside of the image: '{_shown(words[1:])}'")
    return key, row


def _columns_hint(columns: int) -> str:
    """What a row of so many columns may be."""
    if columns == COLUMNS + 1:
        return " (with a confidence, as predictions have it? labels have none)"
    if columns > COLUMNS + 1:
        return (
            " (an outline has a class and pairs x y; of poses, data.yaml says by kpt_shape how "
            "many keypoints they have)"
        )
    return ""


def _shown(words: list[str]) -> str:
    return shortened(" ".join(words), SHOWN_LENGTH)


def _reaches_out(row: list[float]) -> bool:
    _, x, y, width, height = row
    lowest = min(x - width / 2, y - height / 2)
    return lowest < -EDGE or max(x + width / 2, y + height / 2) > 1 + EDGE


def to_pixels(
    boxes_cxcywh: npt.NDArray[np.float64], width: int, height: int
) -> npt.NDArray[np.float32]:
    """Shares → pixels, clipped to the image.

    Args:
        boxes_cxcywh: K×4, shares of the image's sides.

    Returns:
        float32, K×4: x1, y1, x2, y2.
    """
    half = boxes_cxcywh[:, 2:] / 2
    corners = np.concatenate([boxes_cxcywh[:, :2] - half, boxes_cxcywh[:, :2] + half], axis=1)
    scaled: npt.NDArray[np.float32] = (
        np.clip(corners, 0.0, 1.0) * [width, height, width, height]
    ).astype(np.float32)
    return scaled
