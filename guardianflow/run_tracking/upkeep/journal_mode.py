"""How a SQLite file keeps what is being written, so that many processes may write at once.

With a write-ahead log (WAL) readers and the writer don't wait for each other, and a commit costs
one flush instead of three; a power cut loses nothing that was committed either way. The mode is
kept in the file, so that every program that opens it keeps to it, mlflow's own server too.

All users of a WAL must share memory, which a network's file systems and a virtual machine's shared
folders don't give them: there the file keeps, or gets back, SQLite's rollback journal.

What stands in the log alone is missing in a copy of the file. So it is brought into the file every
half minute, when a process of ours ends, and when one opens it: what one that was killed has left.

SQLite alone may open the file. Whoever else opens and closes it takes the locks of all connections
of its process away, and another process then removes the log under them.
"""

from __future__ import annotations

import atexit
import functools
import re
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

LOCAL = re.compile(r"ext[234]|xfs|btrfs|zfs|f2fs|jfs|bcachefs|reiserfs|tmpfs|ramfs|overlay")
SHARED = re.compile(r"nfs|cifs|smb|9p|virtiofs|vboxsf|prl_fs|fuse|ceph|gluster|lustre|beegfs|gpfs")
PATIENCE_S = 5.0
BRING_IN_EVERY_S = 30.0
_MOUNTS = Path("/proc/self/mountinfo")


class WriteAheadLog:
    """The log of a database, where it has one; brought in every half minute of use, and at the end.

    Args:
        database: its file.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._brought_in = time.monotonic()
        atexit.register(bring_in_log, database)

    @classmethod
    @functools.cache
    def of(cls, database: Path) -> WriteAheadLog:
        """That of this process; the database gets the journal that its place allows.

        The caller alone opens it meanwhile.
        """
        prepare_for_writers(database)
        return cls(database)

    def bring_in_now_and_then(self) -> None:
        """Bring the log in where that was half a minute ago."""
        if time.monotonic() - self._brought_in > BRING_IN_EVERY_S:
            self._brought_in = time.monotonic()
            bring_in_log(self._database)


def prepare_for_writers(database: Path) -> None:
    """Give a database the journal that its place allows.

    Where somebody is at it, or the place is none that we know, it stays as it is: it works, more
    slowly. What a process that was killed has left in the log is brought in.
    """
    place = file_system(database)
    with suppress(sqlite3.Error), closing(_opened(database, PATIENCE_S)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if mode != "wal" and LOCAL.fullmatch(place):
            connection.execute("PRAGMA journal_mode = WAL")
        elif mode == "wal" and SHARED.search(place):
            connection.execute("PRAGMA journal_mode = DELETE")
    bring_in_log(database)


def bring_in_log(database: Path) -> None:
    """Write what stands in the log alone into the file, without waiting for anybody."""
    with suppress(sqlite3.Error), closing(_opened(database, 0.0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def is_database(path: Path) -> bool:
    """Whether a file is SQLite's, or empty, or can't be asked now."""
    try:
        with closing(_opened(path, PATIENCE_S)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.Error as exc:
        return exc.sqlite_errorcode != sqlite3.SQLITE_NOTADB
    return True


def file_system(path: Path) -> str:
    """The kind of file system that a path lies on, as Linux calls it; '' where it can't be told."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    kind, longest, wanted = "", -1, path.resolve()
    for line in lines:
        before, _, after = line.partition(" - ")
        # A blank in a path stands there as \040.
        mounted = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), before.split()[4])
        if len(mounted) >= longest and wanted.is_relative_to(mounted):  # later ones hide earlier
            kind, longest = after.split()[0], len(mounted)
    return kind


def _opened(database: Path, patience_s: float) -> sqlite3.Connection:
    """A connection that makes no file."""
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", patience_s, uri=True)
