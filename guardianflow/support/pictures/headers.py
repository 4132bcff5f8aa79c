"""The size that a file's head tells, before memory is asked for it, and what else heads say."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from .containers import sizes_in
from .kinds import DamagedPictureError, PictureError

# As Pillow, with which trainers open pictures: a file of a megabyte may claim terabytes.
MOST_PIXELS = 178_956_970
_PNG_HEAD = 8
_EXIF_CHUNK = b"eXIf"


class Png(NamedTuple):
    """A PNG as its chunks tell.

    Args:
        turning: the chunks by which it may be turned, and the place of its pixels among them.
    """

    width: int
    height: int
    turning: tuple[tuple[bytes, bytes], ...]


def check_size(width: int, height: int) -> None:
    """Raise a PictureError where a picture is larger than any that trainers take."""
    if width * height > MOST_PIXELS:
        raise PictureError(
            f"must have at most {MOST_PIXELS:,} px but its head says {width}×{height}; "
            "make it smaller or cut it into tiles"
        )


def read_png(content: bytes) -> Png:
    """Read a PNG's chunks, and compare each with its checksum.

    Raises:
        PictureError: damaged or cut short.
    """
    width = height = 0
    turning: list[tuple[bytes, bytes]] = []
    for kind, body in _chunks(content):
        if kind == b"IHDR" and len(body) >= 8:
            width, height = struct.unpack_from(">II", body)
        elif kind == _EXIF_CHUNK or (kind == b"IDAT" and (b"IDAT", b"") not in turning):
            turning.append((kind, body if kind == _EXIF_CHUNK else b""))
    if not (width and height):
        raise DamagedPictureError(f"is damaged: a PNG of {width}×{height} px")
    return Png(width, height, tuple(turning))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place, kind = _PNG_HEAD, b""
    view = memoryview(content)
    while kind != b"IEND":
        if place + 12 > len(content):
            raise DamagedPictureError("is cut short: it is a PNG without its end")
        length, kind = struct.unpack_from(">I4s", content, place)
        end = place + 8 + length
        if end + 4 > len(content):
            raise DamagedPictureError(
                f"is cut short: a PNG's chunk at byte {place} has {len(content) - place - 8:,} of "
                f"{length:,} bytes"
            )
        if zlib.crc32(view[place + 4 : end]) != int.from_bytes(content[end : end + 4]):
            raise DamagedPictureError(
                f"is damaged: a PNG's chunk at byte {place} does not match its checksum"
            )
        yield kind, b"" if kind == b"IDAT" else content[place + 8 : end]
        place = end + 4


def stored_size(content: bytes, kind: str) -> tuple[int, int]:
    """Width and height as stored, before they are turned; zeros where the head isn't understood."""
    try:
        if kind == "BMP":
            return _of_bmp(content)
        if kind == "TIFF":
            tags = tiff_tags(content)
            return tags.get(256, 0), tags.get(257, 0)
        if kind == "WebP":
            return _of_webp(content)
        if kind == "JPEG 2000":
            return _of_jpeg_2000(content)
        if kind == "GIF":
            width, height = struct.unpack_from("<HH", content, 6)
            return width, height
    except (struct.error, IndexError):  # cut off: the decoder says so
        return 0, 0
    if kind in ("AVIF", "HEIF"):
        return max(sizes_in(content), key=lambda size: size[0] * size[1], default=(0, 0))
    return 0, 0


def _of_bmp(content: bytes) -> tuple[int, int]:
    (head,) = struct.unpack_from("<I", content, 14)
    if head < 40:
        width, height = struct.unpack_from("<HH", content, 18)
    else:
        width, height = struct.unpack_from("<ii", content, 18)
    return abs(width), abs(height)


def _of_webp(content: bytes) -> tuple[int, int]:
    kind = content[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(
            content[27:30], "little"
        )
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", content, 26)
    return width & 0x3FFF, height & 0x3FFF


def _of_jpeg_2000(content: bytes) -> tuple[int, int]:
    place = content.find(b"\xff\x4f\xff\x51")
    if place < 0:
        return 0, 0
    right, below, left, above = struct.unpack_from(">IIII", content, place + 8)
    return max(0, right - left), max(0, below - above)


def tiff_tags(content: bytes) -> dict[int, int]:
    """Tags of a TIFF's first directory → first number, 0 for other values; none of a BigTIFF."""
    order = "<" if content[:1] == b"I" else ">"
    version, place = struct.unpack_from(f"{order}HI", content, 2)
    if version != 42:
        return {}
    (count,) = struct.unpack_from(f"{order}H", content, place)
    tags: dict[int, int] = {}
    for i in range(count):
        at = place + 2 + 12 * i
        tag, kind, values = struct.unpack_from(f"{order}HHI", content, at)
        tags[tag] = 0
        code = {1: "B", 3: "H", 4: "I"}.get(kind)
        if code is not None and values * struct.calcsize(code) <= 4:
            (tags[tag],) = struct.unpack_from(f"{order}{code}", content, at + 8)
    return tags
