"""Identifies a process, so that another one can tell later whether it still lives.

A process number alone says little: numbers are used again, and a container counts its own. So the
start of the operating system, the namespace of process numbers and the process's own start are
kept with it. Where one of them can't be read, nothing is known, and nothing is taken for dead. No
clock is asked: one that is set back changes nothing.

A machine that was started anew runs no process of before. That it is the same machine is believed
where name, machine-id and the addresses burnt into its network cards are the same: machines made
from one image share the first two. A container without the host's network sees no card, so there
nothing is concluded from another start.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

_PROC = Path("/proc")
_MACHINE_ID = Path("/etc/machine-id")
_NETWORK = Path("/sys/class/net")
_ENDED = "ZX"
_BURNT_IN = "0"
"""addr_assign_type of an address that the card was made with."""


@dataclass(frozen=True)
class ProcessIdentity:
    """A process as others can check it.

    Args:
        host: for people.
        machine: this start of the system and namespace of process numbers; '' where unknown.
        pid: process number in that namespace.
        started: ticks from the system's start to the process's; '' where unknown.
        hardware: the machine itself, whenever it was started; '' where unknown.
    """

    host: str
    machine: str
    pid: int
    started: str
    hardware: str = ""

    @classmethod
    def of_this_process(cls) -> ProcessIdentity:
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity:
        """The process that has this number now, here."""
        return cls(socket.gethostname(), _machine(), pid, _start(pid), _hardware())

    @classmethod
    def from_json(cls, text: str) -> ProcessIdentity:
        """Raises ValueError: it was not written by `to_json`."""
        try:
            found = cls(**json.loads(text))
        except TypeError as exc:
            raise ValueError(f"a process must be described but got {text!r}") from exc
        if not isinstance(found.pid, int):
            raise ValueError(f"a process number must be whole but got {found.pid!r}")
        return found

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    def is_here(self) -> bool:
        """Whether this process, were it alive, could be seen from here."""
        return bool(self.machine and self.started) and self.machine == _machine()

    def is_dead(self) -> bool:
        """True only where that is certain: seen from here, or this machine was started anew."""
        if self._machine_restarted():
            return True
        if not self.is_here():
            return False
        started = _start(self.pid)
        return started != self.started and (bool(started) or not _is_there(self.pid))

    def _machine_restarted(self) -> bool:
        here = _machine()
        known = bool(self.machine and here and self.hardware)
        same = known and (self.hardware, self.host) == (_hardware(), socket.gethostname())
        return same and self.machine.split()[0] != here.split()[0]


def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str((_PROC / "self/ns/pid").readlink())
    except (OSError, ValueError):  # not Linux, or /proc is hidden
        return ""
    return f"{boot} {namespace}"


@functools.cache
def _hardware() -> str:
    """A digest of machine-id and of the network cards' own addresses; '' without either."""
    try:
        machine_id = _MACHINE_ID.read_text(encoding="ascii").strip()
        cards = sorted(
            (card / "address").read_text(encoding="ascii").strip()
            for card in _NETWORK.iterdir()
            if (card / "device").exists()
            and (card / "addr_assign_type").read_text(encoding="ascii").strip() == _BURNT_IN
        )
    except (OSError, ValueError):
        return ""
    if not (machine_id and cards):
        return ""
    return hashlib.sha256("\n".join([machine_id, *cards]).encode()).hexdigest()[:16]


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
