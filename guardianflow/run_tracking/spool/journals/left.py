"""Journals that processes have left: found, taken by one sender at a time, and sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def send_left(
    root: Path,
    store: str,
    workspace: str,
    send: Callable[[Journal], None],
    tell: Tell,
    own: Path | None = None,
) -> None:
    """Send every journal of a workspace whose writer is gone, the oldest first.

    Args:
        send: sends one.
        own: the folder of the caller's.

    Raises:
        whatever `send` raises.
    """
    for journal in journals_of(root, tell, store, workspace):
        if journal.folder == own:
            continue
        with taken(journal) as free:
            if free:
                send(journal)
                if next(journal.entries(), None) is None:
                    journal.remove()
