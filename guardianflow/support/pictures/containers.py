"""How an AVIF's or HEIF's container turns its picture: 'irot' and 'imir' of the primary item.

The container decides, and EXIF inside it is only a note of what the camera did: so say the
standards (ISO 23008-12), so reads Pillow, with which Ultralytics reads AVIF. OpenCV turns nothing.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_XMP_TURN = re.compile(rb"tiff:Orientation(?:=[\"']|>)[2-8]")


class Turn(NamedTuple):
    """How a decoded picture becomes upright.

    Args:
        quarters: turned so often by 90°, anticlockwise.
        flip: afterwards '' not at all, 'rows' top for bottom, 'columns' left for right.
    """

    quarters: int = 0
    flip: str = ""

    def applied_to(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A picture, H×W×C, made upright."""
        if self == Turn():
            return pixels
        turned = np.rot90(pixels, self.quarters)
        if self.flip:
            turned = turned[::-1] if self.flip == "rows" else turned[:, ::-1]
        return np.ascontiguousarray(turned)


def turn_of(content: bytes) -> Turn:
    """How the container turns its primary picture. Not at all where it can't be followed."""
    quarters, flip = 0, ""
    try:
        for kind, body in _primary_properties(content):
            if kind == b"irot":
                quarters = body[0] & 3
            elif kind == b"imir":
                flip = "columns" if body[0] & 1 else "rows"
    except (struct.error, IndexError):  # cut off: the decoder says so
        return Turn()
    return Turn(quarters, flip)


def sizes_in(content: bytes) -> list[tuple[int, int]]:
    """Width and height of every item in the container, as stored."""
    try:
        bodies = [body for kind, body in _properties(content) if kind == b"ispe"]
        return [(int.from_bytes(body[4:8]), int.from_bytes(body[8:12])) for body in bodies]
    except struct.error:
        return []


def turns_by_xmp_alone(content: bytes) -> bool:
    """Whether only its XMP turns an AVIF: Pillow, and so the trainer, follows, and nobody else."""
    return turn_of(content) == Turn() and _XMP_TURN.search(content) is not None


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each box in a file or in another box."""
    place = 0
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", content, place + 8)
            head = 16
        after = len(content) if length == 0 else place + length
        if not place + head <= after <= len(content):
            return
        yield kind, content[place + head : after]
        place = after


def _inside(content: bytes, *kinds: bytes) -> bytes:
    """The body of the box that lies in those boxes, outermost first; empty: there is none."""
    for wanted in kinds:
        found = next((body for kind, body in _boxes(content) if kind == wanted), b"")
        content = found[4:] if wanted == b"meta" else found
    return content


def _properties(content: bytes) -> list[tuple[bytes, bytes]]:
    return list(_boxes(_inside(content, b"meta", b"iprp", b"ipco")))


def _primary_properties(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The properties of the item that is shown, in the order in which it names them."""
    shown = _inside(content, b"meta", b"pitm")
    if not shown:
        return
    item = int.from_bytes(shown[4:6] if shown[0] == 0 else shown[4:8])
    properties = _properties(content)
    for number in _numbers_of(item, _inside(content, b"meta", b"iprp", b"ipma")):
        if 0 < number <= len(properties):
            yield properties[number - 1]


def _numbers_of(item: int, links: bytes) -> list[int]:
    """Numbers of an item's properties, from 1; `links` is the body of 'ipma'."""
    if not links:
        return []
    item_bytes = 2 if links[0] == 0 else 4
    step, mask = (2, 0x7FFF) if links[3] & 1 else (1, 0x7F)
    (items,) = struct.unpack_from(">I", links, 4)
    place = 8
    for _ in range(items):
        number = int.from_bytes(links[place : place + item_bytes])
        first = place + item_bytes + 1
        place = first + links[first - 1] * step
        if number == item:
            return [int.from_bytes(links[i : i + step]) & mask for i in range(first, place, step)]
    return []
