"""A sweep of one scenario: many runs below one parent, and the best of them registered.

python -m pipelines.sweep --scenario S [--executor ray] [--parallel N] [--resume PARENT_RUN_ID]

Its trials are trainings, or quantisations, or judgings of one model: what the scenario's type, or
else the parameters, belong to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from guardianflow.contracts.errors import (
    ScenarioError,
    SourceError,
    StageFailedError,
)
from guardianflow.contracts.results import RegisteredModel
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.services.workspaces import with_workspace
from guardianflow.support.secrets.redaction import redact_value
from scenario.trial_making.changes import to_check, told

from ..chain import Chain, Run, Work, check_all
from ..design_result import DesignResult, with_choices
from ..pools.make import check_executor, needs_of, pool_for
from ..pools.port import StagePool
from ..stage.kinds import MAKERS, SWEEP, TRAIN
from ..stage.leftovers.dead_runs import end_dead_runs
from ..stage.parent_run import parent_run
from ..stage.plan import Planner
from ..stage.stage import StageRequest, fingerprint_of
from ..train.resumption import differences
from ..wiring import Ports, connect_to_work
from .engine import Engine
from .kept_weights import KeptWeights
from .registration import register_run
from .report.board import Board, LineBoard, LiveBoard
from .report.pictures import write_pictures
from .report.table import SweepTable
from .search.combinations import TrialRun
from .search.storage import StudyPlace, alone
from .search.strategies import distribution_of, pruner_of, sampler_of
from .search.study import Rules, Study
from .trials import Trials

PLANNED = 100
"""Trials of a grid that --dry-run shows."""
DESIGN, PARENT = "design", "parent_run_id"
"""Of a study: what was asked for, and the run that holds its trials."""
FREE_TO_CHANGE = ("parallel", "fail_fast", "max_runs", "retries", "keep_weights")
"""Of the section sweep, what may be another when a sweep goes on."""
STUDY_TAG = "sweep.study"


@dataclass(frozen=True)
class SweepRunner(Chain):
    """Trials of one scenario; `run` goes on with one where options.resume names its run."""

    KIND = SWEEP
    NAMED = SWEEP

    @cached_property
    def trials(self) -> Trials:
        return Trials(self.scenario)

    # --- of a chain ---------------------------------------------------------------------------

    def requests(self, planner: Planner) -> list[StageRequest]:
        """The trials that are known before any has run: of a grid its first, else one."""
        given = [self.trials.of(index, each) for index, each in enumerate(self.trials.given())]
        known = [trial for runs in given for trial in runs][:PLANNED] or self.trials.shown()[:1]
        return [self.trials.request(planner, each) for each in known]

    def check(self) -> None:
        self.trials.check()
        self.planned()

    def kinds(self) -> Sequence[str]:
        return (self.trials.stage,)

    def run_checks(self, planner: Planner) -> None:
        trials = to_check(self.trials.shown())
        named = {f"{each.name} ({told(each.changes)})": each for each in trials}
        requests = {name: self.trials.request(planner, each) for name, each in named.items()}
        check_all(self.executor, requests)

    def tags(self) -> dict[str, str]:
        trials = self.trials
        return {
            **self.scenario.to_all_tags(trials.stage),
            "exp.design": SWEEP,
            "sweep.strategy": trials.sweep.strategy,
            "sweep.metric": " ".join(each.key for each in trials.objectives),
        }

    def stages(self, planner: Planner, run: Run) -> list[Any]:
        return [run(each) for each in self.requests(planner)]

    # --- at work ------------------------------------------------------------------------------

    def run(
        self,
        connect: Callable[[str | None], Ports] | None = None,
        *,
        metric_key: str = "",
        parallel: int | None = None,
    ) -> DesignResult:
        """Run every trial, or those left of a sweep that is gone on with.

        Args:
            metric_key: what is made better, instead of the scenario's sweep.metric.
            parallel: trials at once, instead of the scenario's sweep.parallel.

        Raises:
            ScenarioError: options or a scenario that can't be used; nothing was started.
            AlreadyRunningError: a sweep of this name is at work; nothing was started.
            StageFailedError: every trial fails, or none reports the metric; says how to go on.
        """
        if metric_key or parallel is not None:
            changed = with_choices(self.scenario, self.trials.sweep, metric_key, parallel)
            return replace(self, scenario=changed).run(connect)
        if self.options.resume and self.options.join:
            raise ScenarioError("--resume ends a sweep and --join only helps with one: give one")
        check_executor(self.options.executor)
        with self.executor.fork_server:
            self.check()
            connect = connect or partial(connect_to_work, work_dir=self.settings.work_dir)
            ports = connect(self.options.tracking_uri)
            planner = self._planner(ports.store.tracking_uri)
            name, experiment = self.scenario.name, self.scenario.get_experiment_name()
            store = "" if self.options.join else self._place(planner, "").store
            runs = with_workspace(planner.tracking_uri)
            with alone(self.settings.work_dir, runs, experiment, name, store):
                return self._run_alone(ports, planner)

    def _run_alone(self, ports: Ports, planner: Planner) -> DesignResult:
        end_dead_runs(ports.store, self.scenario.get_experiment_name(), self.executor.tell)
        if asked := self.options.resume or self.options.join:
            self._check_begun(ports, planner, asked)
        for note in planner.code_notes(*self.kinds()):
            self.executor.tell(note)
        tags = {**self.tags(), "guardianflow.stage": self.KIND}
        run_name = self.scenario.get_run_name(self.NAMED)
        at_once = self.options.parallel or self.trials.sweep.parallel
        # A cluster that can't be used is told before a run is made.
        with closing(pool_for(self.options.executor, at_once, self.executor)) as pool:
            self.run_checks(planner)
            if joined := self.options.join:
                return self._join(ports, replace(planner, parent_run_id=joined), pool)
            with parent_run(
                ports, self.scenario, self.options, run_name, tags, self.executor
            ) as parent:
                below = replace(planner, parent_run_id=parent)
                with closing(pool):  # the trials end before their parent does
                    table, study = self._search(ports, below, pool)
                    with closing(study):
                        models, notes = self._conclude(ports, table, study)
                digest = fingerprint_of({"stage": SWEEP, "design": self._design()})
                ports.store.annotate(parent, tags={"guardianflow.fingerprint": digest})
        return self._result_of(table, run_name, models, notes)

    def _join(self, ports: Ports, planner: Planner, pool: StagePool) -> DesignResult:
        """Work on the trials of a sweep that another machine has begun, and will end."""
        parent = self.options.join
        run_name = ports.store.get_run(parent).run_name
        self.executor.tell(f"working on sweep {parent} ({run_name}), which another machine ends")
        table, study = self._search(ports, planner, pool, joins=True)
        study.close()
        return self._result_of(table, run_name, (), ())

    def work(self, ports: Ports, planner: Planner, run: Run) -> Work:
        raise NotImplementedError  # `run` is its own: trials go through a pool

    def _place(self, planner: Planner, parent: str) -> StudyPlace:
        store = self.settings.sweep_store or planner.tracking_uri
        return StudyPlace(self.settings.work_dir, store, parent)

    def _design(self) -> dict[str, Any]:
        """What the trials are made of, without secrets, for whoever goes on with them."""
        whole = self.scenario.model_dump(mode="json", exclude={"tags"})
        sweep = {k: v for k, v in whole.pop("sweep").items() if k not in FREE_TO_CHANGE}
        code = {"code": self.options.code_path, "source": self.options.source}
        design = redact_value("", {**whole, **code, "sweep": sweep})
        return json.loads(json.dumps(design))  # type: ignore[no-any-return]

    def _check_begun(self, ports: Ports, planner: Planner, asked: str) -> None:
        """Raises SourceError where the sweep is not here, was another one, or can't be joined."""
        place = self._place(planner, asked)
        if self.options.join and not place.is_shared:
            raise SourceError(
                f"sweep {asked} can be joined only where its study is in PostgreSQL, but it would "
                "be in a file of one machine. Keep the runs in PostgreSQL, or name a database in "
                "GUARDIANFLOW_SWEEP_STORE, on every machine and before the sweep is begun"
            )
        if self.options.join and (run := ports.store.get_run(asked)).status != RunStatus.RUNNING:
            raise SourceError(
                f"sweep {asked} is {run.status}, so nobody would end it; go on with it: "
                f"--resume {asked}"
            )
        with closing(self.study_at(place, make=False)) as study:
            design = study.described.get(DESIGN)
        if design is None:
            raise SourceError(f"run {asked} is no sweep that was begun here")
        if changes := list(differences(design, self._design())):
            raise SourceError(
                f"sweep {asked} can't be gone on with, because it was made of "
                f"something else: {'; '.join(changes[:5])}. Change it back, or begin a new sweep"
            )

    def study_at(self, place: StudyPlace, *, make: bool) -> Study:
        """The study of this scenario's sweep, as it searches."""
        trials, sweep = self.trials, self.trials.sweep
        most, several = sweep.planned_combinations, len(trials.objectives) > 1
        # Optuna prunes by one number; other stages than trainings report none on their way.
        pruning = sweep.pruning if trials.stage == TRAIN and not several else None
        rules = Rules(
            objectives=trials.objectives,
            space={path: distribution_of(each) for path, each in sweep.parameters.items()},
            most=most,
            seed=trials.seed,
            sampler=sampler_of(sweep.strategy, most, len(trials.objectives)),
            pruner=pruner_of(pruning, trials.most_epochs, trials.seed),
            given=trials.given(),
        )
        return Study(place.open(make=make), place.name, rules, trials.of, place.turn)

    def _search(
        self, ports: Ports, planner: Planner, pool: StagePool, *, joins: bool = False
    ) -> tuple[SweepTable, Study]:
        """Every trial that is left, and what came of all; see Engine for `joins`."""
        parent, trials = planner.parent_run_id or "", self.trials
        sweep, objectives = trials.sweep, trials.objectives
        place = self._place(planner, parent)
        study = self.study_at(place, make=True)
        if not joins:
            study.describe({DESIGN: self._design(), PARENT: parent})
            total = str(study.total * sweep.repeats)
            tags = {STUDY_TAG: place.shown, "sweep.total_runs": total}
            ports.store.annotate(parent, tags=tags)
        board = self._board(pool)
        weights = KeptWeights(
            ports.store, parent, self.settings.work_dir, objectives, sweep.keep_weights,
            board.tell,
        )  # fmt: skip
        engine = Engine(
            study, pool, objectives, partial(self.request_of, planner), weights, board,
            judge_of=self._judge_of(planner),
            needs=needs_of(str(self.scenario.environment.device), pool),
            retries=sweep.retries, fail_fast=sweep.fail_fast, joins=joins,
        )  # fmt: skip
        try:
            combinations = engine.run()
        finally:
            board.close()
        title = f"{self.scenario.name} {self.scenario.version}"
        return SweepTable(title, parent, objectives, combinations), study

    def request_of(self, planner: Planner, run: TrialRun) -> StageRequest:
        """The stage of a run; with --force, too, what this sweep has begun is gone on with."""
        request = self.trials.request(planner, run.trial)
        return replace(request, force=False) if run.run_id else request

    def _judge_of(self, planner: Planner) -> Callable[[TrialRun], StageRequest] | None:
        """Of trainings: measures what only an infer stage does."""
        if self.trials.stage != TRAIN:
            return None
        return lambda run: self.trials.judging(planner, run.trial, run.run_id)

    def _board(self, pool: StagePool) -> Board:
        from ..console import RichReporter

        if isinstance(self.executor.reporter, RichReporter):
            return LiveBoard(self.trials.objectives[0], pool.places)
        return LineBoard(self.executor.tell, self.trials.objectives[0], pool.places)

    def _conclude(
        self, ports: Ports, table: SweepTable, study: Study
    ) -> tuple[tuple[RegisteredModel, ...], tuple[str, ...]]:
        """Table, pictures and the best model; what fails of the pictures is told, no more."""
        store, parent = ports.store, table.run_id
        if table.best is None:
            reasons = next((each.reason for each in table.combinations if each.reason), "")
            raise StageFailedError(SWEEP, f"no trial has ended well ({table.summary()}): {reasons}")
        notes: list[str] = []
        with TemporaryDirectory(prefix="guardianflow-sweep-") as folder:
            table.write(Path(folder))
            notes += write_pictures(table, study.optuna, Path(folder))
            store.log_files(parent, Path(folder), "report")
        store.annotate(parent, tags=table.tags)
        store.log_metrics(parent, table.metrics)
        models = self._register(ports, table, notes)
        for note in notes:
            self.executor.tell(note)
        return models, tuple(notes)

    def _register(
        self, ports: Ports, table: SweepTable, notes: list[str]
    ) -> tuple[RegisteredModel, ...]:
        """The best run's model, where models are made and to be registered."""
        if self.trials.stage not in MAKERS or not self.options.register or table.best is None:
            return ()
        best = table.best.best_run(self.trials.objectives[0])
        single = self.trials.single(best.trial)
        model = register_run(ports, single, self.trials.stage, best.run_id)
        if model.is_pending:
            notes.append(f"{model.display_name} is not registered yet, because the store is away")
            return ()
        return (model,)

    def _result_of(
        self,
        table: SweepTable,
        run_name: str,
        models: tuple[RegisteredModel, ...],
        notes: tuple[str, ...],
    ) -> DesignResult:
        best = table.best
        return DesignResult(
            stage=SWEEP,
            run_id=table.run_id,
            status=RunStatus.FINISHED,
            experiment_name=self.scenario.get_experiment_name(),
            run_name=run_name,
            metrics=table.metrics,
            models=models,
            notes=notes,
            best_run_id=best.best_run(self.trials.objectives[0]).run_id if best else "",
            best_metric=best.values[0] if best else None,
            best_params=best.params if best else {},
            completed_runs=int(table.metrics["sweep.completed"]),
            total_runs=int(table.metrics["sweep.total"]),
            trials=table.trials,
        )
