"""Pixels → Appearance: light and blur of one picture.

Light is that of the picture, not of the hour: a yard lit as bright as day counts as day. Medians
are taken, so that a lamp, a white van or a line of text changes nothing. A camera that lights the
scene itself by infrared gives grey pictures that are bright in the middle and dark at the edges, so
of grey pictures the outer band decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...contracts.errors import MissingDependencyError
from ...contracts.recordings.slices import BLURRED, DAY, DIM, NIGHT, SHARP, SOFT

cv2: Any
try:
    import cv2
except ImportError:  # not installed, or without the system libraries that it wants
    cv2 = None

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray

LONGEST_SIDE = 640
"""Pixels: what is larger is measured reduced to this, so that blur means the same for all."""
NIGHT_BELOW, DIM_BELOW = 40.0, 80.0
"""Median grey level, 0…255."""
GREY_BELOW = 8.0
"""Difference of the strongest and the weakest colour that 9 of 10 pixels stay within."""
INFRARED_BELOW = 75.0
"""Median grey level of the outer band of a grey picture."""
SPOT_SHARE, SPOT_BELOW = 0.5, 100.0
"""The outer band has less than this share of the grey level of the middle, and less than this: a
spot of light."""
BLURRED_BELOW, SOFT_BELOW = 0.008, 0.05
"""Variance of the Laplacian ÷ variance of grey levels. A Gaussian blur of 1.5 px on a picture of
640 px brings most real pictures below the first, one of 0.8 px below the second."""
_LEAST_CONTRAST = 1.0  # a picture of one colour has neither contrast nor edges


class Appearance(NamedTuple):
    """Measured of one picture.

    Args:
        median, border, middle: median grey level of all, of the outer band, of the rest: 0…255.
        colour: difference between colours that 9 of 10 pixels stay within, 0…255.
        edges: variance of the Laplacian ÷ variance of grey levels.
    """

    median: float
    border: float
    middle: float
    colour: float
    edges: float

    @property
    def light(self) -> str:
        """'day', 'dim' or 'night'."""
        spot = self.border < SPOT_BELOW and self.border < SPOT_SHARE * self.middle
        is_infrared = spot or self.border < INFRARED_BELOW
        if self.colour < GREY_BELOW and is_infrared:
            return NIGHT
        return NIGHT if self.median < NIGHT_BELOW else DIM if self.median < DIM_BELOW else DAY

    @property
    def blur(self) -> str:
        """'sharp', 'soft' or 'blurred'."""
        if self.edges < BLURRED_BELOW:
            return BLURRED
        return SOFT if self.edges < SOFT_BELOW else SHARP


def measure(image: ImageArray) -> Appearance:
    """Measure one picture.

    Args:
        image: uint8, H×W×3; the order of colours does not matter much: RGB.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    if cv2 is None:
        raise MissingDependencyError(
            "OpenCV", "measuring light and blur", "pip install opencv-python-headless"
        )
    height, width = image.shape[:2]
    share = LONGEST_SIDE / max(height, width)
    if share < 1:
        size = max(1, round(width * share)), max(1, round(height * share))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        height, width = image.shape[:2]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    inner = np.zeros(grey.shape, dtype=bool)
    inner[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    border = grey[~inner] if not inner.all() else grey
    colours = cv2.subtract(image.max(axis=2), image.min(axis=2))
    contrast = max(float(grey.var()), _LEAST_CONTRAST)
    return Appearance(
        median=float(np.median(grey)),
        border=float(np.median(border)),
        middle=float(np.median(grey[inner])),
        colour=float(np.percentile(colours, 90)),
        edges=float(cv2.Laplacian(grey, cv2.CV_32F).var()) / contrast,
    )
