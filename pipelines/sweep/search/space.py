"""The space that a study asks for: how many combinations it has, and which are near each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from scenario.designs.trials import Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

COUNTED_UP_TO = 100_000
"""Combinations of lists up to which the untried ones are listed; beyond, chance suffices."""
Key = tuple[tuple[bool, Value], ...]
"""A combination's values; 1 and true are two."""
Params = Mapping[str, Value]


@dataclass(frozen=True)
class Space:
    """What is tried of each parameter.

    Args:
        distributions: path in the scenario → Optuna's distribution.
    """

    distributions: Mapping[str, BaseDistribution]

    @property
    def size(self) -> int | None:
        """How many combinations there are; None where a parameter has any number of values."""
        choices = [choices_of(each) for each in self.distributions.values()]
        return None if None in choices else prod(len(each) for each in choices if each is not None)

    def key(self, params: Mapping[str, Any]) -> Key:
        values = (plain_value(params[name]) for name in self.distributions)
        return tuple((isinstance(value, bool), value) for value in values)

    def untried(self, tried: Collection[Key]) -> list[Params]:
        """Combinations of lists that are left; none where there are too many to list."""
        if self.size is None or self.size > COUNTED_UP_TO:
            return []
        choices = [choices_of(each) or [] for each in self.distributions.values()]
        every = (dict(zip(self.distributions, each, strict=True)) for each in product(*choices))
        return [each for each in every if self.key(each) not in tried]

    def nearest(self, some: Sequence[Params], wanted: Mapping[str, Any]) -> Params:
        """Which of some is the fewest steps in the sorted lists away; another name is one."""
        proposed = {name: plain_value(wanted[name]) for name in self.distributions}

        def apart(one: Params) -> int:
            return sum(
                abs(places[one[name]] - places[proposed[name]]) if places
                else one[name] != proposed[name]
                for name, places in self._places.items()
            )  # fmt: skip

        return min(some, key=apart)

    @cached_property
    def _places(self) -> dict[str, dict[Value, int]]:
        """Parameter → number → its place in its sorted list; nothing for names."""
        places: dict[str, dict[Value, int]] = {}
        for name, distribution in self.distributions.items():
            values = choices_of(distribution) or []
            numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
            ordered = sorted(values) if numbers else []  # type: ignore[type-var]
            places[name] = {value: place for place, value in enumerate(ordered)}
        return places


def plain_value(value: Value) -> Value:
    """A value as people write it: of low + 3 · step, 0.3 instead of 0.30000000000000004."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def choices_of(distribution: BaseDistribution) -> list[Value] | None:
    """The values of a distribution; None where there is any number of them."""
    from optuna import distributions as kinds

    if isinstance(distribution, kinds.CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, kinds.IntDistribution) and not distribution.log:
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, kinds.FloatDistribution) and distribution.step:
        count = round((distribution.high - distribution.low) / distribution.step)
        values = (distribution.low + place * distribution.step for place in range(count + 1))
        return [plain_value(value) for value in values]
    return None
