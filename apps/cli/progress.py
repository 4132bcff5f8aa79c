"""How far a command is: a bar for people, a line every few seconds for logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Self

from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

from guardianflow.support.terminal import make_console
from pipelines.console import say

PLAIN_LINE_EVERY_S = 5.0


class StderrProgress:
    """Call it with what is done and what there is in all; a context, which takes the bar away.

    Args:
        doing: before the bar: 'reading'.
        columns: behind the bar.
        line: (done, in all) → what a log is told.
    """

    def __init__(
        self, doing: str, columns: tuple[ProgressColumn, ...], line: Callable[[int, int], str]
    ) -> None:
        self._doing, self._columns, self._line = doing, columns, line
        self._bar: Progress | None = None
        self._task: Any = None
        self._told = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self._draw(done, total)
        elif time.monotonic() - self._told >= PLAIN_LINE_EVERY_S:
            self._told = time.monotonic()
            say(self._line(done, total))

    def _draw(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn(self._doing),
                BarColumn(bar_width=24),
                *self._columns,
                console=make_console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(self._doing, total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
