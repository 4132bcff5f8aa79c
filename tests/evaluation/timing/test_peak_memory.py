"""The kernel's high-water mark of this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardianflow.evaluation.timing.peak_memory import peak_mb, reset_peak

BLOCK = 200_000_000


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux counts it")
def test_what_was_held_for_a_moment_is_seen_and_forgotten_when_asked() -> None:
    assert reset_peak()
    before = peak_mb()
    block = bytearray(b"1") * BLOCK  # every page is written
    del block
    high = peak_mb()
    assert before is not None and high is not None
    assert high - before == pytest.approx(BLOCK / 1e6, rel=0.1)
    assert reset_peak()
    after = peak_mb()
    assert after is not None and high - after > 0.5 * BLOCK / 1e6


def test_where_nobody_counts(tmp_path: Path) -> None:
    assert peak_mb(tmp_path / "none") is None
    assert not reset_peak(tmp_path / "none")
