"""A picture's pixels, and its size as they have it.

OpenCV decides, as in Ultralytics' trainer: what it turns is turned (EXIF in JPEG, PNG, WebP and
TIFF), and what stands in XMP alone is not. AVIF it leaves as stored, and HEIF it can't read: the
first is turned here as its container says, the second read by pi-heif, as the trainer does both.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from .containers import Turn, turn_of
from .headers import Png, check_size, read_png, stored_size, tiff_tags
from .jpeg import EXIF, read_jpeg
from .jpeg_damage import look_for_lost_blocks
from .kinds import NoPictureError, PictureError, is_decodable, kind_of, not_a_picture

cv2: Any
try:
    import cv2
except ImportError:  # not installed, or without the system libraries that it wants
    cv2 = None

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

_APP1 = 0xE1
_SUBFILE, _PHOTOMETRIC, _ORIENTATION, _DNG_VERSION = 254, 262, 274, 50706  # TIFF tags
_SENSOR_DATA = (32803, 34892)  # colours still to be made


def decode(content: bytes) -> Pixels:
    """A picture's pixels, turned as it is to be shown.

    Grey gets three equal channels, alpha is dropped, of 16 bits the higher 8 are kept; of several
    pages or frames it is the first.

    Returns:
        uint8, H×W×3, RGB.

    Raises:
        PictureError: no picture, a damaged one, or of a kind that isn't read; the message goes on
            from the file's name.
    """
    if cv2 is None:
        raise PictureError("needs OpenCV: pip install opencv-python-headless")
    kind = kind_of(content)
    _check(content, kind, counting=False)
    if kind == "HEIF":
        return _by_pi_heif(content)
    flags, turn = cv2.IMREAD_COLOR, Turn()
    if kind == "AVIF":
        flags, turn = flags | cv2.IMREAD_IGNORE_ORIENTATION, turn_of(content)
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as exc:  # e.g. more pixels than OpenCV's limit
        raise PictureError(f"can't be decoded: {exc}") from exc
    if pixels is None:
        raise _undecodable(kind)
    if pixels.dtype != np.uint8:
        raise PictureError(
            f"holds numbers of type {pixels.dtype}, which trainers take as they are; "
            "convert it to 8 or 16 bits"
        )
    upright = turn.applied_to(pixels)
    rgb: Pixels = cv2.cvtColor(upright, cv2.COLOR_BGR2RGB)
    return rgb


def size_of(content: bytes, *, counting: bool = False) -> tuple[int, int]:
    """Width and height of what decode() gives; JPEG and PNG are not decoded for it.

    Args:
        counting: see jpeg_damage.py.

    Raises:
        PictureError: as decode() does.
    """
    kind = kind_of(content)
    found = _check(content, kind, counting=counting)
    if found is None:
        height, width = decode(content).shape[:2]
        return width, height
    width, height, transposed = found
    return (height, width) if transposed else (width, height)


def refuse_damage(content: bytes) -> None:
    """Raise a PictureError where decode() would without decoding, for who decodes otherwise."""
    _check(content, kind_of(content), counting=False)


def is_turned(content: bytes) -> bool:
    """Whether a whole picture is shown otherwise than it is stored."""
    kind = kind_of(content)
    if kind == "AVIF":
        return turn_of(content) != Turn()
    if kind == "TIFF":
        return tiff_tags(content).get(_ORIENTATION, 1) in range(2, 9)
    stored = cv2.imdecode(
        np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    )
    return stored is not None and not np.array_equal(stored[..., ::-1], decode(content))


def _check(content: bytes, kind: str, *, counting: bool) -> tuple[int, int, bool] | None:
    """Refuse what no decoder should be asked for.

    Returns:
        Of a JPEG or PNG its size as stored, and whether its sides change places.
    """
    if not is_decodable(content, kind):
        raise not_a_picture(content, kind)
    if kind == "JPEG":
        picture = read_jpeg(content)
        check_size(picture.width, picture.height)
        look_for_lost_blocks(content, picture, counting=counting)
        notes = [content[a:b] for marker, a, b in picture.segments if marker == _APP1]
        return picture.width, picture.height, _turns_jpeg(notes)
    if kind == "PNG":
        png = read_png(content)
        check_size(png.width, png.height)
        return png.width, png.height, _turns_png(png)
    check_size(*stored_size(content, kind))
    if kind == "TIFF":
        _refuse_previews(content)
    return None


def _undecodable(kind: str) -> PictureError:
    if kind == "AVIF":
        why = " (AVIF: damaged, or this OpenCV was built without it)"
    elif kind == "TIFF":
        why = " (TIFF: damaged, or with numbers that are no 8 or 16 bits)"
    else:
        why = f" ({kind}: damaged or cut short)" if kind else ""
    return NoPictureError(f"is not an image OpenCV can decode{why}")


def _refuse_previews(content: bytes) -> None:
    """A raw photo's first picture is a small preview, in another frame than the photo's own."""
    try:
        tags = tiff_tags(content)
    except struct.error:
        return
    if tags.get(_SUBFILE, 0) & 1 or tags.get(_PHOTOMETRIC) in _SENSOR_DATA:
        name = "a raw photo (DNG)" if _DNG_VERSION in tags else "a raw photo"
        raise PictureError(
            f"is {name}, of which decoders read a preview; develop it to PNG or JPEG"
        )


# --- whether OpenCV turns a picture: it is asked, by a small one with the same notes --------------


def _turns_jpeg(notes: list[bytes]) -> bool:
    """Whether OpenCV swaps the sides of a JPEG that has those APP1 segments."""
    if cv2 is None or not any(note[4 : 4 + len(EXIF)] == EXIF for note in notes):
        return False
    small = _small(".jpg")
    return _is_swapped(b"".join([small[:2], *notes, small[2:]]))


def _turns_png(png: Png) -> bool:
    if cv2 is None or all(kind == b"IDAT" for kind, _ in png.turning):
        return False
    small = _small(".png")
    start, end = small.find(b"IDAT") - 4, small.find(b"IEND") - 4
    parts = [small[:start]]
    for kind, body in png.turning:
        if kind == b"IDAT":
            parts.append(small[start:end])
        else:
            named = kind + body
            parts += [len(body).to_bytes(4), named, zlib.crc32(named).to_bytes(4)]
    return _is_swapped(b"".join([*parts, small[end:]]))


@functools.cache
def _small(suffix: str) -> bytes:
    """A picture of 16×8 pixels."""
    return bytes(cv2.imencode(suffix, np.zeros((8, 16, 3), np.uint8))[1])


def _is_swapped(content: bytes) -> bool:
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return pixels is not None and pixels.shape[0] > pixels.shape[1]


def _by_pi_heif(content: bytes) -> Pixels:
    try:
        import pi_heif
    except ImportError as exc:
        raise PictureError(
            "is HEIF, which needs pi-heif: pip install pi-heif (or convert it to PNG or JPEG)"
        ) from exc
    try:
        opened = pi_heif.open_heif(io.BytesIO(content)).to_pillow()
        return np.ascontiguousarray(np.asarray(opened.convert("RGB")))
    except (ValueError, RuntimeError, OSError, SyntaxError) as exc:
        words = " ".join(str(exc).split())
        raise NoPictureError(f"is not an image pi-heif can decode ({words})") from exc
