"""The workers on a site: their clothes, and the poses of their bodies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .canvas import Rgb

SKIN: tuple[Rgb, ...] = ((236, 196, 168), (222, 178, 146), (198, 150, 116), (150, 104, 76))
HAIR: tuple[Rgb, ...] = ((24, 21, 20), (38, 30, 26), (66, 46, 34), (112, 104, 98), (150, 118, 76))
HELMETS: tuple[Rgb, ...] = (
    (250, 206, 32), (244, 244, 240), (238, 116, 28), (206, 38, 36), (40, 92, 190), (42, 148, 78),
)  # fmt: skip
HI_VIS: tuple[Rgb, ...] = ((255, 112, 26), (206, 240, 42), (250, 226, 40))
JACKETS: tuple[Rgb, ...] = (
    (44, 56, 92), (92, 96, 102), (58, 60, 62), (120, 104, 82), (66, 92, 120), (128, 58, 52),
    (82, 94, 66), (176, 172, 164), (150, 92, 58),
)  # fmt: skip
TROUSERS: tuple[Rgb, ...] = (
    (40, 46, 66), (70, 74, 80), (44, 42, 42), (112, 100, 80), (62, 80, 104), (74, 82, 62),
)  # fmt: skip


@dataclass(frozen=True)
class Outfit:
    """The look of one worker; the same in every frame of a sequence.

    Args:
        tall: body height, metres.
        helmet, vest: colour; None where not worn.
        cap: colour of a soft cap on an otherwise bare head; None for hair.
        load: a carton or a toolbox carried in front.
        in_hand: colour of a helmet carried in the right hand; it guards nobody.
    """

    tall: float
    skin: Rgb
    hair: Rgb
    jacket: Rgb
    trousers: Rgb
    helmet: Rgb | None
    vest: Rgb | None
    cap: Rgb | None = None
    bald: bool = False
    load: Rgb | None = None
    in_hand: Rgb | None = None


@dataclass(frozen=True)
class Pose:
    """The body's pose. Angles in radians.

    Args:
        heading: 0 faces the camera, π/2 walks to the right of the picture.
        phase, stride: of the walk; stride 0 stands still.
        lean: of the back, forward.
        crouch: 0 upright … 1 squatting.
        arms: for left and right: (forward, outward, elbow).
    """

    heading: float
    phase: float = 0.0
    stride: float = 0.0
    lean: float = 0.0
    crouch: float = 0.0
    arms: tuple[tuple[float, float, float], tuple[float, float, float]] = (
        (0.0, 0.12, 0.15),
        (0.0, 0.12, 0.15),
    )


def random_outfit(rng: np.random.Generator) -> Outfit:
    """Dress a worker; helmet and vest are drawn independently of each other."""
    helmet = _pick(rng, HELMETS, (0.34, 0.28, 0.14, 0.08, 0.1, 0.06))
    has_helmet = rng.random() < 0.5
    has_vest = rng.random() < 0.55
    cap = rng.random() < 0.1
    return Outfit(
        tall=float(np.clip(rng.normal(1.74, 0.07), 1.55, 1.92)),
        skin=_vary(rng, _pick(rng, SKIN, (0.4, 0.3, 0.2, 0.1)), 8),
        hair=_vary(rng, _pick(rng, HAIR, (0.42, 0.24, 0.16, 0.1, 0.08)), 6),
        jacket=_vary(rng, JACKETS[rng.integers(len(JACKETS))], 14),
        trousers=_vary(rng, TROUSERS[rng.integers(len(TROUSERS))], 10),
        helmet=_vary(rng, helmet, 8) if has_helmet else None,
        vest=_vary(rng, _pick(rng, HI_VIS, (0.5, 0.32, 0.18)), 8) if has_vest else None,
        cap=_vary(rng, JACKETS[rng.integers(len(JACKETS))], 10) if cap else None,
        bald=rng.random() < 0.06,
        load=_vary(rng, (158, 122, 82), 18) if rng.random() < 0.12 else None,
    )


def random_pose(rng: np.random.Generator) -> Pose:
    """Standing, walking, pointing, stooping or squatting, in any direction."""
    heading = float(rng.uniform(-math.pi, math.pi))
    kind = rng.choice(["walk", "stand", "point", "stoop", "squat"], p=[0.4, 0.3, 0.12, 0.11, 0.07])
    swing = tuple(
        (float(rng.normal(0, 0.15)), float(rng.uniform(0.05, 0.3)), float(rng.uniform(0, 0.9)))
        for _ in range(2)
    )
    arms = (swing[0], swing[1])
    if kind == "walk":
        return walking(heading, float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.35, 0.6)))
    if kind == "point":
        raised = (float(rng.uniform(0.9, 2.2)), float(rng.uniform(0, 0.5)), 0.2)
        arms = (raised, swing[1]) if rng.random() < 0.5 else (swing[0], raised)
        return Pose(heading, arms=arms)
    if kind == "stoop":
        reach = (float(rng.uniform(0.7, 1.1)), 0.1, 0.3)
        return Pose(heading, lean=float(rng.uniform(0.35, 0.8)), crouch=0.2, arms=(reach, reach))
    if kind == "squat":
        reach = (float(rng.uniform(0.6, 1.0)), 0.15, 0.6)
        return Pose(heading, lean=0.35, crouch=float(rng.uniform(0.6, 0.9)), arms=(reach, reach))
    return Pose(heading, lean=float(rng.uniform(0, 0.1)), arms=arms)


def walking(heading: float, phase: float, stride: float) -> Pose:
    """One instant of a walk; a full turn of `phase` is two steps."""
    swing = 0.7 * stride * math.sin(phase)
    return Pose(heading, phase, stride, lean=0.06, arms=((-swing, 0.1, 0.35), (swing, 0.1, 0.35)))


def _pick(rng: np.random.Generator, choices: tuple[Rgb, ...], shares: tuple[float, ...]) -> Rgb:
    return choices[int(rng.choice(len(choices), p=np.array(shares) / sum(shares)))]


def _vary(rng: np.random.Generator, colour: Rgb, amount: float) -> Rgb:
    """The colour a little lighter or darker, and a little less off in hue."""
    shift = rng.normal(0, amount) + rng.normal(0, amount / 3, 3)
    r, g, b = (float(np.clip(c + s, 8, 255)) for c, s in zip(colour, shift, strict=True))
    return r, g, b
