"""A store in a directory. Locks are the system's: they end with whoever held them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from secrets import token_hex

from ...contracts.errors import MetricsStoreError
from ...support.files import copy, sync_directory, whole_file
from ...support.locks import take_lock
from .port import JOURNAL, ROWS, SEALED, JournalFile

APPEND_WAIT_S = 10.0


@contextmanager
def _translated() -> Iterator[None]:
    """Methods whose OSErrors say what to do."""
    try:
        yield
    except (FileNotFoundError, TimeoutError):
        raise
    except OSError as exc:
        raise MetricsStoreError(
            f"the metrics store can't be used: {exc}. Free it or make room there, or name "
            "another place in GUARDIANFLOW_METRICS_STORE"
        ) from exc


class DirectoryPlace:
    """Place in a directory, made where it is missing when something is written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def address(self) -> str:
        return str(self._root)

    @_translated()
    def append(self, day: date, lines: bytes) -> None:
        folder = self._root / JOURNAL
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with take_lock(folder / ".lock", APPEND_WAIT_S):
                _append(folder / f"{day.isoformat()}.jsonl", lines)
        except TimeoutError as exc:
            raise MetricsStoreError(
                f"another process has held {folder / '.lock'} for {APPEND_WAIT_S:.0f} s"
            ) from exc

    @_translated()
    def journals(self) -> list[JournalFile]:
        found = []
        for path in (self._root / JOURNAL).glob("*.jsonl"):
            try:
                state = path.stat()
            except FileNotFoundError:  # compacted meanwhile
                continue
            found.append(
                JournalFile(
                    f"{JOURNAL}/{path.name}",
                    state.st_size,
                    SEALED in path.name,
                    f"{state.st_ino}-{state.st_mtime_ns}",
                )
            )
        # '2026-11-28.a1.sealed.jsonl' was written before '2026-11-28.jsonl', and sorts so.
        return sorted(found)

    @_translated()
    def seal(self) -> list[JournalFile]:
        folder = self._root / JOURNAL
        if folder.is_dir():
            with take_lock(folder / ".lock", APPEND_WAIT_S):
                for each in self.journals():
                    if not each.sealed:
                        _seal(self._root / each.name)
        return [each for each in self.journals() if each.sealed]

    @_translated()
    def read(self, name: str, start: int = 0) -> bytes:
        try:
            with (self._root / name).open("rb") as file:
                file.seek(start)
                return file.read()
        except FileNotFoundError:
            return b""

    @_translated()
    def put(self, name: str, content: bytes) -> None:
        self._replace(name, content)

    @_translated()
    def upload(self, name: str, source: Path) -> None:
        self._replace(name, source)

    @_translated()
    def local(self, name: str) -> Path:
        path = self._root / name
        if not path.is_file():
            raise FileNotFoundError(path)
        return path

    @_translated()
    def parquet_files(self) -> list[str]:
        found = (self._root / ROWS).glob("*/*.parquet")
        return sorted(path.relative_to(self._root).as_posix() for path in found)

    @_translated()
    def delete(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    @contextmanager
    def compacting(self) -> Iterator[Callable[[], None]]:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            lock = take_lock(self._root / ".compacting")
        except TimeoutError:
            raise
        except OSError as exc:
            raise MetricsStoreError(f"the metrics store can't be locked: {exc}") from exc
        with lock:
            yield lambda: None  # the system's lock lasts

    def _replace(self, name: str, content: bytes | Path) -> None:
        """Write a file, which is on the medium before it gets its name."""
        target = self._root / name
        with whole_file(target) as path:
            for _ in copy(content, path):
                pass
        sync_directory(target.parent)


def _append(path: Path, lines: bytes) -> None:
    """Add lines after what is there, to the medium; a line cut off before is ended first."""
    with path.open("a+b") as file:
        before = file.seek(0, os.SEEK_END)
        if before:
            file.seek(before - 1)
            if file.read(1) != b"\n":
                lines = b"\n" + lines
        try:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, before)  # no half line stays where the medium is full
            raise
    if not before:
        sync_directory(path.parent)


def _seal(path: Path) -> None:
    """Give the day's file a name that nobody writes to; names of one day sort by when."""
    day = path.name.removesuffix(".jsonl")
    before = [each.name.split(".")[1] for each in path.parent.glob(f"{day}.*{SEALED}.jsonl")]
    number = max((int(each.partition("-")[0]) for each in before), default=-1) + 1
    path.rename(path.with_name(f"{day}.{number:06d}-{token_hex(3)}{SEALED}.jsonl"))
