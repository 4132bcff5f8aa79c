"""The time of day, and what the camera makes of it: tint, lamps, blur, noise, a time stamp."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .canvas import Camera, Pixels, Rgb

INFRARED = "infrared"
"""Kind of light that the camera brings itself, at night: its pictures are grey."""
SUPERSAMPLE = 2  # the sheet is drawn this much larger than the picture


@dataclass(frozen=True)
class Light:
    """The time of day and what the camera makes of it.

    Args:
        kind: 'sun', 'overcast', 'dusk', 'night', 'hall' or INFRARED.
        tint: what white becomes, RGB shares.
        shadow: how dark the shadow of a thing is, 0…1.
        lamps: ground points (x, z) lit by lamps, with their reach in metres.
        noise: of the sensor, grey levels.
        blur: of the lens, picture pixels at 160 px.
        smear: (length, angle) of motion blur, picture pixels at 160 px.
    """

    kind: str
    tint: Rgb
    shadow: float
    lamps: tuple[tuple[float, float, float], ...]
    noise: float
    blur: float
    smear: tuple[float, float]
    contrast: float
    quality: int


def random_light(rng: np.random.Generator) -> Light:
    kind = str(
        rng.choice(["sun", "overcast", "dusk", "night", "hall"], p=[0.34, 0.24, 0.14, 0.12, 0.16])
    )
    level = float(rng.uniform(0.85, 1.12))
    tint = {
        "sun": (1.2, 1.15, 1.06),
        "overcast": (1.02, 1.05, 1.08),
        "dusk": (0.86, 0.68, 0.58) if rng.random() < 0.5 else (0.58, 0.62, 0.76),
        "night": (0.34, 0.38, 0.5),
        "hall": (0.96, 0.97, 0.9),
    }[kind]
    lamps: tuple[tuple[float, float, float], ...] = ()
    if kind in ("night", "hall", "dusk"):
        lamps = tuple(
            (float(rng.uniform(-4, 4)), float(rng.uniform(6, 20)), float(rng.uniform(3, 7)))
            for _ in range(rng.integers(1, 4))
        )
    noise = {"sun": 2.5, "overcast": 3.0, "dusk": 4.0, "night": 5.5, "hall": 3.5}[kind]
    return Light(
        kind,
        (tint[0] * level, tint[1] * level, tint[2] * level),
        {"sun": 0.45, "overcast": 0.14, "dusk": 0.28, "night": 0.2, "hall": 0.18}[kind],
        lamps,
        noise * float(rng.uniform(0.5, 1.4)),
        float(rng.uniform(0.4, 0.8)) if rng.random() < 0.2 else 0.0,
        (float(rng.uniform(1.5, 2.5)), float(rng.uniform(0, math.pi)))
        if rng.random() < 0.08
        else (0.0, 0.0),
        float(rng.uniform(0.86, 1.12)),
        int(rng.integers(72, 94)),
    )


def develop(
    sheet: Pixels, camera: Camera, light: Light, *, seed: int, frame: int, stamp: str = ""
) -> Pixels:
    """From the drawn sheet to what a CCTV camera would store.

    Args:
        sheet: uint8, RGB, SUPERSAMPLE times the picture's side.
        seed, frame: of the noise and the time stamp.
        stamp: the recorder's line of text; '' makes one up.
    """
    size = camera.size // SUPERSAMPLE
    rng = np.random.default_rng((seed, 2, frame))
    image = cv2.resize(sheet, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    image *= np.array(light.tint, np.float32) * _lamps(camera, light, size)[..., None]
    image = (image - 110) * light.contrast + 110
    unit = size / 160
    if light.blur:
        image = cv2.GaussianBlur(image, (0, 0), light.blur * unit)
    if light.smear[0]:
        image = cv2.filter2D(image, -1, _smear_kernel(light.smear[0] * unit, light.smear[1]))
    across = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    image *= (1 - 0.11 * (across[None] + across[:, None]))[..., None]
    luma = rng.standard_normal((size, size, 1), dtype=np.float32)
    chroma = rng.standard_normal((size, size, 3), dtype=np.float32)
    image += light.noise * (0.8 * luma + 0.45 * chroma)
    if light.kind == INFRARED:
        grey = 0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2]
        image = np.repeat(grey[..., None], 3, axis=2)
    stored: Pixels = np.clip(image, 0, 255).astype(np.uint8)
    _time_stamp(stored, stamp or _made_up(seed, frame))
    return stored


def _lamps(camera: Camera, light: Light, size: int) -> npt.NDArray[np.float32]:
    """Brightness of each picture pixel by the lamps, relative to no lamps at all."""
    field = np.ones((size, size), np.float32)
    gain = {"night": 1.2, "dusk": 0.5, "hall": 0.25, INFRARED: 1.5}.get(light.kind, 0.0)
    columns, rows = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size))
    for x, z, reach in light.lamps:
        centre = camera.project([(x, 0.6, z)])[0] / SUPERSAMPLE
        wide = reach * camera.pixels_per_metre(z) / SUPERSAMPLE
        high = max(wide * math.sin(camera.view_down(z)), wide * 0.45)
        far = ((columns - centre[0]) / wide) ** 2 + ((rows - centre[1]) / high) ** 2
        field += gain * np.exp(-far).astype(np.float32)
    return np.minimum(field, 1.0 + gain)


def _smear_kernel(length: float, angle: float) -> npt.NDArray[np.float32]:
    side = 2 * math.ceil(length) + 1
    kernel = np.zeros((side, side), np.float32)
    middle, half = side // 2, length / 2
    ends = [
        (round(middle + s * half * math.cos(angle)), round(middle + s * half * math.sin(angle)))
        for s in (-1, 1)
    ]
    cv2.line(kernel, ends[0], ends[1], (1.0,), 1)
    kernel /= kernel.sum()
    return kernel


def _made_up(seed: int, frame: int) -> str:
    seconds = seed % 80_000 + frame // 10
    return (
        f"CAM{seed % 16 + 1:02d} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    )


def _time_stamp(image: Pixels, text: str) -> None:
    """The recorder's line of text along the lower edge."""
    unit = image.shape[0] / 160
    where = (round(3 * unit), image.shape[0] - round(3 * unit))
    cv2.putText(
        image, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.22 * unit, (235, 235, 235),
        max(1, round(0.5 * unit)), cv2.LINE_AA,
    )  # fmt: skip
