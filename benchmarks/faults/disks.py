"""A small file system in memory, to be filled up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SIZE = "64m"
BLOCK = 1 << 16


class CantError(Exception):
    """This machine can't do what a kind of fault needs; says what."""


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of its own at a new directory.

    Raises:
        CantError: no right to mount one.
    """
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as exc:
        raise CantError(f"no mount: {exc}") from exc
    if done.returncode:
        raise CantError(f"no right to mount a small file system: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # nosec B607


def fill_up(disk: Path, spare: int) -> None:
    """Leave this many bytes free."""
    with (disk / "filler").open("ab", buffering=0) as stream:
        with suppress(OSError):
            while True:
                stream.write(bytes(BLOCK))
        with suppress(OSError):
            while True:
                stream.write(bytes(512))
        os.ftruncate(stream.fileno(), max(0, os.fstat(stream.fileno()).st_size - spare))


def make_room(disk: Path) -> None:
    (disk / "filler").unlink(missing_ok=True)
