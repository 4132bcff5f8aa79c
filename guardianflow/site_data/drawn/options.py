"""Options behind a demo's '?': names, defaults and limits, and the one reader of them."""

from __future__ import annotations

from dataclasses import Field, field, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar
from urllib.parse import parse_qsl

from ...contracts.given import SHOWN_LENGTH, whole_number
from ...support.suggestions import did_you_mean

LIMITS, CHOICES = "limits", "choices"


class OptionFields(Protocol):
    """A frozen dataclass whose fields are made by `numbered` and `chosen`."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


class Drawing(OptionFields, Protocol):
    """The options of one demo, and how it is drawn with them."""

    def key(self, memory: Path) -> str:
        """Names what is drawn: version, code and options; `memory` keeps the code's hash."""
        ...

    def write(self, folder: Path) -> None:
        """Draw into a directory."""
        ...


Options = TypeVar("Options", bound=OptionFields)


def numbered(default: int, low: int, high: int) -> int:
    """A field of a dataclass: a whole number between limits."""
    made: int = field(default=default, metadata={LIMITS: (low, high)})
    return made


def chosen(default: str, *others: str) -> str:
    """A field of a dataclass: one of some words."""
    made: str = field(default=default, metadata={CHOICES: (default, *others)})
    return made


def read_options(
    kind: type[Options], query: str, reference: str, problems: list[str]
) -> Options | None:
    """'images=60&seed=7' → options; None where something was wrong.

    Args:
        kind: whose fields are read.
        reference: for messages.
        problems: takes up all that is wrong.
    """
    known = {each.name: each for each in fields(kind)}
    values: dict[str, int | str] = {}
    before = len(problems)
    for key, text in parse_qsl(query, keep_blank_values=True):
        if key not in known:
            problems.append(
                f"{reference}: unknown option '{key}'; known: {', '.join(known)}"
                f"{did_you_mean(key, known)}"
            )
            continue
        if key in values:
            problems.append(f"{reference}: option '{key}' is given twice")
        value = _read(known[key], text)
        if value is None:
            problems.append(
                f"{reference}: option '{key}' must be {_wanted(known[key])} but got "
                f"'{text[:SHOWN_LENGTH]}'"
            )
        else:
            values[key] = value
    return kind(**values) if len(problems) == before else None


def _read(option: Field[Any], text: str) -> int | str | None:
    if CHOICES in option.metadata:
        return text if text in option.metadata[CHOICES] else None
    low, high = option.metadata[LIMITS]
    number = whole_number(text)
    return number if number is not None and low <= number <= high else None


def _wanted(option: Field[Any]) -> str:
    if CHOICES in option.metadata:
        return f"one of {', '.join(option.metadata[CHOICES])}"
    low, high = option.metadata[LIMITS]
    return f"a whole number from {low} to {high}"
