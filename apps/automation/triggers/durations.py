"""Spans of time as people write them: 90s, 30m, 48h, 14d."""

from __future__ import annotations

import re
from datetime import timedelta

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST = timedelta(days=3660)


def read_duration(value: object) -> timedelta:
    """Raises ValueError: it is no span of time above 0 and at most ten years."""
    if isinstance(value, timedelta):
        return value
    found = (
        re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", value) if isinstance(value, str) else None
    )
    if found is None:
        raise ValueError("a number with s, m, h or d")
    span = timedelta(seconds=float(found[1]) * UNITS[found[2]])
    if not timedelta(0) < span <= LONGEST:
        raise ValueError("above 0 and at most 3660d")
    return span
