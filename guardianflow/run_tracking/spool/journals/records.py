"""Records of a file that is only appended to: one a line, each with its own checksum.

    9f86d081884c7d65 {"seq": 1, …}

A process that dies while it writes leaves a last line without its end: `complete_lines` leaves it
out. A line whose checksum differs is no record; what stands before and after it still is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ....support.secrets.files import PRIVATE_FILE

DIGEST_BYTES = 8
_DIGEST_LENGTH = 2 * DIGEST_BYTES


def encode(value: Mapping[str, Any]) -> bytes:
    """The line of a record, with its end."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    return _digest(text) + b" " + text + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """The record in a line without its end; None where it is damaged."""
    head, text = line[: _DIGEST_LENGTH + 1], line[_DIGEST_LENGTH + 1 :]
    if head != _digest(text) + b" ":
        return None
    record: dict[str, Any] = json.loads(text)
    return record


def append_record(path: Path, value: Mapping[str, Any]) -> None:
    """Add a record to a file that nobody else may read. Raises OSError: it can't be written."""
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
    try:
        # A new line first: whoever wrote here before may have died within one.
        os.write(number, b"\n" + encode(value))
    finally:
        os.close(number)


def complete_lines(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Where each complete, non-empty line of a file ends, and the line without its end."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        stream.seek(start)
        end = start
        for line in stream:
            if not line.endswith(b"\n"):
                return  # still being written, or its writer died
            end += len(line)
            if text := line[:-1]:
                yield end, text


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=DIGEST_BYTES).hexdigest().encode()
