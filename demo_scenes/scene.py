"""One construction scene: a camera, ground, backdrop, clutter, people and light.

`random_scene` decides everything from one seed; `render` draws it, and tells for each person which
pixels are seen. A sequence moves the people of one scene and renders it again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from .backdrop import draw_backdrop, draw_ground
from .canvas import Camera, Canvas, Floats, Pixels
from .light import SUPERSAMPLE, Light, develop, random_light
from .objects import KINDS, Thing, shadow_outline
from .outfits import Outfit, Pose, random_outfit, random_pose
from .people import BODY, HEAD, LOAD, VEST, Sprite, draw_figure

CLASS_NAMES = ("helmet", "head", "vest", "person")
# A part is labelled when at least this share of it is seen; less is left to guessing.
SEEN_SHARE = {"helmet": 0.5, "head": 0.5, "vest": 0.35, "person": 0.25}
SMALLEST_PX = 4.0


@dataclass(frozen=True)
class Worker:
    """A person at (x, z)."""

    outfit: Outfit
    pose: Pose
    x: float
    z: float


@dataclass(frozen=True)
class Scene:
    """Everything needed to draw one picture, and to draw it again."""

    size: int
    seed: int
    camera: Camera
    sun: tuple[float, float]
    haze: float
    light: Light
    things: tuple[Thing, ...]
    workers: tuple[Worker, ...]


class SeenObject(NamedTuple):
    """The visible part of one thing that has a class.

    Args:
        worker: index of the person it belongs to.
        name: its class.
        box: x1, y1, x2, y2 of the pixels that are seen, picture pixels.
        whole: the same with nothing in front of it and no picture edge.
        visibility: share of its pixels that is seen, 0…1.
    """

    worker: int
    name: str
    box: tuple[float, float, float, float] | None
    whole: tuple[float, float, float, float]
    visibility: float

    @property
    def is_labelled(self) -> bool:
        """Whether enough is seen of it to ask a detector for it."""
        return (
            self.box is not None
            and self.visibility >= SEEN_SHARE[self.name]
            and min(self.box[2] - self.box[0], self.box[3] - self.box[1]) >= SMALLEST_PX
        )


def random_scene(size: int, seed: int, *, workers: int | None = None) -> Scene:
    """Decide on a scene.

    Args:
        size: side of the square picture, pixels.
        seed: the same seed gives the same scene.
        workers: how many people; None draws it.
    """
    rng = np.random.default_rng(seed)
    light = random_light(rng)
    camera = random_camera(rng, size)
    angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(0.5, 1.5)
    sun = (float(length * math.cos(angle)), float(length * math.sin(angle)))
    haze = float(rng.uniform(0.25, 0.6) if rng.random() < 0.2 else rng.uniform(0.0, 0.15))
    count = int(rng.choice([0, 1, 2, 3, 4, 5, 6], p=[0.02, 0.05, 0.15, 0.26, 0.25, 0.17, 0.1]))
    people = _place_workers(rng, camera, count if workers is None else workers)
    things = _place_things(rng, camera, people)
    return Scene(size, seed, camera, sun, haze, light, things, people)


def random_camera(
    rng: np.random.Generator,
    size: int,
    heights: tuple[float, float] = (3.0, 6.0),
    pitches: tuple[float, float] = (0.2, 0.5),
    shares: tuple[float, float] = (0.4, 0.56),
) -> Camera:
    """A camera on a pole; `shares`: of the picture's height, a man in the middle."""
    side = size * SUPERSAMPLE
    height, pitch = float(rng.uniform(*heights)), float(rng.uniform(*pitches))
    away = height / math.tan(pitch)
    share = float(rng.uniform(*shares))
    camera = Camera(side, height, pitch, 1.0)
    focal = share * side * camera.depth(0.9, away) / (1.75 * math.cos(pitch))
    return replace(camera, focal=focal)


def _place_workers(rng: np.random.Generator, camera: Camera, count: int) -> tuple[Worker, ...]:
    """Put people on the ground that is seen; a third of them close to another one."""
    placed: list[Worker] = []
    for _ in range(count * 12):
        if len(placed) == count:
            break
        x, z = camera.ground_at(float(rng.uniform(0.06, 0.94)), float(rng.uniform(0.4, 1.04)))
        if placed and rng.random() < 0.33:
            friend = placed[int(rng.integers(len(placed)))]
            x = friend.x + float(rng.normal(0, 0.6))
            z = friend.z + float(rng.uniform(-1.3, 1.3))
        # Cameras are hung so that few heads are cut off by the upper edge.
        top = camera.project([(x, 1.8, z)])[0][1]
        beheaded = top < 0 and rng.random() < 0.9
        crowded = any(math.hypot(x - w.x, (z - w.z) * 0.7) < 0.5 for w in placed)
        tall = 1.75 * camera.pixels_per_metre(z) / camera.size
        if z > 1.5 and not crowded and not beheaded and 0.31 <= tall <= 0.9:
            placed.append(Worker(random_outfit(rng), random_pose(rng), x, z))
    return tuple(placed)


