"""Held-out images confirm a gain, or it may be chance."""

from __future__ import annotations

import numpy as np

from guardianflow.backends.quantisation.confirmation import confirms


def test_a_gain_counts_by_recordings_where_there_are_enough_of_them() -> None:
    before, each = np.ones(60), [f"image {place}" for place in range(60)]
    after = before - np.random.default_rng(0).normal(0.1, 0.1, 60)
    assert confirms(before, after, each)
    assert not confirms(before, before, each)
    assert not confirms(after, before, each)
    # All of the gain is one recording's of six: by images it looks sure.
    recordings = [f"gate {place // 10}" for place in range(60)]
    one = before - np.where(np.arange(60) < 10, 0.5, 0.0)
    assert confirms(before, one, each)
    assert not confirms(before, one, recordings)
