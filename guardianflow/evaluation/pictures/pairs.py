"""Pairs of pictures side by side, with their names: what leaks from where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from ..images.preprocessing import load_image
from .drawing import GREY, ending, require_some, save_sheet, write

COLUMNS = 2  # pairs in a row
PICTURE_WIDTH, PICTURE_HEIGHT, GAP = 300, 225, 12
HEADING, WORDS, CAPTION = 22, 16, 14


class Pair(NamedTuple):
    """Two pictures.

    Args:
        title: above both.
        captions: below each.
    """

    title: str
    images: tuple[Path, Path]
    captions: tuple[str, str]


def pairs_sheet(pairs: Sequence[Pair], heading: str, path: Path) -> Path:
    """Draw pairs of pictures.

    Args:
        path: .png to write.

    Returns:
        `path`.

    Raises:
        EvaluationError: no pairs, an image can't be decoded.
    """
    require_some(pairs, "a sheet of pairs")
    width, height = 2 * PICTURE_WIDTH + GAP, PICTURE_HEIGHT + WORDS + CAPTION + 4 * GAP
    rows = -(-len(pairs) // COLUMNS)
    columns = min(COLUMNS, len(pairs))
    sheet = Image.new(
        "RGB",
        (columns * (width + 2 * GAP) + GAP, rows * height + 2 * HEADING + 2 * GAP),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    fitting = ending(heading, HEADING, sheet.width - 2 * GAP)
    write(draw, (GAP, GAP), fitting, HEADING, "black")
    for place, pair in enumerate(pairs):
        down, right = divmod(place, COLUMNS)
        x, y = GAP + right * (width + 2 * GAP), 2 * HEADING + GAP + down * height
        write(draw, (x, y), ending(pair.title, WORDS, width), WORDS, "black")
        for side, (image, caption) in enumerate(zip(pair.images, pair.captions, strict=True)):
            left = x + side * (PICTURE_WIDTH + GAP)
            _paste(sheet, image, left, y + WORDS + GAP)
            below = y + WORDS + PICTURE_HEIGHT + GAP + 4
            told = ending(caption, CAPTION, PICTURE_WIDTH)
            write(draw, (left, below), told, CAPTION, GREY)
    save_sheet(sheet, path)
    return path


def _paste(sheet: Image.Image, image: Path, left: int, top: int) -> None:
    """A picture in the middle of its place, whole."""
    picture = Image.fromarray(load_image(image))
    scale = min(PICTURE_WIDTH / picture.width, PICTURE_HEIGHT / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(size, reducing_gap=2.0)
    place = (left + (PICTURE_WIDTH - size[0]) // 2, top + (PICTURE_HEIGHT - size[1]) // 2)
    frame = (left, top, left + PICTURE_WIDTH - 1, top + PICTURE_HEIGHT - 1)
    ImageDraw.Draw(sheet).rectangle(frame, "#eef1f4")
    sheet.paste(small, place)
