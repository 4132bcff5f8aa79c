"""Appearance of files: measured once, told again while they stay as they are."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.results import LabelledImage
from guardianflow.site_data.appearance import memory
from guardianflow.site_data.appearance.measuring import measure
from guardianflow.site_data.appearance.memory import appearances

NO_BOXES = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)


def written(path, level, *, width=64, height=48):
    """A picture of noise around a level, long ago enough that its state proves its content."""
    rng = np.random.default_rng(level)
    picture = np.clip(rng.normal(level, 12, (height, width, 3)), 0, 255).astype(np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return LabelledImage(path, width, height, *NO_BOXES)


@pytest.fixture
def counted(monkeypatch):
    """The paths that were read."""
    read = []
    real = memory._measured

    def counting(image):
        read.append(image.path.name)
        return real(image)

    monkeypatch.setattr(memory, "_measured", counting)
    monkeypatch.setattr("guardianflow.site_data.memory.file_state.RACY_NS", 0)
    return read


def test_files_are_measured_once_and_again_when_they_change(tmp_path, counted):
    images = [
        written(tmp_path / f"{name}.png", level) for name, level in (("머리", 150), ("b", 20))
    ]
    first = appearances(images, tmp_path / "cache")
    assert [each.light for each in first] == ["day", "night"]
    assert sorted(counted) == ["b.png", "머리.png"]
    assert appearances(images, tmp_path / "cache") == first
    assert len(counted) == 2
    written(tmp_path / "b.png", 60)
    assert [each.light for each in appearances(images, tmp_path / "cache")] == ["day", "dim"]
    assert counted[2:] == ["b.png"]


def test_a_memory_that_was_spoilt_is_made_anew(tmp_path, counted):
    images = [written(tmp_path / "a.png", 150)]
    first = appearances(images, tmp_path / "cache")
    (kept,) = (tmp_path / "cache" / "appearance").iterdir()
    kept.write_bytes(kept.read_bytes()[:-3])
    assert appearances(images, tmp_path / "cache") == first
    assert counted == ["a.png"] * 2


@pytest.mark.parametrize("share", [2, 4, 8])
def test_a_large_file_is_read_reduced_and_says_the_same(tmp_path, share):
    rng = np.random.default_rng(share)
    small = cv2.GaussianBlur(rng.integers(0, 255, (480, 640, 3), dtype=np.uint8), (0, 0), 2)
    large = cv2.resize(small, (640 * share, 480 * share), interpolation=cv2.INTER_CUBIC)
    path = tmp_path / "a.jpg"
    path.write_bytes(cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
    (seen,) = appearances(
        [LabelledImage(path, 640 * share, 480 * share, *NO_BOXES)], tmp_path / "c"
    )
    whole = measure(cv2.imread(str(path))[..., ::-1].copy())
    assert seen.median == pytest.approx(whole.median, abs=2)
    assert seen.edges == pytest.approx(whole.edges, rel=0.2)


def test_files_that_cannot_be_read_are_told_at_once(tmp_path):
    good, damaged = written(tmp_path / "a.png", 90), written(tmp_path / "b.png", 90)
    gone = LabelledImage(tmp_path / "c.png", 64, 48, *NO_BOXES)
    damaged.path.write_bytes(b"no picture")
    with pytest.raises(DatasetError) as told:
        appearances([good, damaged, gone], tmp_path / "cache")
    assert "b.png" in str(told.value)
    assert "c.png" in str(told.value)
    assert os.path.basename(good.path) not in str(told.value)  # noqa: PTH119
