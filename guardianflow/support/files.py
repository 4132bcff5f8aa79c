"""File-system steps that are whole or absent, whatever ends the process in between.

    whole_file, whole_directory   anywhere: what is unfinished has another name
    scratch_folder                removed at the end of a block alone
    the rest                      on the medium when they return, too; POSIX only, as boxes are

Python's own copy and write leave content in the page cache: after a power cut a renamed file can
then be empty.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

BLOCK_BYTES = 1 << 20


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside a file to write to; it becomes the file where all went well, else vanishes."""
    unfinished = path.with_name(f".{path.stem}.{secrets.token_hex(6)}{path.suffix}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_directory(destination: Path) -> Iterator[Path]:
    """A directory to fill; it becomes `destination` where all went well, else vanishes.

    Raises:
        OSError: it can't be made; a directory that holds something lies there by now.
    """
    hidden = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    work = hidden / "work"
    try:
        work.mkdir()  # mkdtemp makes directories for their owner alone; this one follows the umask
        yield work
        work.rename(destination)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A directory that is removed at the end of the block, and not before.

    The end of the interpreter removes a tempfile.TemporaryDirectory too, also under a thread that
    is at work in it: half of a model's files would be uploaded as all of them.

    Args:
        parent: None takes the system's place for temporary files.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def files_in(folder: Path) -> Iterator[str]:
    """Posix paths of all files below a folder, relative to it, sorted."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def copy(content: Path | bytes, destination: Path) -> Iterator[int]:
    """Write a new file to the medium; gives the size of each block when it is written.

    Args:
        content: the bytes, or the file that holds them.
        destination: must not exist; missing directories above it are made.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    given = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
    with given as source, destination.open("xb") as written:
        while block := source.read(BLOCK_BYTES):
            written.write(block)
            yield len(block)
        written.flush()
        os.fsync(written.fileno())
        # Whoever compares the file next must read the medium, not the memory it was written from.
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(written.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


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
