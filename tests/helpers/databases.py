"""Copies of SQLite databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def copy_database(source: Path, destination: Path) -> None:
    """All that is committed, also what is still in the write-ahead log beside the file."""
    with closing(sqlite3.connect(source)) as given, closing(sqlite3.connect(destination)) as made:
        given.backup(made)
