"""Small grey pictures of image files, by which they are compared.

A JPEG is decoded at an eighth, quarter or half of its size, where its decoder has little to do. A
picture is turned as it is to be shown, and squeezed into a square, whatever its shape: a crop is a
change of scale and place in it.
"""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ...support.pictures.decoding import decode
from ...support.pictures.kinds import PictureError, kind_of

SIDE = 96
"""Of a thumbnail, pixels."""
FORMAT = 1
"""Of a thumbnail's pixels: another number where they are made otherwise."""

Thumbnail = npt.NDArray[np.uint8]

_REDUCED = (
    (8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
    (4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
    (2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
)
_NO_SIZE = (0xC4, 0xC8, 0xCC)  # of the markers C0 … CF those that tell none
_BARE = (0x01, *range(0xD0, 0xD9))  # nothing belongs to them


def thumbnail_of(path: Path) -> Thumbnail:
    """Read an image file.

    Returns:
        uint8, SIDE×SIDE, grey.

    Raises:
        ValueError: it can't be decoded; the message goes on from the file's name.
        OSError: it can't be read.
    """
    return thumbnail(path.read_bytes())


def thumbnail(content: bytes) -> Thumbnail:
    """As thumbnail_of, of a file's content."""
    pixels = decode_reduced(content)
    small: Thumbnail = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return small


def decode_reduced(content: bytes) -> npt.NDArray[np.uint8]:
    """Grey pixels, of a JPEG at the least size that still has SIDE pixels each way.

    Raises:
        ValueError: it can't be decoded.
    """
    kind = kind_of(content)
    if kind in ("JPEG", "PNG", "BMP", "WebP"):
        found = cv2.imdecode(np.frombuffer(content, np.uint8), _flag(content, kind))
        if found is not None and found.dtype == np.uint8:
            grey: npt.NDArray[np.uint8] = found
            return grey
    try:
        whole: npt.NDArray[np.uint8] = cv2.cvtColor(decode(content), cv2.COLOR_RGB2GRAY)
    except PictureError as exc:
        raise ValueError(str(exc)) from exc
    return whole


def _flag(content: bytes, kind: str) -> int:
    shorter = min(_size_of_jpeg(content)) if kind == "JPEG" else 0
    for divisor, flag in _REDUCED:
        if shorter >= divisor * SIDE:
            return flag
    return cv2.IMREAD_GRAYSCALE


def _size_of_jpeg(content: bytes) -> tuple[int, int]:
    """As its head says; zeros where that is not understood: then it is decoded whole."""
    place, end = 2, len(content) - 9
    while place < end:
        if content[place] != 0xFF:
            return 0, 0
        marker = content[place + 1]
        if marker == 0xFF:  # filling
            place += 1
        elif marker in _BARE:
            place += 2
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_SIZE:
            height, width = struct.unpack_from(">HH", content, place + 5)
            return width, height
        else:
            place += 2 + int.from_bytes(content[place + 2 : place + 4])
    return 0, 0
