"""Journals that processes have left: found, and taken by one sender at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ....support.locks import take_lock
from .journal import DESCRIPTION, FORMAT, Journal, Tell


def journals(root: Path, tell: Tell) -> list[Journal]:
    """Every journal below WORK_DIR/spool, the oldest first, also those that are being written."""
    return [Journal(path.parent, tell) for path in sorted(root.glob(f"*/{DESCRIPTION}"))]


def journals_of(root: Path, tell: Tell, store: str, workspace: str) -> list[Journal]:
    """Those of one workspace of a store.

    Args:
        store: its address without secrets.
    """
    wanted = (store, workspace)
    return [each for each in journals(root, tell) if (each.store, each.workspace) == wanted]


@contextmanager
def taken(journal: Journal) -> Iterator[bool]:
    """Whether nobody writes or sends the journal, who then can't until the block ends."""
    try:
        lock = take_lock(journal.folder / "lock")
    except (TimeoutError, OSError):  # it is at work, or has just been removed
        yield False
        return
    with lock:
        yield (journal.folder / DESCRIPTION).exists() and journal.about.get("format") == FORMAT
