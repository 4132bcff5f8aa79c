"""The camera, the sheet it draws on, and solid shapes in perspective.

World: metres; x to the right, y up, z along the ground away from the camera, which stands at
(0, height, 0) and looks down by `pitch`. Colours are RGB, 0…255.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

Rgb = tuple[float, float, float]
Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

NEAREST_M = 0.5  # nothing closer to the lens than this is projected


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on a pole.

    Args:
        size: side of the square sheet, pixels.
        height: of the lens above the ground, metres.
        pitch: how far it looks down, radians.
        focal: focal length, pixels of the sheet.
    """

    size: int
    height: float
    pitch: float
    focal: float

    def depth(self, y: float, z: float) -> float:
        """Distance along the optical axis, metres."""
        return max(NEAREST_M, z * math.cos(self.pitch) - (y - self.height) * math.sin(self.pitch))

    def project(self, points: Sequence[Sequence[float]] | Floats) -> Floats:
        """World points (N×3, metres) → sheet points (N×2, pixels)."""
        p = np.asarray(points, dtype=np.float64)
        sin, cos = math.sin(self.pitch), math.cos(self.pitch)
        y = p[:, 1] - self.height
        depth = np.maximum(p[:, 2] * cos - y * sin, NEAREST_M)
        up = y * cos + p[:, 2] * sin
        half = self.size / 2
        return np.stack(
            [half + self.focal * p[:, 0] / depth, half - self.focal * up / depth], axis=1
        )

    def ground_at(self, u: float, v: float) -> tuple[float, float]:
        """Ground point (x, z) seen at sheet position u, v (0…1 of the side)."""
        angle = self.pitch + math.atan((v - 0.5) * self.size / self.focal)
        z = self.height / math.tan(max(angle, math.radians(2)))
        return (u - 0.5) * self.size / self.focal * self.depth(0, z), z

    def pixels_per_metre(self, z: float) -> float:
        """Scale of an upright thing that stands at z."""
        return self.focal / self.depth(1.0, z)

    def view_down(self, z: float) -> float:
        """Angle at which the camera looks down on a thing at z, radians."""
        return math.atan2(self.height - 1.0, z)


