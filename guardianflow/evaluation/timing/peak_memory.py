"""The most memory that this process held since it was asked to begin anew, as Linux counts it.

A sampler misses what lasts shorter than its interval; the kernel's high-water mark does not.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

BYTES_A_KIB = 1024
_RESET = "5"  # proc(5), clear_refs: the peak becomes what is resident now
_MARK = "VmHWM:"


def reset_peak(process: Path = Path("/proc/self")) -> bool:
    """Begin anew; False where this machine can't."""
    with contextlib.suppress(OSError):
        (process / "clear_refs").write_text(_RESET)
        return True
    return False


def peak_mb(process: Path = Path("/proc/self")) -> float | None:
    """Resident memory of this process at its most, 10⁶ bytes; None where nobody counts it."""
    with contextlib.suppress(OSError, ValueError):
        for line in (process / "status").read_text().splitlines():
            if line.startswith(_MARK):
                return int(line.split()[1]) * BYTES_A_KIB / 1e6
    return None
