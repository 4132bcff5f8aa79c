"""Tells whether images that took no part confirm that a network became better."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

SURE = 1.645
"""Standard errors that the gain must be above 0: 95 %, one-sided."""
ENOUGH_GROUPS = 5
"""Fewer recordings than this have no spread of their own; then images are what is counted."""


def confirms(before: Sequence[float], after: Sequence[float], groups: Sequence[str]) -> bool:
    """Whether a loss became lower for sure: by one-sided 95 % over recordings, or over images.

    Args:
        before, after: loss or error of each held-out image.
        groups: its recording.
    """
    gains = np.asarray(before, np.float64) - np.asarray(after, np.float64)
    names = sorted(set(groups))
    if len(names) >= ENOUGH_GROUPS:
        gains = np.array([gains[np.array(groups) == name].mean() for name in names])
    error = gains.std(ddof=1) / math.sqrt(len(gains))
    return bool(gains.mean() > SURE * error and gains.mean() > 0)
