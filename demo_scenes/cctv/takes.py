"""Takes: which camera records when, and in what light."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from ..canvas import Pixels
from ..light import INFRARED, Light

CAMERAS = 2
FIRST_DAY = datetime(2026, 1, 5)
_HOURS = ((8.25, "sun"), (21.5, INFRARED), (17.6, "dusk"), (12.5, "overcast"), (10.7, "sun"),
          (2.2, INFRARED), (6.4, "dusk"), (15.2, "overcast"))  # fmt: skip
"""Hours of the day, and the light then; day, dim and night take turns."""
_MIDDLE_GREY = 108.0


@dataclass(frozen=True)
class Take:
    """One recording to be made.

    Args:
        number: of the recording among its kind.
        camera: from 1.
        begins: time on site.
        day: days since the first.
        kind: of light.
        seed: of all that happens in it; view_seed: of what the camera sees every day.
    """

    number: int
    camera: int
    begins: datetime
    day: int
    kind: str
    seed: int
    view_seed: int

    @property
    def camera_name(self) -> str:
        return f"cam{self.camera}"

    @property
    def name(self) -> str:
        """As recorders name their files: cam1_20260105_081500."""
        return f"{self.camera_name}_{self.moment}"

    @property
    def place(self) -> str:
        """As recorders keep them in folders: cam1/20260105_081500."""
        return f"{self.camera_name}/{self.moment}"

    @property
    def moment(self) -> str:
        """Day and time: 20260105_081500."""
        return f"{self.begins:%Y%m%d_%H%M%S}"

    def stamp(self, seconds: float) -> str:
        """The recorder's line of text, so long after the beginning."""
        return f"CAM{self.camera:02d} {self.begins + timedelta(seconds=seconds):%H:%M:%S}"


def takes(count: int, seed: int, *, first_day: int = 0) -> list[Take]:
    """Recordings of both cameras in turn, four a day.

    Args:
        count: how many.
        seed: the same one gives the same recordings.
        first_day: days after FIRST_DAY; sets that shall share no recording begin on other days.
    """
    made = []
    for number in range(count):
        camera, slot = number % CAMERAS + 1, number // CAMERAS
        day = first_day + number // (2 * CAMERAS)
        rng = np.random.default_rng((seed, 21, camera, day, slot))
        hour, kind = _HOURS[slot % len(_HOURS)]
        begins = FIRST_DAY + timedelta(days=day, hours=hour, minutes=int(rng.integers(-14, 15)))
        views = np.random.SeedSequence((seed, 22, camera)).generate_state(1)
        made.append(
            Take(number, camera, begins, day, kind, int(rng.integers(1 << 31)), int(views[0]))
        )
    return made


def light_of(take: Take) -> tuple[Light, tuple[float, float]]:
    """What the camera makes of the hour, and where the sun stands."""
    rng = np.random.default_rng((take.seed, 23))
    level = float(rng.uniform(0.93, 1.06))
    r, g, b = {
        "sun": (1.17, 1.12, 1.05),
        "overcast": (1.0, 1.02, 1.05),
        "dusk": (0.49, 0.51, 0.6),
        INFRARED: (0.31, 0.31, 0.31),
    }[take.kind]
    lamps: tuple[tuple[float, float, float], ...] = ()
    if take.kind == "dusk":
        lamps = ((float(rng.uniform(-2, 2)), float(rng.uniform(9, 12)), 3.5),)
    elif take.kind == INFRARED:  # hangs beside the lens
        lamps = ((float(rng.uniform(-0.4, 0.4)), 10.0, 3.0),)
    light = Light(
        take.kind,
        (r * level, g * level, b * level),
        {"sun": 0.42, "overcast": 0.14, "dusk": 0.2, INFRARED: 0.15}[take.kind],
        lamps,
        {"sun": 2.5, "overcast": 3.0, "dusk": 4.5, INFRARED: 5.0}[take.kind],
        0.0,
        (0.0, 0.0),
        float(rng.uniform(0.94, 1.06)),
        84,
    )
    angle = math.pi * (take.begins.hour + take.begins.minute / 60 - 6) / 12
    return light, (float(math.cos(angle)), float(0.4 + 0.5 * math.sin(angle)))


def exposed(light: Light, sheet: Pixels) -> Light:
    """The light as a camera with automatic exposure takes it: bright ground less, dark ground more.

    Args:
        sheet: uint8, RGB: the view.
    """
    factor = min(max(_MIDDLE_GREY / float(sheet.mean()), 0.6), 1.6)
    r, g, b = light.tint
    return replace(light, tint=(r * factor, g * factor, b * factor))
