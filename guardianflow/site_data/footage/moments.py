"""Moments of a recording as people write them: 75.5, 1:15.5, 00:01:15.5."""

from __future__ import annotations

import math
import re

_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")


def seconds_of(text: str) -> float | None:
    """Seconds since the recording's start; None for what is no moment, NaN among it."""
    text = text.strip()
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, seconds = clock[1], int(clock[2]), float(clock[3].replace(",", "."))
        if seconds >= 60 or (hours is not None and minutes >= 60):
            return None
        return int(hours or 0) * 3600 + minutes * 60 + seconds
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
