"""Readings on their way to the run: one owner for each key, one value for each point."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from guardianflow.contracts.results import MetricPoint

from .metric_keys import PRINTED, Reading

MOST_KEYS = 300
PRINTED_POINTS_A_LOG = 400
MOST_WAITING = 20_000
HOLD_S = 5.0


class MetricBuffer:
    """Decides which readings become points.

    A key belongs to the source that knows best: a declared place before a table, a table before a
    printed line, and among equals the first. Printed values of detection wait HOLD_S for a table
    that says the same more exactly. Of a key's values for one step, and of more printed points
    than PRINTED_POINTS_A_LOG at a time, the last counts; how many gave way is counted.

    Args:
        now: seconds of a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._owners: dict[str, tuple[int, str]] = {}
        self._last_step: dict[str, int] = {}
        self._held: list[tuple[float, Reading]] = []
        self._points: dict[tuple[str, int], MetricPoint] = {}
        self._printed: set[tuple[str, int]] = set()
        self.overwritten = 0
        self.logged = 0
        self.refused_keys: Counter[str] = Counter()

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self._owners)

    def add(self, readings: Iterable[Reading], origin: str = "") -> None:
        """Take readings of one place.

        Args:
            origin: the directory of the file; '' for printed lines.
        """
        for reading in readings:
            if reading.source == PRINTED and reading.key.startswith("det."):
                self._held.append((self._now() + HOLD_S, reading))
            else:
                self._take(reading, origin)

    def take(self, *, last: bool = False) -> list[MetricPoint]:
        """The points to log now, oldest first; they are kept until `done` is called.

        Args:
            last: nothing comes after this, so nothing is held back.
        """
        due = [r for until, r in self._held if last or until <= self._now()]
        self._held = [] if last else [(u, r) for u, r in self._held if u > self._now()]
        for reading in due:
            self._take(reading, "")
        printed = [place for place in self._points if place in self._printed]
        if len(printed) > PRINTED_POINTS_A_LOG:
            latest = dict(printed)
            for place in printed:
                if latest[place[0]] != place[1]:
                    self._drop(place)
        while len(self._points) > MOST_WAITING:
            self._drop(next(iter(self._points)))
        return list(self._points.values())

    def done(self) -> None:
        """Forgets what `take` gave: it has been logged."""
        self.logged += len(self._points)
        self._points.clear()
        self._printed.clear()

    def _drop(self, place: tuple[str, int]) -> None:
        del self._points[place]
        self._printed.discard(place)
        self.overwritten += 1

    def _take(self, reading: Reading, origin: str) -> None:
        key, claim = reading.key, (reading.source, origin)
        owner = self._owners.get(key, claim)
        if owner != claim and claim[0] <= owner[0]:
            return
        full = key not in self._owners and len(self._owners) >= MOST_KEYS
        if full and not key.startswith("det."):
            self.refused_keys[key if len(self.refused_keys) < MOST_KEYS else "…"] += 1
            return
        self._owners[key] = claim
        step = self._last_step.get(key, 0) + 1 if reading.step is None else reading.step
        self._last_step[key] = step
        place = (key, step)
        if place in self._points:
            self.overwritten += 1
        self._points[place] = MetricPoint(key, reading.value, step, int(time.time() * 1000))
        if not origin:
            self._printed.add(place)
