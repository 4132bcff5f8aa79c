"""Puts redaction before this process' stdout and stderr: prints, logging and tracebacks.

    with keeping_secrets(): …    a process of ours: learn what it was given, then redact
    with redacted_output(): …    the second half alone; inside another it does nothing

What a library's native code writes to the descriptors itself passes by.
"""

from __future__ import annotations

import codecs
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from ..output_streams import OuterStream
from .redaction import Redactor, learn_arguments, learn_environment


class RedactingStream(OuterStream):
    """A text stream that redacts what is written to another one; all else is the other's.

    A line is given on when it ends, or as far as it goes when it is flushed; see Redactor.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._redactor = Redactor()
        self._lock = threading.RLock()
        self.buffer = _RedactingBuffer(self)

    def write(self, text: str) -> int:
        with self._lock:
            out = self._redactor.feed(text)
            if getattr(self._inner, "write_through", False):  # unbuffered: nothing may wait
                out += self._redactor.flush()
            if out:
                self._inner.write(out)
        return len(text)

    def flush(self) -> None:
        self._give_on(self._redactor.flush)

    def finish(self) -> None:
        """Give on what is held back; the stream may be written to again."""
        self._give_on(self._redactor.finish)

    def _give_on(self, held_back: Callable[[], str]) -> None:
        with self._lock:
            if out := held_back():
                self._inner.write(out)
            self._inner.flush()


class _RedactingBuffer:
    """The binary side of a redacting stream, for those who write bytes."""

    def __init__(self, text: RedactingStream) -> None:
        self._text = text
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: bytes) -> int:
        self._text.write(self._decoder.decode(bytes(data)))
        return len(data)

    def flush(self) -> None:
        self._text.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._text._inner.buffer, name)


@contextmanager
def keeping_secrets() -> Iterator[None]:
    """Keeps secrets out of a process's output, first of all; also a decorator for its main."""
    learn_environment(os.environ)
    learn_arguments(sys.argv[1:])
    with redacted_output():
        yield


@contextmanager
def redacted_output() -> Iterator[None]:
    """Redact what goes to sys.stdout and sys.stderr until the block ends.

    A handler that keeps the stream it met goes on redacting after that.
    """
    before = sys.stdout, sys.stderr
    ours = tuple(_redacting(stream) for stream in before)
    sys.stdout, sys.stderr = (cast(TextIO, each) for each in ours)
    try:
        yield
    finally:
        for own, other in zip(ours, before, strict=True):
            if own is not other and isinstance(own, RedactingStream):
                with suppress(OSError, ValueError):  # its reader went away, or it is closed
                    own.finish()
        # Somebody may have put a stream of his own there meanwhile: that one stays.
        if sys.stdout is ours[0]:
            sys.stdout = before[0]
        if sys.stderr is ours[1]:
            sys.stderr = before[1]


def _redacting(stream: Any) -> Any:
    """None where a process has no such stream."""
    if stream is None or isinstance(stream, RedactingStream):
        return stream
    return RedactingStream(stream)
