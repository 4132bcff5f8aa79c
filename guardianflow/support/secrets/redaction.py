"""Keeps secrets inside the process: learns them where they come in, replaces them where they leave.

    learn_environment, learn_arguments, learn_mapping, learn_text     on the way in
    redact_text, redact_value, Redactor                               on the way out

A secret is known by how it looks (secret_rules.py) or because it was learnt: then every later
occurrence is replaced, in an exception's words or in what a script prints, as it is and as
addresses, JSON, HTML and base64 write it. What is too short or too plain a word to be told from
other text (`is_distinct`) is replaced only where it looks like a secret.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from .rules import LONG_WORD, MARK, Span, find_secrets, names_secret, user_infos

__all__ = [
    "MARK", "Redactor", "find_learnt", "forget_learnt", "holds_mark", "learn", "learn_arguments",
    "learn_environment", "learn_mapping", "learn_text", "names_secret", "redact_text",
    "redact_value", "shown_address", "shown_command",
]  # fmt: skip

SHORTEST = 6
LONGEST_LINE = 65_536
_STYLE = re.compile(r"\x1b\[[\d;]*m")
_PRIVATE_KEY = re.compile(r"-----(BEGIN|END) [A-Z ]*PRIVATE KEY-----")

_lock = threading.Lock()
_literals: tuple[str, ...] = ()
_firsts: frozenset[str] = frozenset()
_known: set[str] = set()


# --- in -----------------------------------------------------------------------------------------


def is_distinct(value: str) -> bool:
    """Whether a secret can be told from other text: no short number, no word of everyday."""
    if MARK in value or len(value) < SHORTEST or len(set(value)) < 3:
        return False
    if value.isdigit():
        return len(value) > SHORTEST + 1
    return not value.isalpha() or len(value) >= LONG_WORD


def learn(value: str) -> None:
    """Replace this value wherever it stands from now on."""
    global _literals, _firsts
    lines = [line.strip() for line in value.splitlines() if len(line.strip()) >= 16]
    values = [value.strip(), unquote(value.strip()), *(lines if len(lines) > 1 else ())]
    fresh = {each for each in values if is_distinct(each)} - _known
    if not fresh:
        return
    with _lock:
        _known.update(fresh)
        forms = {form for each in fresh for form in _forms(each)}
        _literals = tuple(sorted({*_literals, *forms}, key=lambda each: (-len(each), each)))
        _firsts = frozenset(each[0] for each in _literals)


def _forms(value: str) -> Iterator[str]:
    """The value as different writers write it."""
    encoded = value.encode("utf-8", "surrogateescape")
    percent = quote(encoded, safe="")
    yield value
    yield percent
    yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), percent)
    yield quote(encoded, safe="/")
    yield quote_plus(encoded)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield html.escape(value)
    yield base64.b64encode(encoded).decode().rstrip("=")


def learn_text(text: str) -> None:
    """Learn what looks like a secret in a text: an address, an option, a command."""
    infos = set(user_infos(text))
    for span in infos:
        info = text[span.start : span.end]
        user, colon, password = info.partition(":")
        if colon:
            learn(password)
            learn(base64.b64encode(unquote(info).encode()).decode().rstrip("="))  # of HTTP's Basic
        if not colon or len(user) >= 16:
            learn(user)
    for span in {*find_secrets(text)} - infos:
        learn(text[span.start : span.end])


def learn_value(key: str, value: object) -> None:
    """Learn a value under its key, and what is nested in it."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            learn_value(f"{key}.{name}", each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            learn_value(key, each)
    elif value is not None and not isinstance(value, bool):
        text = str(value)
        if names_secret(key) and _is_given(text):
            learn(text)
        if isinstance(value, str):
            learn_text(text)


def learn_mapping(values: Mapping[Any, Any]) -> None:
    """Learn the secrets of a scenario, of options, of variables."""
    for key, value in values.items():
        learn_value(str(key), value)


