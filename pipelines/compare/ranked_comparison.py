"""What comparisons of architectures, runs, versions and data sets share: stages, ranks, a report.

stages ──► results ──► tabulate ──► RankedTable ──► report/comparison.{md,csv,json,png}
"""

from __future__ import annotations

from collections.abc import Sequence

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from scenario import ComparisonConfig, Scenario, Trial, comparison_trials

from ..chain import Run, Work
from ..design_result import DesignResult, design_result
from ..side_by_side.figures import RankedBy
from ..stage.kinds import COMPARE, SIDE_BY_SIDE
from ..stage.plan import Planner
from ..tables import origin_of
from ..wiring import Ports
from .pooled import pooled_rows
from .ranked_report import write_ranked
from .ranked_table import RankedTable
from .ranking import measured_rows, models_of, ranked, reference_of, values_by_run
from .several import SeveralRuns, raise_failures


class RankedComparison(SeveralRuns):
    """One row a model or data set; a failure ends its row and is told when all is done."""

    KIND = COMPARE
    NAMED = "compare"

    @property
    def section(self) -> ComparisonConfig:
        return section_of(self.scenario)

    @property
    def by(self) -> RankedBy:
        return ranked_by(self.section)

    def work(self, ports: Ports, planner: Planner, run: Run) -> Work:
        parent = planner.parent_run_id or ""
        results = self.stages(planner, run)
        table = self.tabulate(parent, results)
        tags = {
            "sweep.total_runs": str(len(models_of(results))),
            "comparison.metric": self.by.metric,
        }
        metrics = self.report(ports, table, write_ranked, table.tags | tags)
        lost = any(
            each.stage == SIDE_BY_SIDE and each.status == RunStatus.FAILED for each in results
        )
        raise_failures(results, table, str(len(models_of(results)) + lost))
        return results, metrics

    def trials(self) -> list[Trial]:
        return comparison_trials(self.scenario)

    def kinds(self) -> tuple[str, ...]:
        return ()

    def result_of(self, done: StageResult) -> DesignResult:
        table = self.tabulate(done.run_id, done.stages)
        best, trials = table.best, self.trials()
        named = (each.changes for each in trials if best and each.value == best.variant)
        values = {row.run_id: row.value for row in table.rows if row.value is not None}
        return design_result(
            done,
            trials,
            values | values_by_run(done.stages),
            self.by.metric,
            best_run_id=best.run_id if best else "",
            best_metric=best.value if best else None,
            best_params=next(named, {}),
        )

    def tabulate(self, run_id: str, results: Sequence[StageResult]) -> RankedTable:
        return tabulate_models(self.scenario, run_id, results)

    def tags(self) -> dict[str, str]:
        return {
            **self.scenario.to_all_tags(),
            "exp.type": COMPARE,
            "exp.design": "comparison",
            "comparison.type": self.section.variable,
        }


def section_of(scenario: Scenario) -> ComparisonConfig:
    if scenario.comparison is None:
        raise ScenarioError(f"scenario '{scenario.name}' has no comparison section")
    return scenario.comparison


def ranked_by(section: ComparisonConfig) -> RankedBy:
    metric, direction = section.ranked_by
    return RankedBy(metric, maximize=direction == "maximize")


def tabulate_models(scenario: Scenario, run_id: str, results: Sequence[StageResult]) -> RankedTable:
    """The table of models on the same images, from the results of a comparison's stages."""
    section = section_of(scenario)
    by = ranked_by(section)
    if section.of == "architectures" and section.repeats > 1:
        names = {label_of(trial): trial.value for trial in comparison_trials(scenario)}
        rows = ranked(pooled_rows(names, results, by), by)
    else:
        rows = ranked(measured_rows(results, by), by)
    said = [note for each in results for note in each.notes]
    return RankedTable(
        **origin_of(scenario, run_id, results),
        rows=tuple(rows),
        split=scenario.dataset.split or "test, or val where there is none",
        variable=section.variable,
        metric=by.metric,
        reference=reference_of(rows),
        pairs=max(1, sum(row.delta is not None and not row.recorded for row in rows)),
        remarks=tuple(dict.fromkeys(said)),
    )


def label_of(trial: Trial) -> str:
    """'yolo11s', of further trainings with another seed 'yolo11s r2'."""
    return f"{trial.value} r{trial.repeat + 1}" if trial.repeat else trial.value
