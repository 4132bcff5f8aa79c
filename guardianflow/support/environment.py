"""Environment variables for a while: libraries read them, and set some themselves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def environment(values: Mapping[str, str | None], restored: Iterable[str] = ()) -> Iterator[None]:
    """Set variables inside the block; afterwards each is as it was.

    Args:
        values: name → value; None removes the variable.
        restored: variables that are not set, but put back when something inside has set them.
    """
    before = {name: os.environ.get(name) for name in (*values, *restored)}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
