"""Judge finished runs anew, without training: `guardianflow release SCENARIO --run ID`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from guardianflow.contracts.errors import ScenarioError, SourceError
from guardianflow.contracts.results import StageResult
from scenario import ReleaseParams

from ..stage.executor import LocalExecutor
from ..stage.plan import Planner
from ..stage.stage import StageRequest
from ..wiring import Ports
from .candidates import candidates_from_runs, runs_below
from .decision import require_release


@dataclass(frozen=True)
class ReleaseRunner:
    """One release stage, below the pipeline whose models it judges where one was named."""

    planner: Planner
    executor: LocalExecutor
    connect: Callable[[str | None], Ports]

    def planned(self) -> list[StageRequest]:
        """The stage with its candidates; reads the store.

        Raises:
            ScenarioError: no release section, options that contradict it, no run named.
            SourceError: unknown runs, runs without a model, runs of another site.
        """
        options, scenario = self.planner.options, self.planner.scenario
        require_release(scenario.release)
        if bool(options.judged_run) == bool(options.judged_sources):
            raise ScenarioError(
                "a release judges finished runs: name either a pipeline with --run PARENT_RUN_ID, "
                "or train and quant runs with --source-run-id, each once"
            )
        ports = self.connect(options.tracking_uri)
        run_ids = list(options.judged_sources) or runs_below(ports, options.judged_run)
        self._check_site(ports, [*run_ids, *([options.judged_run] if options.judged_run else [])])
        candidates = candidates_from_runs(ports, scenario, run_ids)
        planner = replace(
            self.planner,
            tracking_uri=ports.store.tracking_uri,
            parent_run_id=options.judged_run or None,
        )
        return [
            planner.release(
                [each.to_dict() for each in candidates],
                source=", ".join(f"{each.variant} {each.run_id}" for each in candidates),
                launcher=options.launcher,
            )
        ]

    def _check_site(self, ports: Ports, run_ids: list[str]) -> None:
        """A verdict of one site's data must not be written on another site's model."""
        wanted = self.planner.scenario.get_experiment_name()
        problems = [
            f"run {run.run_id} ({run.run_name}) belongs to {run.experiment_name}, but the scenario "
            f"is for {wanted}; judge it with its own scenario"
            for run in map(ports.store.get_run, run_ids)
            if run.experiment_name != wanted
        ]
        if problems:
            raise SourceError(problems)

    def run(self) -> StageResult:
        (request,) = self.planned()
        return self.executor.run(request)


def check_release(
    release: ReleaseParams | None, *, register: bool = True, fail_on_gate: bool = False
) -> None:
    """Raises ScenarioError for options that contradict the release section; nothing has run yet."""
    if fail_on_gate and release is None:
        raise ScenarioError(
            "--fail-on-gate needs a release section in the scenario, which says what to keep"
        )
    if release is not None and release.auto_promote == "on_pass" and not register:
        raise ScenarioError(
            "release.auto_promote is 'on_pass', but --no-register leaves nothing to promote; "
            "leave one of them out"
        )
