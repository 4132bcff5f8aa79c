"""Data sets of drawn scenes whose test is in train on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from demo_scenes.scene import CLASS_NAMES, Scene, SeenObject, random_scene, render
from guardianflow.site_data.drawn.generator import label_rows

Pixels = npt.NDArray[np.uint8]
SIDE = 160


def drawn(scene: Scene, frame: int = 0) -> Pixels:
    """RGB."""
    pixels: Pixels = render(scene, frame=frame)[0]
    return pixels


def scene(seed: int, workers: int | None = None) -> Scene:
    return random_scene(SIDE, seed, workers=workers)


def with_others(there: Scene, seed: int) -> Scene:
    """The same camera, other people at other places."""
    for other in range(seed, seed + 50):
        placed = random_scene(SIDE, other, workers=2).workers
        seen = render(replace(there, workers=placed))[1]
        if sum(one.box is not None for one in seen) >= 3:
            return replace(there, workers=placed)
    raise AssertionError("no people within sight of this camera")


def a_step_later(there: Scene) -> Scene:
    return replace(there, workers=tuple(replace(w, x=w.x + 0.06) for w in there.workers))


def encoded(pixels: Pixels, quality: int = 90, suffix: str = ".jpg") -> bytes:
    done, data = cv2.imencode(suffix, pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def write_image(path: Path, pixels: Pixels, seen: Sequence[SeenObject], quality: int = 90) -> None:
    """An image and its labels, as YOLO has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(pixels, quality))
    label = Path(str(path.with_suffix(".txt")).replace("/images/", "/labels/"))
    label.parent.mkdir(parents=True, exist_ok=True)
    label.write_text(label_rows(list(seen), SIDE), encoding="utf-8")


def leaking_data(folder: Path, train: int = 24, twins: int = 12, others: int = 10) -> Path:
    """A data set, in which `twins` of the test images are train images encoded anew.

    Returns:
        Its data.yaml.
    """
    for number in range(train):
        pixels, seen = render(scene(number))
        write_image(folder / f"images/train/용접_{number:03d}.jpg", pixels, seen)
        if number < twins:
            file = folder / f"images/test/시험_{number:03d}.jpg"
            write_image(file, pixels, seen, quality=60)
    for number in range(others):
        pixels, seen = render(scene(5000 + number))
        write_image(folder / f"images/test/다른_{number:03d}.jpg", pixels, seen)
        pixels, seen = render(scene(9000 + number))
        write_image(folder / f"images/val/확인_{number:03d}.jpg", pixels, seen)
    names = "".join(f"  {i}: {name}\n" for i, name in enumerate(CLASS_NAMES))
    splits = "".join(f"{split}: images/{split}\n" for split in ("train", "val", "test"))
    (folder / "data.yaml").write_text(f"{splits}names:\n{names}", encoding="utf-8")
    return folder / "data.yaml"
