"""The fields of a name: words, numbers, days, times, addresses, hashes, and what stands between.

    cam3_20260104_081500_000123_jpg.rf.9c1e….jpg
    word cam, number 3, _, day, _, time, _, number 000123

What annotation services add is taken off first: it tells images apart, never recordings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise


class Kind(StrEnum):
    """The kinds of field."""

    WORD = "word"
    NUMBER = "number"
    DAY = "day"
    TIME = "time"
    EPOCH = "epoch"
    ADDRESS = "address"
    HASH = "hash"
    VIDEO = "video"
    BETWEEN = "between"


@dataclass(frozen=True)
class Field:
    kind: Kind
    text: str


_SERVICE = re.compile(r"_(?:jpe?g|png|bmp|webp)\.rf\.[0-9A-Za-z]{16,}$", re.IGNORECASE)
_UPLOAD = re.compile(r"(^|/)[0-9a-f]{8}-(?!(?:[0-9a-f]{4}-){3})(?=[^/]*[^0-9a-f/][^/]*$)")
"""Label Studio puts eight letters of a UUID before the name."""
_COPY = re.compile(r"(?: ?\(\d+\)| - copy| - 복사본)$", re.IGNORECASE)

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_DAY = r"(?:19|20)\d\d(?P<d>[-_.]?)(?:0[1-9]|1[0-2])(?P=d)(?:0[1-9]|[12]\d|3[01])"
_DIGITS = r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d"
_SHORT_DAY = r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]\d|2[0-3])(?P<t>[-_:.]?)[0-5]\d(?P=t)[0-5]\d"
_TOKENS: Sequence[tuple[Kind, re.Pattern[str]]] = [
    (
        Kind.HASH,
        re.compile(
            r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])"
        ),
    ),
    (
        Kind.ADDRESS,
        re.compile(
            rf"(?<!\d)(?:10[-.]{_OCTET}|192[-_.]168|172[-_.](?:1[6-9]|2\d|3[01]))"
            rf"(?:[-_.]{_OCTET}){{2}}(?!\d)"
        ),
    ),
    (Kind.ADDRESS, re.compile(rf"(?<!\d){_OCTET}(?:\.{_OCTET}){{3}}(?!\d)")),
    (Kind.DAY, re.compile(rf"(?<!\d){_DAY}(?=\D|$|{_DIGITS}(?:\d{{3}})?(?!\d))")),
    (Kind.DAY, re.compile(rf"(?<!\d){_SHORT_DAY}(?=[-_T]{_DIGITS}(?!\d))")),
    (Kind.EPOCH, re.compile(r"(?<!\d)1[0-9]{9}(?:\d{3})?(?!\d)")),
    (
        Kind.VIDEO,
        re.compile(r"(?<=[_.])(?:mp4|avi|mov|mkv|wmv|dav|h264|webm)(?=[-_.])", re.IGNORECASE),
    ),
    (Kind.NUMBER, re.compile(r"\d+")),
    (Kind.WORD, re.compile(r"[^\W\d_]+")),
]
_OF_DIGITS = [each for each in _TOKENS if each[0] not in (Kind.WORD, Kind.VIDEO)]
_OF_LETTERS = [each for each in _TOKENS if each[0] in (Kind.HASH, Kind.WORD, Kind.VIDEO)]
_TIME = re.compile(rf"{_CLOCK}(?:\.?\d{{3}})?(?!\d)")
_ALNUM = re.compile(r"[0-9A-Za-z]{16,}")
_LEAST_CHANGES = 4


def bare(name: str) -> str:
    """A name without its suffix and what annotation services and copies added."""
    stem = name.rpartition(".")[0] or name
    stem = _SERVICE.sub("", stem)
    return _COPY.sub("", _UPLOAD.sub(r"\1", stem))


def is_uploaded(name: str) -> bool:
    """Whether an annotation service put letters of its own before the name."""
    return bool(_UPLOAD.search(name.rpartition(".")[0] or name))


def fields_of(text: str) -> tuple[Field, ...]:
    """The fields of a bare name, in order; together they are all of it."""
    fields: list[Field] = []
    at = 0
    day_ended = -2
    while at < len(text):
        field = _next(text, at, near_day=at - day_ended <= 1)
        fields.append(field)
        at += len(field.text)
        if field.kind is Kind.DAY:
            day_ended = at
    return tuple(fields)


def _next(text: str, at: int, *, near_day: bool) -> Field:
    """The field that begins at a place.

    Args:
        near_day: a day ends here, or one letter before.
    """
    if not text[at].isalnum():
        return Field(Kind.BETWEEN, text[at])
    if (found := _ALNUM.match(text, at)) and _is_hash(text, at, found[0]):
        return Field(Kind.HASH, found[0])
    if near_day and (found := _TIME.match(text, at)):
        return Field(Kind.TIME, found[0])
    for kind, pattern in _OF_DIGITS if text[at].isdecimal() else _OF_LETTERS:
        if found := pattern.match(text, at):
            return Field(kind, found[0])
    return Field(Kind.BETWEEN, text[at])


def _is_hash(text: str, at: int, token: str) -> bool:
    """Letters and digits mixed, and nothing that it belongs to before it."""
    if at and text[at - 1].isalnum():
        return False
    changes = sum(a.isdigit() != b.isdigit() for a, b in pairwise(token))
    return changes >= _LEAST_CHANGES


def alike(every: Sequence[tuple[Field, ...]]) -> dict[tuple[str, ...], list[int]]:
    """Names by the shape that they have, with '/' and all else between their fields.

    What looks like a time in some names and is none in others of the same shape is a number.
    """
    loose: dict[tuple[str, ...], list[int]] = {}
    for index, fields in enumerate(every):
        loose.setdefault(tuple(map(_loose, fields)), []).append(index)
    return loose


def settled(fields: Sequence[tuple[Field, ...]]) -> list[tuple[Field, ...]]:
    """Names of one shape with the same kinds: times that are not times in all are numbers."""
    kinds = [[each[i].kind for each in fields] for i in range(len(fields[0]))]
    midnight = [
        all(each[i].text.startswith("00") for each in fields) for i in range(len(fields[0]))
    ]
    numbers = [
        len(set(found)) > 1 or (Kind.TIME in found and night)
        for found, night in zip(kinds, midnight, strict=True)
    ]
    return [
        tuple(
            replace(field, kind=Kind.NUMBER) if demoted else field
            for field, demoted in zip(each, numbers, strict=True)
        )
        for each in fields
    ]


def _loose(field: Field) -> str:
    if field.kind is Kind.BETWEEN:
        return field.text
    plain = field.text.isdigit() and field.kind in (Kind.TIME, Kind.DAY, Kind.EPOCH)
    return str(Kind.NUMBER if plain else field.kind)
