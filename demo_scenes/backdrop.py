"""Ground and what closes the view: textured planes that all else stands on and before."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .canvas import Canvas, Floats, Pixels, Rgb, fractal_noise, warp_onto

GROUNDS: dict[str, Rgb] = {
    "concrete": (172, 168, 160),
    "dirt": (150, 126, 98),
    "asphalt": (104, 104, 106),
    "gravel": (158, 152, 142),
    "mud": (116, 98, 78),
}
FLOORS: dict[str, Rgb] = {
    "epoxy": (112, 132, 124),
    "screed": (160, 158, 152),
    "steel": (122, 124, 128),
}
TEXTURE_PX = 256
_CLOUD = np.array([1.0, 0.97, 0.9], np.float32)  # clouds of dust are a little warm
GROUND_M = 26.0  # side of the ground's texture


def _canvas_of(rng: np.random.Generator, colour: Rgb, grain: float) -> npt.NDArray[np.float32]:
    base = (np.array(colour) + rng.normal(0, 8)).astype(np.float32)
    clouds = fractal_noise(rng, TEXTURE_PX, coarsest=5) * grain
    return clouds[..., None] * _CLOUD + base


def _finish(texture: npt.NDArray[np.float32]) -> Pixels:
    bytes_: Pixels = cv2.convertScaleAbs(np.maximum(texture, 0))
    return bytes_


def _corners(half: float, top: tuple[float, float], foot: tuple[float, float]) -> Floats:
    """A plane `half` metres to either side, from its upper left corner on; each edge (y, z)."""
    return np.array([[-half, *top], [half, *top], [half, *foot], [-half, *foot]])


def draw_ground(canvas: Canvas, rng: np.random.Generator, *, indoors: bool) -> None:
    """Cover the sheet with ground: grain, stains, joints, tyre tracks, painted lines."""
    kinds = FLOORS if indoors else GROUNDS
    kind = str(rng.choice(list(kinds)))
    texture = _canvas_of(rng, kinds[kind], 16 if kind in ("dirt", "mud", "gravel") else 9)
    _stains(texture, rng)
    if kind in ("concrete", "screed", "steel", "epoxy"):
        _joints(texture, rng)
    if kind in ("dirt", "mud", "gravel", "asphalt"):
        _tracks(texture, rng)
    if indoors or rng.random() < 0.25:
        _painted_lines(texture, rng)
    # Keep the whole quadrilateral before the lens, or its projection would turn inside out.
    near = max(canvas.camera.ground_at(0.5, 1.0)[1] * 0.8, 1.2)
    middle = canvas.camera.ground_at(0.5, 0.5)[1]
    side = max(GROUND_M, middle * 1.2)
    corners = _corners(side / 2, (0.0, near + side), (0.0, near))
    # What lies beyond the texture is the far ground in one colour.
    canvas.image[:] = np.clip(texture.mean(axis=(0, 1)), 0, 255).astype(np.uint8)
    warp_onto(canvas, _finish(texture), corners)


def _stains(texture: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    mask = np.zeros(texture.shape[:2], np.float32)
    for _ in range(int(rng.integers(3, 14))):
        centre = tuple(int(v) for v in rng.integers(0, TEXTURE_PX, 2))
        axes = tuple(int(v) for v in rng.integers(4, 34, 2))
        strength = float(rng.uniform(-30, 18))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, (strength,), -1)
    texture += cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(1.5, 5)))[..., None]


def _joints(texture: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    gap = int(rng.integers(40, 90))
    for at in range(int(rng.integers(gap)), TEXTURE_PX, gap):
        texture[at : at + 1] -= 34
        texture[:, at : at + 1] -= 34


def _tracks(texture: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    mask = np.zeros(texture.shape[:2], np.float32)
    for _ in range(int(rng.integers(1, 4))):
        a, b, c = rng.uniform(0, TEXTURE_PX, 3)
        t = np.linspace(0, 1, 20)
        run = np.stack([(1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c, t * TEXTURE_PX], axis=1)
        if rng.random() < 0.5:
            run = run[:, ::-1].copy()
        for offset in (0, int(rng.integers(18, 30))):
            line = np.round(run + offset).astype(np.int32)
            cv2.polylines(mask, [line], False, (-22.0,), int(rng.integers(3, 7)), cv2.LINE_AA)
    texture += cv2.GaussianBlur(mask, (0, 0), 1.2)[..., None]


def _painted_lines(texture: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    colour = (228, 190, 50) if rng.random() < 0.6 else (224, 224, 220)
    for _ in range(int(rng.integers(1, 4))):
        at, width = int(rng.integers(TEXTURE_PX)), int(rng.integers(2, 4))
        strip = texture if rng.random() < 0.5 else texture.swapaxes(0, 1)
        strip[at : at + width] = 0.25 * strip[at : at + width] + 0.75 * np.array(colour)


def draw_backdrop(canvas: Canvas, rng: np.random.Generator, *, indoors: bool, dark: bool) -> None:
    """Sky where it is seen, and a wall, a shell of a building or a hoarding across the view."""
    distance = canvas.camera.ground_at(0.5, float(rng.uniform(0.02, 0.3)))[1]
    distance = float(np.clip(distance, 9.0, 46.0))
    high = float(rng.uniform(2.2, 9.0)) if not indoors else 9.0
    half = distance * 0.9 + 6
    horizon = canvas.camera.project([(0.0, 0.0, 400.0)])[0][1]
    if horizon > 0:
        _sky(canvas, rng, int(min(horizon, canvas.camera.size)), dark)
    kind = int(rng.integers(4))
    if kind == 0:
        texture = _corrugated(rng, windows=indoors or rng.random() < 0.5)
    else:
        texture = (_frame, _bricks, _hoarding)[kind - 1](rng)
    corners = _corners(half, (high, distance), (0.0, distance))
    share = canvas.haze * min(1.0, distance / 40)
    hazed = texture * (1 - share) + np.array(canvas.haze_colour, np.float32) * share
    warp_onto(canvas, _finish(hazed), corners)
    foot = canvas.camera.project([(-half, 0.0, distance), (half, 0.0, distance)])
    canvas.line(foot, (70, 66, 62), 2)


def _sky(canvas: Canvas, rng: np.random.Generator, rows: int, dark: bool) -> None:
    top, low = np.array([120, 156, 196]), np.array([206, 214, 220])
    if dark:
        top, low = np.array([16, 20, 34]), np.array([40, 44, 58])
    fade = np.linspace(0, 1, max(rows, 1))[:, None, None]
    clouds = fractal_noise(rng, 128)[:, :, None] * (4 if dark else 14)
    clouds = cv2.resize(clouds, (canvas.camera.size, max(rows, 1)))[..., None]
    canvas.image[:rows] = np.clip(top * (1 - fade) + low * fade + clouds, 0, 255)[:rows]


def _corrugated(rng: np.random.Generator, *, windows: bool) -> npt.NDArray[np.float32]:
    colours: tuple[Rgb, ...] = ((96, 124, 150), (176, 178, 176), (140, 150, 140), (150, 96, 80))
    texture = _canvas_of(rng, colours[rng.integers(4)], 5)
    wave = 12 * np.sin(np.arange(TEXTURE_PX) * 2 * np.pi / float(rng.uniform(5, 9)))
    texture += wave[None, :, None]
    if windows:  # high up
        for left in range(8, TEXTURE_PX, 48):
            pane = texture[40:88, left : left + 32]
            pane[:] = 0.2 * pane + np.array([144, 157, 165], np.float32)
    return texture


def _frame(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """The shell of a building: slabs and columns before dark bays."""
    texture = _canvas_of(rng, (70, 68, 66), 10)
    grey = np.array([166, 162, 154]) + rng.normal(0, 8)
    storeys, bay = int(rng.integers(1, 4)), int(rng.integers(36, 70))
    for level in range(storeys + 1):
        at = min(level * TEXTURE_PX // storeys, TEXTURE_PX - 16)
        texture[at : at + 16] = grey
    for left in range(0, TEXTURE_PX, bay):
        texture[:, left : left + 9] = grey * 0.92
    return texture


def _bricks(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    colours: tuple[Rgb, ...] = ((160, 92, 72), (170, 168, 162), (188, 170, 140))
    texture = _canvas_of(rng, colours[rng.integers(3)], 8)
    for row, top in enumerate(range(0, TEXTURE_PX, 16)):
        texture[top : top + 2] -= 22
        for left in range(row % 2 * 8, TEXTURE_PX, 16):
            texture[top : top + 16, left : left + 1] -= 18
    return texture


def _hoarding(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Painted panels, some in another colour, with a darker foot."""
    colours: tuple[Rgb, ...] = ((208, 210, 206), (66, 110, 96), (70, 100, 150), (206, 190, 150))
    texture = _canvas_of(rng, colours[rng.integers(4)], 5)
    for left in range(0, TEXTURE_PX, 32):
        texture[:, left : left + 2] -= 40
        if rng.random() < 0.15:
            texture[:, left + 2 : left + 32] *= rng.uniform(0.7, 1.1, 3)
    texture[-30:] *= 0.75
    return texture
