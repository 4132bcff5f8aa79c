"""JSON files that are known to be whole: the first line is the sha256 of the rest."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from .files import whole_file

logger = logging.getLogger(__name__)


def read_sealed(file: Path) -> Any:
    """The value; None where there is none, or where it was cut off or changed, which is logged."""
    try:
        seal, _, text = file.read_bytes().partition(b"\n")
        if seal.decode("ascii", "replace") == hashlib.sha256(text).hexdigest():
            return json.loads(text)
        reason = "it is not as it was written"
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as exc:
        reason = str(exc)
    logger.warning("%s can't be used (%s): it is made anew", file, reason)
    return None


def write_sealed(file: Path, value: Any) -> None:
    """Replace the file whole; one that can't be written is logged: it saves time, no more.

    Of two processes that write at once, one's file stays; it is as good as the other's.
    """
    # ASCII: names of files may hold bytes that are no text.
    text = json.dumps(value, separators=(",", ":")).encode()
    seal = hashlib.sha256(text).hexdigest().encode()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as unfinished:
            unfinished.write_bytes(seal + b"\n" + text)
    except OSError as exc:
        logger.warning("what was learnt can't be kept in %s: %s", file, exc)
