"""Site workers: a jointed body in three dimensions, dressed, lit and cut out as a sprite.

A figure is built from a skeleton in its own frame (right, up, forward; metres), turned by its
heading, seen from the camera's angle and painted part by part from back to front. So arms hide
vests, backs hide faces and a crouching worker gets shorter without a case for each.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from .canvas import Floats, Pixels, Rgb
from .outfits import Outfit, Pose

BODY, HEAD, VEST, LOAD = 1, 2, 3, 4  # what a sprite's pixel belongs to


class Sprite(NamedTuple):
    """A cut-out worker.

    Args:
        image: uint8, H×W×3, RGB.
        alpha: float32, H×W, 0…1.
        part: uint8, H×W: BODY, HEAD, VEST, LOAD, or 0 outside.
        foot: the point between the feet, pixels of the sprite (x, y).
    """

    image: Pixels
    alpha: npt.NDArray[np.float32]
    part: Pixels
    foot: tuple[float, float]


class _Skeleton:
    """Joints of a pose in body metres: (right, up, forward)."""

    def __init__(self, outfit: Outfit, pose: Pose) -> None:
        h = outfit.tall
        self.h = h
        self.legs: list[tuple[Floats, Floats, Floats]] = []
        for side in (-1, 1):
            beat = pose.phase + (0 if side > 0 else math.pi)
            thigh = pose.stride * math.sin(beat) + 1.35 * pose.crouch
            knee = pose.stride * 1.3 * max(0.0, math.cos(beat)) + 2.3 * pose.crouch
            hip = np.array([side * 0.052 * h, 0.0, 0.0])
            bend = hip + 0.245 * h * np.array([0.0, -math.cos(thigh), math.sin(thigh)])
            ankle = bend + 0.235 * h * np.array(
                [0.0, -math.cos(thigh - knee), math.sin(thigh - knee)]
            )
            self.legs.append((hip, bend, ankle))
        # The lower foot carries the body: lift everything until it stands on the ground.
        ground = min(ankle[1] for _, _, ankle in self.legs) - 0.04 * h
        lift = np.array([0.0, -ground, 0.0])
        self.legs = [(a + lift, b + lift, c + lift) for a, b, c in self.legs]
        self.pelvis = lift
        self.spine = np.array([0.0, math.cos(pose.lean), math.sin(pose.lean)])
        self.front = np.array([0.0, -math.sin(pose.lean), math.cos(pose.lean)])
        self.chest = self.pelvis + 0.30 * h * self.spine
        nod = 0.45 * pose.lean
        self.head = self.chest + 0.132 * h * np.array([0.0, math.cos(nod), math.sin(nod)])
        arms = [(0.65, 0.02, 1.0)] * 2 if outfit.load else list(pose.arms)
        self.arms: list[tuple[Floats, Floats, Floats]] = []
        for side, (forward, outward, elbow) in zip((-1, 1), arms, strict=True):
            shoulder = self.chest + np.array([side * 0.118 * h, -0.012 * h, 0.0])
            bend = shoulder + 0.17 * h * _limb(forward, outward * side)
            self.arms.append((shoulder, bend, bend + 0.17 * h * _limb(forward + elbow, 0.0)))

    def ring(self, share: float, grow: float = 1.0) -> Floats:
        """Outline of the trunk at `share` of the back's length: 16×3."""
        h = self.h
        wide = np.interp(share, [0, 0.35, 0.75, 1.0], [0.094, 0.086, 0.106, 0.1]) * h * grow
        deep = np.interp(share, [0, 0.35, 0.75, 1.0], [0.064, 0.06, 0.07, 0.05]) * h * grow
        t = np.linspace(0, 2 * math.pi, 16, endpoint=False)
        side = np.outer(np.sin(t) * wide, [1.0, 0.0, 0.0])
        front = np.outer(np.cos(t) * deep, self.front)
        ring: Floats = self.pelvis + share * 0.31 * h * self.spine + side + front
        return ring


def _limb(forward: float, outward: float) -> Floats:
    return np.array([math.sin(outward), -math.cos(forward) * math.cos(outward), math.sin(forward)])


