"""The trials of a sweep: of a grid all at once, of other strategies one combination at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from ..designs.sections import SweepConfig
from ..designs.trials import Trial, Value
from ..schema import Scenario
from .changes import checked


def grid(sweep: SweepConfig, scenario: Scenario) -> list[Trial]:
    """Every combination, or `max_runs` of them by chance, each as often as it is repeated.

    The same seed takes the same combinations; they stay in the order of the grid.

    Raises:
        ScenarioError: names each combination that contradicts itself or the scenario.
    """
    trials: list[Trial] = []
    for changes in combinations_of(sweep, scenario):
        trials += sweep_trials(scenario, len(trials), changes)
    return checked(scenario, trials)


def sweep_trials(scenario: Scenario, index: int, changes: Mapping[str, Value]) -> list[Trial]:
    """The runs of one combination, one for each repeat.

    Args:
        index: of the first of them.
    """
    assert scenario.sweep is not None
    return [
        Trial(index + repeat, f"{scenario.name}-{index + repeat:03d}", changes, repeat=repeat)
        for repeat in range(scenario.sweep.repeats)
    ]


def combinations_of(sweep: SweepConfig, scenario: Scenario) -> Iterator[dict[str, Value]]:
    """The values of each combination of a grid: path → value; the last parameter goes fastest."""
    choices = sweep.choices
    total = sweep.combinations
    assert total is not None  # a grid's ranges have steps
    most = sweep.planned_combinations
    if most < total:
        seed = scenario.environment.seed if sweep.seed is None else sweep.seed
        numbers: Sequence[int] = sorted(_drawn(total, most, random.Random(seed)))
    else:
        numbers = range(total)
    for number in numbers:
        values: dict[str, Value] = {}
        for path, each in reversed(choices.items()):
            number, place = divmod(number, len(each))
            values[path] = each[place]
        yield {path: values[path] for path in choices}


def _drawn(total: int, most: int, chance: random.Random) -> set[int]:
    """`most` different numbers below `total`, however large it is."""
    drawn: set[int] = set()
    for high in range(total - most, total):  # Floyd's way: one draw for each
        number = chance.randrange(high + 1)
        drawn.add(high if number in drawn else number)
    return drawn
