"""The exception that ended a script, found in the last lines that it printed.

a traceback              its exception; of several in a row the last one
train.py: error: …       argparse, a syntax error, C++'s what(), faulthandler
else                     the last line, which `sys.exit("no data")` prints
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

from guardianflow.support.secrets.redaction import redact_text

TAIL_BYTES = 200_000
LONGEST = 300
MORE_LINES = 3
LATE_LINES = 30
LONGEST_TRACEBACK = 150
"""Lines; an uncaught exception's traceback and what is still printed while the process ends."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TRACEBACK = "Traceback (most recent call last)"
_NAME = r"(?:[^\W\d]\w*\.)*[^\W\d]\w*"
_EXCEPTION = re.compile(rf"{_NAME}(?::(?:\s.*)?)?$")
_SAID = re.compile(
    rf"(?:{_NAME}(?:Error|Exception)(?:: .+|$)|\S+: error: .+|Fatal Python error: .+|"
    r"\s*what\(\):\s*.+|Error: .+|usage error: .+)"
)
_UNFINISHED = re.compile(r"(?::|❌|error)\s*$")
# Raised by who started another process: the reason stands in a traceback before it.
_MESSENGERS = ("ChildFailedError", "CalledProcessError", "ProcessRaisedException")
_IN_GROUP = re.compile(r"\s*\| (\S.*)")


class LastError:
    """Keeps the last lines of both of a script's outputs, and finds the error in them."""

    def __init__(self) -> None:
        self._tails: dict[bool, deque[bytes]] = {True: deque(), False: deque()}
        self._sizes = {True: 0, False: 0}

    def feed(self, lines: bytes, *, is_error: bool) -> None:
        """Take whole lines; `is_error`: of the standard error."""
        tail = self._tails[is_error]
        tail.append(lines[-TAIL_BYTES:])
        self._sizes[is_error] += len(tail[-1])
        while self._sizes[is_error] - len(tail[0]) >= TAIL_BYTES:
            self._sizes[is_error] -= len(tail.popleft())

    def found(self, *, only_errors: bool = False) -> str:
        """One line, without secrets, at most LONGEST characters; '' where nothing is said.

        Args:
            only_errors: not a last line that may be anything: something else ended the script.
        """
        errors, others = self._lines(True), self._lines(False)
        text = (
            _of_traceback(errors)
            or _said(errors)
            or _of_traceback(others)
            or ("" if only_errors else _last(errors) or _said(others) or _last(others))
        )
        text = " ".join(redact_text(text).split())
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

    def _lines(self, is_error: bool) -> list[str]:
        text = b"".join(self._tails[is_error]).decode("utf-8", "replace")
        return [_ANSI.sub("", line) for line in text.split("\n")]


def _of_traceback(lines: Sequence[str]) -> str:
    """The exception of the last traceback, or of the one before where that only reports it.

    One with much behind it ended nothing: the script printed it and went on.
    """
    places = [at for at, line in enumerate(lines) if _TRACEBACK in line]
    if not places or sum(map(bool, lines[places[-1] :])) > LONGEST_TRACEBACK:
        return ""
    found = [text for at in places if (text := _exception_after(lines, at))]
    for text in reversed(found):
        if not text.partition(":")[0].endswith(_MESSENGERS):
            return text
    return found[-1] if found else ""


def _exception_after(lines: Sequence[str], place: int) -> str:
    """`ValueError: no data`: the first line behind a traceback that is none of its own."""
    for at in range(place + 1, len(lines)):
        line = lines[at].rstrip("\r")
        if _TRACEBACK in line:
            return ""
        in_group = _IN_GROUP.match(line)
        if in_group and _EXCEPTION.match(in_group[1]):
            return in_group[1]
        if line.strip() and not line.startswith((" ", "\t", "│", "╭", "╰")):
            return line + _rest_of_message(line, lines[at + 1 : at + 1 + MORE_LINES])
    return ""


def _rest_of_message(first: str, following: Sequence[str]) -> str:
    """The next lines, where the first one says little: `RuntimeError: Dataset error ❌`."""
    message = first.partition(":")[2].strip()
    if message and not _UNFINISHED.search(first):
        return ""
    if not message and ":" not in first:
        return ""
    more = []
    for line in following:
        if not line.strip() or _TRACEBACK in line:
            break
        more.append(line.strip())
    return " " + " ".join(more) if more else ""


def _said(lines: Sequence[str]) -> str:
    late = list(reversed(lines))[:LATE_LINES]
    return next((line.strip() for line in late if _SAID.match(line)), "")


def _last(lines: Sequence[str]) -> str:
    """The last line that says something: no progress bar, no rule."""
    for line in reversed(lines):
        plain = line.strip()
        if any(each.isalpha() for each in plain) and not re.search(r"it/s|s/it|━|█|\d%\|", plain):
            return plain
    return ""
