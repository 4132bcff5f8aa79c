"""Pairs of pictures side by side, with their names: what leaks from where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import Z_RLE

from PIL import Image, ImageDraw

from ...support.text.shortening import on_one_line
from ..images.preprocessing import load_image
from .drawing import GREY, font_for, require_some

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
    _write(draw, (GAP, GAP), heading, HEADING, "black", sheet.width - 2 * GAP)
    for place, pair in enumerate(pairs):
        down, right = divmod(place, COLUMNS)
        x, y = GAP + right * (width + 2 * GAP), 2 * HEADING + GAP + down * height
        _write(draw, (x, y), pair.title, WORDS, "black", width)
        for side, (image, caption) in enumerate(zip(pair.images, pair.captions, strict=True)):
            left = x + side * (PICTURE_WIDTH + GAP)
            _paste(sheet, image, left, y + WORDS + GAP)
            below = y + WORDS + PICTURE_HEIGHT + GAP + 4
            _write(draw, (left, below), caption, CAPTION, GREY, PICTURE_WIDTH)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, format="PNG", compress_type=Z_RLE)
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


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    said: str,
    size: int,
    colour: str,
    width: int,
) -> None:
    """On one line; a long one by its end, where names differ."""
    text = on_one_line(said, "?")
    while len(text) > 2 and font_for(text, size).getlength(text) > width:
        text = f"…{text[2:]}"
    draw.text(place, text, colour, font_for(text, size), "la")
