"""The journal of one process: what it wrote about runs, in a folder of its own until it is sent.

journal.json      which store and workspace it is for, and who writes it
lock              held while its writer lives, or while somebody sends it
00000001.log      segments of records, named by their first record's number
sent.log          the numbers of records that the store has
refused.log       records that the store refuses, each with the reason
files/PLACE/      copies of files, until the store has them
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ....support.secrets.files import PRIVATE_FILE, make_private_folder
from .entries import Entry, Files, KeptFiles, Points, Register
from .numbers import NumberSet
from .records import append_record, complete_lines, decode

FORMAT = 1
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
            append_record(self.folder / name, record)

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
