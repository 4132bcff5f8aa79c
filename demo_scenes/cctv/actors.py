"""One worker's way through the picture: where they are, what they wear and do, at any time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..canvas import Camera
from ..outfits import Outfit, Pose, random_outfit, walking
from ..scene import Worker

_STEP_M = 0.75  # a full turn of the phase is two steps
_REACH_S = 0.7  # the hand is at the head so long before and after a helmet comes off or on
_AT_THE_HEAD = (2.5, 0.25, 1.0)


@dataclass(frozen=True)
class Stop:
    """A place where somebody stands for a while: shares of the picture, seconds."""

    u: float
    v: float
    stays_s: float


@dataclass(frozen=True)
class Actor:
    """A worker with a way.

    Args:
        outfit: what they wear when nothing else is said.
        times_s: rising, of the points of the way.
        points: ground (x, z), metres; two equal ones in a row are a stop.
        bare: from and to, seconds: the helmet is off and in the hand.
        facing: heading while they stand, radians.
    """

    outfit: Outfit
    times_s: tuple[float, ...]
    points: tuple[tuple[float, float], ...]
    bare: tuple[float, float] | None = None
    facing: float = 0.0

    def at(self, seconds: float) -> Worker | None:
        """How they stand or walk at a time; None before they come and after they left."""
        if not self.times_s[0] <= seconds <= self.times_s[-1]:
            return None
        x = float(np.interp(seconds, self.times_s, [point[0] for point in self.points]))
        z = float(np.interp(seconds, self.times_s, [point[1] for point in self.points]))
        leg = max(1, int(np.searchsorted(self.times_s, seconds)))
        dx, dz = (b - a for a, b in zip(self.points[leg - 1], self.points[leg], strict=True))
        if math.hypot(dx, dz) < 1e-6:
            pose = self._standing(seconds)
        else:
            walked = math.dist((x, z), self.points[leg - 1])
            pose = walking(math.atan2(dx, -dz), walked / _STEP_M * math.pi, 0.42)
        return Worker(self._worn(seconds), pose, x, z)

    def _worn(self, seconds: float) -> Outfit:
        if self.bare is None or not self.bare[0] <= seconds < self.bare[1]:
            return self.outfit
        return replace(self.outfit, helmet=None, in_hand=self.outfit.helmet)

    def _standing(self, seconds: float) -> Pose:
        sway = math.sin(seconds * 0.9 + self.facing)
        arms = (0.35 + 0.2 * sway, 0.12, 0.7), (0.1 * sway, 0.12, 0.25)
        if self.bare is not None and min(abs(seconds - t) for t in self.bare) < _REACH_S:
            arms = arms[0], _AT_THE_HEAD
        return Pose(self.facing + 0.35 * sway, lean=0.06 + 0.05 * sway, arms=arms)


def dressed(rng: np.random.Generator, *, helmet: bool = True, vest: bool = True) -> Outfit:
    """A worker who wears what is asked; nothing is carried."""
    for _ in range(1000):
        outfit = random_outfit(rng)
        if bool(outfit.helmet) == helmet and bool(outfit.vest) == vest:
            return replace(outfit, load=None)
    raise AssertionError("half of all workers wear a helmet, half of those a vest")


def visit(
    camera: Camera,
    outfit: Outfit,
    rng: np.random.Generator,
    begins_s: float,
    stop: Stop,
    *,
    from_left: bool,
    to_left: bool,
) -> Actor:
    """Somebody comes in at one edge, stands for a while, and leaves.

    Args:
        begins_s: when they start, just out of the picture.
    """
    speed = float(rng.uniform(0.85, 1.15))
    drift = float(rng.uniform(-0.04, 0.04))
    way = (
        camera.ground_at(-0.16 if from_left else 1.16, stop.v + drift),
        camera.ground_at(stop.u, stop.v),
        camera.ground_at(stop.u, stop.v),
        camera.ground_at(-0.16 if to_left else 1.16, stop.v - drift),
    )
    there = begins_s + math.dist(way[0], way[1]) / speed
    gone = there + stop.stays_s
    left = gone + math.dist(way[2], way[3]) / speed
    facing = float(rng.uniform(-math.pi, math.pi))
    return Actor(outfit, (begins_s, there, gone, left), way, facing=facing)
