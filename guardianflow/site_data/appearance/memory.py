"""Image files → their appearance, read reduced and once: remembered by the state of each file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...contracts.errors import DatasetError
from ...contracts.results import LabelledImage
from ...support.pictures.decoding import decode
from ...support.pictures.kinds import PictureError
from ..memory.images import FactMemory
from .measuring import LONGEST_SIDE, Appearance, measure

cv2: Any
try:
    import cv2
except ImportError:
    cv2 = None

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray

_FORMAT = 1  # of the memory file, and of how appearance is measured


def appearances(images: Sequence[LabelledImage], cache_dir: Path) -> list[Appearance]:
    """How each image looks.

    Args:
        images: of a split; their sizes say how far a file is reduced while it is decoded.
        cache_dir: of data sets; what was measured is kept there.

    Raises:
        DatasetError: images that can't be read; all of them at once.
        MissingDependencyError: OpenCV is not installed.
    """
    by_path = {image.path: image for image in images}
    memory = FactMemory(
        _file_of(images, cache_dir),
        _FORMAT,
        lambda kept: Appearance(*map(float, kept)),
        lambda path: _measured(by_path[path]),
        "measuring light and blur",
    )
    found, wrong = memory.look_at(list(by_path))
    if wrong:
        raise DatasetError([f"image {path} {message}" for path, message in wrong.items()])
    return [found[image.path] for image in images]


def _file_of(images: Sequence[LabelledImage], cache_dir: Path) -> Path:
    """One file for a split: by the folders that its images are in."""
    folders = sorted({str(image.path.parent) for image in images})
    key = hashlib.sha256("\0".join(folders).encode("utf-8", "surrogateescape")).hexdigest()
    return cache_dir / "appearance" / f"{key[:16]}.json"


def _measured(image: LabelledImage) -> Appearance | str:
    """Measure one file; a text says what is wrong with it."""
    try:
        return measure(_reduced(image))
    except (OSError, PictureError) as exc:
        return f"can't be read: {exc}"


def _reduced(image: LabelledImage) -> ImageArray:
    """The picture, decoded to half, a quarter or an eighth where it is still large enough then."""
    content = image.path.read_bytes()
    longest = max(image.width, image.height)
    share = next((each for each in (8, 4, 2) if longest >= each * LONGEST_SIDE), 1)
    if share > 1 and cv2 is not None:
        flags = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
        flag = flags.get(share, cv2.IMREAD_REDUCED_COLOR_8)
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
        if pixels is not None and pixels.dtype == np.uint8:
            rgb: ImageArray = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
            return rgb
    return decode(content)
