"""Light and blur of drawn pictures, of real ones where they are there, and of made-up extremes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from demo_scenes.scene import random_scene, render
from guardianflow.site_data.appearance.measuring import measure

SIZE = 320


def drawn(kind, seed, tint=None, lamps=None):
    """A drawn scene in this light; with no lamps and its own tint where they are given."""
    scene = next(
        scene
        for scene in (random_scene(SIZE, number) for number in range(seed * 100, seed * 100 + 100))
        if scene.light.kind == kind
    )
    light = scene.light
    light = replace(light, tint=tint or light.tint)
    light = replace(light, lamps=light.lamps if lamps is None else lamps, smear=(0.0, 0.0))
    return render(replace(scene, light=light))[0]


def infrared(picture):
    """As a camera's own lamp shows it: grey, bright in the middle, dark at the edges."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(float)
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    lit = np.clip(grey * (0.3 + 1.7 * np.exp(-3.5 * (x**2 + y**2))), 0, 255).astype(np.uint8)
    stored = cv2.imencode(".jpg", np.repeat(lit[..., None], 3, axis=2))[1]
    return cv2.imdecode(stored, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("seed", range(4))
def test_a_sunny_or_overcast_yard_is_day(seed):
    for kind, tint in (("sun", (1.2, 1.15, 1.06)), ("overcast", (1.02, 1.05, 1.08))):
        assert measure(drawn(kind, seed, tint)).light == "day"


@pytest.mark.parametrize("seed", range(4))
def test_a_yard_at_dusk_is_dim(seed):
    assert measure(drawn("dusk", seed, (0.58, 0.6, 0.68), lamps=())).light == "dim"


@pytest.mark.parametrize("seed", range(4))
def test_a_dark_yard_is_night_though_a_lamp_shines_in_it(seed):
    picture = drawn("night", seed, (0.2, 0.22, 0.28), lamps=())
    cv2.circle(picture, (60, 60), 30, (255, 250, 230), -1)
    assert measure(picture).light == "night"


@pytest.mark.parametrize("seed", range(4))
def test_a_camera_s_own_infrared_lamp_means_night_though_the_middle_is_bright(seed):
    picture = infrared(drawn("overcast", seed))
    seen = measure(picture)
    assert seen.middle > 80  # by brightness alone it would be day
    assert seen.light == "night"


@pytest.mark.parametrize("seed", range(4))
def test_a_grey_camera_by_day_is_no_night(seed):
    grey = cv2.cvtColor(drawn("sun", seed, (1.2, 1.15, 1.06)), cv2.COLOR_RGB2GRAY)
    assert measure(np.repeat(grey[..., None], 3, axis=2)).light == "day"


@pytest.mark.parametrize("seed", range(4))
def test_the_more_a_picture_is_blurred_the_lower_its_class(seed):
    picture = cv2.resize(drawn("overcast", seed), (640, 640), interpolation=cv2.INTER_CUBIC)
    picture = cv2.addWeighted(picture, 3, cv2.GaussianBlur(picture, (0, 0), 1.5), -2, 0)
    edges = [
        measure(cv2.GaussianBlur(picture, (0, 0), sigma) if sigma else picture)
        for sigma in (0, 1.2, 3)
    ]
    assert [each.blur for each in edges] == ["sharp", "soft", "blurred"]


def test_blur_does_not_depend_on_contrast_or_on_how_large_the_picture_is_stored():
    picture = drawn("sun", 1)
    faint = (90 + picture.astype(float) / 3).astype(np.uint8)
    large = cv2.resize(picture, (1280, 1280), interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(picture, (640, 640), interpolation=cv2.INTER_CUBIC)
    assert measure(faint).edges == pytest.approx(measure(picture).edges, rel=0.25)
    assert measure(large).blur == measure(small).blur


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 640, 3), (3, 3, 3)])
def test_pictures_of_a_few_pixels_and_of_one_colour_have_an_answer(shape):
    for level, light in ((0, "night"), (255, "day")):
        seen = measure(np.full(shape, level, np.uint8))
        assert (seen.light, seen.blur) == (light, "blurred")


def test_real_photographs_are_mostly_bright_and_sharp(shared_data):
    files = sorted((shared_data / "coco128" / "images").rglob("*.jpg"))[::4]
    pictures = [cv2.imread(str(file))[..., ::-1].copy() for file in files]
    seen = [measure(picture) for picture in pictures]
    shares = {
        value: np.mean([value in (each.light, each.blur) for each in seen])
        for value in ("day", "night", "sharp", "blurred")
    }
    assert shares["day"] > 0.6
    assert shares["night"] < 0.15
    assert shares["sharp"] > 0.85
    assert shares["blurred"] < 0.05
    blurred = [measure(cv2.GaussianBlur(picture, (0, 0), 2.5)) for picture in pictures]
    assert np.mean([each.blur == "blurred" for each in blurred]) > 0.85
