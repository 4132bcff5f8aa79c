"""The journal of one process: what it wrote about runs, in a folder of its own until it is sent.

    journal.json      which store and workspace it is for, and who writes it
    lock              held while its writer lives, or while somebody sends it
    00000001.log      segments of records, named by their first record's number
    sent.log          the numbers of records that the store has
    refused.log       records that the store refuses, each with the reason
    files/PLACE/      copies of files, until the store has them

A record is with the operating system when `append` returns: a killed process loses none. It is on
the medium COMMIT_S later, or when `commit` returns: only a power cut takes what is younger. A disk
that is full stops nobody: records wait in memory, up to a bound, and go to the disk once it has
room.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...support.files import sync_directory
from ...support.locks import take_lock
from ...support.process_identity import ProcessIdentity
from ...support.secrets.files import PRIVATE_FILE, make_private_folder
from .entries import Entry, Files, KeptFiles, Points, Register, What
from .numbers import NumberSet
from .records import complete_lines, decode, encode

FORMAT = 1
COMMIT_S = 0.05
IDLE_S = 5.0
SEGMENT_BYTES = 8 << 20
KEPT_IN_MEMORY = 10_000
DAMAGED_FOLDER = "damaged"
REFUSED = "refused.log"
COPIES = "files"
DESCRIPTION = "journal.json"
REFUSED_FOLDER = "refused"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Unsent:
    """What a journal holds that the store has not."""

    points: int = 0
    files: int = 0
    registrations: int = 0
    records: int = 0
    runs: frozenset[str] = frozenset()

    def __add__(self, other: Unsent) -> Unsent:
        return Unsent(
            self.points + other.points,
            self.files + other.files,
            self.registrations + other.registrations,
            self.records + other.records,
            self.runs | other.runs,
        )

    def without(self, other: Unsent) -> Unsent:
        return Unsent(
            self.points - other.points,
            self.files - other.files,
            self.registrations - other.registrations,
            self.records - other.records,
            self.runs - other.runs,
        )

    @property
    def text(self) -> str:
        """'12 points, 3 files and 1 registration'."""
        parts = [
            f"{number} {word}{'' if number == 1 else 's'}"
            for number, word in (
                (self.points, "point"),
                (self.files, "file"),
                (self.registrations, "registration"),
                (self.records, "other record"),
            )
            if number
        ]
        return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]])) or "nothing"

    @classmethod
    def of(cls, entry: Entry) -> Unsent:
        what, runs = entry.what, frozenset({entry.run})
        if isinstance(what, Points):
            return cls(points=len(what.points), runs=runs)
        if isinstance(what, Files):
            return cls(files=len(what.kept.files), runs=runs)
        if isinstance(what, Register):
            return cls(registrations=1, runs=runs)
        return cls(records=1, runs=runs)


class Journal:
    """A journal's folder, read and marked as it is sent. One thread at a time, but for `unsent`."""

    def __init__(self, folder: Path, tell: Tell) -> None:
        self.folder = folder
        self._tell = tell
        self._sent = NumberSet()
        self._arrived: dict[str, set[str]] = {}
        self._damaged: set[tuple[str, int]] = set()
        self._start = ("", 0)  # all before it is sent
        self._read_sent()

    # --- reading ------------------------------------------------------------------------------

    @property
    def about(self) -> Mapping[str, Any]:
        """Its journal.json; {} where there is none that can be read."""
        try:
            about: Any = json.loads((self.folder / DESCRIPTION).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return about if isinstance(about, dict) else {}

    @property
    def store(self) -> str:
        """The address of the store it is for, without secrets."""
        return str(self.about.get("store", ""))

    @property
    def workspace(self) -> str:
        """That of the store; '' is its default one."""
        return str(self.about.get("workspace", ""))

    def entries(self, *, sent_too: bool = False) -> Iterator[Entry]:
        """What is not sent, in order; damaged records are told and left out."""
        expected, leading = 0, not sent_too
        first, offset = ("", 0) if sent_too else self._start
        for segment in self.segments():
            if segment.name < first:
                continue
            start = offset if segment.name == first else 0
            for end, line in complete_lines(segment, start):
                record = decode(line)
                if record is None:
                    self._set_aside(segment, end, line)
                    continue
                seq = int(record["seq"])
                if expected and seq > expected:  # lost with a damaged record, which is told
                    self._sent.add(expected, seq - 1)
                expected = seq + 1
                if seq in self._sent and not sent_too:
                    if leading:
                        self._start = (segment.name, end)
                    continue
                leading = False
                yield Entry.from_dict(record)

    def unsent(self) -> Unsent:
        """Counted anew each time."""
        return sum((Unsent.of(entry) for entry in self.entries()), Unsent())

    def segments(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.log"))

    def is_sent(self, seq: int) -> bool:
        return seq in self._sent

    def copies(self, kept: KeptFiles) -> Path:
        """The folder in which copies lie."""
        return self.folder / COPIES / kept.place

    # --- marking ------------------------------------------------------------------------------

    def mark_sent(self, entries: Sequence[Entry]) -> None:
        """Forgotten by a power cut, a mark costs sending something twice, which changes nothing."""
        self._mark(entries)
        for entry in entries:
            if isinstance(entry.what, (Files, Register)):
                shutil.rmtree(self.copies(entry.what.kept), ignore_errors=True)

    def mark_arrived(self, kept: KeptFiles, path: str) -> None:
        """One of an entry's files is in the store."""
        self._arrived.setdefault(kept.place, set()).add(path)
        self._append_line("sent.log", {"arrived": [kept.place, path]})

    def arrived(self, kept: KeptFiles) -> set[str]:
        return self._arrived.get(kept.place, set())

    def mark_refused(self, entry: Entry, reason: str) -> None:
        """Keep a record that the store will never take, with its files, and why."""
        self._append_line(REFUSED, {**entry.to_dict(), "reason": reason})
        self._mark([entry])

    def _mark(self, entries: Sequence[Entry]) -> None:
        self._append_line("sent.log", {"sent": [entry.seq for entry in entries]})
        for entry in entries:
            self._sent.add(entry.seq)

    def prune(self) -> None:
        """Remove segments that are wholly sent, but for the first and the last.

        The first has the run's start: what the run is can be told while the store is away.
        """
        for segment, following in pairwise(self.segments()[1:]):
            if not self._sent.has_all_up_to(int(following.stem) - 1):
                return
            segment.unlink(missing_ok=True)

    def _append_line(self, name: str, record: Mapping[str, Any]) -> None:
        with suppress(OSError):  # a full disk: the mark holds while this process lives
            number = os.open(
                self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE
            )
            try:
                # A new line first: whoever wrote here before may have died within one.
                os.write(number, b"\n" + encode(record))
            finally:
                os.close(number)

    def _read_sent(self) -> None:
        for _, line in complete_lines(self.folder / "sent.log"):
            mark = decode(line) or {}  # a damaged mark: what it stood for is sent again
            for seq in mark.get("sent", ()):
                self._sent.add(seq)
            if "arrived" in mark:
                place, path = mark["arrived"]
                self._arrived.setdefault(place, set()).add(path)

    def remove(self) -> None:
        """Remove a journal that is wholly sent; what was refused is kept elsewhere."""
        if (self.folder / REFUSED).exists():
            kept = self.folder.parent / REFUSED_FOLDER / self.folder.name
            make_private_folder(kept)
            for name in (REFUSED, COPIES):
                if (self.folder / name).exists():
                    (self.folder / name).replace(kept / name)
        # Its description first: a folder without one is no journal any more.
        (self.folder / DESCRIPTION).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _set_aside(self, segment: Path, end: int, line: bytes) -> None:
        if (segment.name, end) in self._damaged:
            return
        self._damaged.add((segment.name, end))
        place = self.folder.parent / DAMAGED_FOLDER
        kept = place / f"{self.folder.name}-{segment.stem}-{end}"
        if kept.exists():
            return  # told when it was found
        with suppress(OSError):
            make_private_folder(place)
            kept.touch(PRIVATE_FILE)
            kept.write_bytes(line)
        self._tell(
            f"a record of the journal {segment} is damaged (before byte {end}) and can't be sent: "
            f"what it said of a run is lost. It is kept as {kept}"
        )


@dataclass
class _Overflow:
    """Records that the disk has no room for."""

    entries: list[Entry] = field(default_factory=list)
    told: bool = False
    lost_points: int = 0


class OwnJournal(Journal):
    """The journal of this process, which is written to while it is sent.

    Args:
        root: WORK_DIR/spool.
        store: the store's address, without secrets.
        workspace: of that store.

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
        write_whole(folder / DESCRIPTION, json.dumps(about, indent=2))
        super().__init__(folder, tell)
        self._writing = threading.Lock()
        self._overflow = _Overflow()
        self._last = 0
        self._segment = -1
        self._written = 0
        self._dirty = threading.Event()
        self._closed = False
        self._committer = threading.Thread(target=self._keep_committing, daemon=True)
        self._committer.start()

    @property
    def lost_points(self) -> int:
        return self._overflow.lost_points

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
            self._overflow.entries.append(Entry(seq, run, what))
            try:
                while self._overflow.entries:
                    self._write(encode(self._overflow.entries[0].to_dict()))
                    self._overflow.entries.pop(0)
                self._overflow.told = False
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
            waiting = list(self._overflow.entries)
        yield from (entry for entry in waiting if not self.is_sent(entry.seq))

    def mark_sent(self, entries: Sequence[Entry]) -> None:
        super().mark_sent(entries)
        if self._overflow.entries:
            with self._writing:
                kept = [each for each in self._overflow.entries if not self.is_sent(each.seq)]
                self._overflow.entries = kept

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
        first = self._overflow.entries[0].seq
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
        kept = self._overflow
        if not kept.told:
            kept.told = True
            self._tell(
                f"the journal {self.folder} can't be written: {exc}. What is logged waits in "
                f"memory, up to {KEPT_IN_MEMORY} records. Make room, or it may be lost"
            )
        newest = kept.entries[-1]
        if len(kept.entries) > KEPT_IN_MEMORY and isinstance(newest.what, Points):
            kept.lost_points += len(newest.what.points)
            kept.entries.pop()
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


def write_whole(path: Path, text: str) -> None:
    """A small private file, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(number, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)