def _place_things(
    rng: np.random.Generator, camera: Camera, people: Sequence[Worker]
) -> tuple[Thing, ...]:
    """Scatter clutter where nobody stands inside it; large things stay behind the middle."""
    kinds = list(KINDS)
    weights = np.array([KINDS[kind].weight for kind in kinds])
    wanted, placed = int(rng.integers(4, 11)), list[Thing]()
    for _ in range(wanted * 6):
        if len(placed) == wanted:
            break
        kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
        low = 0.02 if KINDS[kind].height > 1.9 else 0.15
        high = 0.55 if KINDS[kind].radius > 1.25 else 1.02
        x, z = camera.ground_at(float(rng.uniform(-0.1, 1.1)), float(rng.uniform(low, high)))
        z = min(z, 45.0)
        thing = Thing(kind, x, z, float(rng.uniform(-0.5, 0.5)), int(rng.integers(1 << 31)))
        inside = any(math.hypot(x - w.x, z - w.z) < thing.radius + 0.35 for w in people)
        touching = any(math.hypot(x - t.x, z - t.z) < thing.radius + t.radius for t in placed)
        if z > 2.0 and not inside and not touching:
            placed.append(thing)
    return tuple(placed)


def render(scene: Scene, *, frame: int = 0) -> tuple[Pixels, list[SeenObject]]:
    """Draw a scene.

    Args:
        frame: number of the picture in a sequence; only sensor noise depends on it.

    Returns:
        The picture (uint8, S×S×3, RGB), and what is seen of each person.
    """
    canvas = Canvas(scene.camera, scene.sun, scene.haze)
    rng = np.random.default_rng((scene.seed, 1))
    draw_ground(canvas, rng, indoors=scene.light.kind == "hall")
    draw_backdrop(canvas, rng, indoors=scene.light.kind == "hall", dark=scene.light.kind == "night")
    sprites = figures_of(scene)
    draw_shadows(canvas, scene, sprites)
    order: list[tuple[float, int, int]] = [(-t.z, 0, i) for i, t in enumerate(scene.things)]
    order += [(-w.z, 1, i) for i, w in enumerate(scene.workers)]
    for _, is_worker, i in sorted(order):
        if is_worker:
            paste(canvas, sprites[i], scene.workers[i], i)
        else:
            scene.things[i].draw(canvas)
    seen = what_is_seen(canvas, scene.workers, sprites)
    picture = develop(canvas.image, scene.camera, scene.light, seed=scene.seed, frame=frame)
    return picture, seen


def figures_of(scene: Scene) -> list[Sprite]:
    """The cut-out of each worker, as the camera sees it."""
    from_left = -1.0 if scene.sun[0] < 0 else 1.0
    return [
        draw_figure(
            worker.outfit,
            worker.pose,
            scene.camera.pixels_per_metre(worker.z),
            scene.camera.view_down(worker.z),
            from_left,
        )
        for worker in scene.workers
    ]


def _corner(canvas: Canvas, worker: Worker, sprite: Sprite) -> tuple[int, int]:
    """Where the sprite's top left pixel falls on the sheet."""
    foot = canvas.camera.project([(worker.x, 0.0, worker.z)])[0]
    return round(foot[0] - sprite.foot[0]), round(foot[1] - sprite.foot[1])


def paste(canvas: Canvas, sprite: Sprite, worker: Worker, index: int) -> None:
    """Put a worker's cut-out where they stand, before all that is drawn already."""
    side = canvas.camera.size
    x, y = _corner(canvas, worker, sprite)
    height, width = sprite.alpha.shape
    x1, y1, x2, y2 = max(0, x), max(0, y), min(side, x + width), min(side, y + height)
    if x1 >= x2 or y1 >= y2:
        return
    inner = np.s_[y1 - y : y2 - y, x1 - x : x2 - x]
    alpha = sprite.alpha[inner][..., None]
    share = canvas.haze * min(1.0, worker.z / 40.0)
    haze = np.array(canvas.haze_colour, np.float32) * share
    colour = sprite.image[inner] * np.float32(1 - share) + haze
    under = canvas.image[y1:y2, x1:x2]
    canvas.image[y1:y2, x1:x2] = (under * (1 - alpha) + colour * alpha).astype(np.uint8)
    part = sprite.part[inner]
    owner = np.where(part == LOAD, 0, index * 4 + part).astype(np.int16)
    np.copyto(canvas.owner[y1:y2, x1:x2], owner, where=part > 0)


