"""Text made fit for a message or a line of a file.

shortened("a very long …", 60)   → at most 60 characters, the last of them '…'
on_one_line(text, "?")           → what can't be seen (line breaks, control characters) as '?'
"""

from __future__ import annotations


def shortened(text: str, length: int) -> str:
    """The text, or its beginning and '…' where it is longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def on_one_line(text: str, instead: str) -> str:
    """The text with every character that can't be seen replaced."""
    return "".join(c if c.isprintable() else instead for c in text)
