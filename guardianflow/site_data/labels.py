"""YOLO label files: one object a row, `class cx cy width height`, shares of the image's sides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from ..contracts.errors import Problems

COLUMNS = 5
# Converters round: 1.0004 is the picture's edge, 1.2 a box in pixels.
TOLERANCE = 1e-3
_TRANSPOSING = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_EXIF_ORIENTATION = 274


class LabelRows(NamedTuple):
    """A label file's content.

    Args:
        class_ids: int64, K.
        boxes_cxcywh: float64, K×4, shares of the image's sides.
        problems: what is wrong with it, by row.
    """

    class_ids: npt.NDArray[np.int64]
    boxes_cxcywh: npt.NDArray[np.float64]
    problems: Problems


def label_path_of(image: Path) -> Path:
    """Where Ultralytics looks: the last folder 'images' becomes 'labels', the suffix '.txt'."""
    head, found, tail = str(image).rpartition(f"{os.sep}images{os.sep}")
    path = Path(f"{head}{os.sep}labels{os.sep}{tail}") if found else image
    return path.with_suffix(".txt")


def read_labels(
    image: Path, class_count: int, problems: Problems
) -> tuple[LabelRows, bytes | None]:
    """The rows of an image's label file, and its content; None: there is none, or it can't be read.

    An image without a label file is background. What is wrong is added to `problems`.
    """
    label = label_path_of(image)
    content = None
    try:
        content = label.read_bytes()
    except FileNotFoundError:
        pass
    except OSError as exc:
        problems.add(f"can't be read: {exc.strerror}", label)
    rows = parse_labels(content or b"", label, class_count)
    problems += rows.problems
    return rows, content


def parse_labels(content: bytes, path: Path, class_count: int) -> LabelRows:
    """Read a label file's rows. Rows that occur twice count once, as in Ultralytics' loader.

    Args:
        content: of the file.
        path: for messages.
        class_count: ids must be below it.
    """
    problems = Problems()
    rows: dict[tuple[float, ...], None] = {}
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        problems.add(f"a label file must be UTF-8 text ({exc.reason})", path)
        text = ""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        wrong = _row_problem(words, class_count)
        if wrong:
            problems.add(wrong, f"{path}:{number}")
        else:
            rows[tuple(float(word) for word in words)] = None
    table = np.array(list(rows), dtype=np.float64).reshape(-1, COLUMNS)
    return LabelRows(table[:, 0].astype(np.int64), table[:, 1:], problems)


def _row_problem(words: list[str], class_count: int) -> str:
    """The fault of one row; '' when it has none."""
    if len(words) != COLUMNS:
        more = (
            " (a polygon? convert segmentation labels to boxes)"
            if len(words) > COLUMNS + 1 and len(words) % 2
            else ""
        )
        return f"a row must have 5 columns, class cx cy width height, but got {len(words)}{more}"
    try:
        class_id, *box = (float(word) for word in words)
    except ValueError:
        return f"a row must be 5 numbers but got '{' '.join(words)}'"
    if not all(-TOLERANCE <= share <= 1 + TOLERANCE for share in box):  # NaN fails it too
        return f"coordinates must be shares of the image, 0 to 1, but got '{' '.join(words[1:])}'"
    if min(box[2:]) <= 0:
        return f"a box's width and height must be above 0 but got {words[3]} and {words[4]}"
    if not class_id.is_integer():
        return f"a class id must be a whole number but got {words[0]}"
    if not 0 <= class_id < class_count:
        return (
            f"class id {words[0]} is unknown: data.yaml names {class_count} (0…{class_count - 1})"
        )
    return ""


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


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header alone, turned as EXIF says.

    OpenCV and Ultralytics turn such images when they read them, and labels follow.

    Raises:
        ValueError: not an image, or an unknown or damaged one; the message says so.
        OSError: the file can't be read.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.getexif().get(_EXIF_ORIENTATION) in _TRANSPOSING:
                width, height = height, width
    except (UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as exc:
        raise ValueError(f"can't be read as an image: {_short(exc, path)}") from exc
    except ImportError as exc:
        # Once Ultralytics is imported, Pillow's open() asks for pi-heif on what it can't identify.
        raise ValueError("can't be read as an image: of no kind that Pillow knows") from exc
    return width, height


def _short(exc: BaseException, path: Path) -> str:
    return str(exc).replace(repr(str(path)), "the file")
