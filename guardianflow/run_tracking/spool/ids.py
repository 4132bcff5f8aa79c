"""Which id a run got that began while the store was away: the spool's ids.log.

Every process of this machine adds to it and reads it. Elsewhere the store is asked: the run has
the client id as a tag.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path

from ..run_records import LOCAL_PREFIX
from .journals.records import append_record, complete_lines, decode

_LOCAL_ID = re.compile(rf"\b{LOCAL_PREFIX}([0-9a-f]{{32}})\b")


class RunIds:
    """Client id → run id, kept in WORK_DIR/spool/ids.log."""

    def __init__(self, root: Path) -> None:
        self._file = root / "ids.log"
        self._known: dict[str, str] = {}
        self._read_to = 0
        self._lock = threading.Lock()

    def add(self, client_id: str, run_id: str) -> None:
        """Raises OSError: it can't be written; it is known to this process all the same."""
        if self._known.get(client_id) == run_id:
            return
        self._known[client_id] = run_id
        append_record(self._file, {"client": client_id, "run": run_id})

    def of_client(self, client_id: str) -> str | None:
        """The run id; None where the store has given none yet, as far as this machine knows."""
        if client_id not in self._known:
            self._read()
        return self._known.get(client_id)

    def _read(self) -> None:
        with self._lock:
            for end, line in complete_lines(self._file, self._read_to):
                self._read_to = end
                if record := decode(line):
                    self._known.setdefault(record["client"], record["run"])

    def client_of(self, run_id: str) -> str | None:
        """The client id of a run, by either of its ids; None where there is none."""
        if run_id.startswith(LOCAL_PREFIX):
            return run_id.removeprefix(LOCAL_PREFIX)
        self._read()
        return next((client for client, run in list(self._known.items()) if run == run_id), None)

    def real(self, run_id: str) -> str | None:
        """The store's id of a run; None for a local one that has none yet."""
        if not run_id.startswith(LOCAL_PREFIX):
            return run_id
        return self.of_client(run_id.removeprefix(LOCAL_PREFIX))

    def in_text(self, text: str) -> str:
        """The text with the store's ids for local ones, where they are known."""
        return _LOCAL_ID.sub(lambda found: self.of_client(found[1]) or found[0], text)

    def in_texts(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {key: self.in_text(text) for key, text in texts.items()}