class _Painter:
    """Projects body points onto the sprite and fills shapes there."""

    def __init__(self, skeleton: _Skeleton, pose: Pose, scale: float, view_down: float) -> None:
        self.scale = scale
        self.sin, self.cos = math.sin(pose.heading), math.cos(pose.heading)
        self.vsin, self.vcos = math.sin(view_down), math.cos(view_down)
        reach = 0.62 * skeleton.h * scale
        self.width = math.ceil(2 * reach) + 4
        self.height = math.ceil(1.2 * skeleton.h * scale) + 8
        self.origin = np.array([self.width / 2, self.height - 0.1 * skeleton.h * scale - 2])
        self.image = np.zeros((self.height, self.width, 3), np.uint8)
        self.part = np.zeros((self.height, self.width), np.uint8)

    def nearness(self, points: Floats) -> Floats:
        """Distance that each body point comes toward the camera, metres."""
        p = np.atleast_2d(points)
        return p[:, 0] * self.sin + p[:, 2] * self.cos

    def at(self, points: Floats) -> Floats:
        """Body points (N×3) → sprite pixels (N×2)."""
        p = np.atleast_2d(points)
        across = -p[:, 0] * self.cos + p[:, 2] * self.sin
        up = p[:, 1] * self.vcos - self.nearness(p) * self.vsin
        return self.origin + np.stack([across, -up], axis=1) * self.scale

    def fill(self, corners: Floats, colour: Rgb, part: int) -> None:
        fixed = np.round(corners * 8).astype(np.int32)
        cv2.fillPoly(self.image, [fixed], colour, cv2.LINE_8, 3)
        cv2.fillPoly(self.part, [fixed], (part,), cv2.LINE_8, 3)

    def hull(self, corners: Floats, colour: Rgb, part: int) -> None:
        self.fill(cv2.convexHull(corners.astype(np.float32))[:, 0].astype(np.float64), colour, part)

    def limb(self, a: Floats, b: Floats, thick: tuple[float, float], colour: Rgb) -> None:
        """A tapered limb with a lit side; thickness in metres at both ends."""
        ends = self.at(np.stack([a, b]))
        radii = np.array(thick)[:, None, None] * self.scale
        self.hull((ends[:, None] + _CIRCLE * radii).reshape(-1, 2), _times(colour, 0.84), BODY)
        inner = (ends[:, None] + (_CIRCLE * 0.62 - [0.2, 0.1]) * radii).reshape(-1, 2)
        self.hull(inner, _times(colour, 1.08), BODY)

    def ellipse(self, centre: Floats, a: float, b: float, colour: Rgb, part: int) -> None:
        """An ellipse about a sprite point; half axes in metres."""
        self.fill(centre + _CIRCLE * [a * self.scale, b * self.scale], colour, part)

    def stroke(self, corners: Floats, colour: Rgb, width_m: float) -> None:
        """A line over what is painted; it belongs to the part below it."""
        fixed = np.round(corners * 8).astype(np.int32)
        thick = max(1, round(width_m * self.scale))
        cv2.polylines(self.image, [fixed], False, colour, thick, cv2.LINE_8, 3)


_TURN = np.linspace(0, 2 * math.pi, 20, endpoint=False)
_CIRCLE: Floats = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_DOME: Floats = np.array(
    [[math.cos(t), -math.sin(t)] for t in np.linspace(-0.05, math.pi + 0.05, 16)]
)


Draw = Callable[[_Painter, _Skeleton, Outfit], None]


def _times(colour: Rgb, factor: float) -> Rgb:
    r, g, b = (min(255.0, c * factor) for c in colour)
    return r, g, b


def draw_figure(
    outfit: Outfit,
    pose: Pose,
    pixels_per_metre: float,
    view_down: float,
    light_from_left: float = 1.0,
) -> Sprite:
    """Draw a worker at twice the wanted scale and bring it down with soft edges.

    Args:
        pixels_per_metre: of the sheet it will be put on.
        view_down: angle at which the camera looks down on it, radians.
        light_from_left: 1 lit from the left … -1 from the right.
    """
    body = _Skeleton(outfit, pose)
    painter = _Painter(body, pose, pixels_per_metre * 2, view_down)
    trunk_at = float(painter.nearness(body.chest)[0])
    # Of parts that are equally near the first comes first.
    layers: list[tuple[float, Draw]] = []
    for i in range(2):
        knee = float(painter.nearness(body.legs[i][1])[0])
        layers.append((knee - 0.3, functools.partial(_leg, index=i)))
    layers.append((trunk_at, _trunk))
    for i in range(2):
        arm = float(painter.nearness(np.stack(body.arms[i])).mean())
        layers.append((arm, functools.partial(_arm, index=i)))
    if outfit.load:
        layers.append((trunk_at + 0.3 * body.h * 0.5 * painter.cos, _load))
    layers.append((float(painter.nearness(body.head)[0]) + 0.01, _head))
    for _, draw in sorted(layers, key=itemgetter(0)):
        draw(painter, body, outfit)
    return _finish(painter, light_from_left)


