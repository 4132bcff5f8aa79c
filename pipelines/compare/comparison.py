"""Compare formats of one trained model: each made, judged and timed beside the original.

python -m pipelines.compare --scenario S --source-run-id ID [--quant-variants JSON] [--resume ID]

    scenario.comparison ──► can it run here? ──no──► a row 'skipped: reason', no run
                                 └──yes──► child run quant-{backend}_{precision} ──► a row
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from guardianflow.backends.catalogue import device_for
from guardianflow.contracts.errors import (
    BackendUnavailableError,
    ScenarioError,
)
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from scenario import QuantizationParams, Scenario, Trial

from ..chain import Chain, Run, Work
from ..settings import BUILTIN_EXPERIMENT
from ..stage.backend_check import reason_unavailable
from ..stage.kinds import COMPARE, QUANT
from ..stage.plan import ORIGINAL, Planner, find_source
from ..stage.stage import StageRequest
from ..wiring import Ports
from .several import attempt, raise_failures, tags_of
from .table import common_split, tabulate, write_table


class Comparison(Chain):
    """One stage a variant, in the order asked for; its run may raise ComparisonFailedError."""

    KIND = COMPARE

    def check(self) -> None:
        if len(self._skipped) == len(self._variants):
            reasons = "".join(f"\n  - {name}: {reason}" for name, reason in self._skipped.items())
            raise BackendUnavailableError(f"no variant can run on this machine:{reasons}")

    def checks(self, planner: Planner) -> StageRequest:
        """What a quant stage checks holds for the original's stage too."""
        requests = self.requests(planner)
        able = [request for request in requests if request.variant_name not in self._skipped]
        first = next((request for request in able if request.stage == QUANT), able[0])
        return replace(first, check_only=True, title="check")

    def stages(self, planner: Planner, run: Run) -> list[StageResult]:
        return [self._attempt(request, run) for request in self.requests(planner)]

    def work(self, ports: Ports, planner: Planner, run: Run) -> Work:
        parent = planner.parent_run_id or ""
        # They may be others when a comparison is resumed on another machine.
        skipped = {f"comparison.skipped.{n}": why[:4000] for n, why in self._skipped.items()}
        total = {"sweep.total_runs": str(len(self._variants) - len(skipped))}
        ports.store.annotate(parent, tags={**total, **skipped})
        results = self.stages(planner, run)
        table = tabulate(self.scenario, parent, results)
        metrics = self.report(ports, table, write_table, table.tags)
        raise_failures(results, table, f"{len(results)} variants")
        return results, metrics

    @cached_property
    def _variants(self) -> tuple[QuantizationParams, ...]:
        variants = self.scenario.comparison_variants
        if not variants:
            raise ScenarioError(
                f"scenario '{self.scenario.name}' names nothing to compare; write comparison: "
                "{quantization_variants: [{backend: openvino, precision: int8}]} into it, or give "
                "--quant-variants"
            )
        return variants

    @cached_property
    def _skipped(self) -> dict[str, str]:
        """Variant → why this machine can't run it."""
        device = self.scenario.environment.device
        found = {
            each.variant: reason_unavailable(
                each, device_for(device, each.backend), self.settings.probes_dir
            )
            for each in self._variants
        }
        return {name: reason for name, reason in found.items() if reason}

    def requests(self, planner: Planner) -> list[StageRequest]:
        source = find_source(self.scenario, self.options.source, "quant")
        requests = []
        for index, variant in enumerate(self._variants):
            name = variant.variant
            trial = Trial(index, f"quant-{name}", variable="quantization", value=name)
            changes = {"run_name": trial.name, "tags": tags_of(trial)}
            planner = replace(planner, scenario=self._scenario_for(variant))
            if name == ORIGINAL:
                # judged, not exported; the variant tells the stage to take nothing but an original
                values = variant.model_dump(mode="json")
                # Found by our own means, as in the stages that make the others: else the
                # original's boxes would be an author's Benchmark's, and theirs not.
                given = {"variant": values, "code_path": BUILTIN_EXPERIMENT}
                requests.append(planner.infer(source, name, **given, **changes))
            else:
                made = tuple(v.variant for v in self._variants if v.variant != ORIGINAL)
                requests.append(planner.quant(variant, source, variants=made, **changes))
        return requests

    def _scenario_for(self, variant: QuantizationParams) -> Scenario:
        """The scenario as one variant's stage takes it: a single run, on the common split."""
        single = self.scenario.as_single()
        environment = single.environment
        changes: dict[str, object] = {
            "dataset": single.dataset.model_copy(update={"split": common_split(single)}),
            "environment": environment.model_copy(
                update={"device": device_for(environment.device, variant.backend)}
            ),
        }
        if variant.variant == ORIGINAL:
            # Its accuracy is wanted: speed-ups come from the stages that time it by turns.
            changes["benchmark"] = single.benchmark.model_copy(
                update={
                    "batch_sizes": (1,), "use_tracking": False, "sequences": (), "cameras": None,
                }
            )  # fmt: skip
        return single.model_copy(update=changes)

    def _attempt(self, request: StageRequest, run: Run) -> StageResult:
        """One variant; its failure is a result, so that it does not end the others."""
        if reason := self._skipped.get(request.variant_name):
            return request.result("", RunStatus.SKIPPED, reason=reason)
        return attempt(request, run)

    def tags(self) -> dict[str, str]:
        return {
            **self.scenario.to_all_tags("quant"),
            "exp.design": "comparison",
            "comparison.type": "quantization",
        }
