"""Compare formats of one trained model: each made, judged and timed beside the original.

python -m pipelines.compare --scenario S --source-run-id ID [--quant-variants JSON] [--resume ID]

    scenario.comparison ──► can it run here? ──no──► a row 'skipped: reason', no run
                                 └──yes──► child run quant-{backend}_{precision} ──► a row
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from guardianflow.backends.catalogue import device_for
from guardianflow.contracts.errors import (
    BackendUnavailableError,
    ComparisonFailedError,
    ScenarioError,
    StageFailedError,
)
from guardianflow.contracts.results import StageResult, all_models
from guardianflow.contracts.run_status import RunStatus
from scenario import QuantizationParams, Scenario

from ..settings import Settings
from ..stage.backend_check import reason_unavailable
from ..stage.executor import LocalExecutor
from ..stage.kinds import COMPARE
from ..stage.parent_run import parent_run
from ..stage.plan import ORIGINAL, Planner, RunOptions, find_source
from ..stage.stage import StageRequest
from ..wiring import Ports
from .table import ComparisonTable, common_split, tabulate, write_table


@dataclass(frozen=True)
class Comparison:
    """Order of work and nothing else; stages run in processes of their own."""

    scenario: Scenario
    options: RunOptions
    settings: Settings
    executor: LocalExecutor

    def planned(self) -> list[StageRequest]:
        """One stage per variant, in the order asked for; what can't run here is not known yet."""
        return self._requests("")

    def run(self, connect: Callable[[str | None], Ports]) -> StageResult:
        """Make, judge and time every variant that can run here, or those left of a resumed run.

        Raises:
            BackendUnavailableError: none of them can; nothing was started.
            StageFailedError: the source or the data can't be used; no run was made.
            ComparisonFailedError: some failed at work; the others are in its table.
        """
        skipped = self._skipped()
        if len(skipped) == len(self._variants):
            reasons = "".join(f"\n  - {name}: {reason}" for name, reason in skipped.items())
            raise BackendUnavailableError(f"no variant can run on this machine:{reasons}")
        ports = connect(self.options.tracking_uri)
        requests = self._requests(ports.store.tracking_uri)
        able = [request for request in requests if request.variant_name not in skipped]
        # what a quant stage checks holds for the original's stage too
        first = next((request for request in able if request.stage == "quant"), able[0])
        self.executor.run(replace(first, check_only=True, title="check"))
        run_name = self.scenario.get_run_name("quant")
        table: ComparisonTable | None = None
        results: list[StageResult] = []
        try:
            with parent_run(
                ports, self.scenario, self.options, run_name, self._tags(), self.executor
            ) as parent:
                ports.store.annotate(parent, tags=self._counts(skipped))
                for request in requests:
                    reason = skipped.get(request.variant_name, "")
                    results.append(
                        skip(request, reason) if reason else self._attempt(request, parent)
                    )
                table = tabulate(self.scenario, parent, results)
                self._report(ports, parent, table)
                raise_failures(results, parent)
        except StageFailedError as exc:
            if table is None:
                raise
            raise ComparisonFailedError(exc, table) from exc
        return StageResult(
            stage=COMPARE,
            run_id=parent,
            status=RunStatus.FINISHED,
            experiment_name=self.scenario.get_experiment_name(),
            run_name=run_name,
            metrics=table.metrics,
            models=tuple(all_models(results)),
            stages=tuple(results),
        )

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

    def _requests(self, tracking_uri: str) -> list[StageRequest]:
        source = find_source(self.scenario, self.options.source, "quant")
        requests = []
        for index, variant in enumerate(self._variants):
            name = variant.variant
            changes = {
                "run_name": f"quant-{name}",
                "tags": {
                    "comparison.variable": "quantization",
                    "comparison.value": name,
                    "sweep.index": str(index),
                },
            }
            scenario = self._scenario_for(variant)
            planner = Planner(scenario, self.settings, self.options, tracking_uri)
            if name == ORIGINAL:
                # judged, not exported; the variant tells the stage to take nothing but an original
                values = variant.model_dump(mode="json")
                requests.append(planner.infer(source, name, variant=values, **changes))
            else:
                requests.append(planner.quant(variant, source, **changes))
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

    def _attempt(self, request: StageRequest, parent: str) -> StageResult:
        """One variant; its failure is a result, so that it does not end the others."""
        try:
            return self.executor.run(replace(request, parent_run_id=parent))
        except StageFailedError as exc:
            return replace(
                skip(request, exc.reason), run_id=exc.run_id or "", status=RunStatus.FAILED
            )

    def _tags(self) -> dict[str, str]:
        return {
            **self.scenario.to_all_tags("quant"),
            "exp.design": "comparison",
            "comparison.type": "quantization",
            "guardianflow.stage": COMPARE,
        }

    def _counts(self, skipped: dict[str, str]) -> dict[str, str]:
        """Tags that may be others when a comparison is resumed on another machine."""
        total = {"sweep.total_runs": str(len(self._variants) - len(skipped))}
        return total | {f"comparison.skipped.{name}": why[:4000] for name, why in skipped.items()}

    def _report(self, ports: Ports, parent: str, table: ComparisonTable) -> None:
        """`report/` of the parent: artifacts first, then what is drawn from them."""
        with TemporaryDirectory() as folder:
            write_table(table, Path(folder))
            ports.store.log_files(parent, Path(folder), "report")
        tags = {f"reused.{row.variant}": row.run_id for row in table.rows if row.reused}
        if table.best:
            tags |= {
                "comparison.best_run_id": table.best.run_id,
                "comparison.best_value": table.best.variant,
                "best.run_id": table.best.run_id,
            }
        ports.store.annotate(parent, tags=tags)
        ports.store.log_metrics(parent, table.metrics)


def skip(request: StageRequest, reason: str) -> StageResult:
    """A variant that was not run, with its reason and no number."""
    return StageResult(
        stage=request.stage,
        run_id="",
        status=RunStatus.SKIPPED,
        experiment_name=request.experiment_name,
        run_name=request.run_name,
        variant=request.variant_name,
        reason=reason,
    )


def raise_failures(results: Sequence[StageResult], parent: str) -> None:
    """Raises StageFailedError when a variant failed, naming each."""
    failed = [result for result in results if result.status == RunStatus.FAILED]
    if failed:
        told = "".join(
            f"\n  - {each.variant}: {each.reason}"
            + (f" (run {each.run_id})" if each.run_id else "")
            for each in failed
        )
        reason = f"{len(failed)} of {len(results)} variants failed:{told}"
        raise StageFailedError(COMPARE, reason, run_id=parent)
