"""The journal of this process, which is written to while it is sent.

A record is with the operating system when `append` returns: a killed process loses none. It is on
the medium COMMIT_S later, or when `commit` returns: only a power cut takes what is younger. A disk
that is full stops nobody: records wait in memory, up to a bound, and go to the disk once it has
room.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path

from ....support.files import sync_directory
from ....support.locks import take_lock
from ....support.process_identity import ProcessIdentity
from ....support.secrets.files import PRIVATE_FILE, make_private_folder
from .entries import Entry, Points, What
from .journal import DESCRIPTION, FORMAT, Journal, Tell
from .records import encode

COMMIT_S = 0.05
IDLE_S = 5.0
SEGMENT_BYTES = 8 << 20
KEPT_IN_MEMORY = 10_000


class OwnJournal(Journal):
    """The journal of this process, which is written to while it is sent.

    Args:
        root: WORK_DIR/spool.
        store: the store's address, without secrets.
        workspace: of that store.

    Attributes:
        lost_points: given up, as neither the disk nor memory had room.

    Raises:
        OSError: it can't be made.
    """

    def __init__(self, root: Path, store: str, tell: Tell, workspace: str = "") -> None:
        make_private_folder(root)
        stamp = time.strftime("%Y%m%d-%H%M%S")
        folder = root / f"{stamp}-{os.getpid()}-{os.urandom(3).hex()}"
        make_private_folder(folder)
        self._lock: AbstractContextManager[object] | None = take_lock(folder / "lock")
        about = {
            "format": FORMAT,
            "store": store,
            "workspace": workspace,
            "writer": asdict(ProcessIdentity.of_this_process()),
        }
        _write_whole(folder / DESCRIPTION, json.dumps(about, indent=2))
        super().__init__(folder, tell)
        self._writing = threading.Lock()
        self._in_memory: list[Entry] = []  # records that the disk has no room for
        self._told_full = False
        self.lost_points = 0
        self._last = 0
        self._segment = -1
        self._written = 0
        self._dirty = threading.Event()
        self._closed = False
        self._committer = threading.Thread(target=self._keep_committing, daemon=True)
        self._committer.start()

    def append(self, run: str, what: What, numbered: Callable[[int], None] | None = None) -> int:
        """Add a record; returns its number.

        Args:
            numbered: told the number before anybody can read the record.
        """
        with self._writing:
            self._last += 1
            seq = self._last
            if numbered is not None:
                numbered(seq)
            self._in_memory.append(Entry(seq, run, what))
            try:
                while self._in_memory:
                    self._write(encode(self._in_memory[0].to_dict()))
                    self._in_memory.pop(0)
                self._told_full = False
            except OSError as exc:
                self._keep_in_memory(exc)
        self._dirty.set()
        return seq

    def commit(self) -> None:
        """Bring every record to the medium, as far as it takes them."""
        with suppress(OSError), self._writing:
            if self._segment >= 0:
                os.fsync(self._segment)

    def entries(self, *, sent_too: bool = False) -> Iterator[Entry]:
        yield from super().entries(sent_too=sent_too)
        with self._writing:
            waiting = list(self._in_memory)
        yield from (entry for entry in waiting if not self.is_sent(entry.seq))

    def mark_sent(self, entries: Sequence[Entry]) -> None:
        super().mark_sent(entries)
        if self._in_memory:
            with self._writing:
                self._in_memory = [each for each in self._in_memory if not self.is_sent(each.seq)]

    def close(self, *, remove: bool) -> None:
        """Stop writing. The lock is given free: what is left is for others to send."""
        self._closed = True
        self._dirty.set()
        self._committer.join(5)
        self.commit()
        if self._segment >= 0:
            os.close(self._segment)
            self._segment = -1
        if remove:
            with suppress(OSError):
                self.remove()
        if self._lock is not None:
            self._lock.__exit__(None, None, None)
            self._lock = None

    # --- inside -------------------------------------------------------------------------------

    def _write(self, line: bytes) -> None:
        if self._segment < 0 or self._written + len(line) > SEGMENT_BYTES:
            self._open_segment()
        done = 0
        try:
            while done < len(line):
                done += os.write(self._segment, line[done:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._segment, self._written)  # no half of a record stays
            raise
        self._written += done

    def _open_segment(self) -> None:
        first = self._in_memory[0].seq
        path = self.folder / f"{first:08d}.log"
        opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
        if self._segment >= 0:
            os.fsync(self._segment)
            os.close(self._segment)
        self._segment, self._written = opened, os.fstat(opened).st_size
        with suppress(OSError):
            sync_directory(self.folder)

    def _keep_in_memory(self, exc: OSError) -> None:
        """The disk is full. Only points are given up, the youngest: a run's end must not be."""
        if not self._told_full:
            self._told_full = True
            self._tell(
                f"the journal {self.folder} can't be written: {exc}. What is logged waits in "
                f"memory, up to {KEPT_IN_MEMORY} records. Make room, or it may be lost"
            )
        newest = self._in_memory[-1]
        if len(self._in_memory) > KEPT_IN_MEMORY and isinstance(newest.what, Points):
            self.lost_points += len(newest.what.points)
            self._in_memory.pop()
            self._sent.add(newest.seq)

    def _keep_committing(self) -> None:
        while not self._closed:
            if not self._dirty.wait(IDLE_S):
                continue
            time.sleep(COMMIT_S)
            self._dirty.clear()
            # Not under the lock: a slow disk must not hold up whoever appends.
            with self._writing:
                number = os.dup(self._segment) if self._segment >= 0 else -1
            if number >= 0:
                with suppress(OSError):
                    os.fsync(number)
                os.close(number)


def _write_whole(path: Path, text: str) -> None:
    """A small private file, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(number, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)
