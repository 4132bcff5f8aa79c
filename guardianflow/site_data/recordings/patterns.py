"""Regular expressions that tell the recording of an image from its path.

    check_pattern(text)                  raises what is wrong with it, before any data is read
    match_names(text, names, limit_s)    name → the text of each named group; None: no match

A pattern may take for ever on a name ('(a+)+b'), and nothing in Python stops `re` from outside its
process: so names are matched in a child, which is ended when its time is up.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from ...contracts.errors import DatasetError
from ...support.suggestions import did_you_mean, slips
from ...support.text.shortening import shortened
from ...support.text.spelling import nfc

CAMERA, RECORDING, FRAME, TIME, DATE = "camera", "recording", "frame", "time", "date"
KNOWN = (CAMERA, RECORDING, FRAME, TIME, DATE)
LONGEST = 1000
LIMIT_S = 20.0
"""For all names of a set: 100,000 take about a second."""
_EXAMPLE = r"(?P<camera>cam\d+)_(?P<recording>\d{8}_\d{6})_(?P<frame>\d+)"
_CHILD = """
import json, re, sys
given = json.load(sys.stdin)
search = re.compile(given["pattern"]).search
found = [search(name) for name in given["names"]]
json.dump([each and each.groupdict("") for each in found], sys.stdout)
"""


def check_pattern(text: str) -> None:
    """Raises ValueError: it does not compile, or names no group that tells recordings apart."""
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text)} characters, {LONGEST} are the most")
    try:
        named = re.compile(nfc(text)).groupindex
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"it is no regular expression: {exc}") from exc
    misspelt = [f"the group '{n}'{did_you_mean(n, [near])}" for n, near in misspelt_in(named)]
    if misspelt:
        raise ValueError(f"it names {' and '.join(misspelt)}")
    if CAMERA not in named and RECORDING not in named:
        has = f"; its named groups are {', '.join(named)}" if named else ""
        raise ValueError(f"it names neither camera nor recording{has}; like {_EXAMPLE}")


def misspelt_in(named: Iterable[str]) -> list[tuple[str, str]]:
    """Names that are almost one of ours that is lacking, with ours: they would say nothing."""
    every = [*named]
    return [
        (name, known)
        for name in every
        for known, most in ((CAMERA, 2), (RECORDING, 2), (FRAME, 1))
        if name not in KNOWN and known not in every and slips(name.lower(), known, most) is not None
    ]


def match_names(
    text: str, names: Sequence[str], limit_s: float = LIMIT_S
) -> list[Mapping[str, str] | None]:
    """What each named group holds in each name; '' for one that took no part.

    Raises:
        DatasetError: it takes longer than `limit_s`.
    """
    given = json.dumps({"pattern": nfc(text), "names": list(names)})
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CHILD],
            input=given,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=limit_s,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise DatasetError(
            f"dataset.groups: the pattern '{shortened(text, 200)}' took longer than {limit_s:g} s "
            f"on {len(names)} names; write classes that end at a separator, like [^_/]+, instead "
            "of nested or repeated .* and .+"
        ) from None
    found: list[Mapping[str, str] | None] = json.loads(done.stdout)
    return found
