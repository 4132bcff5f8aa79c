"""The file. A line is on the medium when `append` returns; one that was cut off was never written.

with ledger.changing() as change:      # nobody else writes meanwhile
    if fits(change.state):
        change.append(line)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from guardianflow.contracts.errors import AutomationError
from guardianflow.support.locks import take_lock

from .records import RECORD, Record
from .state import State

PATIENCE_S = 30.0
FILE, LOCK = "ledger.jsonl", ".ledger.lock"


class Change:
    """A ledger that nobody else may write to."""

    def __init__(self, ledger: Ledger, state: State) -> None:
        self._ledger, self.state = ledger, state

    def append(self, record: Record) -> None:
        """Write a line to the medium; `state` has it then.

        Raises:
            AutomationError: it can't be written.
        """
        self._ledger._write(record)
        self.state = self._ledger._read()


class Ledger:
    """The ledger in a directory, which is made where it is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file, self._lock = folder / FILE, threading.RLock()
        self._state, self._read_bytes, self._lines = State(), 0, 0

    def read(self) -> State:
        """What it says now.

        Raises:
            AutomationError: it can't be read, or a line of it is damaged.
        """
        with self._lock:
            return self._read().copy()

    @property
    def size(self) -> int:
        """In bytes: another one where it says more. 0 where it can't be looked at."""
        try:
            return self._file.stat().st_size
        except OSError:
            return 0

    def append(self, record: Record) -> None:
        """One line, whatever the others say."""
        with self.changing() as change:
            change.append(record)

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """Lock it, and cut off what a killed writer left behind.

        Raises:
            AutomationError: it can't be locked, read or written.
        """
        with self._lock:
            try:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                lock = take_lock(self.folder / LOCK, PATIENCE_S)
            except (OSError, TimeoutError) as exc:
                raise AutomationError(f"{self.folder} can't be locked: {exc}") from exc
            with lock:
                state = self._read()
                self._cut_off()
                yield Change(self, state)

    # --- inside -------------------------------------------------------------------------------

    def _read(self) -> State:
        """The state, brought up to the file's last whole line."""
        try:
            if not self._file.exists():
                return self._state
            with self._file.open("rb") as file:
                file.seek(self._read_bytes)
                whole, newline, _ = file.read().rpartition(b"\n")
        except OSError as exc:
            raise AutomationError(f"{self._file} can't be read: {exc}") from exc
        for line in whole.split(b"\n") if newline else ():
            try:
                record = RECORD.validate_json(line)
            except ValidationError as exc:
                raise AutomationError(
                    f"{self._file}:{self._lines + 1}: the line is damaged, or a newer version "
                    "wrote it. Nothing is started as long as it is not known what was: mend or "
                    "remove that line"
                ) from exc
            self._state.add(record)
            self._lines += 1
            self._read_bytes += len(line) + 1
        return self._state

    def _cut_off(self) -> None:
        try:
            if self._file.exists() and self._file.stat().st_size > self._read_bytes:
                os.truncate(self._file, self._read_bytes)
        except OSError as exc:
            raise AutomationError(f"{self._file} can't be written: {exc}") from exc

    def _write(self, record: Record) -> None:
        data = record.model_dump_json().encode() + b"\n"
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                written = os.write(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if written != len(data):
                self._cut_off()
                raise AutomationError(f"{self._file} can't be written: the disk is full")
        except OSError as exc:
            raise AutomationError(f"{self._file} can't be written: {exc}") from exc
