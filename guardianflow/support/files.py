"""File-system steps that are whole or absent, and on the medium when they return.

Python's own copy and write leave content in the page cache: after a power cut a renamed file can
then be empty. POSIX only, as the boxes and those who fill them are.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK_BYTES = 1 << 20


def copy(content: Path | bytes, destination: Path) -> Iterator[int]:
    """Write a new file to the medium; gives the size of each block when it is written.

    Args:
        content: the bytes, or the file that holds them.
        destination: must not exist; missing directories above it are made.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with _reader(content) as source, destination.open("xb") as written:
        while block := source.read(BLOCK_BYTES):
            written.write(block)
            yield len(block)
        written.flush()
        os.fsync(written.fileno())
        # Whoever compares the file next must read the medium, not the memory it was written from.
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(written.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _reader(content: Path | bytes) -> contextlib.AbstractContextManager[BinaryIO]:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def replace_file(directory: Path, name: str, text: str, prefix: str) -> None:
    """Write a small file, whole or not at all.

    Args:
        prefix: of the name under which it is written first.
    """
    temporary = temporary_path(directory, prefix)
    for _ in copy(text.encode(), temporary):
        pass
    temporary.replace(directory / name)
    sync_directory(directory)


def temporary_path(directory: Path, prefix: str) -> Path:
    """A name that nothing has yet. The entry follows the umask, which tempfile's do not."""
    return directory / f"{prefix}{secrets.token_hex(6)}"


def sync_tree(directory: Path) -> None:
    """Bring the entries of a directory and of all below it to the medium."""
    for folder, _, _ in os.walk(directory, topdown=False):
        sync_directory(Path(folder))


def sync_directory(directory: Path) -> None:
    """Bring a directory's entries to the medium."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def remove(entry: Path, directory: Path, prefix: str) -> None:
    """Remove a file, a link or a tree; a tree loses its name first, so no half of it has one.

    Args:
        directory, prefix: where and with what prefix a tree is called until it is gone.
    """
    if entry.is_symlink() or not entry.is_dir():
        entry.unlink()
        return
    if entry.parent != directory or not entry.name.startswith(prefix):
        entry = entry.rename(temporary_path(directory, prefix))
    shutil.rmtree(entry)
