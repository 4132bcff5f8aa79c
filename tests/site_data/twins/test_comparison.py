"""What is a twin, what is only the same view, and what is too plain to tell."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from leaking_data import Pixels, a_step_later, drawn, encoded, scene, with_others

from guardianflow.contracts.recordings.leaks import Likeness
from guardianflow.site_data.twins.comparison import View, compare
from guardianflow.site_data.twins.poses import Poses, coarse, pose_of, refined
from guardianflow.site_data.twins.thumbnails import SIDE, thumbnail

SEEDS = range(100, 112)


def view(pixels: Pixels, quality: int = 90) -> View:
    return View.of(thumbnail(encoded(pixels, quality)))


@pytest.mark.parametrize("gain", [0.8, 1.2])
def test_encoding_scaling_and_brightness_leave_a_picture_its_twin(gain: float) -> None:
    for seed in SEEDS:
        pixels = drawn(scene(seed))
        small = cv2.resize(pixels, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
        changed = cv2.convertScaleAbs(small, alpha=gain)
        assert compare(view(changed, 50), view(pixels)).likeness is Likeness.TWIN, seed


def test_the_next_frame_is_a_twin_and_other_people_before_the_same_camera_are_not() -> None:
    later, other = [], []
    for seed in SEEDS:
        there = scene(seed, workers=3)
        first = view(drawn(there))
        later.append(compare(view(drawn(a_step_later(there), 1)), first).likeness)
        other.append(compare(view(drawn(with_others(there, 40 * seed), 300)), first).likeness)
    assert later.count(Likeness.TWIN) >= len(later) - 2  # small and noisy; the benchmark: 96 %
    assert Likeness.TWIN not in other


def test_one_camera_without_people_is_one_picture_and_with_a_few_one_view() -> None:
    there = scene(104, workers=0)
    first, later = drawn(there), drawn(there, 300)
    assert compare(view(later), view(first)).likeness is Likeness.TWIN  # nothing tells them apart
    passing = later.copy()
    passing[60:110, 70:90] = (30, 30, 160)
    found = compare(view(passing), view(first))
    assert found.likeness is Likeness.SCENE
    assert found.different > 100  # of 96×96


def test_other_scenes_have_nothing_in_common() -> None:
    views = [view(drawn(scene(seed))) for seed in SEEDS]
    found = [compare(a, b).likeness for i, a in enumerate(views) for b in views[i + 1 :]]
    assert set(found) == {Likeness.NONE}


@pytest.mark.parametrize("level", [0, 3, 128, 255])
def test_a_picture_of_nothing_is_nobodys_twin_not_even_its_own(level: int) -> None:
    noise = np.random.default_rng(level).normal(level, 2, (200, 200, 3))
    flat = view(noise.clip(0, 255).astype(np.uint8))
    assert flat.is_plain
    assert compare(flat, flat).likeness is Likeness.NONE


@pytest.mark.parametrize(("right", "down"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_crop_is_laid_where_it_was_cut_out(right: int, down: int) -> None:
    """A tenth of each side is gone, from any corner."""
    for seed in SEEDS:
        pixels = drawn(scene(seed))
        x, y = 16 * right, 16 * down
        one, other = view(pixels[y : y + 144, x : x + 144]), view(pixels)
        numbers, fits = Poses(coarse(one.grey)).best([coarse(other.grey)])
        assert fits[0] > 0.8, seed
        ((sx, _, tx), (_, sy, ty)) = refined(one.grey, other.grey, pose_of(int(numbers[0]), SIDE))
        assert sx == pytest.approx(160 / 144, abs=0.03)
        assert sy == pytest.approx(160 / 144, abs=0.03)
        # where the whole picture's corner lies in the crop, thumbnail pixels
        assert tx == pytest.approx(-x * SIDE / 144, abs=2)
        assert ty == pytest.approx(-y * SIDE / 144, abs=2)
        pose = refined(one.grey, other.grey, pose_of(int(numbers[0]), SIDE))
        assert compare(one, other, pose).likeness is Likeness.TWIN, seed
