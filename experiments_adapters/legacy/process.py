"""Runs a script that nobody may change as its own process, and stays out of its way.

    run_script(command)   its own session; output to the terminal, to a log and to listeners
      timeout             SIGTERM to the group, SIGKILL after the grace
      a signal to stop    passed on to the group; a second one kills it
      its end             what it left running is ended too, and named

The script's own exit code or signal is what comes back: see ScriptResult.exit_code.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import selectors
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import psutil

from guardianflow.contracts.errors import ConfigurationError, signal_name
from guardianflow.support.child_processes import end_group, wait_for
from guardianflow.support.stop_signals import NotedSignals

from .outcome.last_error import LastError
from .output_log import LineAssembler, OutputLog

MARK = "GUARDIANFLOW_WRAPPED"
"""Variable in the environment of everything the script starts: how a daemon is found again."""
PIPE_BYTES = 1 << 20
LOOK_EVERY_S = 0.2
GATHER_S = 0.005
"""Pause between reads of a script that prints without one: or each line would wake us."""
DRAIN_S = 1.0
TIMED_OUT = 124  # as timeout(1) of GNU coreutils says it
INTERRUPTED = 130

Listener = Callable[[bytes], None]
"""Gets whole lines of output, valid UTF-8, each with its newline."""


@dataclass(frozen=True)
class ScriptCommand:
    """The command to start.

    Args:
        arguments: interpreter, script and its arguments; no shell sees them.
        directory: working directory.
        environment: all variables of the script.
        timeout_s: seconds after which it is ended; None never.
    """

    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    timeout_s: float | None = None


@dataclass(frozen=True)
class ScriptResult:
    """The end of a script.

    Args:
        returncode: as subprocess gives it; negative for a signal.
        seconds: from its start to its end.
        interrupted_by: 'SIGINT', 'SIGTERM' or 'SIGHUP', where we were told to stop; else ''.
        timed_out: it was ended because its time was up.
        left_running: processes that it had started and we ended: 'PID name'.
        last_error: the exception or last line that it printed; '' where it ended well.
    """

    returncode: int
    seconds: float
    interrupted_by: str = ""
    timed_out: bool = False
    left_running: tuple[str, ...] = ()
    last_error: str = ""

    @property
    def exit_code(self) -> int:
        """0, the script's own code, 128 + its signal, 124 for timeout, 130 for interruption."""
        if self.timed_out:
            return TIMED_OUT
        if self.interrupted_by:
            return INTERRUPTED
        return 128 - self.returncode if self.returncode < 0 else self.returncode

    @property
    def reason(self) -> str:
        """The failure in words for people; '' where it ended by itself with code 0."""
        if self.timed_out:
            return f"it was ended after {self.seconds:.0f} s: its timeout"
        if self.interrupted_by:
            return f"it was interrupted by {self.interrupted_by}"
        if name := signal_name(self.returncode) if self.returncode < 0 else "":
            hint = ". The kernel does so when memory runs out" if name == "SIGKILL" else ""
            return f"it was ended by {name}{hint}{self._said}"
        return f"it ended with exit code {self.returncode}{self._said}" if self.returncode else ""

    @property
    def _said(self) -> str:
        return f": {self.last_error}" if self.last_error else ""


def run_script(
    command: ScriptCommand,
    log: OutputLog,
    *,
    listeners: Sequence[Listener] = (),
    started: Callable[[int], None] | None = None,
    grace_s: float = 10.0,
    terminal: bool = True,
) -> ScriptResult:
    """Start the script, stream what it prints, and wait for its end.

    Args:
        log: gets all output in the order it came; left open.
        listeners: get it too; must be quick: the script waits for them when its pipe is full.
        started: told the process number once it runs.
        grace_s: between asking it to end and killing it.
        terminal: write its output to our own stdout and stderr too.

    Raises:
        ConfigurationError: it can't be started at all.
    """
    mark = uuid.uuid4().hex
    with NotedSignals() as signals:
        began = time.monotonic()
        process = _start(command, mark)
        try:
            if started is not None:
                started(process.pid)
            streams = _Streams(process, log, listeners, terminal=terminal)
            ending = _Ending(process.pid, grace_s)
            timed_out = False
            while streams.pump(LOOK_EVERY_S) or process.poll() is None:
                if process.poll() is not None:
                    break
                ending.pass_on(signals.take())
                late = (
                    command.timeout_s is not None and time.monotonic() - began > command.timeout_s
                )
                if late and not timed_out and not signals.first:
                    timed_out = True
                    ending.ask(signal.SIGTERM)
                ending.look()
            wait_for(process)
            seconds = time.monotonic() - began
            streams.drain(DRAIN_S)
            left = end_marked(MARK, mark, process.pid)
            streams.drain(DRAIN_S)
            streams.close()
            said = "" if timed_out or signals.first else streams.last_error(process.returncode)
        except BaseException:
            end_group(process.pid)
            wait_for(process)
            end_marked(MARK, mark, process.pid, grace_s=0.5)
            raise
    return ScriptResult(process.returncode, seconds, signals.first, timed_out, left, said)


