"""A command on a terminal of its own, as a person sits at it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path

CTRL_C = b"\x03"


class Terminal:
    """A pseudo-terminal with a process in its foreground.

    Args:
        command: what is typed there.
    """

    def __init__(self, *command: str, cwd: Path, environment: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self._shown = b""
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_sit_down,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # EIO: nobody holds the other side any more
            while data := os.read(self._master, 65536):
                self._shown += data

    @property
    def text(self) -> str:
        """What has been shown so far, each line in its last state, without colours."""
        text = self._shown.decode("utf-8", "replace").replace("\r\n", "\n")
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", lambda m: "\r" * (m[0] == "\x1b[2K"), text)
        return "\n".join(line.rpartition("\r")[2] for line in text.split("\n"))

    @property
    def raw(self) -> bytes:
        """Every byte that has been shown so far."""
        return self._shown

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def hang_up(self) -> None:
        """Close the window: the kernel sends SIGHUP, and everything printed fails."""
        os.close(self._master)

    def wait(self, seconds: float) -> int | None:
        """The exit code; None when the process is still there after so long."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(2.0)
        return code

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        with suppress(OSError):
            os.close(self._master)


def _sit_down() -> None:
    """Make it the process's terminal; whoever runs the tests may have done so under nohup."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def until(look: object, terminal: Terminal, seconds: float = 120) -> None:
    """Wait until `look()` is true; the process must still be at work then."""
    deadline = time.monotonic() + seconds
    while not look():  # type: ignore[operator]
        assert terminal.process.poll() is None, terminal.text
        assert time.monotonic() < deadline, terminal.text
        time.sleep(0.1)
