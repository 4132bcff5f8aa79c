"""Names that were probably meant: 'did you mean …?', only where one is near.

    nearest(given, known)       → those near, the nearest first
    did_you_mean(given, known)  → '; did you mean 'epochs'?', or '' where none is near

A known name is near when it differs by few slips (a letter more, less, another, or two swapped):
at most one for every three letters of the longer of the two; or when it begins or ends with all
that was given. Letters are compared without case, however a system stores accents; a Hangul
syllable counts as the letters it is made of. The suffix that two file names share says nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

LETTERS_A_SLIP = 3
"""Letters of the longer name for each slip that is forgiven."""
REMEMBERED = 8192
"""Pairs of names: a key that a file has a thousand times is compared once."""
LEAST_PART = 3
"""Letters that a part of a name must have to stand for the whole."""


def did_you_mean(given: object, known: Iterable[str], most: int = 3) -> str:
    """'; did you mean 'epochs'?' where something known is near what was given, else ''."""
    near = nearest(given, known, most)
    quoted = " or ".join(f"'{name}'" for name in near)
    return f"; did you mean {quoted}?" if near else ""


def nearest(given: object, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that are near what was given, the nearest first.

    Args:
        given: anything; what is no text is near nothing.
        most: names at most.
    """
    if not isinstance(given, str):
        return []
    found = [
        (rank, name) for name in dict.fromkeys(known) if (rank := _rank(given, name)) is not None
    ]
    return [name for _, name in sorted(found, key=lambda each: each[0])[:most]]


def slips(one: str, other: str, limit: int) -> int | None:
    """Letters that one text has more, less, other or swapped; None beyond `limit`.

    The optimal string alignment distance: of Damerau's, no letter is touched twice.
    """
    if abs(len(one) - len(other)) > limit:
        return None
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit and min(last) > limit:
            return None
        before, last = last, row
    return last[-1] if last[-1] <= limit else None


@lru_cache(REMEMBERED)
def _rank(given: str, name: str) -> tuple[int, int] | None:
    """The distance of a name: parts of it come first, then few slips. None where it is not near."""
    one, other = _without_shared_suffix(_letters(given), _letters(name))
    if one == other:
        return 0, 0
    if len(one) >= LEAST_PART and (other.startswith(one) or other.endswith(one)):
        return 1, len(other) - len(one)
    # A wrong syllable of Hangul is one slip, though it is two or three letters.
    spelled = {(one, other), (_syllables(one), _syllables(other))}
    found = [slips(*pair, max(map(len, pair)) // LETTERS_A_SLIP) for pair in spelled]
    near = [each for each in found if each is not None]
    return (2, min(near)) if near else None


def _letters(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def _syllables(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _without_shared_suffix(one: str, other: str) -> tuple[str, str]:
    head, dot, suffix = one.rpartition(".")
    ending = f"{dot}{suffix}"
    if head and suffix and other.endswith(ending) and other != ending:
        return head, other.removesuffix(ending)
    return one, other
