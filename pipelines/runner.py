"""Runs a scenario from Python: `create_runner(scenario).run()`.

Which runner: a scenario that declares its experiment_type runs that stage; one that holds all
sections runs the full pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.results import StageResult
from scenario import Scenario, dump_scenario

from .chain import Chain, Run, Work
from .compare.kinds import runner_of
from .full_pipeline.pipeline import FullPipeline
from .missing_files import missing_files
from .release.runner import ReleaseRunner
from .reuse.explain import Explainer, StageExplanation
from .settings import BUILTIN_EXPERIMENT, Settings, load_settings
from .stage.events import Reporter
from .stage.executor import LocalExecutor
from .stage.kinds import COMPARE, DESIGNS, FULL_PIPELINE, INFER, QUANT, RELEASE, SWEEP, TRAIN
from .stage.plan import Planner, RunOptions, find_source, select_variants
from .stage.stage import StageRequest
from .wiring import Ports, connect


@dataclass(frozen=True)
class StageRunner:
    """Train, infer, or quant of one variant."""

    planner: Planner
    executor: LocalExecutor
    stage: str

    def planned(self) -> list[StageRequest]:
        options, scenario = self.planner.options, self.planner.scenario
        if self.stage == TRAIN:
            return [self.planner.train(launcher=options.launcher)]
        source = find_source(scenario, options.source, self.stage)
        if self.stage == INFER:
            return [self.planner.infer(source, launcher=options.launcher)]
        return [
            self.planner.quant(variant, source, launcher=options.launcher)
            for variant in select_variants(scenario, options.backend)
        ]

    def explain(self) -> list[StageExplanation]:
        """What would become of the stage, and why; nothing is run."""
        ports = connect(self.planner.options.tracking_uri)
        explainer = Explainer(ports, self.planner.settings)
        planner = replace(self.planner, tracking_uri=ports.store.tracking_uri)
        (request,) = replace(self, planner=planner).planned()
        explainer(request)
        return explainer.told

    def run(self) -> StageResult:
        """Raises StageFailedError: the stage failed; its run is FAILED, its log is named."""
        (request,) = self.planned()
        for note in self.planner.code_notes(self.stage):
            self.executor.tell(note)
        return self.executor.run(request)


class Variants(Chain):
    """Quant of several variants, each a child run of one parent."""

    KIND = QUANT

    def requests(self, planner: Planner) -> list[StageRequest]:
        source = find_source(self.scenario, self.options.source, QUANT)
        return [
            planner.quant(each, source, run_name=f"quant-{each.variant}")
            for each in select_variants(self.scenario, self.options.backend)
        ]

    def tags(self) -> dict[str, str]:
        return {
            **self.scenario.to_all_tags(QUANT),
            "exp.design": "comparison",
            "comparison.type": "quantization_variants",
        }

    def stages(self, planner: Planner, run: Run) -> list[StageResult]:
        return [run(each) for each in self.requests(planner)]

    def work(self, ports: Ports, planner: Planner, run: Run) -> Work:  # noqa: ARG002 - of Chain
        return self.stages(planner, run), {}


def explain(runner: Runner) -> list[StageExplanation]:
    """What would become of each stage of a runner, and why; nothing is run.

    Raises:
        ScenarioError: a release, which is judged anew each time.
    """
    if isinstance(runner, ReleaseRunner):
        raise ScenarioError("a release is judged anew each time: there is nothing to explain")
    return runner.explain()


Runner = StageRunner | ReleaseRunner | Chain
"""Has `planned()` and `run()`; create_runner makes it."""


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
        experiment_code_path: directory, file or git+ URL with a Trainer, Benchmark or Quantizer;
            '' takes the built-in.
        source_run_id: the run to quantise or judge; '' takes the scenario's.
        backend: quantise for this backend alone.
        force: work anew although a finished run has the same fingerprint.
        register: register models; False only logs them.
        trust_weights: open weights that name more than detectors need: they may run anything.
        options: all of the above in one value, as the command line builds it.
        stage: 'train', 'quant', 'infer', 'release', 'full_pipeline', 'compare', 'sweep' or
            'ablation'; '' lets the scenario decide.
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
        options,
        tracking_uri=tracking_uri or options.tracking_uri or settings.tracking_uri,
        executor=options.executor or settings.executor,
    )
    executor = LocalExecutor(reporter or SilentReporter(), verbose=options.verbose)
    stage = stage or stage_of(scenario)
    if stage in DESIGNS:
        return _design_runner(stage, scenario, options, settings, executor)
    if stage == RELEASE:
        planner = Planner(scenario, settings, options, options.tracking_uri or "")
        return ReleaseRunner(planner, executor, connect)
    check_fits(scenario, stage)
    if stage == FULL_PIPELINE:
        return FullPipeline(scenario, options, settings, executor)
    typed = scenario.as_type(stage)  # type: ignore[arg-type]
    planner = Planner(typed, settings, options, options.tracking_uri or "")
    if stage == QUANT and len(select_variants(typed, options.backend)) > 1:
        return Variants(typed, options, settings, executor)
    return StageRunner(planner, executor, stage)


def _design_runner(
    stage: str, scenario: Scenario, options: RunOptions, settings: Settings, executor: LocalExecutor
) -> Runner:
    """The runner of several runs; raises ScenarioError where the scenario has no such section."""
    given = (options, settings, executor)
    if stage != COMPARE:
        if getattr(scenario, DESIGNS[stage]) is None:
            raise ScenarioError(
                f"scenario '{scenario.name}' has no section '{DESIGNS[stage]}'; write one, or run "
                f"`guardianflow {stage_of(scenario)}`"
            )
        module, name = (
            (".sweep.runner", "SweepRunner")
            if stage == SWEEP
            else (".ablation.runner", "AblationRunner")
        )
        return getattr(import_module(module, __package__), name)(scenario, *given)  # type: ignore[no-any-return]
    return runner_of(scenario, *given)


def stage_of(scenario: Scenario) -> str:
    """The command that a scenario is for: by its design, else its type, else all of them."""
    design = next((stage for stage, name in DESIGNS.items() if name == scenario.design), "")
    return design or scenario.experiment_type or FULL_PIPELINE


def check_fits(scenario: Scenario, stage: str) -> None:
    if scenario.design != "single":
        raise ScenarioError(
            f"scenario '{scenario.name}' is a {scenario.design} but '{stage}' was asked of it; "
            f"run `guardianflow {stage_of(scenario)}`, or give -p design=single to leave out its "
            "section"
        )
    if stage == FULL_PIPELINE and scenario.experiment_type is not None:
        raise ScenarioError(
            f"full_pipeline runs train, quant and infer, but scenario '{scenario.name}' is for "
            f"'{scenario.experiment_type}' alone; remove experiment_type from it, or run "
            f"`guardianflow {scenario.experiment_type}`"
        )


def plan_as_dict(runner: Runner, scenario: Scenario) -> dict[str, object]:
    """The plan that --dry-run shows: the resolved scenario and the stages, nothing touched."""
    planned = runner.planned()
    stages = [
        {
            "stage": request.title,
            "experiment_name": request.experiment_name,
            "run_name": request.run_name,
            "source": request.source,
            "code": request.code_shown,
        }
        for request in planned
    ]
    missing = missing_files(scenario, planned)
    return {"scenario": dump_scenario(scenario), "stages": stages, "missing": missing}
