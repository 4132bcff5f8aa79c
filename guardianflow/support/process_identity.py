"""Identifies a process, so that another one can tell later whether it still lives.

A process number alone says little: numbers are used again, and a container counts its own. So the
start of the operating system, the namespace of process numbers and the process's own start are
kept with it. Where one of them can't be read, nothing is known, and nothing is taken for dead.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_ENDED = "ZX"


@dataclass(frozen=True)
class ProcessIdentity:
    """A process as others can check it.

    Args:
        host: for people.
        machine: this start of the system and namespace of process numbers; '' where unknown.
        pid: process number in that namespace.
        started: ticks from the system's start to the process's; '' where unknown.
    """

    host: str
    machine: str
    pid: int
    started: str

    @classmethod
    def of_this_process(cls) -> ProcessIdentity:
        pid = os.getpid()
        return cls(socket.gethostname(), _machine(), pid, _start(pid))

    def is_dead(self) -> bool:
        """True only where that is certain: seen from the same system and namespace."""
        if not (self.machine and self.started) or self.machine != _machine():
            return False
        started = _start(self.pid)
        return started != self.started and (bool(started) or not _is_there(self.pid))


def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str((_PROC / "self/ns/pid").readlink())
    except (OSError, ValueError):  # not Linux, or /proc is hidden
        return ""
    return f"{boot} {namespace}"


def _start(pid: int) -> str:
    """Field 22 of /proc/PID/stat; '' for a process that is gone, hidden or a zombie."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name in brackets may hold anything, brackets and spaces too.
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in _ENDED else fields[19]


def _is_there(pid: int) -> bool:
    """Whether there is such a process, though its /proc entry be hidden from this user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    # Ours, and so not hidden: no start was read because it has ended and is a zombie.
    return False
