"""Things on a site: cones, barrels, pallets, scaffolds, machines, fences.

Each kind is a function that draws itself at (x, z) from its own seeded generator, so that it
looks the same in every frame of a sequence.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import Block, Canvas, Floats, Rgb, around, draw_block

STEEL: Rgb = (150, 154, 158)
WOOD: Rgb = (168, 132, 88)
MACHINES: tuple[Rgb, ...] = ((226, 170, 30), (214, 120, 34), (70, 110, 150), (190, 60, 44))
PAINTS: tuple[Rgb, ...] = (
    (58, 96, 140), (150, 62, 46), (70, 112, 84), (176, 170, 156), (120, 124, 128), (190, 150, 60),
)  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """One piece of clutter: what, where, turned how, and the seed of its details."""

    kind: str
    x: float
    z: float
    yaw: float
    seed: int

    @property
    def radius(self) -> float:
        """Ground it takes up, metres."""
        return KINDS[self.kind].radius

    @property
    def height(self) -> float:
        """About how high it stands, metres."""
        return KINDS[self.kind].height

    def draw(self, canvas: Canvas) -> None:
        KINDS[self.kind].draw(_Place(canvas, self), np.random.default_rng(self.seed))


Draw = Callable[["_Place", np.random.Generator], None]


@dataclass(frozen=True)
class Kind:
    """A kind of clutter: how it is drawn, its size in metres, how often it comes."""

    draw: Draw
    radius: float
    height: float
    weight: float


def _paint(rng: np.random.Generator, choices: tuple[Rgb, ...], amount: float = 12) -> Rgb:
    r, g, b = np.clip(
        np.array(choices[rng.integers(len(choices))]) + rng.normal(0, amount), 10, 250
    )
    return float(r), float(g), float(b)


@dataclass(frozen=True)
class _Place:
    """The sheet, and the spot of a thing on it; offsets from there are right, up, away (metres)."""

    canvas: Canvas
    thing: Thing

    def points(self, offsets: Sequence[Sequence[float]] | Floats) -> Floats:
        return around(self.thing.x, self.thing.z, self.thing.yaw, offsets)

    def upright(self, outline: Floats) -> Floats:
        """A flat shape (right, up) that faces the camera → sheet points."""
        offsets = np.insert(outline, 2, 0.0, axis=1)
        return self.canvas.camera.project(around(self.thing.x, self.thing.z, 0.0, offsets))

    def polygon(self, points: Floats, colour: Rgb, factor: float = 1.0) -> None:
        self.canvas.polygon(points, self.canvas.tinted(colour, self.thing.z, factor))

    def block(self, block: Block) -> None:
        draw_block(self.canvas, self.thing.x, self.thing.z, self.thing.yaw, block)

    def rod(self, start: Sequence[float], end: Sequence[float], radius: float, colour: Rgb) -> None:
        ends = self.points([start, end])
        self.canvas.rod(ends[0], ends[1], radius, colour)


def _cone(at: _Place, rng: np.random.Generator) -> None:
    at.block(Block(0.42, 0.04, 0.42, (60, 52, 50)))
    orange = _paint(rng, ((235, 88, 30),), 10)
    for low, high, colour in (
        (0.04, 0.28, orange), (0.28, 0.42, (236, 236, 232)),
        (0.42, 0.54, orange), (0.54, 0.62, (236, 236, 232)), (0.62, 0.74, orange),
    ):  # fmt: skip
        wide, slim = 0.18 * (1 - low / 0.86), 0.18 * (1 - high / 0.86)
        outline = np.array([[-wide, low], [wide, low], [slim, high], [-slim, high]])
        at.polygon(at.upright(outline), colour)
        outline[:, 0] = np.maximum(outline[:, 0], wide * 0.2)
        at.polygon(at.upright(outline), colour, 0.82)


def _cylinder(
    canvas: Canvas, x: float, z: float, radius: float, low: float, high: float, colour: Rgb
) -> None:
    """An upright cylinder: strips from light to dark, and its lid."""
    turn = np.linspace(0, math.pi, 9)
    rim = np.stack([x - radius * np.cos(turn), np.zeros(9), z - radius * np.sin(turn)], axis=1)
    for i in range(8):
        wall = rim[[i, i + 1, i + 1, i]].copy()
        wall[:, 1] = low, low, high, high
        shade = 0.62 + 0.5 * math.exp(-((i - 2.2) ** 2) / 5)
        canvas.polygon(canvas.camera.project(wall), canvas.tinted(colour, z, shade))
    turn = np.linspace(0, 2 * math.pi, 18, endpoint=False)
    lid = np.stack([x + radius * np.cos(turn), np.full(18, high), z + radius * np.sin(turn)], 1)
    canvas.polygon(canvas.camera.project(lid), canvas.tinted(colour, z, 1.12))


def _barrels(at: _Place, rng: np.random.Generator) -> None:
    spots = [(float(rng.uniform(-0.5, 0.5)), float(rng.uniform(-0.4, 0.4))) for _ in range(2)]
    for right, away in sorted(spots[: rng.integers(1, 3)], key=lambda spot: -spot[1]):
        colour = _paint(rng, PAINTS)
        for low, high in ((0.0, 0.28), (0.3, 0.6), (0.62, 0.9)):
            _cylinder(at.canvas, at.thing.x + right, at.thing.z + away, 0.29, low, high, colour)


def _pallet(at: _Place, rng: np.random.Generator) -> None:
    at.block(Block(1.2, 0.14, 1.0, WOOD, courses=3))
    cargo = rng.integers(4)
    colour = _paint(rng, ((164, 86, 62), (186, 178, 164), (190, 160, 118), (150, 152, 150)))
    layers = int(rng.integers(1, 5))
    if cargo == 0:  # bricks
        at.block(Block(1.05, 0.26 * layers, 0.9, colour, 0.14, courses=3 * layers, ribs=5))
    elif cargo == 1:  # bags
        for layer in range(layers):
            width = 1.1 - 0.06 * layer
            at.block(Block(width, 0.15, 0.9, colour, 0.14 + 0.16 * layer, ribs=2))
    elif cargo == 2:  # cartons
        for right in (-0.28, 0.28):
            high = float(rng.uniform(0.4, 1.0))
            at.block(Block(0.52, high, 0.85, _paint(rng, (WOOD,)), 0.14, right=right, courses=2))
    else:  # boards, longer than the pallet
        at.block(Block(2.0, 0.12 * layers, 0.8, WOOD, 0.14, courses=2 * layers))


def _container(at: _Place, rng: np.random.Generator) -> None:
    at.block(Block(5.6, 2.5, 2.4, _paint(rng, PAINTS), ribs=22))


def _scaffold(at: _Place, rng: np.random.Generator) -> None:
    bays, levels = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    steel = _paint(rng, (STEEL, (120, 126, 140), (176, 150, 60)), 10)
    rights = [2.2 * (i - bays / 2) for i in range(bays + 1)]

    for away in (0.45, -0.45):
        if away < 0:
            for level in range(1, levels + 1):
                at.block(Block(2.2 * bays, 0.06, 0.9, WOOD, base=1.95 * level))
        for right in rights:
            at.rod((right, 0, away), (right, 1.95 * levels + 1.0, away), 0.035, steel)
        for level in range(1, levels + 1):
            for up in (1.95 * level, 1.95 * level + 0.9):
                at.rod((rights[0], up, away), (rights[-1], up, away), 0.025, steel)
        for bay in range(bays):
            for level in range(levels):
                if rng.random() < 0.55:
                    foot, head = rights[bay], rights[bay + 1]
                    top = (head, 1.95 * (level + 1), away)
                    at.rod((foot, 1.95 * level, away), top, 0.02, steel)


def _excavator(at: _Place, rng: np.random.Generator) -> None:
    colour = _paint(rng, MACHINES)
    for away in (0.85, -0.85):
        at.block(Block(2.9, 0.75, 0.5, (54, 52, 50), away=away, ribs=7))
    at.block(Block(2.5, 0.95, 1.9, colour, base=0.8, right=-0.2))
    at.block(Block(1.0, 1.0, 0.9, (66, 84, 96), base=1.75, right=0.3, away=0.4))
    at.block(Block(1.05, 0.12, 0.95, colour, base=2.75, right=0.3, away=0.4))
    joints = [(0.8, 1.5, -0.2), (2.2, 3.4, -0.2), (3.4, 2.4, -0.2), (3.2, 0.7, -0.2)]
    for a, b in itertools.pairwise(joints):
        at.rod(a, b, 0.2, colour)
    at.block(Block(0.8, 0.6, 0.9, (84, 78, 70), base=0.2, right=3.1, away=-0.2))


def _forklift(at: _Place, rng: np.random.Generator) -> None:
    colour = _paint(rng, MACHINES)
    at.block(Block(1.9, 0.35, 1.1, (46, 46, 48)))
    at.block(Block(1.7, 0.7, 1.05, colour, base=0.35, right=-0.1))
    at.block(Block(0.7, 0.5, 0.95, (52, 52, 56), base=1.05, right=-0.5))
    at.block(Block(1.3, 0.08, 1.0, (60, 60, 62), base=2.05, right=-0.1))
    for right in (-0.7, 0.5):
        for away in (0.45, -0.45):
            at.rod((right, 1.05, away), (right, 2.05, away), 0.04, (60, 60, 62))
    for away in (0.3, -0.3):
        at.rod((1.0, 0.1, away), (1.0, 2.3, away), 0.05, (80, 80, 84))
        at.rod((1.0, 0.1, away), (2.0, 0.1, away), 0.05, (80, 80, 84))


def _truck(at: _Place, rng: np.random.Generator) -> None:
    colour = _paint(rng, ((224, 224, 220), (60, 90, 150), (176, 50, 44), (210, 170, 60)))
    at.block(Block(5.4, 0.5, 2.0, (44, 44, 46), base=0.25))
    at.block(Block(3.7, 0.9, 2.1, _paint(rng, PAINTS), base=0.75, right=-0.8, ribs=8))
    at.block(Block(1.5, 0.75, 2.0, colour, base=0.75, right=1.95))
    at.block(Block(1.4, 0.6, 1.9, (58, 70, 80), base=1.5, right=1.9))
    at.block(Block(1.5, 0.12, 2.0, colour, base=2.1, right=1.9))
    for right in (-2.0, -1.0, 1.9):
        centre = at.canvas.camera.project(at.points([(right, 0.45, -1.05)]))[0]
        radius = 0.45 * at.canvas.camera.pixels_per_metre(at.thing.z)
        for share, grey in ((1.0, 34.0), (0.5, 120.0)):
            turn = np.linspace(0, 2 * math.pi, 16, endpoint=False)
            ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius * share
            at.polygon(centre + ring, (grey, grey, grey))


def _barrier(at: _Place, rng: np.random.Generator) -> None:
    stripes: tuple[Rgb, Rgb] = ((214, 54, 44), (238, 236, 230))
    if rng.random() < 0.3:
        stripes = ((236, 196, 40), (40, 40, 40))
    for right in (-0.8, 0.8):
        at.rod((right, 0.0, 0.0), (right, 1.0, 0.0), 0.04, STEEL)
    for low in (0.45, 0.78):
        for i in range(8):
            at.block(Block(0.25, 0.18, 0.04, stripes[i % 2], base=low, right=-0.875 + 0.25 * i))


def _jersey(at: _Place, rng: np.random.Generator) -> None:
    colour = _paint(rng, ((176, 174, 168), (200, 90, 60), (224, 220, 212)))
    for width, low, high in ((0.6, 0.0, 0.25), (0.4, 0.25, 0.5), (0.22, 0.5, 0.85)):
        at.block(Block(2.4, high - low, width, colour, base=low))


def _fence(at: _Place, rng: np.random.Generator) -> None:
    steel = _paint(rng, (STEEL, (90, 110, 100)), 8)
    low, high, wide = 0.1, 1.9, 1.6
    gap = 0.2 if at.canvas.camera.pixels_per_metre(at.thing.z) > 40 else 0.4
    for right in np.arange(-wide, wide, gap):
        at.rod((right, low, 0), (right, high, 0), 0.006, steel)
    for up in (low, 0.7, 1.3, high):
        at.rod((-wide, up, 0), (wide, up, 0), 0.015, steel)
    for right in (-wide, wide):
        at.rod((right, 0, 0), (right, 2.0, 0), 0.035, steel)


def _heap(at: _Place, rng: np.random.Generator) -> None:
    colour = _paint(rng, ((186, 160, 116), (120, 112, 104), (142, 108, 78)))
    wide, high = float(rng.uniform(0.9, 1.8)), float(rng.uniform(0.5, 1.1))
    right = np.linspace(-wide, wide, 15)
    up = high * np.cos(right / wide * math.pi / 2) ** 1.3 * rng.uniform(0.85, 1.1, 15)
    for squeeze, lift, shade in ((1.0, 1.0, 0.82), (0.8, 0.92, 0.96), (0.5, 0.84, 1.06)):
        slope = np.stack([right * squeeze - 0.12 * wide * (1 - squeeze), up * lift], axis=1)
        slope[[0, -1], 1] = 0.0
        at.polygon(at.upright(slope), colour, shade)


def _pipes(at: _Place, rng: np.random.Generator) -> None:
    colour = _paint(rng, ((150, 150, 152), (70, 96, 120), (176, 110, 60), (60, 60, 62)))
    radius = float(rng.uniform(0.1, 0.22))
    spots = [(i * 2.0 * radius, radius) for i in (-1, 0, 1)]
    spots += [((i - 0.5) * 2.0 * radius, 2.7 * radius) for i in (0, 1)]
    for away, up in sorted(spots, key=lambda spot: (spot[1], -spot[0])):
        at.rod((-1.5, up, away), (1.5, up, away), radius, colour)


def _column(at: _Place, rng: np.random.Generator) -> None:
    at.block(Block(0.5, 5.5, 0.5, _paint(rng, ((168, 166, 160),))))
    if rng.random() < 0.5:
        for i in range(4):
            colour: Rgb = (226, 186, 40) if i % 2 else (44, 42, 40)
            at.block(Block(0.53, 0.3, 0.53, colour, base=0.3 * i))


def _bench(at: _Place, rng: np.random.Generator) -> None:
    """A workbench with a tool box and a bright bucket on it."""
    for right in (-0.7, 0.7):
        at.block(Block(0.08, 0.85, 0.6, (70, 72, 76), right=right))
    at.block(Block(1.7, 0.07, 0.7, WOOD, base=0.85))
    at.block(Block(0.45, 0.22, 0.25, _paint(rng, MACHINES), base=0.92, right=-0.35))
    spot = at.points([(0.4, 0.0, 0.0)])[0]
    _cylinder(at.canvas, spot[0], spot[2], 0.13, 0.92, 1.18, _paint(rng, MACHINES))


KINDS: dict[str, Kind] = {
    "cone": Kind(_cone, 0.25, 0.7, 2.2),
    "barrels": Kind(_barrels, 0.8, 0.9, 1.2),
    "pallet": Kind(_pallet, 0.9, 0.8, 1.8),
    "container": Kind(_container, 3.0, 2.5, 0.5),
    "scaffold": Kind(_scaffold, 1.5, 4.0, 0.9),
    "excavator": Kind(_excavator, 2.2, 2.5, 0.6),
    "forklift": Kind(_forklift, 1.3, 2.1, 0.6),
    "truck": Kind(_truck, 2.8, 2.0, 0.4),
    "barrier": Kind(_barrier, 0.9, 1.0, 1.0),
    "jersey": Kind(_jersey, 1.2, 0.85, 0.8),
    "fence": Kind(_fence, 1.5, 1.9, 0.6),
    "heap": Kind(_heap, 1.4, 0.7, 0.8),
    "pipes": Kind(_pipes, 1.4, 0.6, 0.8),
    "column": Kind(_column, 0.5, 5.5, 0.7),
    "bench": Kind(_bench, 1.0, 1.1, 0.7),
}


def shadow_outline(canvas: Canvas, thing: Thing) -> Floats:
    """Sheet outline of the shadow that `thing` throws on the ground, as of a box its size."""
    half = thing.radius * 0.72
    feet = around(
        thing.x, thing.z, thing.yaw,
        [(-half, 0, -half * 0.5), (half, 0, -half * 0.5), (half, 0, half * 0.5),
         (-half, 0, half * 0.5)],
    )  # fmt: skip
    reach = np.array([canvas.sun[0], 0.0, canvas.sun[1]]) * min(thing.height, 3.0)
    corners = canvas.camera.project(np.concatenate([feet, feet + reach])).astype(np.float32)
    hull: Floats = cv2.convexHull(corners)[:, 0].astype(np.float64)
    return hull
