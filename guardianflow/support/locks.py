"""One process at a time: an exclusive lock on a file.

The system gives it free when its holder ends, however it ends. The file stays, and its content is
the caller's: it can say who holds the lock.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

POLL_S = 0.05


def take_lock(path: Path, patience_s: float = 0.0) -> AbstractContextManager[object]:
    """Lock a file, made where it is missing; held until the end of the `with` that it is given to.

    Args:
        patience_s: how long to wait for whoever holds it; a signal ends the wait.

    Raises:
        TimeoutError: somebody holds it.
        OSError: the file can't be opened, is a link, or lies where files can't be locked.
    """
    from filelock import FileLock  # with it comes asyncio: only who locks pays for it

    # preserve_lock_file: where a file system has no locks, no weaker one is taken instead
    lock = FileLock(path, timeout=patience_s, poll_interval=POLL_S, preserve_lock_file=True)
    return lock.acquire()
