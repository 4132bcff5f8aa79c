"""The facts of a script's code, however it was read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .call_meanings import Meaning

MODULE = ""
"""The name of the place outside every function."""


@dataclass(frozen=True)
class Evidence:
    """One call that says what the script does.

    Args:
        place: the top function or class it stands in; '' outside all.
        guarded: only where a file is missing: `if not exists(engine): model.export(…)`.
    """

    meaning: Meaning
    line: int
    place: str = MODULE
    guarded: bool = False


@dataclass(frozen=True)
class Facts:
    """The facts of a script's code.

    Args:
        modules: dotted names of what it imports; relative ones without their dots.
        uses: module → names that it takes from there.
        places: functions and classes at the top → the names they mention; MODULE: those outside.
        acts: code at the top does more than define: running it does something.
        has_main: `if __name__ == "__main__"`.
        is_test: pytest or unittest.
        data, weights: paths in its strings.
    """

    evidence: tuple[Evidence, ...] = ()
    modules: frozenset[str] = frozenset()
    uses: dict[str, frozenset[str]] = field(default_factory=dict)
    places: dict[str, frozenset[str]] = field(default_factory=dict)
    acts: bool = False
    has_main: bool = False
    is_test: bool = False
    data: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()

    def reachable(self, names: Iterable[str]) -> frozenset[str]:
        """The places that run when those of the names do, as far as names tell."""
        seen: set[str] = set()
        waiting = [name for name in names if name in self.places]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += [each for each in self.places[name] if each in self.places]
        return frozenset(seen)
