"""Images reach the network as Ultralytics' predictor would bring them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from guardianflow.contracts.errors import EvaluationError
from guardianflow.evaluation.images.preprocessing import (
    Letterbox,
    LetterboxedImages,
    letterbox,
    load_image,
)


def gradient(width, height):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=2).astype(np.uint8)


def write(path, pixels):
    encoded, content = cv2.imencode(path.suffix, pixels)
    assert encoded
    content.tofile(path)
    return path


def save_rotated(path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right to see it upright
    Image.fromarray(gradient(48, 32)).save(path, exif=exif, quality=95)


FILES = {
    "colour.jpg": lambda path: write(path, gradient(48, 32)),
    "colour.png": lambda path: write(path, gradient(48, 32)),
    "colour.bmp": lambda path: write(path, gradient(48, 32)),
    "colour.webp": lambda path: write(path, gradient(48, 32)),
    "grey.jpg": lambda path: write(path, gradient(48, 32)[..., 0]),
    "grey.png": lambda path: write(path, gradient(48, 32)[..., 0]),
    "alpha.png": lambda path: write(path, np.dstack([gradient(48, 32), gradient(48, 32)[..., 2]])),
    "16 bit.png": lambda path: write(path, gradient(48, 32).astype(np.uint16) * 257),
    "colour.tiff": lambda path: write(path, gradient(48, 32)),
    "rotated.jpg": save_rotated,
    "안전모 사진.jpg": lambda path: write(path, gradient(48, 32)),
}


@pytest.mark.parametrize("name", FILES)
def test_every_file_looks_as_it_does_to_ultralytics(name, tmp_path):
    from ultralytics.utils.patches import imread

    folder = tmp_path / "울산 공장"
    folder.mkdir()
    FILES[name](folder / name)
    image = load_image(folder / name)
    assert image.dtype == np.uint8
    assert image.shape == ((48, 32, 3) if name == "rotated.jpg" else (32, 48, 3))
    assert np.array_equal(image, imread(str(folder / name))[..., ::-1])


@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0 cut off"])
def test_a_file_that_is_no_image_is_named(content, tmp_path):
    (tmp_path / "부서진.jpg").write_bytes(content)
    with pytest.raises(EvaluationError, match=r"부서진\.jpg .* not an image OpenCV can decode"):
        load_image(tmp_path / "부서진.jpg")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EvaluationError, match=r"없음\.jpg can't be read: No such file"):
        load_image(tmp_path / "없음.jpg")


sides = st.integers(1, 90)


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.sampled_from([32, 64, 96]))
def test_letterbox_is_that_of_ultralytics(width, height, size):
    from ultralytics.data.augment import LetterBox

    image = gradient(width, height)
    ours, fit = letterbox(image, size)
    assert ours.shape == (size, size, 3)
    assert np.array_equal(ours, LetterBox((size, size), auto=False)(image=image))
    inside = ours[fit.pad_top :, fit.pad_left :][: fit.scaled_height, : fit.scaled_width]
    assert inside.shape == (fit.scaled_height, fit.scaled_width, 3)
    assert (fit.width, fit.height) == (width, height)
    batch = np.full((3, size, size, 3), 7, np.uint8)
    into, same = letterbox(image, size, batch[1])
    assert same == fit and np.array_equal(batch[1], ours) and np.shares_memory(into, batch)
    assert (batch[[0, 2]] == 7).all()


coordinates = st.floats(-40, 140, width=32)


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.lists(st.tuples(*[coordinates] * 4), max_size=5))
def test_boxes_go_back_as_in_ultralytics(width, height, rows):
    from ultralytics.utils.ops import scale_boxes

    boxes = np.array(rows, dtype=np.float32).reshape(-1, 4)
    _, fit = letterbox(gradient(width, height), 96)
    ours = fit.to_image(boxes)
    assert ours.dtype == np.float32
    assert ours == pytest.approx(scale_boxes((96, 96), boxes.copy(), (height, width)), abs=1e-3)


def test_a_box_around_the_picture_goes_back_to_its_corners():
    _, fit = letterbox(gradient(200, 100), 64)
    assert fit == Letterbox(scale=0.32, pad_left=0, pad_top=16, width=200, height=100)
    whole = np.array([[0, 16, 64, 48], [-5, -5, 99, 99]], dtype=np.float32)
    assert fit.to_image(whole).tolist() == [[0, 0, 200, 100], [0, 0, 200, 100]]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
        "a path",
    ],
)
def test_what_is_no_rgb_image_is_refused(wrong):
    with pytest.raises(EvaluationError, match="must be uint8, H×W×3, RGB"):
        letterbox(wrong, 32)


def test_calibration_images_are_decoded_only_when_asked_for(tmp_path):
    paths = [write(tmp_path / f"{i}.png", np.full((10, 20, 3), i, np.uint8)) for i in range(3)]
    images = LetterboxedImages([*paths, tmp_path / "missing.png"], 32)
    assert len(images) == 4
    assert [int(image[16, 16, 0]) for image in images[:3]] == [0, 1, 2]
    assert images[1].shape == (32, 32, 3)
    with pytest.raises(EvaluationError, match=r"missing\.png"):
        images[-1]
