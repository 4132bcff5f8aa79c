"""Thumbnails are made once for each state of a file, and are what the decoder shows."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from leaking_data import drawn, encoded, scene
from PIL import Image

from guardianflow.site_data.twins import memory
from guardianflow.site_data.twins.memory import ThumbnailMemory
from guardianflow.site_data.twins.thumbnails import SIDE, decode_reduced, thumbnail
from guardianflow.support.pictures.decoding import decode


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "data" / f"사진{n:02d}.jpg" for n in range(6)]
    files[0].parent.mkdir()
    for number, file in enumerate(files):
        file.write_bytes(encoded(drawn(scene(number))))
        os.utime(file, (1_700_000_000, 1_700_000_000))
    return files


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read; a file changed a moment ago counts as settled."""
    names: list[str] = []
    real, lock = memory.thumbnail_of, threading.Lock()

    def counted(path: Path) -> memory.Thumbnail:
        with lock:
            names.append(path.name)
        return real(path)

    monkeypatch.setattr(memory, "thumbnail_of", counted)
    monkeypatch.setattr("guardianflow.site_data.memory.file_state.RACY_NS", -(10**12))
    return names


def test_what_has_not_changed_is_not_read_again(
    images: list[Path], reads: list[str], tmp_path: Path
) -> None:
    first = ThumbnailMemory(tmp_path / "cache", images).look_at(images)
    assert sorted(reads) == [file.name for file in images]
    reads.clear()
    images[2].write_bytes(encoded(drawn(scene(77))))
    again = ThumbnailMemory(tmp_path / "cache", images).look_at(images)
    assert reads == [images[2].name]
    same = [n for n in range(6) if np.array_equal(first.pictures[n], again.pictures[n])]
    assert same == [0, 1, 3, 4, 5]
    reads.clear()
    fewer = ThumbnailMemory(tmp_path / "cache", images).look_at(images[3:])
    assert not reads
    assert np.array_equal(fewer.pictures, again.pictures[3:])


def test_an_interrupted_look_keeps_what_it_has_read(
    images: list[Path], reads: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "AT_ONCE", 2)
    monkeypatch.setattr(memory, "TOLD_EVERY", 2)

    def stop(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ThumbnailMemory(tmp_path / "cache", images).look_at(images, stop)
    reads.clear()
    ThumbnailMemory(tmp_path / "cache", images).look_at(images)
    assert sorted(reads) == [file.name for file in images[4:]]


def test_what_cant_be_read_is_named_and_the_rest_is_there(
    images: list[Path], tmp_path: Path
) -> None:
    images[1].write_bytes(b"no picture")
    images[4].unlink()
    found = ThumbnailMemory(tmp_path / "cache", images).look_at(images)
    assert found.unread.keys() == {images[1], images[4]}
    assert found.paths == (images[0], images[2], images[3], images[5])
    assert found.sizes[0] == images[0].stat().st_size


def test_a_spoilt_memory_is_made_anew(images: list[Path], reads: list[str], tmp_path: Path) -> None:
    before = ThumbnailMemory(tmp_path / "cache", images).look_at(images)
    (pixels,) = (tmp_path / "cache" / "twins").glob("*.npy")
    pixels.write_bytes(pixels.read_bytes()[:1000])
    reads.clear()
    after = ThumbnailMemory(tmp_path / "cache", images).look_at(images)
    assert len(reads) == 6
    assert np.array_equal(before.pictures, after.pictures)
    assert len(list((tmp_path / "cache" / "twins").glob("*.npy"))) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_thumbnail_is_turned_as_the_evaluator_sees_it(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    stream = io.BytesIO()
    large = cv2.resize(drawn(scene(3)), (1000, 800))
    Image.fromarray(large).save(stream, "JPEG", exif=exif, quality=95)
    seen = cv2.cvtColor(decode(stream.getvalue()), cv2.COLOR_RGB2GRAY)
    asked = cv2.resize(seen, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    difference = np.abs(thumbnail(stream.getvalue()).astype(int) - asked)
    assert difference.mean() < 1.5
    assert decode_reduced(stream.getvalue()).shape in ((100, 125), (125, 100))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tiff", ".jp2"])
def test_other_kinds_give_the_same_small_picture(suffix: str) -> None:
    pixels = drawn(scene(5))
    found = thumbnail(encoded(pixels, suffix=suffix)).astype(int)
    assert np.abs(found - thumbnail(encoded(pixels, suffix=".png"))).mean() < 3
