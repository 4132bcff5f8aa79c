"""The cross-site test: one model on the data of several sites, without training.

    scenario.comparison.datasets ──► dataset-{name}: infer on each ──► SiteTable

The model is the one named, else the champion of the scenario's own name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guardianflow.contracts.releases import CHAMPION
from guardianflow.contracts.results import StageResult
from scenario import Scenario, Trial, comparison_trials, scenario_of

from ..chain import Run, check_all
from ..settings import BUILTIN_EXPERIMENT
from ..side_by_side.stage import scenario_for
from ..stage.kinds import INFER
from ..stage.plan import Planner, find_source
from ..stage.stage import StageRequest
from ..tables import origin_of
from .ranked_comparison import RankedComparison, ranked_by, section_of
from .ranked_table import SiteTable
from .ranking import ranked, reference_of, site_rows
from .several import attempt_all, tags_of


class DatasetComparison(RankedComparison):
    """One infer stage a data set, all by our own evaluator."""

    def run_checks(self, planner: Planner) -> None:
        check_all(self.executor, {each.run_name: each for each in self.requests(planner)})

    def requests(self, planner: Planner) -> list[StageRequest]:
        return [self._infer(planner, each) for each in self.trials()]

    def stages(self, planner: Planner, run: Run) -> list[StageResult]:
        return attempt_all(self.requests(planner), run)

    def tabulate(self, run_id: str, results: Sequence[StageResult]) -> SiteTable:
        return tabulate_sites(self.scenario, run_id, results)

    def tags(self) -> dict[str, str]:
        return {**super().tags(), "source.model": source_of(self.scenario, self.options.source)}

    def _infer(self, planner: Planner, trial: Trial) -> StageRequest:
        alone = replace(planner, scenario=scenario_for(scenario_of(self.scenario, trial)))
        return alone.infer(
            source_of(self.scenario, self.options.source),
            trial.value,
            run_name=trial.name,
            code_path=BUILTIN_EXPERIMENT,  # an author's Benchmark might judge by other rules
            tags=tags_of(trial),
        )


def source_of(scenario: Scenario, given: str) -> str:
    """The model that is judged: the one named, else the site's champion."""
    if given or scenario.source_run_id or scenario.model.weights_path:
        return find_source(scenario, given, INFER)
    return f"models:/{scenario.get_registered_model_name()}@{CHAMPION}"


def tabulate_sites(scenario: Scenario, run_id: str, results: Sequence[StageResult]) -> SiteTable:
    """The table of data sets. The scenario's own one, where it is among them, is the reference."""
    section = section_of(scenario)
    by = ranked_by(section)
    home = [
        each.value
        for each in comparison_trials(scenario)
        if each.changes["dataset.path"] == scenario.dataset.path
    ]
    rows = ranked(site_rows(results, by), by, reference=home[0] if home else "")
    return SiteTable(
        **origin_of(scenario, run_id, results),
        rows=tuple(rows),
        split=scenario.dataset.split or "test, or val where there is none",
        variable=section.variable,
        metric=by.metric,
        reference=reference_of(rows),
        remarks=tuple(f"{each.variant}: {note}" for each in results for note in each.notes),
    )