def _leg(painter: _Painter, body: _Skeleton, outfit: Outfit, index: int) -> None:
    h = body.h
    hip, knee, ankle = body.legs[index]
    painter.limb(hip, knee, (0.056 * h, 0.04 * h), outfit.trousers)
    painter.limb(knee, ankle, (0.04 * h, 0.029 * h), _times(outfit.trousers, 0.94))
    toe = ankle + np.array([0.0, -0.022 * h, 0.07 * h])
    painter.limb(ankle - [0.0, 0.014 * h, 0.0], toe, (0.026 * h, 0.02 * h), (46, 38, 32))


def _arm(painter: _Painter, body: _Skeleton, outfit: Outfit, index: int) -> None:
    h = body.h
    shoulder, elbow, hand = body.arms[index]
    painter.limb(shoulder, elbow, (0.036 * h, 0.03 * h), outfit.jacket)
    painter.limb(elbow, hand, (0.03 * h, 0.023 * h), _times(outfit.jacket, 1.03))
    painter.ellipse(painter.at(hand)[0], 0.024 * h, 0.026 * h, outfit.skin, BODY)
    if outfit.in_hand and index == 1:
        brim = painter.at(hand)[0] + [0.0, 0.05 * h * painter.scale]
        shell = brim + _DOME * [0.068 * h * painter.scale, -0.075 * h * painter.scale]
        painter.fill(shell, outfit.in_hand, BODY)  # held by its brim, crown down
        painter.ellipse(brim, 0.075 * h, 0.018 * h, _times(outfit.in_hand, 0.6), BODY)


def _load(painter: _Painter, body: _Skeleton, outfit: Outfit) -> None:
    assert outfit.load is not None
    h = body.h
    middle = body.chest + np.array([0.0, -0.14 * h, 0.2 * h])
    w, t, d = 0.13 * h, 0.075 * h, 0.08 * h
    offsets = np.array([(r, u, f) for r in (-w, w) for u in (-t, t) for f in (-d, d)])
    painter.hull(painter.at(middle + offsets), outfit.load, LOAD)
    painter.hull(painter.at(middle + offsets[offsets[:, 1] > 0]), _times(outfit.load, 1.2), LOAD)


def _trunk(painter: _Painter, body: _Skeleton, outfit: Outfit) -> None:
    shares = (-0.04, 0.15, 0.35, 0.6, 0.8, 0.95, 1.0)
    outline = painter.at(np.concatenate([body.ring(s) for s in shares]))
    painter.hull(outline, outfit.jacket, BODY)
    neck = body.chest + 0.045 * body.h * body.spine
    painter.limb(body.chest, neck, (0.034 * body.h, 0.03 * body.h), _times(outfit.skin, 0.86))
    if outfit.vest is None:
        front = painter.at(np.stack([body.ring(s)[0] for s in (0.02, 0.5, 0.95)]))
        if painter.cos > 0.1:  # a zip
            painter.stroke(front, _times(outfit.jacket, 0.7), 0.012)
        return
    wear = np.concatenate([body.ring(s, 1.08) for s in (*shares[1:], 1.03)])
    wear = np.concatenate([wear, body.ring(0.02, 1.1)])
    painter.hull(painter.at(wear), outfit.vest, VEST)
    _reflective(painter, body, outfit.vest)


def _reflective(painter: _Painter, body: _Skeleton, colour: Rgb) -> None:
    """Two bands around the trunk, two straps over the shoulders, an opening in front."""
    silver: Rgb = (226, 228, 220)
    rings = {s: body.ring(s, 1.09) for s in (0.02, 0.17, 0.46, 0.75, 1.0)}
    if painter.cos > 0.15:
        opening = painter.at(np.stack([rings[s][0] for s in (0.02, 0.46, 1.0)]))
        painter.stroke(opening, _times(colour, 0.45), 0.022)
    for share in (0.17, 0.46):
        ring = np.concatenate([rings[share]] * 2)
        seen = painter.nearness(ring - ring.mean(axis=0)) > -0.01
        start = int(np.argmin(seen[:16]))  # begin on the far side so that the run is unbroken
        run = ring[start : start + 16][seen[start : start + 16]]
        if len(run) > 1:
            painter.stroke(painter.at(run), silver, 0.052)
    for index in (2, 14, 6, 10):  # ring corners left and right, front and back
        strap = np.stack([rings[s][index] for s in (0.46, 0.75, 1.0)])
        if painter.nearness(strap[0] - rings[0.46].mean(axis=0))[0] > 0.02:
            painter.stroke(painter.at(strap), silver, 0.042)