def learn_environment(environment: Mapping[str, str | None]) -> None:
    """Learn the secrets of environment variables, or of a .env file."""
    for name, value in environment.items():
        if not value:
            continue
        if (names_secret(name) or name.endswith(("_PASS", "_PWD"))) and not _is_file(value):
            learn(value)
        if "@" in value and "://" in value:
            learn_text(value)


def learn_arguments(words: Sequence[str]) -> None:
    """Learn the secrets of a command line: addresses, NAME=VALUE, --name VALUE."""
    for place, word in enumerate(words):
        learn_text(word)
        key, equals, value = word.partition("=")
        if not names_secret(key):
            continue
        if equals:
            learn(value)
        elif word.startswith("-") and place + 1 < len(words):
            learn(words[place + 1])


def forget_learnt() -> None:
    """For tests: what one has planted must not change what another one reads."""
    global _literals
    with _lock:
        _known.clear()
        _literals = ()


def _is_given(text: str) -> bool:
    """A value, not the name of the variable that holds it."""
    return bool(text) and text != MARK and not re.fullmatch(r"\$\{?\w+\}?|%\w+%", text)


def _is_file(value: str) -> bool:
    """GOOGLE_APPLICATION_CREDENTIALS names a file."""
    try:
        return value.startswith(("/", "~", ".")) and Path(value).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


# --- out ----------------------------------------------------------------------------------------


def redact_text(text: str, *, keyed: bool = True, bare: bool = True) -> str:
    """The text with MARK in the place of each secret; all else as it was.

    Args:
        keyed: also what stands behind a key that names a secret ('token: …').
        bare: of these, also values without quotes; False for source code.
    """
    spans = [*_learnt_spans(text), *find_secrets(text, keyed=keyed, bare=bare)]
    if not spans:
        return text
    spans.sort()
    parts, past, place = [], 0, 0
    while place < len(spans):
        start, end, quote_mark = spans[place]
        place += 1
        while place < len(spans) and spans[place].start < end:
            end, quote_mark = max(end, spans[place].end), quote_mark or spans[place].quote
            place += 1
        parts += [text[past:start], quote_mark, MARK, quote_mark]
        past = end
    return "".join([*parts, text[past:]])


def redact_value(key: str, value: Any) -> Any:
    """A value under its key; in mappings and lists each part under its own.

    What stands under a key that names a secret is replaced whole; None, switches and fractions,
    which are measured and no secret, stay.
    """
    if isinstance(value, Mapping):
        return {redact_text(name) if isinstance(name, str) else name:
                redact_value(f"{key}.{name}", each) for name, each in value.items()}  # fmt: skip
    if isinstance(value, (list, tuple)):  # a command's words may be among them: --token VALUE
        keys = [key, *(each if str(each).startswith("-") else key for each in value)]
        return type(value)([redact_value(of, each) for of, each in zip(keys, value, strict=False)])
    if value is None or isinstance(value, (bool, float)):
        return value
    if names_secret(key) and _is_given(str(value)):
        return MARK
    return redact_text(value) if isinstance(value, str) else value


