"""What our tracking costs a training: the same training with and without it, by turns.

With: the train stage's work in a real SQLite MLflow store (run, configuration, metrics of every
epoch while it trains, plots, results, log, weights, model logged and registered).
Without: the same trainer on the same data, its callbacks going nowhere.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.verdict import by_turns, conclude
from pipelines.settings import PROJECT_ROOT, load_settings
from pipelines.stage.events import EventSink
from pipelines.stage.execution.execute import execute
from pipelines.stage.plan import Planner, RunOptions
from pipelines.stage.stage import StageContext, StageOutcome, StagePlan
from pipelines.stage.tracked_run import Opening
from pipelines.train.stage import TrainStage
from pipelines.wiring import connect
from scenario import Scenario, load_scenario

GOAL = 1.02


@dataclass(frozen=True)
class Prepared:
    """A stage whose checks are done already: they are no part of tracking."""

    stage: TrainStage
    plan: StagePlan

    def prepare(self) -> StagePlan:
        return self.plan

    def work(self, run_id: str) -> StageOutcome:
        return self.stage.work(run_id)

    def check_free(self, plan: StagePlan) -> None:
        self.stage.check_free(plan)

    def hold(self, plan: StagePlan) -> AbstractContextManager[Opening]:
        return self.stage.hold(plan)

    def forget(self, plan: StagePlan, run_id: str) -> None:
        self.stage.forget(plan, run_id)


class Trainings:
    """Both sides of the comparison, on one prepared data set."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self._settings = load_settings()
        self._ports = connect(f"sqlite:///{folder / 'mlflow.db'}")
        options = RunOptions(force=True)
        planner = Planner(scenario, self._settings, options, self._ports.store.tracking_uri)
        self._request = planner.train()
        self._scenario = scenario.as_type("train")
        self._folder, self._count = folder, 0

    def _context(self) -> StageContext:
        self._count += 1
        scratch = self._folder / str(self._count)
        scratch.mkdir()
        return StageContext(
            request=self._request,
            scenario=self._scenario,
            settings=self._settings,
            ports=self._ports,
            events=EventSink(None),
            scratch=scratch,
        )

    def tracked(self) -> float:
        context = self._context()
        stage = TrainStage(context)
        prepared = Prepared(stage, stage.prepare())
        began = time.perf_counter()
        execute(prepared, context)
        return time.perf_counter() - began

    def bare(self) -> float:
        context = self._context()
        stage = TrainStage(context)
        stage.prepare()
        output = context.scratch / "training"
        output.mkdir()
        began = time.perf_counter()
        stage.build_trainer(output, lambda _epoch, _metrics: None).train()
        return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=0, help="0 takes the demo scenario's")
    parser.add_argument("--quick", action="store_true", help="one short pair, to see it work")
    arguments = parser.parse_args()
    scenario = load_scenario(PROJECT_ROOT / "configs/scenarios/demo.yaml")
    epochs = 2 if arguments.quick else arguments.epochs or scenario.training.epochs
    training = scenario.training.model_copy(update={"epochs": epochs})
    scenario = scenario.model_copy(update={"training": training})
    pairs = 1 if arguments.quick else arguments.pairs
    with tempfile.TemporaryDirectory() as folder:
        trainings = Trainings(scenario, Path(folder))
        if not arguments.quick:
            short = scenario.model_copy(
                update={"training": training.model_copy(update={"epochs": 1})}
            )
            warm = Path(folder) / "warm"
            warm.mkdir()
            Trainings(short, warm).bare()  # libraries loaded, data in the page cache
        ratios = by_turns(pairs, trainings.tracked, trainings.bare)
    return conclude("training_overhead", ratios, GOAL, at_most=True, conditions={"epochs": epochs})


if __name__ == "__main__":
    sys.exit(main())
