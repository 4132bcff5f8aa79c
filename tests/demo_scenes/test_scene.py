"""What is drawn, and whether the labels say what is seen."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo_scenes.canvas import Camera, Canvas
from demo_scenes.objects import KINDS, Thing
from demo_scenes.outfits import Outfit, Pose
from demo_scenes.people import BODY, HEAD, VEST, draw_figure
from demo_scenes.scene import Scene, SeenObject, Worker, random_scene, render

OUTFIT = Outfit(
    tall=1.75,
    skin=(220, 180, 150),
    hair=(20, 20, 20),
    jacket=(60, 70, 90),
    trousers=(50, 50, 60),
    helmet=(250, 206, 32),
    vest=(255, 112, 26),
)
CAMERA = Camera(size=320, height=4.0, pitch=0.3, focal=900.0)


def scene_of(*workers: Worker, things: tuple[Thing, ...] = ()) -> Scene:
    return replace(random_scene(160, 1, workers=0), camera=CAMERA, workers=workers, things=things)


def seen_in(scene: Scene) -> dict[tuple[int, str], SeenObject]:
    return {(one.worker, one.name): one for one in render(scene)[1]}


@settings(max_examples=40, deadline=None)
@given(u=st.floats(0, 1), v=st.floats(0.3, 1.0), pitch=st.floats(0.2, 0.6))
def test_the_ground_seen_at_a_point_projects_back_to_it(u: float, v: float, pitch: float) -> None:
    camera = replace(CAMERA, pitch=pitch)
    x, z = camera.ground_at(u, v)
    found = camera.project([(x, 0.0, z)])[0]
    np.testing.assert_allclose(found, [u * 320, v * 320], atol=0.5)


def test_what_is_far_is_small_and_what_is_up_is_up() -> None:
    assert CAMERA.pixels_per_metre(10) > 1.5 * CAMERA.pixels_per_metre(18)
    foot, top = CAMERA.project([(0, 0, 12), (0, 1.7, 12)])
    assert top[1] < foot[1] and top[0] == pytest.approx(foot[0])
    behind = CAMERA.project([(0.0, 0.0, -50.0)])
    assert np.isfinite(behind).all()


def test_a_person_in_the_open_is_seen_whole() -> None:
    seen = seen_in(scene_of(Worker(OUTFIT, Pose(0.0), 0.0, 12.0)))
    assert {name for _, name in seen} == {"person", "helmet", "vest"}
    person, helmet = seen[0, "person"], seen[0, "helmet"]
    assert person.visibility == helmet.visibility == 1.0
    assert person.box == person.whole and person.box is not None and helmet.box is not None
    tall = person.box[3] - person.box[1]
    expected = 1.75 * CAMERA.pixels_per_metre(12) / 2
    assert tall == pytest.approx(expected, rel=0.15)
    assert helmet.box[1] == person.box[1]  # the helmet is what is highest
    assert (helmet.box[3] - helmet.box[1]) < 0.3 * tall
    assert all(one.is_labelled for one in seen.values())


def test_a_bare_head_is_a_head_and_no_vest_is_no_vest() -> None:
    bare = replace(OUTFIT, helmet=None, vest=None)
    for outfit in (bare, replace(bare, bald=True), replace(bare, cap=(40, 40, 60))):
        for heading in (0.0, math.pi):
            seen = seen_in(scene_of(Worker(outfit, Pose(heading), 0.0, 12.0)))
            assert {name for _, name in seen} == {"person", "head"}


def test_who_stands_behind_another_is_seen_in_part_and_labelled_by_it() -> None:
    front = Worker(OUTFIT, Pose(0.0), 0.0, 11.0)
    beside = seen_in(scene_of(front, Worker(OUTFIT, Pose(0.0), 0.22, 12.0)))
    assert beside[0, "person"].visibility == 1.0
    part = beside[1, "person"]
    assert 0.1 < part.visibility < 0.8
    assert part.box is not None and part.box[0] > part.whole[0]
    exactly = seen_in(scene_of(front, Worker(replace(OUTFIT, tall=1.6), Pose(0.0), 0.0, 11.4)))
    hidden = exactly[1, "person"]
    assert hidden.visibility < 0.25 and not hidden.is_labelled
    assert not exactly[1, "vest"].is_labelled


def test_a_thing_in_front_hides_and_one_behind_does_not() -> None:
    worker = Worker(OUTFIT, Pose(0.0), 0.0, 12.0)
    near = seen_in(scene_of(worker, things=(Thing("jersey", 0.0, 10.5, 0.0, 1),)))
    far = seen_in(scene_of(worker, things=(Thing("jersey", 0.0, 16.0, 0.0, 1),)))
    assert near[0, "person"].visibility < 0.85
    assert near[0, "helmet"].visibility == far[0, "person"].visibility == 1.0
    legs = near[0, "person"]
    assert legs.box is not None and legs.box[3] < legs.whole[3]


def test_boxes_end_at_the_pictures_edge() -> None:
    edge = CAMERA.ground_at(1.0, 0.8)
    seen = seen_in(scene_of(Worker(OUTFIT, Pose(0.0), *edge)))
    person = seen[0, "person"]
    assert person.box is not None and person.box[2] == 160.0 and person.whole[2] > 160.0
    assert 0.2 < person.visibility < 0.8
    out = seen_in(scene_of(Worker(OUTFIT, Pose(0.0), edge[0] + 5.0, edge[1])))
    assert out[0, "person"].visibility == 0.0 and out[0, "person"].box is None
    assert not out[0, "person"].is_labelled


def test_a_carried_load_hides_the_vest_and_belongs_to_nobody() -> None:
    loaded = draw_figure(replace(OUTFIT, load=(160, 120, 80)), Pose(0.0), 100.0, 0.3)
    free = draw_figure(OUTFIT, Pose(0.0), 100.0, 0.3)
    assert (loaded.part == VEST).sum() < 0.8 * (free.part == VEST).sum()
    assert set(np.unique(free.part)) == {0, BODY, HEAD, VEST}


def test_poses_change_the_height_as_bodies_do() -> None:
    heights = {
        name: draw_figure(OUTFIT, pose, 100.0, 0.2).part.any(axis=1).sum()
        for name, pose in {
            "upright": Pose(0.4),
            "stooping": Pose(0.4, lean=0.8, crouch=0.2),
            "squatting": Pose(0.4, lean=0.3, crouch=0.9),
        }.items()
    }
    assert heights["upright"] > 1.15 * heights["stooping"] > 1.15 * heights["squatting"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_clutter_draws_itself_the_same_again(kind: str) -> None:
    sheets = []
    for _ in range(2):
        canvas = Canvas(CAMERA, sun=(0.5, 0.5))
        canvas.owner[:] = 5
        Thing(kind, 0.3, 13.0, 0.3, 11).draw(canvas)
        assert (canvas.image > 0).any()
        covered = canvas.owner == 0
        assert covered.any()  # it hides who is behind it
        assert ((canvas.image > 0).any(axis=2) | ~covered).mean() > 0.99
        sheets.append(canvas.image)
    assert (sheets[0] == sheets[1]).all()


def test_a_scene_is_its_seed() -> None:
    assert random_scene(160, 5) == random_scene(160, 5) != random_scene(160, 6)
    first, again = render(random_scene(160, 5)), render(random_scene(160, 5))
    assert (first[0] == again[0]).all() and first[1] == again[1]
    later = render(random_scene(160, 5), frame=1)
    assert (later[0] != first[0]).any() and later[1] == first[1]


def test_day_and_night_and_all_weathers_come() -> None:
    scenes = [random_scene(96, seed) for seed in range(120)]
    assert {s.light.kind for s in scenes} == {"sun", "overcast", "dusk", "night", "hall"}
    assert any(s.light.blur for s in scenes) and any(s.light.smear[0] for s in scenes)
    assert any(s.haze > 0.25 for s in scenes)
    assert {t.kind for s in scenes for t in s.things} == set(KINDS)
    light = {
        kind: np.mean([render(s)[0].mean() for s in scenes if s.light.kind == kind][:5])
        for kind in ("sun", "night")
    }
    assert light["night"] < 0.75 * light["sun"]


@pytest.mark.parametrize("kind", ["sun", "overcast", "dusk", "night", "hall"])
def test_all_lights_can_be_drawn_blurred_and_from_any_camera(kind: str) -> None:
    scene = next(s for i in range(200) if (s := random_scene(96, i)).light.kind == kind)
    hard = replace(scene, light=replace(scene.light, blur=0.6, smear=(2.0, 1.0)))
    flat = replace(hard, camera=replace(hard.camera, pitch=0.02))  # sky above the horizon
    for one in (hard, flat):
        image, _ = render(one)
        assert image.shape == (96, 96, 3) and image.dtype == np.uint8 and image.std() > 5
