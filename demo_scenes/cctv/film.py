"""The pictures of one recording. All that stands still is drawn once, people on top of it."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from ..canvas import Camera, Pixels
from ..light import develop
from ..scene import Scene, SeenObject, draw_shadows, figures_of, paste, what_is_seen
from .acts import Plan, plan
from .site import Stage, camera_view, draw_view
from .takes import Take, exposed, light_of


class Shot(NamedTuple):
    """One picture, uint8, S×S×3, RGB, and what is seen of each person in it."""

    picture: Pixels
    seen: list[SeenObject]


class Film:
    """One recording, drawn picture by picture.

    Args:
        take: which camera records when.
        seconds: length of the recording.
        size: side of the pictures, pixels.
    """

    def __init__(self, take: Take, *, seconds: float, size: int) -> None:
        light, sun = light_of(take)
        self.take = take
        self._view = camera_view(size, take.view_seed, light, sun, take.day)
        self.plan: Plan = plan(self._view.camera, seconds, take.seed, number=take.number)

    @functools.cached_property
    def _stage(self) -> Stage:
        return draw_view(self._view)

    @functools.cached_property
    def _scene(self) -> Scene:
        light = exposed(self._view.light, self._stage.still)
        return replace(self._view, seed=self.take.seed, things=(), light=light)

    @property
    def camera(self) -> Camera:
        """How the world falls on the sheet."""
        return self._view.camera

    def shot(self, number: int, seconds: float) -> Shot:
        """Draw one picture.

        Args:
            number: of the picture; the sensor's noise depends on it.
            seconds: since the recording began.
        """
        canvas = self._stage.canvas
        np.copyto(canvas.image, self._stage.still)
        canvas.owner[:] = 0
        workers = tuple(
            worker for actor in self.plan.actors if (worker := actor.at(seconds)) is not None
        )
        scene = replace(self._scene, workers=workers)
        sprites = figures_of(scene)
        draw_shadows(canvas, scene, sprites)
        self._restore(math.inf)  # shadows fall on the ground alone
        for i in sorted(range(len(workers)), key=lambda i: -workers[i].z):
            paste(canvas, sprites[i], workers[i], i)
            self._restore(workers[i].z)
        seen = what_is_seen(canvas, workers, sprites)
        stamp = self.take.stamp(seconds)
        picture = develop(
            canvas.image, scene.camera, scene.light, seed=scene.seed, frame=number, stamp=stamp
        )
        return Shot(picture, seen)

    def _restore(self, z: float) -> None:
        """Show again the things that stand still nearer than z and hide what was just drawn."""
        stage = self._stage
        if stage.foremost >= z:
            return
        hidden = (stage.nearest < z).astype(np.uint8)
        cv2.copyTo(stage.still, hidden, stage.canvas.image)
        stage.canvas.owner[hidden > 0] = 0


def times_of(seconds: float, fps: float, *, uneven: bool = False, seed: int = 0) -> list[float]:
    """When the pictures of a recording are taken, seconds since it began; the first at 0.

    Args:
        uneven: gaps differ, as in recordings of a camera that drops pictures.
    """
    if not uneven:
        return [i / fps for i in range(round(seconds * fps))]
    rng = np.random.default_rng((seed, 41))
    times, now = [], 0.0
    while round(now, 3) < seconds:
        times.append(round(now, 3))
        now += float(rng.choice([0.6, 0.8, 1.0, 1.0, 1.4])) / fps
    return times
