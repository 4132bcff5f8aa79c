"""From an image file to the network's input, one way for every backend.

The geometry is that of Ultralytics' predictor with `rect=False`: the longer side is scaled, up or
down, to the input size, the rest is padded on both sides with grey 114.

OpenCV does it where it is installed. A box at a site may have none: there numpy alone brings an
image to the same pixels, and reading image files is left to whoever has the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ...contracts.errors import EvaluationError, MissingDependencyError
from ...support.pictures.decoding import decode
from ...support.pictures.kinds import PictureError
from .resizing import resize_bilinear

cv2: Any
try:
    import cv2
except ImportError:  # not installed, or without the system libraries that it wants
    cv2 = None

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray
    from ...contracts.results import FloatArray

PADDING_VALUE = 114


def load_image(path: Path) -> ImageArray:
    """Decode an image file as OpenCV, and so Ultralytics, sees it: see support/pictures.

    Reading the bytes first makes any file name work, Hangul too, on every operating system.

    Returns:
        uint8, H×W×3, RGB, turned as it is to be shown.

    Raises:
        EvaluationError: the file can't be read, is no image that can be decoded, or is damaged.
        MissingDependencyError: OpenCV is not installed.
    """
    if cv2 is None:
        raise MissingDependencyError(
            "OpenCV", f"reading the image {path}", "pip install opencv-python-headless"
        )
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise EvaluationError(f"image {path} can't be read: {exc.strerror or exc}") from exc
    try:
        return decode(content)
    except PictureError as exc:
        raise EvaluationError(
            f"image {path} ({len(content)} bytes) {exc}; "
            "replace the file or take it out of the data set"
        ) from exc


@dataclass(frozen=True)
class Letterbox:
    """The fit of an image into the square network input.

    Args:
        scale: network pixels per image pixel, before the sides are rounded to whole pixels.
        pad_left, pad_top: grey columns and rows before the image, network pixels.
        width, height: of the image, pixels.
    """

    scale: float
    pad_left: int
    pad_top: int
    width: int
    height: int

    @property
    def scaled_width(self) -> int:
        """Columns of the network input that the image fills."""
        return max(round(self.width * self.scale), 1)

    @property
    def scaled_height(self) -> int:
        """Rows of the network input that the image fills."""
        return max(round(self.height * self.scale), 1)

    def to_image(self, boxes_xyxy: FloatArray) -> FloatArray:
        """Map boxes from network pixels to image pixels and clip them to the image.

        Args:
            boxes_xyxy: float32, K×4.

        Returns:
            float32, K×4, a new array.
        """
        # Each side has its own gain: rounding to whole pixels moves a thin side by per cents.
        gain_x, gain_y = self.scaled_width / self.width, self.scaled_height / self.height
        offset = np.array([self.pad_left, self.pad_top] * 2, dtype=np.float32)
        gain = np.array([gain_x, gain_y] * 2, dtype=np.float32)
        limit = np.array([self.width, self.height] * 2, dtype=np.float32)
        mapped: FloatArray = np.clip((boxes_xyxy - offset) / gain, np.float32(0), limit)
        return mapped


def letterbox(
    image: ImageArray, size: int, out: ImageArray | None = None
) -> tuple[ImageArray, Letterbox]:
    """Scale an image into a square, keeping its shape, and pad with grey on both sides.

    Args:
        image: uint8, H×W×3, RGB.
        size: side of the square, pixels.
        out: where to write it, uint8, size×size×3, with whole pixels one after another; a place
            in a batch saves the square of its own and a copy. None makes a new one.

    Returns:
        `out`, RGB, and how to map boxes back.

    Raises:
        EvaluationError: `image` is not uint8 H×W×3 with at least one pixel.
    """
    shape, dtype = np.shape(image), getattr(image, "dtype", type(image).__name__)
    if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise EvaluationError(
            f"an image must be uint8, H×W×3, RGB, but is {dtype} of shape {shape}; "
            "load_image() makes it so"
        )
    height, width = shape[:2]
    scale = min(size / height, size / width)
    fit = Letterbox(scale, 0, 0, width, height)
    free_x, free_y = size - fit.scaled_width, size - fit.scaled_height
    # An odd remainder puts the extra pixel right and below, as in Ultralytics (round(x ± 0.1)).
    left, top = free_x // 2, free_y // 2
    fit = Letterbox(scale, left, top, width, height)
    out = np.empty((size, size, 3), np.uint8) if out is None else out
    bottom, right = top + fit.scaled_height, left + fit.scaled_width
    out[:top] = out[bottom:] = PADDING_VALUE
    out[top:bottom, :left] = out[top:bottom, right:] = PADDING_VALUE
    _scale_into(out[top:bottom, left:right], image)
    return out, fit


def _scale_into(place: ImageArray, image: ImageArray) -> None:
    height, width = place.shape[:2]
    if place.shape == image.shape:
        place[:] = image
    elif cv2 is None:
        place[:] = resize_bilinear(image, width, height)
    else:
        made = cv2.resize(image, (width, height), dst=place, interpolation=cv2.INTER_LINEAR)
        if not np.may_share_memory(made, place):  # OpenCV may make another where this won't do
            place[:] = made


class LetterboxedImages(Sequence["ImageArray"]):
    """Letterboxed images of files, decoded when asked for: calibration sets need not fit memory.

    Args:
        paths: image files.
        size: side of the square network input, pixels.
    """

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        self._paths = tuple(paths)
        self._size = size

    @property
    def paths(self) -> tuple[Path, ...]:
        """The image files, in this order."""
        return self._paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> ImageArray: ...

    @overload
    def __getitem__(self, index: slice) -> LetterboxedImages: ...

    def __getitem__(self, index: int | slice) -> ImageArray | LetterboxedImages:
        """One image, uint8 size×size×3 RGB; or, for a slice, fewer images, still not decoded."""
        if isinstance(index, slice):
            return LetterboxedImages(self._paths[index], self._size)
        return letterbox(load_image(self._paths[index]), self._size)[0]
