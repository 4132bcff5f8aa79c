"""Counts the processes that the kernel has ended for lack of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def memory_kills(root: Path = Path("/")) -> int | None:
    """How many so far, of this process's control group; of the whole machine where only that shows.

    The same process asks twice and compares. None where the system does not tell, as on macOS.

    Args:
        root: that /proc and /sys lie in.
    """
    for place in _places(root):
        try:
            found = _COUNT.search(place.read_text(encoding="ascii", errors="replace"))
        except OSError:
            continue
        if found:
            return int(found[1])
    return None


def _places(root: Path) -> Iterator[Path]:
    """Files with such a count, the nearest to us first."""
    groups = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        # Within a container our own group is often mounted as the root.
        if number == "0":
            yield from (groups / p.lstrip("/") / "memory.events" for p in (path, ""))
        elif "memory" in controllers.split(","):
            yield from (
                groups / "memory" / p.lstrip("/") / "memory.oom_control" for p in (path, "")
            )
    yield root / "proc/vmstat"
