"""Text of people's files, matched as people read it: whatever Unicode form a system stores.

nfc(text)               → composed: what is compared and kept
same_spelling(a, b)     → whether two texts read alike
spelled_on_disk(path)   → the path in the form that the disk has it in

A Mac stores '안전모' as eight letters, everybody else as three syllables; both look the same.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def nfc(text: str) -> str:
    """The text with every letter composed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def same_spelling(one: str, other: str) -> bool:
    """Whether two texts are the same letters, however they are stored."""
    return nfc(one) == nfc(other)


def spelled_on_disk(path: Path) -> Path:
    """The path of what is meant, in the Unicode form that the disk has.

    A path to nothing stays as it is given. What is there by the very letters given goes
    before another form of them.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        if part == ".." or os.path.lexists(found / part):
            found /= part
            continue
        try:
            names = [name for name in os.listdir(found) if same_spelling(name, part)]  # noqa: PTH208 - names alone
        except OSError:
            return path
        if len(names) != 1:
            return path
        found /= names[0]
    return found
