"""The names that the store knows: what may be asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...contracts.errors import ConfigurationError
from ...support.suggestions import did_you_mean


@dataclass(frozen=True)
class KnownNames:
    """Sorted, each once."""

    customer: tuple[str, ...]
    site: tuple[str, ...]
    zone: tuple[str, ...]
    task: tuple[str, ...]
    experiment_type: tuple[str, ...]
    model_architecture: tuple[str, ...]


class UnknownNameError(ConfigurationError):
    """No run in the store has that name.

    Attributes:
        known: the names there are.
    """

    def __init__(self, what: str, given: str, known: Iterable[str]) -> None:
        self.what, self.given, self.known = what, given, tuple(known)
        there = ", ".join(self.known[:50]) or "none yet"
        super().__init__(
            f"{what} must be one that a run in the store has but got '{given}'"
            f"{did_you_mean(given, self.known)}; known: {there}"
        )
