"""The output of a script, kept in a file of bounded size: its beginning and its end.

A script may print gigabytes. The beginning says what it was started with and the end why it
stopped, so these are kept; how much was left out between them is said in the file.
"""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

from guardianflow.support.secrets.redaction import redact_text

HEAD_BYTES = 8_000_000
TAIL_BYTES = 8_000_000
UNFINISHED_BYTES = 1_000_000


class OutputLog:
    """A log file that keeps the head and the tail of what is written to it; thread-safe.

    A full disk ends nothing: what can't be written counts as left out.

    Args:
        path: the file; made with the first byte, its directory must be there.
        head_bytes, tail_bytes: how much of the beginning and of the end is kept.
    """

    def __init__(
        self, path: Path, *, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES
    ) -> None:
        self.path = path
        self._head_room = head_bytes
        self._tail_bytes = tail_bytes
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.left_out = 0
        """Bytes that neither the head nor the tail holds."""
        self.written = 0
        """Bytes written so far, those that were left out included."""
        self._lock = threading.Lock()
        self._file = path.open("wb", buffering=0)  # what a full disk refuses is not tried again

    def write(self, data: bytes) -> None:
        """Append whole lines; what no longer fits between head and tail is forgotten, oldest first.

        Secrets are replaced before anything is cut.
        """
        data = redact_text(data.decode("utf-8", "surrogateescape")).encode(
            "utf-8", "surrogateescape"
        )
        with self._lock:
            self.written += len(data)
            if self._head_room > 0:
                head, data = data[: self._head_room], data[self._head_room :]
                self._head_room -= len(head)
                self._put(head)
            if data:
                self._tail.append(data)
                self._tail_size += len(data)
            while self._tail and self._tail_size - len(self._tail[0]) >= self._tail_bytes:
                oldest = self._tail.popleft()
                self._tail_size -= len(oldest)
                self.left_out += len(oldest)

    def copy_to(self, target: Path) -> int:
        """Write what is kept so far to another file; returns its size, bytes."""
        with self._lock:
            target.write_bytes(self.path.read_bytes() + self._end())
        return target.stat().st_size

    def close(self) -> None:
        """Complete the file: head, what was left out, tail. Nothing is done a second time."""
        with self._lock:
            if not self._file.closed:
                self._put(self._end())
                self._file.close()

    def _put(self, data: bytes) -> None:
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError:
            self.left_out += len(data)
            self._head_room = 0

    def _end(self) -> bytes:
        if self._file.closed:
            return b""
        said = b""
        if self.left_out:
            said = f"\n[… {self.left_out / 1e6:.1f} MB of output left out here …]\n".encode()
        return said + b"".join(self._tail)


class LineAssembler:
    """Puts the pieces that a pipe hands over together to whole lines.

    Of a line that was written over with carriage returns, as progress bars are, the last state is
    kept. A line without an end is given out in pieces once it exceeds UNFINISHED_BYTES.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> bytes:
        """The lines that `data` completes, each with its newline; empty where it ends none."""
        whole, newline, rest = data.rpartition(b"\n")
        lines = self._taken() + whole + newline if newline else b""
        self._keep(rest)
        if b"\r" in rest:
            self._keep(_last_state(self._taken()))
        if self._size > UNFINISHED_BYTES:
            lines += self._taken()
        return _last_states(lines)

    def rest(self) -> bytes:
        """The unfinished last line, ended; empty where there is none."""
        rest = self._taken()
        return _last_states(rest + b"\n") if rest else b""

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)

    def _taken(self) -> bytes:
        """The unfinished line; joined once, however many pieces it came in."""
        line = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return line


def _last_states(lines: bytes) -> bytes:
    """Lines as a terminal shows them at last: what was written over is left out."""
    if b"\r" not in lines:
        return lines
    return b"\n".join(_last_state(line.rstrip(b"\r")) for line in lines.split(b"\n"))


def _last_state(line: bytes) -> bytes:
    """The part behind the last carriage return that something follows."""
    return line[line.rfind(b"\r", 0, len(line.rstrip(b"\r"))) + 1 :]
