"""The files that a script opened for writing and the directories that it made.

inside_script.py notes them in the script's own processes. Where it can't (Python before 3.8, an
interpreter started with -I, a program of another language) nothing is noted.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ..inside_script import RECORD

MOST_BYTES = 64_000_000


class WrittenRecord:
    """Reads what the script has noted so far; thread-safe.

    Args:
        folder: where inside_script.py lies; see environment.script_environment.

    Attributes:
        files: real path → the bytes that stay of what it held before: 0 for one that is new.
        folders: real paths, in the order they were made.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / RECORD
        self._offset = 0
        self._lock = threading.Lock()
        self.files: dict[Path, int] = {}
        self.folders: dict[Path, None] = {}

    def read(self) -> None:
        """Take what has been noted since the last time."""
        with self._lock:
            try:
                with self._path.open("rb") as stream:
                    stream.seek(self._offset)
                    data = stream.read(MOST_BYTES)
            except OSError:  # nothing has been noted
                return
            whole = data[: data.rfind(b"\0") + 1]
            self._offset += len(whole)
            for entry in whole.split(b"\0")[:-1]:
                kind, _, rest = os.fsdecode(entry).partition(" ")
                if kind == "D":
                    self.folders.setdefault(Path(rest))
                else:
                    size, _, path = rest.partition(" ")
                    self.files.setdefault(Path(path), int(size))
