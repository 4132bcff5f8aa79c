"""Identifies a data set by a sha256 over the names and contents of its images and labels.

The hash and size of each image are remembered by path, size and modification time, so that a
large set is read through once and then only looked at. Labels are small and always read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ..contracts.results import sha256_of
from ..support.files import whole_file
from .labels import image_size
from .progress import tracked

logger = logging.getLogger(__name__)

_JPEG_TAIL = 64 << 10
_FORMAT = 1  # of the memory file


class ImageFacts(NamedTuple):
    """The facts of an image file. Width and height in pixels, as it is shown."""

    sha256: str
    width: int
    height: int


class ImageMemory:
    """Facts of image files, kept in one JSON file between runs.

    Two processes may use one memory: each replaces the file whole, and what the other one learnt
    meanwhile is learnt again later.

    Args:
        file: where it is kept; need not exist.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._known: dict[str, tuple[int, int, str, int, int]] = {}
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            if kept["format"] == _FORMAT:
                self._known = {
                    path: (int(size), int(mtime), str(sha256), int(width), int(height))
                    for path, (size, mtime, sha256, width, height) in kept["images"].items()
                }
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            logger.warning("%s can't be used (%s): every image is read again", file, exc)

    def look_at(self, images: Sequence[Path]) -> tuple[dict[Path, ImageFacts], dict[Path, str]]:
        """Facts of every image, read where they are not remembered.

        Returns:
            Facts by path, and what is wrong by path: unreadable, damaged or cut short.
        """
        facts: dict[Path, ImageFacts] = {}
        wrong: dict[Path, str] = {}
        new: dict[Path, tuple[int, int]] = {}
        for path in images:
            try:
                state = path.stat()
            except OSError as exc:
                wrong[path] = f"can't be read: {exc.strerror}"
                continue
            key = state.st_size, state.st_mtime_ns
            known = self._known.get(str(path))
            if known is not None and known[:2] == key:
                facts[path] = ImageFacts(*known[2:])
            else:
                new[path] = key
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            read = pool.map(_examine, new)
            for path, found in zip(new, tracked(read, "reading images", len(new)), strict=True):
                if isinstance(found, str):
                    wrong[path] = found
                else:
                    facts[path] = found
                    self._known[str(path)] = (*new[path], *found)
        if new:
            try:
                self._save(facts)
            except OSError as exc:  # they are read again the next time
                logger.warning("what was learnt of images can't be kept in %s: %s", self.file, exc)
        return facts, wrong

    def _save(self, current: Iterable[Path]) -> None:
        """Replace the file; what is no longer part of the set is forgotten."""
        keep = {str(path): self._known[str(path)] for path in current}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": _FORMAT, "images": keep}, ensure_ascii=False)
        with whole_file(self.file) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def _examine(path: Path) -> ImageFacts | str:
    """Read one image; a text says what is wrong with it."""
    try:
        width, height = image_size(path)
        if path.suffix.lower() in (".jpg", ".jpeg") and _is_cut_short(path):
            return "is cut short: it is a JPEG without its end marker"
        return ImageFacts(sha256_of(path), width, height)
    except ValueError as exc:
        return str(exc)
    except OSError as exc:
        return f"can't be read: {exc.strerror or exc}"


def _is_cut_short(path: Path) -> bool:
    """Whether a JPEG's end marker is absent from its last part. Some cameras pad after it."""
    with path.open("rb") as stream:
        if stream.read(2) != b"\xff\xd8":  # another format under this suffix
            return False
        size = stream.seek(0, os.SEEK_END)
        # A thumbnail in the first half has an end marker of its own.
        stream.seek(max(size // 2, size - _JPEG_TAIL))
        return b"\xff\xd9" not in stream.read()


def fingerprint(
    splits: Mapping[str, Sequence[Path]],
    class_names: Sequence[str],
    image_hashes: Mapping[Path, str],
    label_hashes: Mapping[Path, str],
) -> str:
    """sha256 (hex) over class names, and per split the names and contents of images and labels.

    Names are taken relative to the folder that holds all images: moving a set does not change it.

    Args:
        label_hashes: by image path; absent for an image without a label file.
    """
    everything = [str(path) for images in splits.values() for path in images]
    top = os.path.commonpath([str(Path(p).parent) for p in everything]) if everything else ""
    digest = hashlib.sha256(json.dumps(list(class_names), ensure_ascii=False).encode())
    for split, images in splits.items():
        for image in sorted(images):
            name = os.path.relpath(image, top)
            line = (split, name, image_hashes[image], label_hashes.get(image, "-"))
            digest.update("\0".join((*line, "\n")).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
