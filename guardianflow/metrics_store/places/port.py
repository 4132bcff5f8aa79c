"""What a metrics store asks of the place it lies in.

Both implementations keep the same promises (tests/metrics_store/places/test_conformance.py). All
methods raise MetricsStoreError where the place refuses or can't be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

JOURNAL, ROWS, MANIFEST = "journal", "rows", "manifest.json"
SEALED = ".sealed"
"""In the name of a journal that nobody writes to any more."""


@dataclass(frozen=True, order=True)
class JournalFile:
    """A file of the journal.

    Args:
        name: relative to the place: 'journal/2026-11-28.jsonl'. Their order is that of writing.
        size: bytes.
        sealed: nobody will write to it any more.
        version: another one where the name is another file's, or its content another.
    """

    name: str
    size: int
    sealed: bool
    version: str = ""


class Place(Protocol):
    """A directory or a bucket that holds a store."""

    @property
    def address(self) -> str:
        """For people, without secrets."""

    def append(self, day: date, lines: bytes) -> None:
        """Write whole lines to the journal of a day; there when it returns, whoever else writes.

        A writer that is killed leaves a part of its own lines at most.
        """

    def journals(self) -> list[JournalFile]:
        """The journal's files, in the order they were written."""

    def seal(self) -> list[JournalFile]:
        """Let nobody write to the files there are; returns all that are sealed."""

    def read(self, name: str, start: int = 0) -> bytes:
        """A file's content from a byte on; b'' where there is no such file."""

    def put(self, name: str, content: bytes) -> None:
        """Write a file whole, over one that is there, in one step."""

    def upload(self, name: str, source: Path) -> None:
        """As put, of a file that may be large."""

    def local(self, name: str) -> Path:
        """A file that is never changed, as a path of this machine.

        Raises FileNotFoundError: it is gone.
        """

    def parquet_files(self) -> list[str]:
        """Names of all Parquet files that lie there, whether they count or not."""

    def delete(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""

    def compacting(self) -> AbstractContextManager[Callable[[], None]]:
        """Held by at most one process of all.

        What it gives is called before the step that can't be undone, and raises
        MetricsStoreError where it is not held any more.

        Raises:
            TimeoutError: another one holds it.
        """
