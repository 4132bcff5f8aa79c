"""The trials of an ablation: the baseline first, then one component changed at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from ..designs.components import changes_of
from ..designs.sections import AblationConfig
from ..designs.trials import Trial, Value
from ..designs.values import same
from ..schema import Scenario
from .changes import checked, repeated, shown_value

BASELINE = "baseline"
ALL = "combination"
"""Variable of a trial that differs from the baseline in several components."""


def ablation_trials(scenario: Scenario) -> list[Trial]:
    """The baseline, and each other value of each component, or every combination of them.

    The variable is the component ('augmentation', 'training.optimizer'), 'baseline', or
    'combination' where several components differ; the value tells what differs.

    Raises:
        ScenarioError: names each that contradicts the scenario.
    """
    ablation = scenario.ablation
    assert ablation is not None
    baseline = ablation.whole_baseline
    once = []
    for values in _settings(ablation):
        differs = {name: each for name, each in values.items() if not same(each, baseline[name])}
        changes = {
            path: value for name, each in values.items() for path, value in
            changes_of(name, each).items()
        }  # fmt: skip
        once.append(Trial(0, _run_name(differs), changes, *_variable(differs)))
    return checked(scenario, repeated(once, ablation.repeats))


def _settings(ablation: AblationConfig) -> Iterator[dict[str, Value]]:
    """Component → value, of each trial."""
    baseline = ablation.whole_baseline
    yield dict(baseline)
    if ablation.all_combinations:
        for values in itertools.product(*ablation.components.values()):
            setting = dict(zip(ablation.components, values, strict=True))
            if not all(same(each, baseline[name]) for name, each in setting.items()):
                yield setting
        return
    for name, choices in ablation.components.items():
        for value in choices:
            if not same(value, baseline[name]):
                yield {**baseline, name: value}


def _variable(differs: Mapping[str, Value]) -> tuple[str, str]:
    """Tags comparison.variable and comparison.value."""
    if len(differs) == 1:
        ((name, value),) = differs.items()
        return name, shown_value(value)
    text = ",".join(f"{name}={shown_value(value)}" for name, value in differs.items())
    return (ALL, text) if differs else (BASELINE, BASELINE)


def _run_name(differs: Mapping[str, Value]) -> str:
    """'ablation-augmentation_false'; values that are paths by their last part."""
    parts = (
        f"{name.rpartition('.')[2]}_{shown_value(value).rpartition('/')[2]}"
        for name, value in differs.items()
    )
    return "-".join(["ablation", *(parts if differs else (BASELINE,))])
