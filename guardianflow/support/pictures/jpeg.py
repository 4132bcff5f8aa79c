"""A JPEG's segments and scans, as far as its size and its damage need them; no pixels.

What comes before the picture's data is read as leniently as libjpeg reads it. In the data and after
it nothing may stand that no encoder writes there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .kinds import DamagedPictureError, NoPictureError, PictureError

EXIF = b"Exif\x00"
_SIZES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))  # SOFn
_PROGRESSIVE = (0xC2, 0xCA)
_ARITHMETIC = range(0xC9, 0xD0)
_TABLES, _END, _SCAN, _INTERVAL = 0xC4, 0xD9, 0xDA, 0xDD
_MAY_FOLLOW_DATA = (_TABLES, _SCAN, _INTERVAL, 0xDB, 0xDC, 0xFE, *range(0xE0, 0xF0))
_END_OF_DATA = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")


class Component(NamedTuple):
    """A colour of the picture and how often it is sampled."""

    identifier: int
    across: int
    down: int


class Code(NamedTuple):
    """A Huffman table: how many codes there are of 1 … 16 bits, and what they mean."""

    counts: bytes
    symbols: bytes


@dataclass(frozen=True)
class Scan:
    """One run through the picture.

    Args:
        start, end: where its data lie; `end` is the marker that follows.
        parts: per component its identifier and the numbers of its DC and AC tables.
        first, last: of the coefficients it holds.
        refines: whether it adds a bit to what an earlier scan gave.
        lacking: bits that later scans must add.
        codes: (0 for DC, 1 for AC; number) → table.
        interval: units between two restart markers; 0: there are none.
    """

    start: int
    end: int
    parts: tuple[tuple[int, int, int], ...]
    first: int
    last: int
    refines: bool
    lacking: int
    codes: Mapping[tuple[int, int], Code]
    interval: int


@dataclass
class Jpeg:
    """The first picture of a JPEG file.

    Args:
        width, height: as stored, pixels.
        segments: marker, first byte and end of each segment before the first scan.
        scans: in order.
    """

    width: int = 0
    height: int = 0
    progressive: bool = False
    arithmetic: bool = False
    components: tuple[Component, ...] = ()
    segments: list[tuple[int, int, int]] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)

    def units_of(self, scan: Scan) -> tuple[int, int]:
        """How many units a scan holds, and blocks in each."""
        widest = max(c.across for c in self.components)
        highest = max(c.down for c in self.components)
        shown = [c for c in self.components if c.identifier in {part[0] for part in scan.parts}]
        if len(shown) == 1:
            (one,) = shown
            width = -(-self.width * one.across // widest)
            height = -(-self.height * one.down // highest)
            return -(-width // 8) * -(-height // 8), 1
        units = -(-self.width // (8 * widest)) * -(-self.height // (8 * highest))
        return units, sum(c.across * c.down for c in shown)

    def intervals_of(self, scan: Scan, content: bytes) -> list[tuple[int, int, int]]:
        """First byte, end and units of each stretch of a scan between restart markers.

        Raises:
            PictureError: they are not numbered as they must be, or some are missing.
        """
        units, _ = self.units_of(scan)
        found = list(_RESTART.finditer(content, scan.start, scan.end))
        if not scan.interval:
            if found:
                raise damaged(found[0].start(), "a restart marker where none belongs")
            return [(scan.start, scan.end, units)]
        for number, each in enumerate(found):
            if each[1][0] & 7 != number % 8:
                raise damaged(each.start(), "restart markers are not in order: data are missing")
        needed = -(-units // scan.interval)
        if len(found) + 1 < needed:
            raise damaged(scan.end, f"{needed - len(found) - 1} of {needed} intervals are missing")
        starts = [scan.start, *(each.end() for each in found)]
        ends = [*(each.start() for each in found), scan.end]
        sizes = [min(scan.interval, max(0, units - n * scan.interval)) for n in range(len(starts))]
        return list(zip(starts, ends, sizes, strict=True))


def damaged(place: int, how: str) -> PictureError:
    """The error for a file that was whole once."""
    return DamagedPictureError(f"is damaged: at byte {place} {how}")


def cut_short(*, in_data: bool) -> PictureError:
    """The error for a file whose rest is missing."""
    if in_data:
        return DamagedPictureError("is cut short: it is a JPEG without its end marker")
    return NoPictureError("is not an image OpenCV can decode: it is a JPEG cut short in its head")


def read_jpeg(content: bytes) -> Jpeg:
    """Follow the markers of a file's first picture.

    Raises:
        PictureError: cut short, or markers that no encoder writes there.
    """
    found = Jpeg()
    codes: dict[tuple[int, int], Code] = {}
    interval, place, after_data = 0, 2, False
    shown: set[int] = set()
    while True:
        place, marker = _next_marker(content, place, after_data)
        if marker == _END:
            break
        if after_data and marker not in _MAY_FOLLOW_DATA:
            raise damaged(place, f"a marker, {marker:02x}, that has no place in the picture's data")
        whole = not found.progressive and len(shown) == len(found.components)
        if after_data and whole and marker in (_TABLES, _SCAN, _INTERVAL, 0xDB):
            raise damaged(place, "more data than the picture has")
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # nothing belongs to them
            place += 2
            continue
        length = int.from_bytes(content[place + 2 : place + 4])
        start, end = place + 4, place + 2 + length
        if length < 2 or end > len(content):
            raise cut_short(in_data=after_data)
        body = content[start:end]
        try:
            if marker in _SIZES and not found.components:
                _read_size(found, marker, body)
            elif marker == _TABLES:
                _read_codes(codes, body)
            elif marker == _INTERVAL:
                interval = int.from_bytes(body[:2])
            elif marker == _SCAN:
                scan = _read_scan(content, body, end, dict(codes), interval)
                found.scans.append(scan)
                shown |= {part[0] for part in scan.parts}
                place, after_data = scan.end, True
                continue
        except IndexError:
            raise damaged(place, "a segment that says less than it must") from None
        if not after_data:
            found.segments.append((marker, place, end))
        place = end
    if not found.components or not found.scans:
        raise NoPictureError("is not an image OpenCV can decode: a JPEG without a picture")
    if found.progressive:
        _require_all_scans(found)
    return found


def _require_all_scans(found: Jpeg) -> None:
    """A progressive picture ends when every coefficient has its last bit."""
    for component in found.components:
        lacking: list[int | None] = [None] * 64
        for scan in found.scans:
            if component.identifier in {part[0] for part in scan.parts}:
                span = slice(scan.first, scan.last + 1)
                lacking[span] = [scan.lacking] * len(lacking[span])
        if any(bits != 0 for bits in lacking):
            raise DamagedPictureError(
                "is cut short: it is a progressive JPEG without its last scans"
            )


def _next_marker(content: bytes, place: int, after_data: bool) -> tuple[int, int]:
    """The next marker's last 0xff and its number. Before the data others may stand between."""
    begin = place
    while True:
        place = content.find(b"\xff", place)
        if place < 0 or place + 1 >= len(content):
            raise cut_short(in_data=after_data)
        if content[place + 1] not in (0x00, 0xFF):
            break
        place += 1
    if after_data and content[begin:place].strip(b"\xff"):
        raise damaged(begin, "data that belong to nothing")
    return place, content[place + 1]