def _start(command: ScriptCommand, mark: str) -> subprocess.Popen[bytes]:
    environment = {**command.environment, MARK: mark}
    try:
        process = subprocess.Popen(
            list(command.arguments),
            cwd=command.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as exc:
        raise ConfigurationError(
            f"{command.arguments[0]} can't be started in {command.directory}: {exc.strerror}. "
            "Correct env.python or working_dir of the experiment"
        ) from exc
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        # Room for what is printed while we are busy, where the system grants it.
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return process


# --- output --------------------------------------------------------------------------------------


class _Streams:
    """Both pipes of the process: read as they fill, made valid UTF-8, handed on."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        log: OutputLog,
        listeners: Sequence[Listener],
        *,
        terminal: bool,
    ) -> None:
        self._log, self._listeners = log, listeners
        self._last_error = LastError()
        self._read_at, self._read_bytes = 0.0, 0
        self._selector = selectors.DefaultSelector()
        for pipe, own in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            state = _Pipe(own if terminal else None, is_error=pipe is process.stderr)
            self._selector.register(pipe, selectors.EVENT_READ, state)

    def pump(self, wait_s: float) -> bool:
        """Hand on what is there, waiting for it at most so long; False once both pipes ended."""
        if not self._selector.get_map():
            time.sleep(min(wait_s, 0.02))
            return False
        flows = time.monotonic() - self._read_at < GATHER_S
        if flows and self._read_bytes < PIPE_BYTES // 4:
            time.sleep(GATHER_S)
        ready = self._selector.select(wait_s)
        self._read_bytes = 0
        for key, _ in ready:
            pipe: Any = key.fileobj
            try:
                data = os.read(pipe.fileno(), PIPE_BYTES)
            except BlockingIOError:
                continue
            self._read_bytes += len(data)
            self._read_at = time.monotonic()
            lines = key.data.take(data)
            if not data:
                self._selector.unregister(pipe)
                pipe.close()
            self._hand_on(lines, key.data)
        return bool(self._selector.get_map())

    def drain(self, limit_s: float) -> None:
        """Reads what an ended process left in its pipes; another may still hold them open."""
        deadline = time.monotonic() + limit_s
        while self._selector.get_map() and time.monotonic() < deadline:
            if not self._selector.select(0.05):
                return
            self.pump(0.0)

    def close(self) -> None:
        for key in list((self._selector.get_map() or {}).values()):
            self._hand_on(key.data.take(b""), key.data)
            pipe: Any = key.fileobj
            pipe.close()
        self._selector.close()

    def last_error(self, returncode: int) -> str:
        """Why it ended, as it printed that; '' for one that ended well."""
        return self._last_error.found(only_errors=returncode < 0) if returncode else ""

    def _hand_on(self, lines: bytes, pipe: _Pipe) -> None:
        if lines:
            self._log.write(lines)
            self._last_error.feed(lines, is_error=pipe.is_error)
            for listener in self._listeners:
                listener(lines)


class _Pipe:
    """One of the two: its decoder, its unfinished line, the terminal's side of it."""

    def __init__(self, own: TextIO | None, *, is_error: bool) -> None:
        self.is_error = is_error
        self._own = own
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._assembler = LineAssembler()

    def take(self, data: bytes) -> bytes:
        """Show the data at once; the lines that it completes. b'' ends the pipe."""
        text = self._decoder.decode(data, final=not data)
        self._show(text)
        lines = self._assembler.add(text.encode())
        return lines if data else lines + self._assembler.rest()

    def _show(self, text: str) -> None:
        if self._own is None or not text:
            return
        try:
            self._own.write(text)
            self._own.flush()
        except (OSError, ValueError):  # the reader of our output went away; the script goes on
            self._own = None
        except UnicodeEncodeError:
            encoding = self._own.encoding or "ascii"
            self._own.write(text.encode(encoding, "replace").decode(encoding))


# --- signals and ends ----------------------------------------------------------------------------


class _Ending:
    """Asks a process group to end, and kills it when it does not."""

    def __init__(self, group: int, grace_s: float) -> None:
        self._group, self._grace_s = group, grace_s
        self._deadline: float | None = None

    def pass_on(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if self._deadline is not None:  # asked twice: no more patience
                end_group(self._group)
            else:
                self.ask(number)

    def ask(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, number)
        if self._deadline is None:
            self._deadline = time.monotonic() + self._grace_s

    def look(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            end_group(self._group)


def end_marked(
    variable: str, mark: str, group: int | None = None, grace_s: float = 2.0
) -> tuple[str, ...]:
    """End every process whose environment has this mark, a daemon too, and those of a group.

    Returns:
        'PID name' of each.
    """
    left = list(_marked(variable, mark, group))
    names = tuple(f"{each.pid} {_name(each)}" for each in left)
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for each in left:
            with contextlib.suppress(psutil.Error):
                ask(each)
        deadline = time.monotonic() + grace_s
        while (left := [each for each in left if is_alive(each)]) and time.monotonic() < deadline:
            time.sleep(0.02)
    return names


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _marked(variable: str, mark: str, group: int | None) -> Iterator[psutil.Process]:
    own = os.getpid()
    for process in psutil.process_iter():
        try:
            if process.pid == own or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if os.getpgid(process.pid) == group or process.environ().get(variable) == mark:
                yield process
        except (psutil.Error, OSError):  # another user's, or gone
            continue


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:80] or process.name()
    except psutil.Error:
        return "(gone)"
