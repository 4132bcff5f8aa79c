"""Which trial of an ablation has which component, and which two differ in one alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scenario import AblationConfig, Trial
from scenario.designs.components import changes_of
from scenario.designs.trials import Value
from scenario.trial_making.changes import shown_value

BASELINE = "baseline"


@dataclass(frozen=True)
class Change:
    """Two trials that differ in one component alone.

    Args:
        component: 'augmentation', 'training.optimizer'.
        value: of the changed trial, as a file has it; `base` that of the baseline.
        changed, kept: places of the two trials.
    """

    component: str
    value: str
    base: str
    changed: int
    kept: int

    @property
    def label(self) -> str:
        """'augmentation=false'"""
        return f"{self.component.rpartition('.')[2]}={self.value}"


def changes_among(ablation: AblationConfig, trials: Sequence[Trial]) -> list[Change]:
    """Every pair of trials of one seed where one component leaves its baseline and no other does.

    With all combinations a component is changed once for each setting of the others.
    """
    settings = [_setting_of(ablation, each) for each in trials]
    baseline = {name: shown_value(value) for name, value in ablation.whole_baseline.items()}
    found = []
    for changed, mine in enumerate(settings):
        for name in ablation.components:
            if mine[name] == baseline[name]:
                continue
            wanted = {**mine, name: baseline[name]}
            found += [
                Change(name, mine[name], baseline[name], changed, kept)
                for kept, other in enumerate(settings)
                if other == wanted and trials[kept].repeat == trials[changed].repeat
            ]
    return found


def _setting_of(ablation: AblationConfig, trial: Trial) -> Mapping[str, str]:
    """Component → its value in a trial: the one whose changes are all there."""
    return {
        name: shown_value(_value_of(name, (ablation.whole_baseline[name], *values), trial))
        for name, values in ablation.components.items()
    }


def _value_of(name: str, values: Sequence[Value], trial: Trial) -> Value:
    """Of two that are both there, the one that changes more: `augmentation: true` changes none."""
    there = [
        value
        for value in values
        if all(
            path in trial.changes and shown_value(trial.changes[path]) == shown_value(each)
            for path, each in changes_of(name, value).items()
        )
    ]
    return max(there, key=lambda value: len(changes_of(name, value)))


def label_of(trial: Trial) -> str:
    """'baseline', 'augmentation=false'; of further runs with another seed '… r2'."""
    alone = trial.variable not in (BASELINE, "combination")
    named = f"{trial.variable.rpartition('.')[2]}={trial.value}" if alone else trial.value
    return f"{named} r{trial.repeat + 1}" if trial.repeat else named
