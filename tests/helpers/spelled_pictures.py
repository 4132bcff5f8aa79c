"""One picture in every form that cameras and exporters write, turned or plain, as real files."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

ORIENTATION = 274
TURNS = range(1, 9)
_STORED = {  # EXIF orientation → what makes its stored picture of the upright one
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
Pixels = np.ndarray
Writer = Callable[[Pixels, int], bytes]


def stored(upright: Pixels, turn: int) -> Image.Image:
    """What a file with that EXIF orientation must hold to be shown as `upright`."""
    image = Image.fromarray(upright)
    return image.transpose(_STORED[turn]) if turn in _STORED else image


def exif(turn: int) -> Image.Exif:
    note = Image.Exif()
    note[ORIENTATION] = turn
    return note


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def by_pillow(form: str, mode: str = "RGB", **options: object) -> Writer:
    """Turned by its EXIF data, as cameras write it."""

    def write(upright: Pixels, turn: int) -> bytes:
        image = stored(upright, turn).convert(mode)
        return saved(image, form, exif=exif(turn), **options)

    return write


def by_opencv(suffix: str, depth: int = 1, flags: tuple[int, ...] = ()) -> Writer:
    """Upright; depth 257 makes 16 bits of 8."""

    def write(upright: Pixels, turn: int) -> bytes:
        pixels = cv2.cvtColor(upright, cv2.COLOR_RGB2BGR)
        if depth > 1:
            pixels = pixels.astype(np.uint16) * depth
        return bytes(cv2.imencode(suffix, pixels, flags)[1])

    return write


def several(form: str, **options: object) -> Writer:
    """More pages or frames after the one that counts."""

    def write(upright: Pixels, turn: int) -> bytes:
        first = stored(upright, turn)
        others = [Image.fromarray(np.roll(upright, 9 * i, 1)) for i in (1, 2)]
        return saved(first, form, save_all=True, append_images=others, exif=exif(turn), **options)

    return write


# name of the form → suffix, writer, whether it is turned
FORMS: dict[str, tuple[str, Writer, bool]] = {
    "JPEG": (".jpg", by_pillow("JPEG", quality=100, subsampling=0), True),
    "JPEG, progressive": (".jpeg", by_pillow("JPEG", quality=98, progressive=True), True),
    "JPEG, restart markers": (".jpg", by_pillow("JPEG", quality=98, restart_marker_blocks=3), True),
    "JPEG, CMYK": (".jpg", by_pillow("JPEG", "CMYK", quality=100), True),
    "JPEG in upper case": (".JPG", by_pillow("JPEG", quality=100), True),
    "MPO": (".mpo", several("MPO", quality=100), True),
    "PNG": (".png", by_pillow("PNG"), True),
    "PNG, palette": (".png", by_pillow("PNG", "P"), True),
    "PNG, alpha": (".png", by_pillow("PNG", "RGBA"), True),
    "PNG, 16 bits": (".png", by_opencv(".png", 257), False),
    "PNG, animated": (".png", several("PNG"), False),
    "PNG called .jpg": (".jpg", by_pillow("PNG"), True),
    "WebP": (".webp", by_pillow("WEBP", lossless=True), True),
    "WebP, alpha": (".webp", by_pillow("WEBP", "RGBA", lossless=True), True),
    "WebP, animated": (".webp", several("WEBP", lossless=True), False),
    "TIFF": (".tif", by_pillow("TIFF"), True),
    "TIFF, LZW": (".tiff", by_pillow("TIFF", compression="tiff_lzw"), True),
    "TIFF, deflate": (".TIF", by_pillow("TIFF", compression="tiff_adobe_deflate"), True),
    "TIFF, alpha": (".tif", by_pillow("TIFF", "RGBA"), True),
    "TIFF, palette": (".tif", by_pillow("TIFF", "P"), True),
    "TIFF, 16 bits": (".tif", by_opencv(".tif", 257), False),
    "TIFF, pages": (".tif", several("TIFF"), False),
    "TIFF called .png": (".png", by_pillow("TIFF"), True),
    "AVIF": (".avif", by_pillow("AVIF", quality=100, subsampling="4:4:4"), True),
    "AVIF, alpha": (".avif", by_pillow("AVIF", "RGBA", quality=100), True),
    "BMP": (".bmp", by_opencv(".bmp"), False),
    "JPEG 2000": (".jp2", by_opencv(".jp2"), False),
}


def upright(number: int, width: int = 96, height: int = 64) -> Pixels:
    """Another picture for every number, none of which looks the same when turned."""
    coarse = np.random.default_rng(number).integers(0, 256, (4, 6, 3), np.uint8)
    return np.ascontiguousarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
