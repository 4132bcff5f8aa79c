"""Times between which the distance can be told although somebody sets the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(BaseModel):
    """A time.

    Args:
        wall: seconds since 1970, as this machine's clock says.
        boot: which start of the system it belongs to; '' where that can't be told.
        ticks: seconds since that start, standby included; no one can set them.
    """

    model_config = ConfigDict(frozen=True)

    wall: float
    boot: str
    ticks: float

    @classmethod
    def now(cls) -> Moment:
        try:
            boot = _BOOT_ID.read_text(encoding="ascii").strip()
            ticks = time.clock_gettime(time.CLOCK_BOOTTIME)
        except (OSError, AttributeError, ValueError):  # not Linux
            return cls(wall=time.time(), boot="", ticks=0.0)
        return cls(wall=time.time(), boot=boot, ticks=ticks)

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.wall, UTC)

    def since(self, earlier: Moment) -> float:
        """Seconds from an earlier moment; below 0 where a clock was set back between two starts."""
        if self.boot and self.boot == earlier.boot:
            return self.ticks - earlier.ticks
        return self.wall - earlier.wall