def holds_mark(value: object) -> bool:
    """Whether a secret was taken out of the value, or of a part of it."""
    if isinstance(value, Mapping):
        return any(map(holds_mark, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(holds_mark, value))
    return isinstance(value, str) and MARK in value


def shown_address(address: str) -> str:
    """An address without what lets somebody in, which can still be followed: https://host/path."""
    for span in sorted(user_infos(address), reverse=True):
        address = address[: span.start] + address[span.end + 1 :]
    return redact_text(address)


def shown_command(command: str) -> str:
    """A command to write again, without its secrets; says which word stands for one."""
    shown = redact_text(command)
    return shown if MARK not in shown else f"{shown}  # {MARK} stands for a secret, fill it in"


def find_learnt(content: bytes) -> bool:
    """Whether bytes hold a learnt secret as it is."""
    return any(each.encode("utf-8", "surrogateescape") in content for each in tuple(_known))


def longest_learnt() -> int:
    return max((len(each.encode("utf-8", "surrogateescape")) for each in tuple(_known)), default=0)


def _learnt_spans(text: str) -> Iterator[Span]:
    for literal in _literals:
        at = text.find(literal)
        while at >= 0:
            yield Span(at, at + len(literal))
            at = text.find(literal, at + len(literal))


class Redactor:
    """Redacts a text that comes in pieces, wherever it is cut: lines are redacted as wholes.

    What `flush` gives out of an unfinished line holds back what may be the beginning of a learnt
    secret; the rest of the line is redacted together with what was given out already.
    """

    def __init__(self, *, bare: bool = True) -> None:
        self._bare = bare
        self._line = ""
        self._given = ""
        self._in_key = False

    def feed(self, text: str) -> str:
        """Takes a piece; gives out whole lines, also those ended by a lone '\\r'."""
        whole = max(text.rfind("\n"), text.rfind("\r")) + 1
        if not whole:
            self._line += text
            return self._part() if len(self._line) > LONGEST_LINE else ""
        lines, self._line = self._line + text[:whole], text[whole:]
        given, self._given = self._given, ""
        return _rest(self._lines(lines), given)

    def flush(self) -> str:
        """Gives out as much of an unfinished line as is safe."""
        if self._in_key:
            return ""
        redacted = self._redacted(self._line)
        kept = len(redacted) - _may_begin_secret(redacted)
        out = _rest(redacted[:kept], self._given)
        self._given += out
        return out

    def _part(self) -> str:
        """The beginning of a line that is too long to wait for its end, cut between two values."""
        near = len(self._line) - LONGEST_LINE // 2
        cut = max(self._line.rfind(",", near), self._line.rfind(";", near)) + 1 or len(self._line)
        cut = min(
            (s.start for s in _learnt_spans(self._line) if s.start < cut < s.end), default=cut
        )
        cut -= _may_begin_secret(self._line[:cut]) if cut == len(self._line) else 0
        part, self._line = self._line[:cut], self._line[cut:]
        given, self._given = self._given, ""
        return _rest(self._lines(part), given)

    def finish(self) -> str:
        """The end of the text."""
        line, given = self._line, self._given
        self._line = self._given = ""
        return _rest(self._lines(line), given)

    def _redacted(self, text: str) -> str:
        """As redact_text; colours inside a secret don't hide it, and are left out with it."""
        plain = _STYLE.sub("", text) if "\x1b[" in text else text
        redacted = redact_text(plain, bare=self._bare)
        return text if redacted == plain else redacted

    def _lines(self, lines: str) -> str:
        """Whole lines; a private key may begin in one piece and end in another."""
        if not self._in_key and "PRIVATE KEY-----" not in lines:
            return self._redacted(lines)
        parts = []
        for line in lines.splitlines(keepends=True):
            found = _PRIVATE_KEY.search(line)
            if found is None:
                parts.append("" if self._in_key else self._redacted(line))
                continue
            began, self._in_key = self._in_key, found[1] == "BEGIN"
            if self._in_key and "-----END " in line:  # all of it in one line, as JSON has it
                self._in_key = False
                parts.append(self._redacted(line))
            elif self._in_key:
                parts.append(f"{self._redacted(line[: found.end()])}{MARK}\n")
            else:
                parts.append(line[found.start() if began else 0 :])
        return "".join(parts)


def _rest(text: str, given: str) -> str:
    """The rest of a line that is still to be given out."""
    if text.startswith(given):
        return text[len(given) :]
    common = next(
        (i for i, (a, b) in enumerate(zip(text, given, strict=False)) if a != b), len(text)
    )
    return text[common:]


def _may_begin_secret(text: str) -> int:
    """Length of the longest end of the text that a learnt secret begins with."""
    longest = max(map(len, _literals), default=0)
    for start in range(max(0, len(text) - longest + 1), len(text)):
        if text[start] in _firsts and any(each.startswith(text[start:]) for each in _literals):
            return len(text) - start
    return 0
