"""Rows of lists, and whoever gives them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..names import display_name


class NotReadableError(Exception):
    """This way of reading can't be gone here; mlflow's own way tells more, or what is wrong."""


@dataclass(frozen=True)
class RunLine:
    """A run as a list shows it.

    Args:
        started_ms: since 1970.
        metrics: the last values of those that were asked for; one that is not there is absent.
    """

    run_id: str
    experiment: str
    name: str
    status: str
    started_ms: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class ExperimentLine:
    """An experiment as a list shows it.

    Args:
        runs: how many; None where they can't be counted without fetching each: MLflow's API
            counts nothing.
        last_ms: the start of its newest run; None where there is none, or where it is older than
            those of as many experiments as were asked for.
    """

    name: str
    runs: int | None
    last_ms: int | None


@dataclass(frozen=True)
class VersionLine:
    """A registered version; `name` has dots."""

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str | None
    created_ms: int

    @property
    def display_name(self) -> str:
        return display_name(self.name)

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True)
class ModelLine:
    """A registered model that has versions.

    Args:
        name: with dots.
        aliases: alias → version.
        tags: of the model itself.
        versions: how many there are.
        created_ms: of the newest.
    """

    name: str
    aliases: Mapping[str, str]
    tags: Mapping[str, str]
    versions: int
    created_ms: int


class Overview(Protocol):
    """Newest first, whole lists at most `limit` long; `customer` is a name's first part, '' all.

    Every method raises TrackingError where the store can't be read.
    """

    def runs(self, customer: str, limit: int, metrics: Sequence[str]) -> list[RunLine]:
        """Runs with those metrics, if they have them."""
        ...

    def experiments(self, customer: str, limit: int) -> list[ExperimentLine]:
        """Every experiment: those with the newest runs first, the others by name."""
        ...

    def versions(self, customer: str, limit: int) -> list[VersionLine]:
        """Registered versions."""
        ...

    def models(self, pattern: str, customer: str) -> list[ModelLine]:
        """Models whose name, in slash or dot form, holds `pattern`."""
        ...


def belongs(name: str, customer: str) -> bool:
    """Whether a name, with slashes, is that customer's."""
    return not customer or name.split("/")[0] == customer


def is_asked(registered: str, pattern: str, customer: str) -> bool:
    """Whether a registered name, with dots, holds the pattern and is that customer's."""
    return pattern.replace("/", ".") in registered and belongs(display_name(registered), customer)


def finite(metrics: Iterable[tuple[str, float]], wanted: Sequence[str]) -> dict[str, float]:
    """Those that were asked for; what is no number is absent."""
    return {key: value for key, value in metrics if key in wanted and math.isfinite(value)}


def in_order(lines: Iterable[ExperimentLine]) -> list[ExperimentLine]:
    return sorted(lines, key=lambda line: (-(line.last_ms or 0), line.name))


def aliases_of(version: str, aliases: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(alias for alias, of in aliases.items() if of == version))
