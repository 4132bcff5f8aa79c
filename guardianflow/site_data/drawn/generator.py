"""What all drawn demos share: the hash of the code that draws, seeds, pictures, YOLO labels."""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import demo_scenes

from ...support.sealed_files import read_sealed, write_sealed

if TYPE_CHECKING:
    from demo_scenes.canvas import Pixels
    from demo_scenes.scene import SeenObject

OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python")
"""Distributions that hold cv2."""
SCENES = Path(demo_scenes.__file__).parent
CCTV = SCENES / "cctv"


def generator_hash(*own: Path, memory: Path | None = None) -> str:
    """Eight hex digits over the code that draws and the libraries whose rounding shows.

    Args:
        own: modules, and folders of them, that draw besides `demo_scenes` and this one.
        memory: file that keeps the digits of this very text, as reading it takes a while.
    """
    return _hash_of((SCENES, Path(__file__), *own), memory)


@functools.cache
def _hash_of(own: tuple[Path, ...], memory: Path | None) -> str:
    places = [path for place in own for path in _modules(place)]
    texts = [path.read_text(encoding="utf-8") for path in places]
    versions = f"{_opencv_version()} {np.__version__}"
    key = hashlib.sha256("\0".join([versions, sys.version, *texts]).encode()).hexdigest()
    kept = read_sealed(memory) if memory else None
    if kept and kept.get("text") == key:
        return str(kept["hash"])
    digest = hashlib.sha256(versions.encode())
    for text in texts:
        digest.update(code_of(text).encode())
    found = digest.hexdigest()[:8]
    if memory:
        write_sealed(memory, {"text": key, "hash": found})
    return found


def _modules(place: Path) -> list[Path]:
    return sorted(place.glob("*.py")) if place.is_dir() else [place]


def _opencv_version() -> str:
    """Without importing it, which takes as long as looking through a small set."""
    for name in OPENCV:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    import cv2

    return str(cv2.__version__)


def code_of(text: str) -> str:
    """A module's code without comments, docstrings and layout: what they say draws nothing."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def save_jpeg(path: Path, image: Pixels, quality: int) -> None:
    """Write an RGB image as JPEG through memory, so that any path will do."""
    import cv2

    done, data = cv2.imencode(path.suffix, image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OSError(f"{path}: the image could not be encoded")
    path.write_bytes(data.tobytes())


def label_rows(seen: Iterable[SeenObject], size: int) -> str:
    """YOLO rows (class, centre x, centre y, width, height; shares of the side) of what is seen."""
    from demo_scenes.scene import CLASS_NAMES

    rows = []
    for one in seen:
        if not one.is_labelled or one.box is None:
            continue
        x1, y1, x2, y2 = (value / size for value in one.box)
        shares = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        rows.append(f"{CLASS_NAMES.index(one.name)} " + " ".join(f"{v:.6f}" for v in shares))
    return "".join(f"{row}\n" for row in rows)


def write_data_yaml(folder: Path, splits: Iterable[str]) -> None:
    """Write the data.yaml of a set whose images lie in images/SPLIT."""
    from demo_scenes.scene import CLASS_NAMES

    names = "".join(f"  {i}: {name}\n" for i, name in enumerate(CLASS_NAMES))
    places = "".join(f"{split}: images/{split}\n" for split in splits)
    text = f"# Drawn by GuardianFlow; free of any licence.\n{places}names:\n{names}"
    (folder / "data.yaml").write_text(text, encoding="utf-8")
