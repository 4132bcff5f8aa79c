"""Lets stdout and stderr fail without consequence: what a terminal does decides no result.

A reader that goes away (`| head`), a terminal that is closed, a full disk behind `> file` or an
encoding without Hangul would raise in whatever is printing just then: a training, or the thread
that listens to it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

GONE = frozenset({errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO, errno.ESHUTDOWN})
"""The reader will not come back; other failures, a full disk say, may pass."""


class OuterStream:
    """A text stream before another one: what a subclass does not write itself is the other's.

    Args:
        inner: where text goes.
    """

    def __init__(self, inner: TextIO) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)


class SurvivingStream(OuterStream):
    """A text stream whose failures are kept, not raised."""

    def __init__(self, inner: TextIO) -> None:
        super().__init__(inner)
        self._gone = False
        self.failure: Exception | None = None

    def write(self, text: str) -> int:
        """Write what can be written; characters the encoding lacks as escapes."""
        if not self._gone:
            try:
                self._inner.write(text)
            except UnicodeEncodeError:
                encoding = self._inner.encoding or "ascii"
                escaped = text.encode(encoding, "backslashreplace").decode(encoding)
                self._try(lambda: self._inner.write(escaped))
            except (OSError, ValueError) as exc:
                self._fail(exc)
        return len(text)

    def flush(self) -> None:
        if not self._gone:
            self._try(self._inner.flush)

    def end(self) -> None:
        """Flush; what can't be brought out any more is dropped, so that Python's exit is silent."""
        self.flush()
        if self.failure is not None:
            self._drop()

    def _try(self, write: Any) -> None:
        try:
            write()
        except (OSError, ValueError) as exc:  # ValueError: closed
            self._fail(exc)

    def _fail(self, exc: Exception) -> None:
        self.failure = exc
        if isinstance(exc, ValueError) or getattr(exc, "errno", None) in GONE:
            self._gone = True
            self._drop()

    def _drop(self) -> None:
        """Send what is still in its buffers nowhere: Python flushes them at its exit."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._inner.fileno())
            finally:
                os.close(nowhere)


def _open_closed() -> None:
    """Take the numbers 0 to 2 where they are free (`>&-`): a pipe or a database on number 2 would
    get whatever a library prints as an error."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


@contextmanager
def surviving_output() -> Iterator[None]:
    """Print inside as ever; nothing that is printed raises. A lost result is told on stderr."""
    before = sys.stdout, sys.stderr
    _open_closed()
    out, err = (SurvivingStream(stream or _nowhere()) for stream in before)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        out.end()
        if out.failure is not None and getattr(out.failure, "errno", None) not in GONE:
            err.write(f"what stdout should hold could not all be written: {out.failure}\n")
        err.end()
        sys.stdout, sys.stderr = before
