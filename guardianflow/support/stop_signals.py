"""Turns the signals that ask a process to stop into one KeyboardInterrupt.

    stop_signals()     around a command or a worker: the first SIGINT, SIGTERM or SIGHUP raises
                       KeyboardInterrupt; those that come while it stops only ask it to hurry
    held_back()        around a step that must not be cut in two: a signal waits for its end
    let_through()      around the part of such a step that may be
    NotedSignals()     around a loop that waits for children: nothing is raised, the loop asks

Python raises KeyboardInterrupt between any two instructions, also in the `finally` that ends a run.
With this, an impatient second Ctrl-C can't leave a run RUNNING. A process that is still not done
STOPPING_MAY_TAKE_S after the first one takes the next as a new one: nobody is locked in.

A library that is interrupted may make another error of it: within `let_through` it is an
interruption all the same.

Inside one another they are one: the outermost `stop_signals` sets the handlers. Outside the main
thread, where Python runs no handlers, all of them do nothing.
"""

from __future__ import annotations

import atexit
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
STOPPING_MAY_TAKE_S = 10.0


class StopSignals:
    """The signals that came so far.

    Attributes:
        hurry: whether another one came while it was stopping.
    """

    def __init__(self) -> None:
        self._holds = 0
        self._waiting = False
        self._raised_at: float | None = None
        self.hurry = False
        self._before: dict[int, Any] = {}

    @property
    def stopping(self) -> bool:
        """Whether KeyboardInterrupt has been raised for a signal."""
        return self._raised_at is not None

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self._raised_at is not None:
            if time.monotonic() - self._raised_at < STOPPING_MAY_TAKE_S:
                self.hurry = True
                return
        elif self._holds:
            self._waiting = True
            return
        self._raise()

    def _raise(self) -> None:
        self._waiting, self._raised_at = False, time.monotonic()
        raise KeyboardInterrupt

    def _raise_waiting(self) -> None:
        if self._waiting and not self._holds:
            self._raise()

    def _install(self, always: Iterable[int], own_process: bool) -> None:
        ours_to_take = (signal.SIG_DFL, signal.default_int_handler)
        for number in SIGNALS:
            set_by = signal.getsignal(number)
            # One that is ignored (nohup) stays so. A handler that somebody has set does too where
            # we are a guest of his process, but not where a library has set it in ours.
            taken = set_by in ours_to_take or (own_process and set_by != signal.SIG_IGN)
            if taken or number in always:
                self._before[number] = signal.signal(number, self._note)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


_current: StopSignals | None = None
_leaving = False


@atexit.register
def _ignore_what_comes_last() -> None:
    """Python puts the system's handlers back at its very end, but for signals that are ignored: one
    Ctrl-C too many would then take the exit code away."""
    if _leaving:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def stop_signals(
    *,
    held: bool = False,
    always: Iterable[int] = (),
    own_process: bool = False,
    until_exit: bool = False,
) -> Iterator[StopSignals]:
    """One KeyboardInterrupt for all signals inside.

    Args:
        held: raise it within `let_through` alone; one that waits at the end is forgotten.
        always: signals that are taken even where they are ignored.
        own_process: a command or a worker: handlers that libraries have set are replaced too.
        until_exit: after an interruption the handlers stay: the process is about to end, and what
            comes then is no news.
    """
    global _current, _leaving
    if threading.current_thread() is not threading.main_thread():
        yield StopSignals()
        return
    if _current is not None:
        yield _current
        return
    signals = StopSignals()
    signals._holds = int(held)
    _current = signals
    signals._install(always, own_process)
    try:
        yield signals
    finally:
        _current = None
        if until_exit and signals.stopping:
            _leaving = True
        else:
            signals._restore()


@contextmanager
def held_back() -> Iterator[StopSignals]:
    """Inside, a signal waits: KeyboardInterrupt is raised at the end of the block."""
    with stop_signals() as signals:
        signals._holds += 1
        try:
            yield signals
        finally:
            signals._holds -= 1
            signals._raise_waiting()


@contextmanager
def let_through() -> Iterator[None]:
    """Inside `held_back`: a signal that waits is raised here, and those that come as they come.

    Raises:
        KeyboardInterrupt: also where a library that was interrupted made another error of it.
    """
    with stop_signals() as signals:
        holds = signals._holds
        try:
            signals._holds = 0
            signals._raise_waiting()
            yield
        except Exception as exc:
            if signals.stopping:
                raise KeyboardInterrupt from exc
            raise
        finally:
            signals._holds = holds


class NotedSignals:
    """SIGINT, SIGTERM and SIGHUP, noted instead of raised inside; one that is ignored stays so.

    Args:
        first: the name of the one that came first; '' while none came.
    """

    def __init__(self) -> None:
        self.first = ""
        self._waiting: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup's is respected
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.first = self.first or signal.Signals(number).name
        self._waiting.append(number)

    def take(self) -> list[int]:
        """Those that came since the last call."""
        taken, self._waiting = self._waiting, []
        return taken
