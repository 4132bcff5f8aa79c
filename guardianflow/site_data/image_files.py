"""A set's image files: their size, and whether a trainer reads of each what we do.

Ultralytics opens an image by Pillow first, and leaves it out with a line in its log where that
fails or the kind is none of its own; then it decodes it, by another way for some suffixes. A file
on which it would differ from us is an error here, so that what is learnt is what is judged.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path, PurePath

from PIL import Image, UnidentifiedImageError

from ..support.pictures.containers import turns_by_xmp_alone
from ..support.pictures.decoding import is_turned, size_of
from ..support.pictures.kinds import DamagedPictureError, NoPictureError, PictureError, kind_of

_READ_BY_TRAINERS = {
    "JPEG": (".jpg", ".jpeg", ".mpo"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "WebP": (".webp",),
    "TIFF": (".tif", ".tiff", ".dng"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif"),
    "JPEG 2000": (".jp2",),
}
# Suffixes by which Ultralytics chooses another decoder, whatever the file holds.
_BY_PILLOW = frozenset((".avif", ".heic", ".heif"))
_OF_PILLOW = ("AVIF", "HEIF")
_BY_PAGES = frozenset((".tif", ".tiff"))
_COMPRESSION, _OFFSETS, _LENGTHS = 259, 273, 279  # TIFF tags
_TILE_OFFSETS, _TILE_LENGTHS = 324, 325
_DEFLATE = (8, 32946)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as the image is decoded: turned as it is to be shown.

    Raises:
        ValueError: not an image, or an unknown or damaged one; the message says so.
        OSError: the file can't be read.
    """
    try:
        return size_of(path.read_bytes())
    except PictureError as exc:
        raise _worded(exc) from exc


def examined(content: bytes, path: PurePath) -> tuple[int, int]:
    """The same of a file's content, looked at closely, as a data set's files are once.

    Raises:
        ValueError: as above, or a trainer would not read of it what we do.
    """
    kind = kind_of(content)
    try:
        size = size_of(content, counting=True)
        if kind not in _READ_BY_TRAINERS:
            raise PictureError(
                f"is {kind or 'of no kind that is known'}, which trainers don't read; "
                "convert it to PNG or JPEG"
            )
        _refuse_read_otherwise(content, kind, path.suffix.lower())
        if kind != "HEIF":  # Pillow has no reader of its own
            _refuse_unopened(content, kind)
    except PictureError as exc:
        raise _worded(exc) from exc
    return size


def _worded(exc: PictureError) -> ValueError:
    """What is no image at all is told as such."""
    if isinstance(exc, NoPictureError):
        return ValueError(f"can't be read as an image: it {exc}")
    lost = isinstance(exc, DamagedPictureError)
    return ValueError(f"{exc}; fetch the file again" if lost else str(exc))


def _refuse_read_otherwise(content: bytes, kind: str, suffix: str) -> None:
    """Raise where Ultralytics, going by the suffix, sees it turned otherwise, or not at all."""
    own = _READ_BY_TRAINERS[kind]
    if kind == "AVIF" and turns_by_xmp_alone(content):
        raise PictureError(
            "says in its XMP alone how it is turned, which trainers follow and others don't; "
            "store it upright"
        )
    if kind == "HEIF" and suffix not in _BY_PILLOW:
        raise PictureError(
            f"is HEIF called {suffix}, which trainers can't read; rename it {own[0]}"
        )
    alike = suffix in _BY_PILLOW if kind in _OF_PILLOW else suffix not in _BY_PILLOW | _BY_PAGES
    if suffix not in own and not alike and is_turned(content):
        raise PictureError(
            f"is {kind} called {suffix}, by which trainers don't see that it is turned; rename it "
            f"{own[0]}"
        )


def _refuse_unopened(content: bytes, kind: str) -> None:
    """Raise where Pillow can't open it, or finds damage that OpenCV passes over."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            if kind == "TIFF":
                _refuse_damaged_strips(content, image)
                image.load()
    except Image.DecompressionBombError as exc:
        raise PictureError(f"is too large for trainers: {exc}") from exc
    except (UnidentifiedImageError, ImportError) as exc:
        # Once Ultralytics is imported, Pillow's open() asks for pi-heif on what it can't identify.
        raise PictureError(
            f"is {kind} of a form that Pillow, with which trainers open it, doesn't know; "
            "convert it to PNG or JPEG"
        ) from exc
    except (OSError, SyntaxError, ValueError) as exc:
        if isinstance(exc, PictureError):
            raise
        raise DamagedPictureError(f"is damaged: {exc}") from exc


def _refuse_damaged_strips(content: bytes, image: Image.Image) -> None:
    """Deflate ends with a checksum, which the TIFF library doesn't look at."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    if tags.get(_COMPRESSION) not in _DEFLATE:
        return
    starts = tags.get(_OFFSETS) or tags.get(_TILE_OFFSETS) or ()
    lengths = tags.get(_LENGTHS) or tags.get(_TILE_LENGTHS) or ()
    for start, length in zip(starts, lengths, strict=False):
        try:
            zlib.decompress(content[start : start + length])
        except zlib.error as exc:
            raise DamagedPictureError(
                f"is damaged: a strip at byte {start} does not match its checksum"
            ) from exc
