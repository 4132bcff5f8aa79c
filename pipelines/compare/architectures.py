"""Compare architectures: each is trained, then all are measured side by side.

scenario.comparison.architectures ──► arch-{architecture}, one training each
                                  ──► side-by-side: same images, times by turns
                                  ──► the best one is registered
"""

from __future__ import annotations

from dataclasses import replace

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from scenario import Trial, scenario_of
from scenario.trial_making.changes import to_check

from ..chain import Run, check_all
from ..side_by_side.contenders import Contender, side_by_side
from ..side_by_side.stage import scenario_for
from ..stage.kinds import TRAIN
from ..stage.plan import Planner
from ..stage.stage import StageRequest
from .ranked_comparison import RankedComparison, label_of
from .several import attempt, attempt_all, tags_of


class ArchitectureComparison(RankedComparison):
    """Trainings that differ in their network alone. Only the best model is registered."""

    SHARED_CODE = True

    def kinds(self) -> tuple[str, ...]:
        return (TRAIN,)

    def run_checks(self, planner: Planner) -> None:
        trials = to_check(self.trials())
        check_all(self.executor, {each.name: self._train(planner, each) for each in trials})

    def requests(self, planner: Planner) -> list[StageRequest]:
        trials = self.trials()
        contenders = [self._contender(each, f"<{label_of(each)}>") for each in trials]
        trainings = [self._train(planner, each) for each in trials]
        return [*trainings, self._beside(planner, contenders)]

    def stages(self, planner: Planner, run: Run) -> list[StageResult]:
        trials = self.trials()
        made = attempt_all([self._train(planner, each) for each in trials], run)
        usable = [
            self._contender(trial, each.run_id)
            for trial, each in zip(trials, made, strict=True)
            if each.status != RunStatus.FAILED
        ]
        if not usable:
            return made
        return [*made, attempt(self._beside(planner, usable), run)]

    def _train(self, planner: Planner, trial: Trial) -> StageRequest:
        label = label_of(trial)
        alone = replace(planner, scenario=scenario_of(self.scenario, trial))
        request = alone.train(
            run_name=trial.name, register=False, variant_name=label, tags=tags_of(trial)
        )
        return replace(request, title=f"train {label}")

    def _contender(self, trial: Trial, run_id: str) -> Contender:
        name = self.scenario.get_registered_model_name() if self.options.register else ""
        group = trial.value if self.section.repeats > 1 else ""
        return Contender(label_of(trial), f"runs:/{run_id}", name=name, group=group)

    def _beside(self, planner: Planner, contenders: list[Contender]) -> StageRequest:
        alone = replace(planner, scenario=scenario_for(self.scenario))
        return side_by_side(alone, contenders, self.by)
