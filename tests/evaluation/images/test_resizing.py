"""A box without OpenCV must see the pixels that the detector was judged on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.contracts.errors import MissingDependencyError
from guardianflow.evaluation.images import preprocessing
from guardianflow.evaluation.images.preprocessing import letterbox, load_image
from guardianflow.evaluation.images.resizing import resize_bilinear

SIDES = st.integers(1, 90)


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@given(width=SIDES, height=SIDES, to_width=SIDES, to_height=SIDES, seed=st.integers(0, 99))
@settings(max_examples=400, deadline=None)
def test_every_pixel_is_opencvs(
    width: int, height: int, to_width: int, to_height: int, seed: int
) -> None:
    image = noise(width, height, seed)
    expected = cv2.resize(image, (to_width, to_height), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(resize_bilinear(image, to_width, to_height), expected)


@pytest.mark.parametrize(
    ("width", "height", "to_width", "to_height"),
    [
        (1920, 1080, 640, 360),
        (1280, 1280, 640, 640),  # OpenCV takes means of four pixels here
        (2560, 1440, 640, 360),
        (640, 427, 640, 427),
        (352, 288, 640, 524),
        (1, 1, 32, 32),
    ],
)
def test_the_sizes_of_cameras(width: int, height: int, to_width: int, to_height: int) -> None:
    image = noise(width, height)
    expected = cv2.resize(image, (to_width, to_height), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(resize_bilinear(image, to_width, to_height), expected)


@given(width=st.integers(1, 300), height=st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_letterboxing_without_opencv_gives_the_same_input(width: int, height: int) -> None:
    image = noise(width, height)
    expected, fit = letterbox(image, 160)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preprocessing, "cv2", None)
        pixels, same_fit = letterbox(image, 160)
    np.testing.assert_array_equal(pixels, expected)
    assert same_fit == fit


def test_reading_files_without_opencv_names_the_cure(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessing, "cv2", None)
    with pytest.raises(MissingDependencyError, match="pip install opencv-python-headless"):
        load_image(tmp_path / "image.jpg")
