"""Looks at pictures that were drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def size_of(path: Path) -> tuple[int, int]:
    """Width and height; fails where nothing was drawn."""
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and picture.std() > 1, "the picture is blank"
    return picture.shape[1], picture.shape[0]