def draw_shadows(canvas: Canvas, scene: Scene, sprites: Sequence[Sprite]) -> None:
    """Darken the ground where things and people stand in the light."""
    side = canvas.camera.size
    mask = np.zeros((side, side), np.uint8)
    if scene.light.kind in ("sun", "dusk"):
        for thing in scene.things:
            outline = np.clip(shadow_outline(canvas, thing), -4000, 8000)
            cv2.fillConvexPoly(mask, np.round(outline).astype(np.int32), (255,))
    for worker, sprite in zip(scene.workers, sprites, strict=True):
        foot = canvas.camera.project([(worker.x, 0.0, worker.z)])[0]
        unit = canvas.camera.pixels_per_metre(worker.z)
        if scene.light.kind in ("sun", "dusk"):
            _throw(mask, canvas, worker, sprite, foot)
        axes = (max(1, round(0.3 * unit)), max(1, round(0.12 * unit)))
        cv2.ellipse(mask, (round(foot[0]), round(foot[1])), axes, 0, 0, 360, (255,), -1)
    soft = 1.2 if scene.light.kind == "sun" else 3.5
    dark = cv2.GaussianBlur(mask, (0, 0), soft * scene.size / 160).astype(np.float32) / 255
    canvas.image[:] = canvas.image * (1 - scene.light.shadow * dark)[..., None]


def _throw(mask: Pixels, canvas: Canvas, worker: Worker, sprite: Sprite, foot: Floats) -> None:
    """Lay the sprite's outline on the ground, away from the sun."""
    tall = worker.outfit.tall
    tip = (worker.x + tall * canvas.sun[0], 0.0, worker.z + tall * canvas.sun[1])
    if canvas.camera.depth(0.0, tip[2]) < 1.0:
        return
    end = canvas.camera.project([tip])[0]
    height_px = max(1.0, sprite.foot[1])
    along = (end - foot) / height_px  # a sprite row up moves this far on the ground
    fx, fy = sprite.foot
    matrix = np.array(
        [
            [0.8, -along[0], foot[0] - 0.8 * fx + along[0] * fy],
            [0.0, -along[1], foot[1] + along[1] * fy],
        ]
    )
    if abs(along[1]) < 0.05:  # the sun stands straight to the side: keep some breadth
        matrix[1, 1] = -0.05
        matrix[1, 2] = foot[1] + 0.05 * fy
    side = canvas.camera.size
    thrown = cv2.warpAffine((sprite.alpha * 255).astype(np.uint8), matrix, (side, side))
    np.maximum(mask, thrown, out=mask)


def what_is_seen(
    canvas: Canvas, workers: Sequence[Worker], sprites: Sequence[Sprite]
) -> list[SeenObject]:
    """The things of the workers that have a class, once all is drawn."""
    found = []
    for index, (worker, sprite) in enumerate(zip(workers, sprites, strict=True)):
        x, y = _corner(canvas, worker, sprite)
        height, width = sprite.part.shape
        x1, y1 = max(0, x), max(0, y)
        owner = canvas.owner[y1 : max(y1, y + height), x1 : max(x1, x + width)]
        parts: list[tuple[str, tuple[int, ...]]] = [("person", (BODY, HEAD, VEST))]
        parts.append(("helmet" if worker.outfit.helmet else "head", (HEAD,)))
        if worker.outfit.vest:
            parts.append(("vest", (VEST,)))
        for name, members in parts:
            total = np.isin(sprite.part, members)
            whole = _bounds(total, x, y)
            if whole is None:  # e.g. a vest all behind a carried load
                continue
            seen = np.isin(owner, [index * 4 + member for member in members])
            visibility = float(seen.sum()) / float(total.sum())
            found.append(SeenObject(index, name, _bounds(seen, x1, y1), whole, visibility))
    return found


def _bounds(
    mask: npt.NDArray[np.bool_], x: int, y: int
) -> tuple[float, float, float, float] | None:
    """Picture box of the True pixels of a sheet patch whose corner is (x, y); None of none."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return None
    return (
        float(x + columns[0]) / SUPERSAMPLE,
        float(y + rows[0]) / SUPERSAMPLE,
        float(x + columns[-1] + 1) / SUPERSAMPLE,
        float(y + rows[-1] + 1) / SUPERSAMPLE,
    )
