"""Arrays beside images: never trained on, never changed; kept elsewhere where it is asked for."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiments_adapters.ultralytics_isolation import ultralytics_isolated

SHAPE = (48, 64, 3)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two black images with labels, an array of white beside one and nonsense beside the other."""
    folder = tmp_path / "images"
    (tmp_path / "labels").mkdir()
    folder.mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.zeros(SHAPE, dtype=np.uint8)).save(folder / f"{name}.png")
        (tmp_path / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    np.save(folder / "a.npy", np.full(SHAPE, 255, dtype=np.uint8))
    (folder / "b.npy").write_bytes(b"features of another program")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read(folder: Path, **more: Any) -> list[int]:
    """The brightest value of each image as Ultralytics' data set gives it to a training."""
    from ultralytics.data.dataset import YOLODataset

    names = {"names": {0: "person"}, "channels": 3}
    made = YOLODataset(img_path=str(folder), data=names, imgsz=64, augment=False, **more)
    return [int(made.load_image(place)[0].max()) for place in range(len(made))]


def test_images_are_read_and_arrays_beside_them_left(images: Path) -> None:
    before = contents(images)
    with ultralytics_isolated():
        assert read(images) == [0, 0]
    assert contents(images) == before
    # What it does elsewhere: the array is taken for the image, and what is no array is deleted.
    assert read(images) == [255, 0]
    assert "b.npy" not in contents(images)


@pytest.mark.parametrize("nested", [False, True])
def test_arrays_that_are_asked_for_lie_elsewhere_and_go(
    images: Path, temporary: Path, nested: bool
) -> None:
    before = contents(images)
    with ultralytics_isolated():
        if nested:
            with ultralytics_isolated(offline=True):
                assert read(images, cache="disk") == [0, 0]
        assert read(images, cache="disk") == [0, 0]
        (folder,) = temporary.iterdir()
        assert len(list(folder.iterdir())) == 2
    assert contents(images) == before
    assert not list(temporary.iterdir())


def test_where_there_is_no_room_images_are_read_anew(
    images: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments_adapters import image_arrays

    monkeypatch.setattr(image_arrays, "ROOM", 1e12)
    with ultralytics_isolated():
        assert read(images, cache="disk") == [0, 0]
        assert not list(temporary.iterdir())
