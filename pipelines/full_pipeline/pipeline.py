"""The whole way: train → quantised variants → infer on each → release → summary.

python -m pipelines.full_pipeline --scenario S [--code-path P] [--resume RUN_ID] [--fail-on-gate]

All under one parent run. A release is decided where the scenario has a release section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.system import first_of_several

from ..chain import Chain, Run, Work
from ..release.candidates import candidates_from_results
from ..release.runner import check_release
from ..stage.backend_check import require_backend, require_device
from ..stage.kinds import FULL_PIPELINE, INFER, QUANT, TRAIN
from ..stage.plan import ORIGINAL, Planner, select_variants
from ..stage.stage import StageRequest
from ..wiring import Ports
from .summary import summarise, write_summary


class FullPipeline(Chain):
    """Train, quant, infer and release of one scenario."""

    KIND = FULL_PIPELINE
    NAMED = "pipeline"
    SHARED_CODE = True

    def check(self) -> None:
        variants = select_variants(self.scenario, self.options.backend)
        check_release(
            self.scenario.release,
            register=self.options.register,
            fail_on_gate=self.options.fail_on_gate,
        )
        device = self.scenario.environment.device
        require_device(device)
        one = first_of_several(device)
        for variant in variants:
            require_backend(variant.backend, variant.precision, self.settings.probes_dir, one)

    def requests(self, planner: Planner) -> list[StageRequest]:
        """Sources are not known yet."""
        variants = select_variants(self.scenario, self.options.backend)
        names = (ORIGINAL, *(v.variant for v in variants))
        return [
            planner.train(),
            *(planner.quant(v, "runs:/<train>", run_name=f"quant-{v.variant}") for v in variants),
            *(planner.infer(f"runs:/<{n}>", n, run_name=f"infer-{n}") for n in names),
            *([planner.release((), source="every variant")] if self.scenario.release else []),
        ]

    def kinds(self) -> Sequence[str]:
        variants = select_variants(self.scenario, self.options.backend)
        return (TRAIN, *([QUANT] if variants else []), INFER)

    def checks(self, planner: Planner) -> StageRequest:
        return planner.check(planner.train(), QUANT, INFER)

    def tags(self) -> dict[str, str]:
        return {**self.scenario.to_all_tags(), "exp.type": FULL_PIPELINE}

    def work(self, ports: Ports, planner: Planner, run: Run) -> Work:
        results = self.stages(planner, run)
        summary = summarise(self.scenario, planner.parent_run_id or "", results)
        reused = {f"reused.{r.stage}-{r.variant}": r.run_id for r in results if r.reused}
        return results, self.report(ports, summary, write_summary, reused)

    def stages(self, planner: Planner, run: Run) -> list[StageResult]:
        trained = replace(run(planner.train()), variant=ORIGINAL)
        results = [trained]
        for variant in select_variants(self.scenario, self.options.backend):
            name = f"quant-{variant.variant}"
            request = planner.quant(variant, f"runs:/{trained.run_id}", run_name=name)
            results.append(run(request))
        for made in list(results):
            name = f"infer-{made.variant}"
            request = planner.infer(f"runs:/{made.run_id}", made.variant, run_name=name)
            results.append(run(request))
        if self.scenario.release is not None:
            candidates = candidates_from_results(self.scenario, results)
            request = planner.release([each.to_dict() for each in candidates])
            results.append(run(request))
        return results
