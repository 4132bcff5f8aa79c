"""The one way to the console: what we say never drives the terminal that shows it.

    printable(text)    what would move the cursor or turn the writing direction, as \\u001b
    write(text)        a line on stdout, or on stderr
    say(text)          a line on stderr, where one may be
    print_json(value)  what --json ends stdout with
    make_console()     for tables and bars of `rich`
    ArgumentParser     whose errors repeat what was typed
    escape_log_lines() for warnings that go through `logging`

Names of files, runs and classes, and the words of exceptions of other people's code hold any
character. A wrapped script's own output is passed on by others, as it is.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_OF_LOGS = 200
"""Columns of a table where nobody's terminal says how wide it is."""
# C0 but tab and line feed, DEL, C1; marks that turn the direction; line separators; half characters
_UNPRINTABLE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\\ud800-\\udfff]"
)


def printable(text: str) -> str:
    """The text with \\u001b and the like for what a terminal would obey. JSON stays JSON."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def write(text: str = "", *, error: bool = False) -> None:
    """Print a line on stdout, or at once on stderr."""
    stream = sys.stderr if error else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = printable(text).encode(encoding, "backslashreplace").decode(encoding)
    print(shown, file=stream, flush=error)


def print_json(value: object) -> None:
    """One object, or an array, as the last line of stdout."""
    write(json.dumps(value, ensure_ascii=False, default=str))


def print_answer(as_json: bool, answer: object, text: str) -> None:
    """Print what a command found: for --json, or as text for people."""
    print_json(answer) if as_json else write(text)


def say(text: str) -> None:
    """A line on stderr; a terminal that went away is no reason to stop."""
    with suppress(OSError, ValueError):
        write(text, error=True)


def make_console(*, stderr: bool = False, width: int = WIDTH_OF_LOGS) -> Console:
    """A console of `rich` that takes no text for markup and shows none that drives a terminal.

    Args:
        width: columns where it is no terminal.
    """
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class PrintableConsole(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else printable(text), style, control)

    console = PrintableConsole(stderr=stderr, markup=False, highlight=False)
    if console.is_terminal or stderr:
        return console
    return PrintableConsole(markup=False, highlight=False, width=width)


class ArgumentParser(argparse.ArgumentParser):
    """Python's own, with errors that are fit for a terminal."""

    def _print_message(self, message: str, file: IO[str] | None = None) -> None:  # type: ignore[override]
        super()._print_message(printable(message), file)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def escape_log_lines() -> None:
    """Make warnings that no handler takes printable; Python prints those on stderr."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Formatter())
