"""Runs a scenario from Python: `create_runner(scenario).run()`.

Which runner: a scenario that declares its experiment_type runs that stage; one that holds all
sections runs the full pipeline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.results import StageResult, all_models
from guardianflow.contracts.run_status import RunStatus
from scenario import Scenario

from .compare.comparison import Comparison
from .full_pipeline.pipeline import FullPipeline
from .release.runner import ReleaseRunner
from .settings import BUILTIN_EXPERIMENT, Settings, load_settings
from .stage.events import Reporter
from .stage.executor import LocalExecutor
from .stage.kinds import COMPARE, FULL_PIPELINE, RELEASE
from .stage.parent_run import parent_run
from .stage.plan import (
    Planner,
    RunOptions,
    describe,
    find_source,
    select_variants,
)
from .stage.stage import StageRequest
from .wiring import Ports, connect


class Runner(Protocol):
    """Runs a scenario; create_runner makes it."""

    def planned(self) -> list[StageRequest]: ...

    def run(self) -> StageResult:
        """Carry it out.

        Raises:
            StageFailedError: a stage failed; its run is FAILED, its log is named.
            ConfigurationError: the scenario or options can't be used.
        """
        ...


@dataclass(frozen=True)
class PipelineRunner:
    """A chain of stages below one parent run."""

    pipeline: FullPipeline | Comparison
    connect: Callable[[str | None], Ports] = connect

    def planned(self) -> list[StageRequest]:
        return self.pipeline.planned()

    def run(self) -> StageResult:
        with self.pipeline.executor.fork_server:
            return self.pipeline.run(self.connect)


@dataclass(frozen=True)
class StageRunner:
    """Train, infer, or quant of one variant."""

    planner: Planner
    executor: LocalExecutor
    stage: str

    def planned(self) -> list[StageRequest]:
        options, scenario = self.planner.options, self.planner.scenario
        if self.stage == "train":
            return [self.planner.train(launcher=options.launcher)]
        source = find_source(scenario, options.source, self.stage)
        if self.stage == "infer":
            return [self.planner.infer(source, launcher=options.launcher)]
        return [
            self.planner.quant(variant, source, launcher=options.launcher)
            for variant in select_variants(scenario, options.backend)
        ]

    def run(self) -> StageResult:
        (request,) = self.planned()
        return self.executor.run(request)


@dataclass(frozen=True)
class VariantsRunner:
    """Quant of several variants, each a child run of one parent."""

    single: StageRunner
    connect: Callable[[str | None], Ports] = connect

    def planned(self) -> list[StageRequest]:
        return [
            replace(request, run_name=f"quant-{request.variant_name}", launcher=False)
            for request in self.single.planned()
        ]

    def run(self) -> StageResult:
        with self.single.executor.fork_server:
            return self._run()

    def _run(self) -> StageResult:
        planner, executor = self.single.planner, self.single.executor
        scenario, requests = planner.scenario, self.planned()
        ports = self.connect(planner.options.tracking_uri)
        tags = {
            **scenario.to_all_tags("quant"),
            "exp.design": "comparison",
            "comparison.type": "quantization_variants",
            "guardianflow.stage": "quant",
        }
        executor.run(replace(requests[0], check_only=True, title="check"))
        run_name = scenario.get_run_name("quant")
        with parent_run(ports, scenario, planner.options, run_name, tags, executor) as parent:
            results = [executor.run(replace(r, parent_run_id=parent)) for r in requests]
        return StageResult(
            stage="quant",
            run_id=parent,
            status=RunStatus.FINISHED,
            experiment_name=scenario.get_experiment_name(),
            run_name=run_name,
            models=tuple(all_models(results)),
            stages=tuple(results),
        )


def create_runner(
    scenario: Scenario,
    tracking_uri: str | None = None,
    *,
    experiment_code_path: str = "",
    source_run_id: str = "",
    backend: str = "",
    force: bool = False,
    register: bool = True,
    trust_weights: bool = False,
    options: RunOptions | None = None,
    stage: str = "",
    settings: Settings | None = None,
    reporter: Reporter | None = None,
) -> Runner:
    """The runner for a scenario.

    Args:
        tracking_uri: MLflow's store; None takes MLFLOW_TRACKING_URI, else ./mlflow.db.
        experiment_code_path: directory, file or git+ URL with a Trainer; '' takes the built-in.
        source_run_id: the run to quantise or judge; '' takes the scenario's.
        backend: quantise for this backend alone.
        force: work anew although a finished run has the same fingerprint.
        register: register models; False only logs them.
        trust_weights: open weights that name more than detectors need: they may run anything.
        options: all of the above in one value, as the command line builds it.
        stage: 'train', 'quant', 'infer', 'release', 'full_pipeline' or 'compare'; '' lets the
            scenario decide.
        reporter: shows progress; None shows none.

    Raises:
        ScenarioError: stage and the scenario's experiment_type or design don't agree.
    """
    from .console import SilentReporter

    settings = settings or load_settings()
    if options is None:
        options = RunOptions(
            source=source_run_id,
            backend=backend,
            force=force,
            register=register,
            trust_weights=trust_weights,
            code_path=experiment_code_path or BUILTIN_EXPERIMENT,
        )
    options = replace(
        options, tracking_uri=tracking_uri or options.tracking_uri or settings.tracking_uri
    )
    executor = LocalExecutor(reporter or SilentReporter(), verbose=options.verbose)
    design = COMPARE if scenario.design == "comparison" else ""
    stage = stage or design or scenario.experiment_type or FULL_PIPELINE
    if stage == COMPARE:
        typed = scenario.as_type("quant")
        return PipelineRunner(Comparison(typed, options, settings, executor))
    if stage == RELEASE:
        planner = Planner(scenario, settings, options, options.tracking_uri or "")
        return ReleaseRunner(planner, executor, connect)
    check_single(scenario, stage)
    if stage == FULL_PIPELINE:
        check_untyped(scenario)
        return PipelineRunner(FullPipeline(scenario, options, settings, executor))
    typed = scenario.as_type(stage)  # type: ignore[arg-type]
    planner = Planner(typed, settings, options, options.tracking_uri or "")
    single = StageRunner(planner, executor, stage)
    if stage == "quant" and len(select_variants(typed, options.backend)) > 1:
        return VariantsRunner(single)
    return single


def check_single(scenario: Scenario, stage: str) -> None:
    if scenario.design != "single":
        raise ScenarioError(
            f"scenario '{scenario.name}' is a {scenario.design} but '{stage}' was asked of it; "
            "run `guardianflow compare`, or remove design from it so that one file serves both"
        )


def check_untyped(scenario: Scenario) -> None:
    if scenario.experiment_type is not None:
        raise ScenarioError(
            f"full_pipeline runs train, quant and infer, but scenario '{scenario.name}' is for "
            f"'{scenario.experiment_type}' alone; remove experiment_type from it, or run "
            f"`guardianflow {scenario.experiment_type}`"
        )


def plan_as_dict(runner: Runner, scenario_text: str) -> dict[str, object]:
    """The plan that --dry-run shows: the resolved scenario and the stages, nothing touched."""
    return {"scenario": scenario_text, "stages": describe(runner.planned())}
