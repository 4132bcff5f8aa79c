"""The wait for a quiet machine, of the length that the settings say, told on the console."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..settings import Settings
from .events import EventSink

if TYPE_CHECKING:
    from guardianflow.evaluation.timing.quiet import QuietRounds, Waiting

LINE_EVERY_S = 10.0


def quiet_rounds(settings: Settings, events: EventSink) -> QuietRounds:
    """Rounds of measuring that share one wait."""
    from guardianflow.evaluation.timing.quiet import OthersOnGpu, QuietRounds

    last = time.monotonic() - LINE_EVERY_S

    def told(waiting: Waiting) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            events.message(str(waiting))

    return QuietRounds(settings.quiet_wait_s, told, others_on_gpu=OthersOnGpu())
