"""Ablation: the baseline, then one component changed at a time, then all side by side.

scenario.ablation ──► ablation-baseline, ablation-augmentation_false …, one run each
                  ──► side-by-side: what each change does, on the same images
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from guardianflow.contracts.errors import ComparisonFailedError, Problem, ScenarioError
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from scenario import AblationConfig, Scenario, Trial, ablation_trials, scenario_of
from scenario.trial_making.changes import to_check

from ..chain import Run, Work, check_all
from ..compare.ranking import values_by_run
from ..compare.several import SeveralRuns, attempt, attempt_all, tags_of
from ..design_result import DesignResult, design_result
from ..side_by_side.contenders import Contender, side_by_side
from ..side_by_side.stage import scenario_for
from ..stage.kinds import ABLATION, QUANT, TRAIN
from ..stage.plan import Planner, find_source
from ..stage.stage import StageRequest
from ..wiring import Ports
from .effects import judged_by, tabulate, write_effects
from .settings import changes_among, label_of


class AblationRunner(SeveralRuns):
    """Trainings, or quantisations of one model, that differ in single components."""

    KIND = ABLATION
    NAMED = ABLATION
    SHARED_CODE = True

    def kinds(self) -> tuple[str, ...]:
        return (self._stage,)

    @property
    def _stage(self) -> str:
        return QUANT if self.scenario.experiment_type == QUANT else TRAIN

    @property
    def section(self) -> AblationConfig:
        if self.scenario.ablation is None:
            raise ScenarioError(f"scenario '{self.scenario.name}' has no ablation section")
        return self.scenario.ablation

    def trials(self) -> list[Trial]:
        return ablation_trials(self.scenario)

    def run_checks(self, planner: Planner) -> None:
        trials = to_check(self.trials())
        check_all(self.executor, {each.name: self._make(planner, each) for each in trials})

    def requests(self, planner: Planner) -> list[StageRequest]:
        trials = self.trials()
        pending = {place: f"<{label_of(each)}>" for place, each in enumerate(trials)}
        return [*(self._make(planner, each) for each in trials), self._beside(planner, pending)]

    def stages(self, planner: Planner, run: Run) -> list[StageResult]:
        made = attempt_all([self._make(planner, each) for each in self.trials()], run)
        usable = {
            place: each.run_id for place, each in enumerate(made) if each.status != RunStatus.FAILED
        }
        if len(usable) < 2:
            return made
        return [*made, attempt(self._beside(planner, usable), run)]

    def work(self, ports: Ports, planner: Planner, run: Run) -> Work:
        results = self.stages(planner, run)
        table = tabulate(self.scenario, planner.parent_run_id or "", results)
        tags = {f"reused.{each.variant}": each.run_id for each in results if each.reused}
        tags |= {"sweep.total_runs": str(len(self.trials())), "ablation.metric": table.metric}
        metrics = self.report(ports, table, write_effects, tags)
        failed = [each for each in results if each.status == RunStatus.FAILED]
        if failed:
            told = "".join(f"\n  - {each.variant or each.stage}: {each.reason}" for each in failed)
            reason = f"{len(failed)} of {len(results)} failed:{told}"
            raise ComparisonFailedError(ABLATION, reason, table, run_id=table.run_id)
        return results, metrics

    def result_of(self, done: StageResult) -> DesignResult:
        trials = self.trials()
        by, values = judged_by(self.section), values_by_run(done.stages)
        known = [
            (by.best_first(values[stage.run_id]), place)
            for place, stage in enumerate(done.stages[: len(trials)])
            if stage.run_id in values
        ]
        best = min(known)[1] if known else None
        run_id = "" if best is None else done.stages[best].run_id
        return design_result(
            done,
            trials,
            values,
            by.metric,
            best_run_id=run_id,
            best_metric=values.get(run_id),
            best_params={} if best is None else trials[best].changes,
        )

    def tags(self) -> dict[str, str]:
        own = {"exp.type": ABLATION, "exp.design": ABLATION, "comparison.type": "component"}
        return {**self.scenario.to_all_tags(), **own}

    def _make(self, planner: Planner, trial: Trial) -> StageRequest:
        """The training or quantisation of one trial; its model is not registered."""
        label, scenario = label_of(trial), scenario_of(self.scenario, trial)
        alone = replace(planner, scenario=scenario)
        values = {
            "run_name": trial.name,
            "register": False,
            "tags": tags_of(trial),
        }
        make = alone.train if self._stage == TRAIN else partial(self._quant, alone, scenario)
        made = make(**values)
        forced = made.force or self.options.force_only == label
        title = f"{self._stage} {label}"
        return replace(made, title=title, variant_name=label, force=forced)

    def _quant(self, planner: Planner, scenario: Scenario, **values: object) -> StageRequest:
        variants = scenario.quantization_variants
        if len(variants) > 1:
            raise ScenarioError(
                Problem(
                    "an ablation of a quantisation changes one format, but "
                    f"{len(variants)} are named; keep one of them",
                    "quantization",
                )
            )
        return planner.quant(
            variants[0], find_source(self.scenario, self.options.source, QUANT), **values
        )

    def _beside(self, planner: Planner, run_ids: dict[int, str]) -> StageRequest:
        """All that ended well, each held against those that differ in one component alone."""
        trials, places = self.trials(), list(run_ids)
        changes = [
            (places.index(each.changed), places.index(each.kept))
            for each in changes_among(self.section, trials)
            if each.changed in run_ids and each.kept in run_ids
        ]
        contenders = [
            Contender(
                label_of(trials[place]),
                f"runs:/{run_ids[place]}",
                tuple(kept for changed, kept in changes if changed == number),
            )
            for number, place in enumerate(places)
        ]
        alone = replace(planner, scenario=scenario_for(self.scenario))
        return side_by_side(alone, contenders, judged_by(self.section))
