"""Waits for processes and threads so that a signal is answered while waiting.

A blocking wait is not enough: libraries (polars, which mlflow imports) set a SIGINT handler of
their own with SA_RESTART. The kernel then goes on with the interrupted call, Python never gets to
run its handler, and Ctrl-C waits for the child. A wait with a timeout returns to Python now and
then; polls and sleeps are not restarted at all.
"""

from __future__ import annotations

import codecs
import os
import select
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

LAP_S = 0.1
"""A thread that is waited for is asked again so often; its end is noticed at once."""


class Waitable(Protocol):
    """A child as subprocess.Popen shows it."""

    def wait(self, timeout: float) -> int:
        """Its return code.

        Raises:
            subprocess.TimeoutExpired: it is still there.
        """


def wait_for(process: Waitable) -> int:
    """Wait for a child's end, however long; its return code."""
    while True:
        if (code := wait_at_most(process, 1.0)) is not None:
            return code


def wait_at_most(process: Waitable, timeout_s: float) -> int | None:
    """Wait for a child's end; its return code, None when it is still there after `timeout_s`."""
    try:
        # With a timeout, Python looks again and again: after 0.5 ms first, then every 50 ms.
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None


def has_ended(descriptor: int, timeout_s: float = 0.0) -> bool:
    """Whether a process has ended that is no child: `descriptor` is one of `os.pidfd_open`."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def process_number(descriptor: int) -> int:
    """Of the process that a descriptor of `os.pidfd_open` stands for; -1 where it has ended."""
    told = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
    return int(told.partition("Pid:")[2].split()[0])


def join(thread: threading.Thread, timeout_s: float | None = None) -> bool:
    """Wait for a thread's end; whether it has ended."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while thread.is_alive():
        left_s = LAP_S if deadline is None else min(LAP_S, deadline - time.monotonic())
        if left_s <= 0:
            return False
        thread.join(left_s)
    return True


def read_lines(stream: IO[bytes]) -> Iterator[str]:
    """Lines of a child's pipe as they come, without their ends; the last may lack one."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    unfinished = ""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(1.0):
                continue
            data = os.read(stream.fileno(), 1 << 16)
            *lines, unfinished = (unfinished + decoder.decode(data, final=not data)).split("\n")
            yield from lines
            if not data:
                if unfinished:
                    yield unfinished
                return


def end_group(leader: int) -> None:
    """Kill a process group; nothing where it is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
