"""Blocks of a JPEG that were lost: zeros of a file system, or the 0xff of erased flash memory.

Decoders take them for data, show grey or shifted bands from there on, and say nothing. A sound
file's data hold such runs only where a plain area meets optimised tables, in which its code is
zeros; there the data are counted instead: they must make as many blocks as the picture has.

Longest runs of zeros in sound data, over photographs, plain areas, gradients and patterns of
1920×1080 px, qualities 1 to 100, with and without subsampling: 7 bytes with the standard tables, 4
in a first progressive scan of details, 117 in one that refines them (libjpeg keeps 1000 such bits).
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import Any

import numpy as np

from .jpeg import Code, Jpeg, Scan, damaged

cv2: Any
try:
    import cv2
except ImportError:  # not installed, or without the system libraries that it wants
    cv2 = None

_LONGEST_ZEROS = 31
_LONGEST_REFINING = 191
_ZEROS = bytes(_LONGEST_ZEROS + 1)
_ZERO_RUN = re.compile(rb"\x00{%d,}" % len(_ZEROS))
_ERASED = b"\xff" * 16
_SPARE = 16  # bytes that may stand after the last block: some cameras fill up
_FILLER = b"\xff\x00" * 32  # lets the decoder look ahead where the data end
_WIDEST = 65500
_DROPPED = (0xDD, 0xFE, *range(0xE0, 0xF0))  # segments that a part of the picture does without
_END_OF_BLOCK = 0x00


def look_for_lost_blocks(content: bytes, picture: Jpeg, *, counting: bool) -> None:
    """Raise a PictureError where a part of the data was lost.

    Args:
        counting: whether to count blocks where runs of zeros alone don't tell; takes as long as
            decoding does, for such pictures.
    """
    for scan in picture.scans:
        intervals = picture.intervals_of(scan, content)
        if content.find(_ERASED, scan.start, scan.end) >= 0:
            _refuse_erased(content, intervals)
        if picture.arithmetic or content.find(_ZEROS, scan.start, scan.end) < 0:
            continue
        for start, end, units in intervals:
            runs = list(_ZERO_RUN.finditer(content, start, end))
            for run in runs:
                if _is_lost(picture, scan, run, at_end=run.end() == end):
                    raise _lost(run.start(), len(run[0]))
            if runs and counting and not _counts(content, picture, scan, (start, end, units)):
                longest = max(runs, key=lambda run: len(run[0]))
                raise _lost(longest.start(), len(longest[0]))
    for one, following in itertools.pairwise(picture.scans):  # what tells how to read the next
        place = content.find(_ZEROS, one.end, following.start)
        if place >= 0:
            raise _lost(place, len(_ZEROS))


def _lost(place: int, length: int) -> Exception:
    return damaged(
        place, f"{length} bytes of the picture's data are zero: a block of the file was lost"
    )


def _refuse_erased(content: bytes, intervals: list[tuple[int, int, int]]) -> None:
    for start, end, _ in intervals:
        place = content.find(_ERASED, start, end)
        if place >= 0 and content[place:end].strip(b"\xff"):  # at the end it is padding
            raise damaged(place, "0xff again and again in the data: a block of the file was lost")


def _is_lost(picture: Jpeg, scan: Scan, run: re.Match[bytes], *, at_end: bool) -> bool:
    """Whether no encoder writes that run of zeros in such a scan."""
    if picture.progressive:
        if scan.first == 0:
            return False
        return not scan.refines or len(run[0]) > _LONGEST_REFINING
    if at_end:  # padding, or lost
        return False
    # Zeros would be 63 coefficients of one value, block after block.
    return any(_meaning_of_zeros(scan, ac) != _END_OF_BLOCK for _, _, ac in scan.parts)


def _meaning_of_zeros(scan: Scan, number: int) -> int | None:
    code = scan.codes.get((1, number))
    return code.symbols[0] if code is not None and code.symbols else None


def _counts(content: bytes, picture: Jpeg, scan: Scan, interval: tuple[int, int, int]) -> bool:
    """Whether the data of an interval make as many blocks as they must. True where unknown."""
    start, end, units = interval
    if not picture.progressive:
        if cv2 is None or len(scan.parts) != len(picture.components):
            return True
        head = _head_for(content, picture, scan, units)
        return head is None or _fills(head, content[start:end])
    if scan.first:
        return True
    if scan.refines:  # a bit a block, whatever it is
        bits = 8 * len(content[start:end].replace(b"\xff\x00", b"\xff"))
        blocks = units * picture.units_of(scan)[1]
        return blocks <= bits < blocks + 8 * (_SPARE + 1)
    return _fills_coarsely(content[start:end], picture, scan, units)


# --- sequential: the decoder stops where the data run out, and says so by giving no picture -------


def _head_for(content: bytes, picture: Jpeg, scan: Scan, units: int) -> bytes | None:
    """The head of a JPEG that consists of an interval alone; None where none can."""
    width, height = picture.width, picture.height
    if scan.interval:
        widest = max(c.across for c in picture.components)
        highest = max(c.down for c in picture.components)
        if len(picture.components) == 1:
            widest = highest = 1
        width, height = units * 8 * widest, 8 * highest
    if not 0 < width <= _WIDEST:
        return None
    parts = [b"\xff\xd8"]
    for marker, start, end in picture.segments:
        segment = content[start:end]
        if 0xC0 <= marker <= 0xC2:
            sides = height.to_bytes(2) + width.to_bytes(2)
            segment = segment[:5] + sides + segment[9:]
        if marker not in _DROPPED or segment[4:9] == b"Adobe":
            parts.append(segment)
    length = 6 + 2 * len(scan.parts)
    return b"".join([*parts, content[scan.start - length - 2 : scan.start]])


def _fills(head: bytes, data: bytes) -> bool:
    if not _is_finished(head, data[:-_SPARE]):
        return _is_finished(head, data + _FILLER)
    # All blocks are there early: the rest must be padding, and the blocks need all before it.
    needed = data.rstrip(b"\x00\xff")
    return _is_finished(head, needed + _FILLER) and not _is_finished(head, needed[:-_SPARE])


def _is_finished(head: bytes, data: bytes) -> bool:
    """Whether all blocks are there: a decoder that waits for more gives no picture."""
    flags = cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        return cv2.imdecode(np.frombuffer(head + data, np.uint8), flags) is not None
    except cv2.error:
        return True  # no picture for it: nothing can be said


# --- progressive: the coarse scan has one code a block, which can be counted ----------------------


def _fills_coarsely(data: bytes, picture: Jpeg, scan: Scan, units: int) -> bool:
    number = int.from_bytes(b"\x01" + data.replace(b"\xff\x00", b"\xff"))
    text = f"{number:b}"[1:]  # the 1 before kept leading zeros
    tables = []
    for identifier, dc, _ in scan.parts:
        code = scan.codes.get((0, dc))
        if code is None:
            return True
        (shown,) = (c for c in picture.components if c.identifier == identifier)
        blocks = 1 if len(scan.parts) == 1 else shown.across * shown.down
        tables += [_words_of(code)] * blocks
    place = 0
    for _ in range(units):
        for words, shortest in tables:
            for length in range(shortest, 17):
                value_bits = words.get(text[place : place + length])
                if value_bits is not None:
                    place += length + value_bits
                    break
            else:
                return False
    return len(text) - 8 * _SPARE <= place <= len(text)


@functools.lru_cache(64)
def _words_of(code: Code) -> tuple[dict[str, int], int]:
    """Code word → bits of the value that follows it; and the length of the shortest."""
    words: dict[str, int] = {}
    number, place = 0, 0
    for length, count in enumerate(code.counts, start=1):
        for symbol in code.symbols[place : place + count]:
            words[f"{number:0{length}b}"] = symbol
            number += 1
        place += count
        number <<= 1
    return words, min(map(len, words), default=1)
