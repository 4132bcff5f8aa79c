"""A set of numbers most of which follow each other: of records that were sent."""

from __future__ import annotations

import threading


class NumberSet:
    """Numbers from 1: all up to one, and some above it. Any thread may use it."""

    def __init__(self) -> None:
        self._up_to = 0
        self._above: set[int] = set()
        self._lock = threading.Lock()

    def add(self, first: int, last: int | None = None) -> None:
        """Add a number, or all from `first` to `last`."""
        with self._lock:
            self._above.update(range(max(first, self._up_to + 1), (last or first) + 1))
            while self._up_to + 1 in self._above:
                self._up_to += 1
                self._above.remove(self._up_to)

    def __contains__(self, number: int) -> bool:
        with self._lock:
            return number <= self._up_to or number in self._above

    def has_all_up_to(self, number: int) -> bool:
        return self._up_to >= number
