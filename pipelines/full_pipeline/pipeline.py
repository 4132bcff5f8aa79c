"""The whole way: train → quantised variants → infer on each → release → summary.

python -m pipelines.full_pipeline --scenario S [--code-path P] [--resume RUN_ID] [--fail-on-gate]

All under one parent run. A release is decided where the scenario has a release section.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from guardianflow.contracts.results import StageResult, all_models
from guardianflow.contracts.run_status import RunStatus
from scenario import Scenario

from ..release.candidates import candidates_from_results
from ..release.runner import check_release
from ..settings import Settings
from ..stage.backend_check import require_backend
from ..stage.executor import LocalExecutor
from ..stage.kinds import FULL_PIPELINE
from ..stage.parent_run import parent_run
from ..stage.plan import ORIGINAL, Planner, RunOptions, select_variants
from ..stage.stage import StageRequest
from ..wiring import Ports
from .summary import summarise, write_summary


@dataclass(frozen=True)
class FullPipeline:
    """Order of work and nothing else; stages run in processes of their own."""

    scenario: Scenario
    options: RunOptions
    settings: Settings
    executor: LocalExecutor

    def planned(self) -> list[StageRequest]:
        """Every stage in order; sources are not known yet and say so."""
        planner = Planner(self.scenario, self.settings, self.options, "")
        variants = select_variants(self.scenario, self.options.backend)
        names = [v.variant for v in variants]
        return [
            planner.train(),
            *(
                planner.quant(v, "runs:/<train>", run_name=f"quant-{n}")
                for v, n in zip(variants, names, strict=True)
            ),
            *(planner.infer(f"runs:/<{n}>", n, run_name=f"infer-{n}") for n in (ORIGINAL, *names)),
            *([planner.release((), source="every variant")] if self.scenario.release else []),
        ]

    def run(self, connect: Callable[[str | None], Ports]) -> StageResult:
        """Run every stage, or those left of a resumed run.

        Raises:
            StageFailedError: names stage, run, log and the command that resumes.
            BackendUnavailableError: a variant can't run on this machine; nothing was started.
            ScenarioError: options that contradict the release section; nothing was started.
        """
        variants = select_variants(self.scenario, self.options.backend)
        check_release(
            self.scenario.release,
            register=self.options.register,
            fail_on_gate=self.options.fail_on_gate,
        )
        for variant in variants:
            require_backend(variant.backend, variant.precision, self.settings.probes_dir)
        ports = connect(self.options.tracking_uri)
        planner = Planner(self.scenario, self.settings, self.options, ports.store.tracking_uri)
        self.executor.run(replace(planner.train(), check_only=True, title="check"))
        run_name = self.scenario.get_run_name("pipeline")
        tags = {
            **self.scenario.to_all_tags(),
            "exp.type": FULL_PIPELINE,
            "guardianflow.stage": FULL_PIPELINE,
        }
        with parent_run(
            ports, self.scenario, self.options, run_name, tags, self.executor
        ) as parent:
            planner = replace(planner, parent_run_id=parent)
            results = self._stages(planner)
            metrics = self._report(ports, parent, results)
        return StageResult(
            stage=FULL_PIPELINE,
            run_id=parent,
            status=RunStatus.FINISHED,
            experiment_name=self.scenario.get_experiment_name(),
            run_name=run_name,
            metrics=metrics,
            models=tuple(all_models(results)),
            stages=tuple(results),
            decision=next((r.decision for r in results if r.stage == "release"), None),
        )

    def _stages(self, planner: Planner) -> list[StageResult]:
        trained = self.executor.run(planner.train())
        results = [replace(trained, variant=ORIGINAL)]
        for variant in select_variants(self.scenario, self.options.backend):
            request = planner.quant(
                variant, f"runs:/{trained.run_id}", run_name=f"quant-{variant.variant}"
            )
            results.append(self.executor.run(request))
        for made in list(results):
            request = planner.infer(
                f"runs:/{made.run_id}", made.variant, run_name=f"infer-{made.variant}"
            )
            results.append(self.executor.run(request))
        if self.scenario.release is not None:
            candidates = candidates_from_results(self.scenario, results)
            results.append(
                self.executor.run(planner.release([each.to_dict() for each in candidates]))
            )
        return results

    def _report(self, ports: Ports, parent: str, results: list[StageResult]) -> dict[str, float]:
        """`report/` of the parent: artifacts first, then the numbers drawn from them."""
        summary = summarise(self.scenario, parent, results)
        with TemporaryDirectory() as folder:
            write_summary(summary, Path(folder))
            ports.store.log_files(parent, Path(folder), "report")
        reused = {f"reused.{r.stage}-{r.variant}": r.run_id for r in results if r.reused}
        if reused:
            ports.store.annotate(parent, tags=reused)
        ports.store.log_metrics(parent, summary.metrics)
        return dict(summary.metrics)
