"""Directories of the work directory that are made once and then found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ..support.files import whole_directory

CONTENT = ".content.json"
"""Lists the files of what was made, with their sizes."""


def make_once(home: Path, write: Callable[[Path], None]) -> None:
    """Have `write` fill a directory and put it at `home`, whole or not at all.

    Two processes may do this at once: the first rename wins, the other's work is thrown away.
    One that has lost files since, as a cleaner of caches takes them, is made anew.
    """
    if is_whole(home):
        return
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_directory(home) as draft:
            write(draft)
            (draft / CONTENT).write_text(json.dumps(_sizes(draft)), encoding="utf-8")
            draft.chmod(0o755)  # a cache may be shared
            if home.is_dir() and not is_whole(home):
                home.rename(draft.with_name("damaged"))
    except OSError:
        if not is_whole(home):  # else another process was faster
            raise


def _sizes(folder: Path) -> dict[str, int]:
    """Every file below a directory with its size in bytes, but the list of them."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != CONTENT)
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def is_whole(home: Path) -> bool:
    """Whether what was made there is there, by its sizes."""
    try:
        listed = json.loads((home / CONTENT).read_text(encoding="utf-8"))
        return all((home / name).stat().st_size == size for name, size in listed.items())
    except (OSError, ValueError, AttributeError):
        return False