@dataclass
class Canvas:
    """The sheet: its picture, and whose pixel each one is.

    Args:
        camera: how the world falls on the sheet.
        sun: ground offset (x, z) in metres of the shadow of a point one metre up.
        image: uint8, S×S×3, RGB.
        owner: int16, S×S: number of the person's part that is seen there; 0 where none is.
        haze, haze_colour: how much of the haze colour a thing 40 m away takes on.
    """

    camera: Camera
    sun: tuple[float, float]
    haze: float = 0.0
    haze_colour: Rgb = (190, 195, 200)
    image: Pixels = field(init=False)
    owner: npt.NDArray[np.int16] = field(init=False)

    def __post_init__(self) -> None:
        side = self.camera.size
        self.image = np.zeros((side, side, 3), np.uint8)
        self.owner = np.zeros((side, side), np.int16)

    def tinted(self, colour: Rgb, z: float, factor: float = 1.0) -> Rgb:
        """`colour` times `factor`, seen through the haze at distance z."""
        share = self.haze * min(1.0, z / 40.0)
        r, g, b = (
            min(255.0, c * factor) * (1 - share) + h * share
            for c, h in zip(colour, self.haze_colour, strict=True)
        )
        return r, g, b

    def polygon(self, points: Floats, colour: Rgb) -> None:
        """Fill a polygon of sheet points; it hides whoever stands behind it."""
        corners = _fixed(points)
        cv2.fillPoly(self.image, [corners], colour, cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(self.owner, [corners], (0,), cv2.LINE_8, _SHIFT)

    def line(self, points: Floats, colour: Rgb, width: float) -> None:
        """Draw an open line `width` pixels thick (at least one)."""
        thickness = max(1, round(width))
        corners = _fixed(points)
        cv2.polylines(self.image, [corners], False, colour, thickness, cv2.LINE_AA, _SHIFT)
        cv2.polylines(self.owner, [corners], False, (0,), thickness, cv2.LINE_8, _SHIFT)

    def rod(
        self,
        start: Sequence[float] | Floats,
        end: Sequence[float] | Floats,
        radius: float,
        colour: Rgb,
    ) -> None:
        """A pole between two world points, `radius` metres thick."""
        ends = self.camera.project(np.array([start, end]))
        middle = float(start[2] + end[2]) / 2
        width = 2 * radius * self.camera.pixels_per_metre(middle)
        self.line(ends, self.tinted(colour, middle, 0.75), width)
        if width >= 2.5:  # a lit edge makes it round
            self.line(ends - [width / 5, width / 6], self.tinted(colour, middle, 1.15), width / 3)


_SHIFT = 3  # OpenCV draws at 1/8 pixel


def _fixed(points: Floats) -> npt.NDArray[np.int32]:
    return np.round(np.clip(points, -4000, 8000) * (1 << _SHIFT)).astype(np.int32)


def around(x: float, z: float, yaw: float, offsets: Sequence[Sequence[float]] | Floats) -> Floats:
    """Offsets (right, up, away) of a thing turned by `yaw` about (x, z) → world points N×3."""
    o = np.asarray(offsets, dtype=np.float64)
    sin, cos = math.sin(yaw), math.cos(yaw)
    return np.stack(
        [x + o[:, 0] * cos - o[:, 2] * sin, o[:, 1], z + o[:, 0] * sin + o[:, 2] * cos], axis=1
    )


@dataclass(frozen=True)
class Block:
    """A box that stands on the ground or on another one. Sizes in metres.

    Args:
        ribs: lines drawn upright on each side face (corrugation, boards).
        courses: lines drawn level on each side face (bricks, planks).
    """

    width: float
    height: float
    depth: float
    colour: Rgb
    base: float = 0.0
    right: float = 0.0
    away: float = 0.0
    ribs: int = 0
    courses: int = 0


def draw_block(canvas: Canvas, x: float, z: float, yaw: float, block: Block) -> None:
    """Draw the faces of `block` that the camera sees, each in its own light."""
    w, d, low, high = block.width / 2, block.depth / 2, block.base, block.base + block.height
    feet = [(-w, -d), (w, -d), (w, d), (-w, d)]
    feet = [(right + block.right, away + block.away) for right, away in feet]
    bottom = around(x, z, yaw, [(right, low, away) for right, away in feet])
    top = around(x, z, yaw, [(right, high, away) for right, away in feet])
    if canvas.camera.height > high:
        canvas.polygon(canvas.camera.project(top), canvas.tinted(block.colour, z, 1.12))
    for i in range(4):
        j = (i + 1) % 4
        edge = bottom[j] - bottom[i]
        outward = np.array([edge[2], -edge[0]])
        if outward @ bottom[i][[0, 2]] >= 0:  # the face looks away from the camera
            continue
        light = outward @ np.array([-canvas.sun[0], -canvas.sun[1]])
        length = math.hypot(*outward) * (math.hypot(*canvas.sun) or 1.0)
        shade = 0.74 + 0.2 * light / length
        corners = np.array([bottom[i], bottom[j], top[j], top[i]])
        canvas.polygon(canvas.camera.project(corners), canvas.tinted(block.colour, z, shade))
        _face_lines(canvas, corners, z, block, shade * 0.8)


def _face_lines(canvas: Canvas, corners: Floats, z: float, block: Block, shade: float) -> None:
    """Ribs and courses across one face; left out where they would blur into one grey."""
    scale = canvas.camera.pixels_per_metre(z)
    colour = canvas.tinted(block.colour, z, shade)
    a, b, c, d = corners
    for count, (p, q, r, s), extent in (
        (block.ribs, (a, b, d, c), float(np.linalg.norm(b - a))),
        (block.courses, (a, d, b, c), block.height),
    ):
        if not count or extent * scale / count < 2.0:
            continue
        for t in np.arange(1, count) / count:
            ends = np.array([p + t * (q - p), r + t * (s - r)])
            canvas.line(canvas.camera.project(ends), colour, extent * scale / count / 5)


def fractal_noise(
    rng: np.random.Generator, side: int, *, coarsest: int = 4
) -> npt.NDArray[np.float32]:
    """Cloudy noise, float32, side×side, mean about 0 and within about ±1."""
    total = np.zeros((side, side), np.float32)
    cells, weight = coarsest, 1.0
    while cells <= side:
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        total += weight * cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 3, weight * 0.6
    return total / 2.2


def warp_onto(canvas: Canvas, texture: Pixels, corners: Floats) -> None:
    """Lay a texture (its corners clockwise from top left) on four world points."""
    height, width = texture.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    target = canvas.camera.project(corners).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    side = canvas.camera.size
    warped = cv2.warpPerspective(
        texture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    mask = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(mask, np.round(np.clip(target, -8000, 8000)).astype(np.int32), (255,))
    cv2.copyTo(warped, mask, canvas.image)
