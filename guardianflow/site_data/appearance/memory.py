"""Image files → their appearance, read reduced and once: remembered by the state of each file."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...contracts.errors import DatasetError
from ...contracts.results import LabelledImage
from ...support.pictures.decoding import decode
from ...support.pictures.kinds import PictureError
from ...support.sealed_files import read_sealed, write_sealed
from ..memory.file_state import FileState
from ..progress import tracked
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
    file = _file_of(images, cache_dir)
    known = _remembered(file)
    found: dict[Path, Appearance] = {}
    new: dict[Path, tuple[LabelledImage, FileState]] = {}
    wrong: list[str] = []
    began = time.time_ns()
    for image in images:
        try:
            state = FileState.of(image.path)
        except OSError as exc:
            wrong.append(f"image {image.path} can't be read: {exc.strerror or exc}")
            continue
        kept = known.get(str(image.path))
        if kept is not None and kept[0] == state:
            found[image.path] = kept[1]
        else:
            new[image.path] = image, state
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        measured = pool.map(_measured, [image for image, _ in new.values()])
        told = tracked(measured, "measuring light and blur", len(new))
        for (path, (_, state)), answer in zip(new.items(), told, strict=True):
            if isinstance(answer, str):
                wrong.append(answer)
                continue
            found[path] = answer
            if state.is_settled(began):
                known[str(path)] = state, answer
    if wrong:
        raise DatasetError(wrong)
    if new:
        of_split = {str(path): known[str(path)] for path in found if str(path) in known}
        write_sealed(file, {"format": _FORMAT, "images": of_split})
    return [found[image.path] for image in images]


def _file_of(images: Sequence[LabelledImage], cache_dir: Path) -> Path:
    """One file for a split: by the folders that its images are in."""
    folders = sorted({str(image.path.parent) for image in images})
    key = hashlib.sha256("\0".join(folders).encode("utf-8", "surrogateescape")).hexdigest()
    return cache_dir / "appearance" / f"{key[:16]}.json"


def _remembered(file: Path) -> dict[str, tuple[FileState, Appearance]]:
    kept = read_sealed(file)
    try:
        if not kept or kept["format"] != _FORMAT:
            return {}
        return {
            path: (FileState(*map(int, state)), Appearance(*map(float, values)))
            for path, (state, values) in kept["images"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # nobody but us writes a seal: of another release


def _measured(image: LabelledImage) -> Appearance | str:
    """Measure one file; a text says what is wrong with it."""
    try:
        return measure(_reduced(image))
    except (OSError, PictureError) as exc:
        return f"image {image.path} can't be read: {exc}"


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