def _head(painter: _Painter, body: _Skeleton, outfit: Outfit) -> None:
    h = body.h
    centre = painter.at(body.head)[0]
    a, b = 0.062 * h, 0.079 * h
    unit = painter.scale
    crown = outfit.skin if outfit.bald else outfit.hair
    facing = np.array([painter.sin, 0.25 * painter.vsin + 0.12])
    painter.ellipse(centre, a, b, _times(crown, 0.92), HEAD)
    if painter.cos > -0.35:
        show = 0.62 + 0.28 * painter.cos
        face = centre + facing * a * 0.42 * unit
        painter.ellipse(face, a * show, b * 0.84, outfit.skin, HEAD)
        if not (outfit.bald or outfit.helmet):
            fringe = centre + np.array([facing[0] * a * 0.1, -b * 0.52]) * unit
            painter.ellipse(fringe, a * 0.92, b * 0.46, crown, HEAD)
        for side in (-0.36, 0.36):  # eyes, where the head is big enough to have them
            eye = face + np.array([side * a * max(0.2, painter.cos), -0.02 * b]) * unit
            painter.ellipse(eye, a * 0.11, b * 0.08, _times(outfit.skin, 0.35), HEAD)
    elif not outfit.helmet:
        nape = centre + np.array([0.0, b * 0.72]) * unit
        painter.ellipse(nape, a * 0.6, b * 0.26, _times(outfit.skin, 0.85), HEAD)
    if outfit.helmet:
        _hard_hat(painter, centre, facing, h, outfit.helmet)
    elif outfit.cap:
        brow = centre + np.array([0.0, -0.018 * h]) * unit
        painter.fill(brow + _DOME * [0.066 * h * unit, 0.066 * h * unit], outfit.cap, HEAD)
        peak = brow + np.array([painter.sin * 0.05 * h, 0.012 * h * max(0.0, painter.cos)]) * unit
        painter.ellipse(peak, 0.045 * h, 0.012 * h, _times(outfit.cap, 0.7), HEAD)


def _hard_hat(painter: _Painter, centre: Floats, facing: Floats, h: float, colour: Rgb) -> None:
    unit = painter.scale
    a, b = 0.08 * h, 0.088 * h
    brow = centre + np.array([painter.sin * 0.008 * h, -0.012 * h]) * unit
    peak = brow + np.array([facing[0] * 0.03 * h, 0.012 * h * painter.cos]) * unit
    deep = 0.016 * h + 0.05 * h * painter.vsin
    painter.ellipse(peak, a * 1.1, deep, _times(colour, 0.7), HEAD)
    painter.fill(brow + _DOME * [a * unit, b * unit], colour, HEAD)
    painter.fill(
        brow + (_DOME * [0.46, 0.5] + [-0.26, -0.3]) * [a * unit, b * unit],
        _times(colour, 1.22),
        HEAD,
    )
    ridge = np.array([[painter.sin * 0.35, -0.98], [painter.sin * 0.75, -0.1]])
    painter.stroke(brow + ridge * [a * unit, b * unit], _times(colour, 0.8), 0.02)


def _finish(painter: _Painter, light_from_left: float) -> Sprite:
    """Cut the figure out, halve it, and round it with light from its side."""
    x, y, w, h = cv2.boundingRect(painter.part)
    x, y = max(0, x - 4) & ~1, max(0, y - 4) & ~1
    w, h = (w + 9) & ~1, (h + 9) & ~1
    image, part = painter.image[y : y + h, x : x + w], painter.part[y : y + h, x : x + w]
    size = (image.shape[1] // 2, image.shape[0] // 2)
    solid = (part > 0).astype(np.float32)
    alpha = cv2.resize(solid, size, interpolation=cv2.INTER_AREA)
    # Outside the figure the image is 0, so its mean over a pixel is already colour × alpha.
    colour = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    unit = painter.scale / 2
    soft = cv2.GaussianBlur(alpha, (0, 0), max(0.6, 0.045 * unit))
    slope = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3)
    rise = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3)
    relief = np.clip(unit * (0.016 * light_from_left * slope + 0.01 * rise), -0.3, 0.22)
    colour *= ((1.0 + relief) / np.maximum(alpha, 1e-3))[..., None]
    half = cv2.resize(part, size, interpolation=cv2.INTER_NEAREST)
    return Sprite(
        np.clip(colour, 0, 255).astype(np.uint8),
        alpha,
        np.where(alpha > 0.5, half, 0).astype(np.uint8),
        (float(painter.origin[0] - x) / 2, float(painter.origin[1] - y) / 2),
    )
