"""A progress bar for work that turns out to take more than a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from ..support.terminal import make_console

Item = TypeVar("Item")
SHOWN_AFTER_S = 1.0

logger = logging.getLogger(__name__)


def tracked(
    items: Iterable[Item], doing: str, total: int, *, shown_after_s: float = SHOWN_AFTER_S
) -> Iterator[Item]:
    """Pass `items` on; show a bar on stderr once they have taken `shown_after_s` seconds.

    Args:
        doing: what the bar says, e.g. 'drawing demo://ppe'.
        total: how many items will come.
    """
    started, bar, task = time.monotonic(), None, None
    try:
        for done, item in enumerate(items, start=1):
            yield item
            if bar is None and time.monotonic() - started > shown_after_s:
                # Only long work pays for rich.
                from rich.progress import Progress

                logger.info("%s: %d of %d done", doing, done, total)
                bar = Progress(console=make_console(stderr=True), transient=True)
                bar.start()
                task = bar.add_task(doing, total=total)
            if bar is not None and task is not None:
                bar.update(task, completed=done)
    finally:
        if bar is not None:
            bar.stop()