def _read_size(found: Jpeg, marker: int, body: bytes) -> None:
    found.height, found.width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
    found.components = tuple(
        Component(body[i], max(1, body[i + 1] >> 4), max(1, body[i + 1] & 15))
        for i in range(6, 6 + 3 * body[5], 3)
    )
    found.progressive, found.arithmetic = marker in _PROGRESSIVE, marker in _ARITHMETIC
    if not (found.width and found.height and found.components):
        raise NoPictureError(
            f"is not an image OpenCV can decode: its head says {found.width}×{found.height} px"
        )


def _read_codes(codes: dict[tuple[int, int], Code], body: bytes) -> None:
    place = 0
    while place + 17 <= len(body):
        counts = body[place + 1 : place + 17]
        end = place + 17 + sum(counts)
        codes[body[place] >> 4, body[place] & 15] = Code(counts, body[place + 17 : end])
        place = end


def _read_scan(
    content: bytes, body: bytes, start: int, codes: dict[tuple[int, int], Code], interval: int
) -> Scan:
    count = body[0]
    parts = tuple((body[i], body[i + 1] >> 4, body[i + 1] & 15) for i in range(1, 1 + 2 * count, 2))
    first, last, bits = body[1 + 2 * count : 4 + 2 * count]
    end = _END_OF_DATA.search(content, start)
    if end is None:
        raise cut_short(in_data=True)
    return Scan(start, end.start(), parts, first, last, bool(bits >> 4), bits & 15, codes, interval)
