"""Several stages below one parent run: what a full pipeline, a comparison and variants share."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, TypeVar

from guardianflow.contracts.errors import Problem, ScenarioError, StageFailedError
from guardianflow.contracts.results import StageResult, all_models
from guardianflow.contracts.run_status import RunStatus
from scenario import Scenario

from .pools.make import check_executor, is_local
from .reuse.explain import Explainer, StageExplanation
from .reuse.lookup import ReuseLookup
from .settings import Settings
from .stage.executor import LocalExecutor
from .stage.kinds import QUANT
from .stage.leftovers.dead_runs import end_dead_runs
from .stage.parent_run import parent_run
from .stage.plan import Planner, RunOptions
from .stage.stage import FINGERPRINT_TAG, StageRequest, fingerprint_of
from .tables import VariantTable
from .wiring import Ports, connect, connect_to_work

Work = tuple[list[StageResult], Mapping[str, float]]
"""The results of the stages, and the parent's metrics."""
Run = Callable[[StageRequest], StageResult]
"""Carries out a stage."""
Table = TypeVar("Table", bound=VariantTable)


@dataclass(frozen=True)
class Chain:
    """Order of work and nothing else; stages run in processes of their own.

    Class variables:
        KIND: of the result, and of the parent run's tag guardianflow.stage.
        NAMED: what the parent run's name calls it.
        SHARED_CODE: its stages are of several kinds, so that an author's code need not have a
            class for each.
    """

    KIND: ClassVar[str]
    NAMED: ClassVar[str] = "quant"
    SHARED_CODE: ClassVar[bool] = False

    scenario: Scenario
    options: RunOptions
    settings: Settings
    executor: LocalExecutor

    def planned(self) -> list[StageRequest]:
        """Every stage in order; what is not known yet, says so."""
        return self.requests(self._planner(""))

    def run(self, connect: Callable[[str | None], Ports] | None = None) -> StageResult:
        """Run every stage, or those left of a resumed run.

        Raises:
            BackendUnavailableError: this machine can't run what was asked for; nothing was started.
            ConfigurationError: the executor can't be used; nothing was started.
            ScenarioError: the scenario or options that can't be used; nothing was started.
            StageFailedError: names stage, run, log and the command that resumes.
        """
        scenario, run_name = self.scenario, self.scenario.get_run_name(self.NAMED)
        check_executor(self.options.executor)
        with self.executor.fork_server:
            self.check()
            connect = connect or partial(connect_to_work, work_dir=self.settings.work_dir)
            ports = connect(self.options.tracking_uri)
            planner = self._planner(ports.store.tracking_uri)
            self.look(ports)
            gc.freeze()  # mlflow is here for good: no collection need look through it
            end_dead_runs(ports.store, scenario.get_experiment_name(), self.executor.tell)
            lookup = ReuseLookup(ports, self.settings, self.executor.event)
            if (found := self._finished(ports, planner, lookup)) is not None:
                return found
            for note in planner.code_notes(*self.kinds()):
                self.executor.tell(note)
            tags = {**self.tags(), "guardianflow.stage": self.KIND}
            with ExitStack() as pool:  # opened before a run is made, closed before its parent ends
                run = pool.enter_context(self.several(self._reusing(lookup)))
                self.run_checks(planner)
                with (
                    parent_run(
                        ports, scenario, self.options, run_name, tags, self.executor
                    ) as parent,
                    pool,
                ):
                    below = replace(planner, parent_run_id=parent)
                    results, metrics = self.work(ports, below, run)
                    own = {FINGERPRINT_TAG: self._fingerprint(results)}
                    ports.store.annotate(parent, tags=own)
        return self._result(parent, run_name, results, metrics)

    def _result(
        self,
        run_id: str,
        run_name: str,
        results: Sequence[StageResult],
        metrics: Mapping[str, float],
        *,
        reused: bool = False,
    ) -> StageResult:
        return StageResult(
            stage=self.KIND,
            run_id=run_id,
            status=RunStatus.FINISHED,
            experiment_name=self.scenario.get_experiment_name(),
            run_name=run_name,
            metrics=metrics,
            models=tuple(all_models(results)),
            stages=tuple(results),
            decision=next((each.decision for each in results if each.decision), None),
            reused=reused,
        )

    def explain(self, connect: Callable[[str | None], Ports] = connect) -> list[StageExplanation]:
        """What would become of each stage, and why; nothing is run."""
        ports = connect(self.options.tracking_uri)
        self.look(ports)
        explainer = Explainer(ports, self.settings)
        self.stages(self._planner(ports.store.tracking_uri), explainer)
        return explainer.told

    # --- what is done already -----------------------------------------------------------------

    def _finished(self, ports: Ports, planner: Planner, lookup: ReuseLookup) -> StageResult | None:
        """The finished run that did all of this; None where any stage is to be run."""
        if self.options.resume:
            return None

        def find(request: StageRequest) -> StageResult:
            found = lookup.take(request)
            if found is None:
                raise _MustRunError
            return found

        try:
            results = self.stages(planner, find)
        except _MustRunError:
            return None
        runs = ports.store.find_runs(
            experiment_name=self.scenario.get_experiment_name(),
            tags={FINGERPRINT_TAG: self._fingerprint(results)},
            status=RunStatus.FINISHED,
            limit=1,
        )
        if not runs:
            return None
        (run,) = runs
        self.executor.opened(run.run_name, run.run_id)
        self.executor.tell(f"nothing has changed: run {run.run_id} is reused")
        if self.options.launcher:
            ports.store.link_launcher(run.run_id)
        return self._result(run.run_id, run.run_name, results, run.metrics, reused=True)

    def _reusing(self, lookup: ReuseLookup) -> Run:
        """Runs a stage, or finds that it has been done."""

        def run(request: StageRequest) -> StageResult:
            found = lookup.take(request)
            if found is not None:
                text = f"nothing has changed: run {found.run_id} is reused"
                self.executor.event(request.title, {"kind": "message", "text": text})
                return found
            try:
                return self.executor.run(request)
            finally:
                lookup.forget()

        return run

    def _fingerprint(self, results: Sequence[StageResult]) -> str:
        """Of the parent run: the runs below it, and what its report says beside them."""
        comparison = self.scenario.comparison
        return fingerprint_of(
            {
                "stage": self.KIND,
                "scenario": [self.scenario.name, self.scenario.version],
                "comparison": comparison.model_dump(mode="json") if comparison else None,
                "runs": [[each.stage, each.variant, each.run_id, each.reason] for each in results],
            }
        )

    def _planner(self, tracking_uri: str) -> Planner:
        shared = self.SHARED_CODE
        return Planner(self.scenario, self.settings, self.options, tracking_uri, shared_code=shared)

    @staticmethod
    def report(
        ports: Ports, table: Table, write: Callable[[Table, Path], None], tags: Mapping[str, str]
    ) -> Mapping[str, float]:
        """`report/` of the parent: artifacts first, then tags and numbers drawn from them."""
        with TemporaryDirectory() as folder:
            write(table, Path(folder))
            ports.store.log_files(table.run_id, Path(folder), "report")
        ports.store.annotate(table.run_id, tags=tags)
        ports.store.log_metrics(table.run_id, table.metrics)
        return table.metrics

    # --- what each kind says ------------------------------------------------------------------

    def check(self) -> None:
        """Raises what can be told before the store is opened."""
        self.planned()

    def look(self, ports: Ports) -> None:
        """Read in the store what the chain must know of it; before any run is made.

        Raises:
            SourceError: runs or models that can't be used.
        """

    def requests(self, planner: Planner) -> list[StageRequest]:
        raise NotImplementedError

    def kinds(self) -> Sequence[str]:
        """The kinds of stages that may take an author's class."""
        return (QUANT,)

    def checks(self, planner: Planner) -> StageRequest:
        """The checks of the stage whose checks hold for all."""
        return replace(self.requests(planner)[0], check_only=True, title="check")

    def run_checks(self, planner: Planner) -> None:
        """Raises StageFailedError: what is asked for can't be done; nothing was started."""
        self.executor.run(self.checks(planner))

    def several(self, run: Run) -> AbstractContextManager[Run]:
        """What carries out the stages meanwhile: `run`, or a pool where several work at once.

        Raises:
            ConfigurationError: the executor that is asked for can't be used.
            ClusterError: a cluster could not be started on this machine.
        """
        if not is_local(self.options.executor):
            self.executor.tell(
                f"its stages run on this machine and not by '{self.options.executor}': they take "
                "times, and those of two machines are not to be compared"
            )
        return nullcontext(run)

    def tags(self) -> dict[str, str]:
        raise NotImplementedError

    def stages(self, planner: Planner, run: Run) -> list[StageResult]:
        """Every stage in order, each carried out by `run`, or stood in for."""
        raise NotImplementedError

    def work(self, ports: Ports, planner: Planner, run: Run) -> Work:
        """Run the stages, which the planner puts below the parent run."""
        raise NotImplementedError


def check_all(executor: LocalExecutor, requests: Mapping[str, StageRequest]) -> None:
    """Check every stage, by what people call it.

    Raises:
        ScenarioError: all that the caller can mend.
        StageFailedError: what nobody can before it is mended elsewhere.
    """
    problems: dict[str, Problem] = {}
    for name, each in requests.items():
        try:
            executor.run(replace(each, check_only=True, title="check"))
        except StageFailedError as exc:
            if exc.exit_code != 2:
                raise
            problems.setdefault(exc.reason, Problem(exc.reason, name))
    if problems:
        raise ScenarioError(list(problems.values()))


class _MustRunError(Exception):
    """A stage is not done yet."""
