"""A site as its cameras see it: the same ground, backdrop and large things on every day."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..backdrop import draw_backdrop, draw_ground
from ..canvas import Camera, Canvas, Pixels
from ..light import INFRARED, Light
from ..objects import Thing
from ..scene import Scene, draw_shadows, random_camera, random_scene

ZONE = ((0.42, 0.3), (1.0, 0.3), (1.0, 1.0), (0.34, 1.0))
"""Where helmets and vests are a must: shares of the picture, the same for every camera."""
OUTSIDE_TO = 0.24
"""Feet further left than this share of the picture are out of the zone by a wide margin."""
LANES = (0.54, 0.94)
"""Feet are between these shares of the picture's height."""
SMALL_M = 0.8  # what is lower hides nobody's head or vest
_PAINT = (236, 200, 60)


def border_at(v: float) -> float:
    """Where the zone begins at height v of the picture; shares."""
    (top_u, top_v), (foot_u, foot_v) = ZONE[0], ZONE[3]
    return top_u + (foot_u - top_u) * (v - top_v) / (foot_v - top_v)


def camera_view(size: int, seed: int, light: Light, sun: tuple[float, float], day: int) -> Scene:
    """The view of one camera without people.

    Args:
        size: side of the picture, pixels.
        seed: of the camera; its view is the same in every light.
        day: small things have moved from one day to the next.
    """
    rng = np.random.default_rng((seed, 11))
    camera = random_camera(rng, size, (4.2, 5.2), (0.33, 0.4), (0.36, 0.39))
    moved = np.random.default_rng((seed, 12, day))
    # Clutter comes from drawn scenes; what would stand where people walk is left out.
    clutter = [*random_scene(size, seed, workers=0).things]
    clutter += random_scene(size, seed + 1, workers=0).things
    things = tuple(
        thing
        for thing in clutter
        if _is_out_of_the_way(thing, camera) and (thing.height > SMALL_M or moved.random() < 0.6)
    )
    return Scene(size, seed, camera, sun, 0.05, light, things, ())


def _is_out_of_the_way(thing: Thing, camera: Camera) -> bool:
    """Whether nobody walks into it, and it stands before nobody."""
    farthest = camera.ground_at(0.5, LANES[0])[1]
    nearest = camera.ground_at(0.5, LANES[1])[1]
    behind = thing.z - thing.radius > farthest + 0.4
    before = thing.height < SMALL_M and thing.z + thing.radius < nearest - 0.2
    return behind or before


@dataclass(frozen=True, eq=False)
class Stage:
    """All that stands still, drawn.

    Args:
        canvas: the sheet, to draw people on.
        still: uint8, S×S×3: the sheet without them.
        nearest: float32, S×S: distance (z, metres) of the thing that is seen there; infinite where
            ground or backdrop is.
        foremost: the least of these.
    """

    canvas: Canvas
    still: Pixels
    nearest: npt.NDArray[np.float32]
    foremost: float


def draw_view(scene: Scene) -> Stage:
    """Draw all that stands still."""
    canvas = Canvas(scene.camera, scene.sun, scene.haze)
    rng = np.random.default_rng((scene.seed, 1))
    draw_ground(canvas, rng, indoors=False)
    draw_backdrop(canvas, rng, indoors=False, dark=scene.light.kind in ("night", INFRARED))
    _paint_border(canvas)
    draw_shadows(canvas, scene, ())
    nearest = np.full(canvas.owner.shape, np.inf, np.float32)
    for thing in sorted(scene.things, key=lambda thing: -thing.z):
        canvas.owner[:] = 1
        thing.draw(canvas)
        nearest[canvas.owner == 0] = thing.z
    canvas.owner[:] = 0
    return Stage(canvas, canvas.image.copy(), nearest, float(nearest.min()))


def _paint_border(canvas: Canvas) -> None:
    """A line on the ground where the zone begins."""
    side = canvas.camera.size
    ends = [(round(border_at(v) * side), round(v * side)) for v in (0.45, 1.0)]
    worn = canvas.image.copy()
    cv2.line(worn, ends[0], ends[1], _PAINT, max(2, side // 90), cv2.LINE_AA)
    cv2.addWeighted(worn, 0.7, canvas.image, 0.3, 0, dst=canvas.image)
