"""Bilinear resizing with numpy alone, pixel for pixel what OpenCV's INTER_LINEAR makes of uint8.

A box at a site has an inference runtime and numpy, and no OpenCV. A detector must find there what
it found where it was judged, so "nearly the same pixels" would not do. The arithmetic is that of
OpenCV's fixed-point resize (modules/imgproc/src/resize.cpp): weights in 1/2048, columns first,
rows in 16-bit products, and the mean of four pixels where both sides are halved, to which the
general case comes down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...contracts.ports import ImageArray

    Places = npt.NDArray[np.int32]

WEIGHT_ONE = 2048
"""The weight that stands for 1."""


def resize_bilinear(image: ImageArray, width: int, height: int) -> ImageArray:
    """Scale an image to `width`×`height`.

    Args:
        image: uint8, H×W×3, at least one pixel.
        width, height: pixels, 1 or more.

    Returns:
        uint8, height×width×3, equal to cv2.resize(…, interpolation=cv2.INTER_LINEAR).
    """
    left, right, left_weight, right_weight = _columns(image.shape[1], width)
    upper, lower, upper_weight, lower_weight = _rows(image.shape[0], height)
    pixels = image.astype(np.int32)
    wide = pixels[:, left] * left_weight[:, None] + pixels[:, right] * right_weight[:, None]
    wide >>= 4  # OpenCV drops these bits so that the products below fit 32
    above = (wide[upper] * upper_weight[:, None, None]) >> 16
    below = (wide[lower] * lower_weight[:, None, None]) >> 16
    resized: ImageArray = np.clip((above + below + 2) >> 2, 0, 255).astype(np.uint8)
    return resized


def _columns(source: int, target: int) -> tuple[Places, Places, Places, Places]:
    """For each target column its two source columns and their weights."""
    first, share = _places(source, target)
    # At the sides the only column there is gets the whole weight; rows keep their two weights.
    share = np.where((first < 0) | (first >= source - 1), np.float32(0), share)
    first = np.clip(first, 0, source - 1)
    return first, np.minimum(first + 1, source - 1), *_weights(share)


def _rows(source: int, target: int) -> tuple[Places, Places, Places, Places]:
    """For each target row its two source rows and their weights."""
    first, share = _places(source, target)
    return (
        np.clip(first, 0, source - 1),
        np.clip(first + 1, 0, source - 1),
        *_weights(share),
    )


def _places(source: int, target: int) -> tuple[Places, npt.NDArray[np.float32]]:
    """The source pixel at or before each target pixel's centre, and the way to the next, 0…1."""
    scale = 1.0 / (target / source)  # as OpenCV takes it: not quite source / target
    centres = ((np.arange(target) + 0.5) * scale - 0.5).astype(np.float32)
    first = np.floor(centres).astype(np.int32)
    return first, centres - first.astype(np.float32)


def _weights(share: npt.NDArray[np.float32]) -> tuple[Places, Places]:
    one = np.float32(WEIGHT_ONE)
    return (
        np.rint((np.float32(1) - share) * one).astype(np.int32),
        np.rint(share * one).astype(np.int32),
    )
