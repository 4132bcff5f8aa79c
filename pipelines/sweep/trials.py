"""The stages of a sweep's trials: what a combination of values is run as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from guardianflow.contracts.errors import ScenarioError
from scenario import Scenario
from scenario.designs.sections import SweepConfig
from scenario.designs.trials import Trial, Value
from scenario.designs.values import ParameterRange
from scenario.trial_making.changes import scenario_of
from scenario.trial_making.sweeps import combinations_of, grid, sweep_trials

from ..stage.kinds import INFER, SWEEP, TRAIN
from ..stage.plan import Planner, find_source, select_variants
from ..stage.stage import StageRequest
from .search.objectives import Objective


@dataclass(frozen=True)
class Trials:
    """The trials of one scenario that has a sweep."""

    scenario: Scenario

    @property
    def sweep(self) -> SweepConfig:
        """Raises ScenarioError: there is none."""
        if self.scenario.sweep is None:
            raise ScenarioError(
                f"scenario '{self.scenario.name}' names nothing to sweep; write sweep: "
                "{parameters: {learning_rate: [0.001, 0.01]}} into it, or give "
                "-p 'learning_rate=[0.001,0.01]'"
            )
        return self.scenario.sweep

    @property
    def stage(self) -> str:
        """The kind of the trials: the scenario's type, else trainings."""
        return self.scenario.experiment_type or TRAIN

    @property
    def objectives(self) -> tuple[Objective, ...]:
        sweep = self.sweep
        return tuple(map(Objective, sweep.metric, sweep.directions))

    @property
    def is_grid(self) -> bool:
        return self.sweep.strategy == "grid"

    @property
    def seed(self) -> int:
        """Of the search itself."""
        own = self.sweep.seed
        return self.scenario.environment.seed if own is None else own

    @property
    def most_epochs(self) -> int:
        """Of the longest training."""
        given = self.sweep.parameters.get("training.epochs", (self.scenario.training.epochs,))
        values = given.ends if isinstance(given, ParameterRange) else given
        return max(int(each) for each in values if isinstance(each, (int, float)))

    def given(self) -> list[Mapping[str, Value]]:
        """The combinations of a grid, in order; [] where they are drawn."""
        return list(combinations_of(self.sweep, self.scenario)) if self.is_grid else []

    def check(self) -> None:
        """Raises ScenarioError: names each trial of a grid that contradicts itself."""
        if self.is_grid:
            grid(self.sweep, self.scenario)

    def shown(self) -> list[Trial]:
        """Trials with every value of every list; the first of them stands for all."""
        choices = {
            path: values.ends if isinstance(values, ParameterRange) else values
            for path, values in self.sweep.parameters.items()
        }
        drawn = [
            {path: values[place % len(values)] for path, values in choices.items()}
            for place in range(max(map(len, choices.values())))
        ]
        return [self.of(index, each)[0] for index, each in enumerate(self.given() or drawn)]

    def of(self, index: int, params: Mapping[str, Value]) -> list[Trial]:
        """The runs of a combination: one for each seed."""
        return sweep_trials(self.scenario, index * self.sweep.repeats, params)

    def single(self, trial: Trial) -> Scenario:
        """The scenario of one trial."""
        return scenario_of(self.scenario, trial)

    def request(self, planner: Planner, trial: Trial) -> StageRequest:
        """The stage of a trial; its model is not registered."""
        single = self.single(trial)
        below = replace(planner, scenario=single)
        tags = {
            "exp.design": SWEEP,
            "sweep.index": str(trial.index),
            "sweep.params": json.dumps(dict(trial.changes), ensure_ascii=False),
            **({"sweep.repeat": str(trial.repeat)} if self.sweep.repeats > 1 else {}),
        }
        given: dict[str, Any] = {"run_name": trial.name, "tags": tags, "register": False}
        if self.stage == TRAIN:
            return replace(below.train(**given), title=trial.name)
        source = find_source(self.scenario, planner.options.source, self.stage)
        if self.stage == INFER:
            return replace(below.infer(source, **given), title=trial.name)
        return replace(below.quant(self._variant(single, planner), source, **given),
                       title=trial.name)  # fmt: skip

    def judging(self, planner: Planner, trial: Trial, run_id: str) -> StageRequest:
        """The stage that measures the model of a training."""
        tags = {"sweep.judges": run_id, "sweep.index": str(trial.index)}
        below, name = replace(planner, scenario=self.single(trial)), f"{trial.name}-infer"
        return replace(below.infer(f"runs:/{run_id}", run_name=name, tags=tags), title=name)

    def _variant(self, single: Scenario, planner: Planner) -> Any:
        variants = select_variants(single, planner.options.backend)
        if len(variants) > 1:
            names = ", ".join(each.variant for each in variants)
            raise ScenarioError(
                f"a sweep of quantisation makes one variant a trial but quantization has {names}; "
                "leave one, or compare them with `guardianflow compare`"
            )
        return variants[0]
