"""Paths, URLs and numbers as people give them: on a command line, in a scenario, a data.yaml.

Python's own functions raise five kinds of exception for what no file or server can be called;
here they become the one that ends a command with a message and exit code 2.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from ..support.text.shortening import shortened
from ..support.text.spelling import spelled_on_disk
from .errors import ConfigurationError

LONGEST_BYTES = 3_000
"""Leaves room for the directory that a relative path begins in: systems take some 4,000."""
LONGEST_NUMBER = 18
"""Digits: what 64 bits hold. Python itself refuses to read more than 4,300."""
SHOWN_LENGTH = 80
NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})
_CREDENTIALS = re.compile(r"//[^/@]*@")


def given_path(text: str | os.PathLike[str], *, home: bool = True) -> Path:
    """The path that is meant, in the Unicode form that the disk has. Nothing needs to be there.

    Args:
        home: '~' at its start is a home directory.

    Raises:
        ConfigurationError: no file can have such a path, or this user may not look there.
    """
    written = os.fspath(text)
    path, problem = _read_path(written, home)
    if problem:
        raise ConfigurationError(
            f"the path '{shortened(written, SHOWN_LENGTH)}' can't be used: {problem}"
        )
    return path


def given_url(text: str) -> SplitResult:
    """The parts of a URL; one that has none of them is a plain path.

    Raises:
        ConfigurationError: it has no parts, e.g. a bracket that is not closed.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port, parts.hostname  # read late, and then refused with a ValueError
    except ValueError as exc:
        shown = shortened(_CREDENTIALS.sub("//", text), SHOWN_LENGTH)
        raise ConfigurationError(f"'{shown}' is not a URL: {exc}") from exc
    return parts


def whole_number(text: str) -> int | None:
    """The number that plain digits write; None for all else, and for more than 18 digits."""
    plain = text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER
    return int(text) if plain else None


def _read_path(written: str, home: bool) -> tuple[Path, str]:
    """The path, and what is wrong with it; '' where nothing is."""
    path = Path(written)
    try:
        size_bytes = len(written.encode())
    except UnicodeEncodeError:
        return path, "it holds bytes that are not UTF-8; rename what it names"
    if "\0" in written:
        return path, "it holds a null character"
    if size_bytes > LONGEST_BYTES:
        return path, f"it has {size_bytes} bytes, {LONGEST_BYTES} are the most"
    try:
        path = path.expanduser() if home else path
    except RuntimeError:
        return path, f"there is no home directory for {path.parts[0]}"
    try:
        path.stat()
    except OSError as exc:
        if exc.errno not in NOT_THERE:
            return path, exc.strerror or str(exc)
        path = spelled_on_disk(path)
    return path, ""
