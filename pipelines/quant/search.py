"""The search inside a quant stage: make, measure and log each recipe, and keep the best.

search_order decides what to try; this module tries it. Every try is a child run. A finished try of
an earlier search is taken over when nothing that it depends on has changed, and calibrations stay
in the work directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from guardianflow.contracts.errors import BackendError, GuardianFlowError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import BUSY, TimingDoubt, is_busy
from guardianflow.contracts.quantisation import Recipe, RecipeExporter
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.results import (
    DetectorPackage,
    ExportRequest,
    RunRecord,
    RunRequest,
)
from guardianflow.contracts.run_status import RunStatus
from scenario import SearchParams

from ..measuring.accuracy import Evaluated, accuracy_differences, evaluate_split
from ..measuring.timing import save_json, time_by_turns, timing_paths
from ..stage.quiet import quiet_rounds
from ..stage.stage import StageContext
from ..stage.tracked_run import tracked_run
from .activation_order import ActivationOrder, measure_order
from .distilling import distillation_of, distiller_of
from .qat import (
    VariantInput,
    make_trained,
    open_exporter,
    training_of,
)
from .search_order import RecipeSearch, SearchResult
from .trial import Trial

T = TypeVar("T")
TRY_TAG = "guardianflow.try"
THROUGHPUT_S = 2.0


class VariantSearch:
    """Searches within one quant run; use run() once.

    Args:
        given: its variant has backend and calibration to begin with; its `search` the limits.
        original: the trained model's own predictions, on the images that every try is judged on.
        basis: what intervals of drops count as one piece of evidence.
        identity: everything a try's result depends on beside its recipe.

    Attributes:
        busy: why the best one was not chosen by the objective: times of tries are absent.
    """

    def __init__(
        self,
        context: StageContext,
        run_id: str,
        given: VariantInput,
        original: Evaluated,
        basis: EvidenceBasis,
        identity: Mapping[str, Any],
    ) -> None:
        assert given.variant.search is not None  # the stage asked for a search
        self._context, self._run_id, self._given = context, run_id, given
        self._original, self._identity, self._basis = original, identity, basis
        self._wanted: SearchParams = given.variant.search
        self._wants_throughput = self._wanted.objective == "throughput"
        self._began = time.monotonic()
        self._working_s = 0.0
        self._longest_s = 0.0
        self._packages: dict[Recipe | None, DetectorPackage] = {}
        self._rounds = quiet_rounds(context.settings, context.events)
        self.busy: tuple[TimingDoubt, ...] = ()
        self._exporter: RecipeExporter
        self._float: DetectorPackage

    def run(self, outputs: Path) -> DetectorPackage:
        """The best package within the limits.

        Args:
            outputs: of the quant run; gets results/search.json and plots/search.png.

        Raises:
            BackendError: no recipe, and not even float16, is within the limits; says what was
                tried.
        """
        from guardianflow.backends.catalogue import backend_info

        given, context = self._given, self._context
        info = backend_info(given.variant.backend)
        base = Recipe(calibration_method=given.variant.calibration_method)
        self._float = self._timed(lambda: self._export("fp32"))
        with open_exporter(context, given) as self._exporter:
            told = partial(context.events.progress, note="which layers suffer most")
            shares = self._timed(lambda: self._exporter.sensitivity(base, told))
            ranking = dict(sorted(shares.items(), key=lambda item: -item[1]))
            seed, budget = context.scenario.environment.seed, self._wanted.budget_minutes
            trainable = self._wanted.allow_qat and info.supports("int8", "qat")
            search = RecipeSearch(
                list(ranking),
                self._try,
                lambda: self._seconds_left() >= 0,
                self._wanted.objective,
                base,
                presets=[each for each in info.presets if each != base.preset],
                training=training_of(given.variant, seed) if trainable else None,
                distillation=distillation_of(budget, seed) if self._wanted.allow_qat else None,
                order_activations=(
                    self._order_activations if self._wanted.allow_activations else None
                ),
            )
            result = search.run()
            self._save(outputs, result, ranking, search.activation_order)
            if result.best is None:
                tried = "; ".join(f"{each.label}: {each.reason}" for each in result.trials)
                raise BackendError(
                    f"no acceptable variant of {given.variant.variant} was found "
                    f"({result.ended}). Tried: {tried}. Allow a larger drop or more minutes in "
                    "quantization.search, or train longer"
                )
            if result.chosen_by != self._wanted.objective:
                self.busy = self._rounds.missed[-1] if self._rounds.missed else ()
                context.events.message(
                    f"the best try is the one with the smallest files, not that of the best "
                    f"{self._wanted.objective}: times of tries are absent, because the machine "
                    f"was busy"
                )
            context.events.message(
                f"best of {len(result.trials)} tries: {result.best.label} ({result.ended})"
            )
            return self._package(result.best.recipe, self._run_id)

    def _order_activations(self) -> ActivationOrder:
        from guardianflow.backends.catalogue import backend_info

        return self._timed(
            lambda: measure_order(
                self._exporter,
                backend_info(self._given.variant.backend).activations,
                self._fast_calls,
                self._identity,
                self._context.events.message,
                partial(self._context.events.progress, note="which activations suffer most"),
            )
        )

    def _fast_calls(self, packages: Mapping[str, DetectorPackage]) -> dict[str, float]:
        """See `fast_call_ms`; by turns; raises BusyMachineError."""
        from guardianflow.detector import Detector
        from guardianflow.evaluation.timing.latency import fast_call_ms

        device = self._context.scenario.environment.device
        with contextlib.ExitStack() as stack:
            opened = {
                name: stack.enter_context(Detector.open(package, device=device))
                for name, package in packages.items()
            }
            timed = time_by_turns(self._context, opened, self._original.images, self._rounds)
        return {name: fast_call_ms(each) for name, each in timed.items()}

    def _seconds_left(self) -> float:
        """Of the budget, with what measuring one more try takes set aside."""
        used = time.monotonic() - self._began
        return self._wanted.budget_minutes * 60 - used - self._longest_s

    def _timed(self, work: Callable[[], T]) -> T:
        """Exporting and measuring, apart from the search's own deciding and logging."""
        began = time.monotonic()
        try:
            return work()
        finally:
            self._working_s += time.monotonic() - began

    def _export(self, precision: str) -> DetectorPackage:
        from guardianflow.backends.catalogue import get_backend

        backend = get_backend(self._given.variant.backend)
        target = self._context.scratch / "tries" / precision
        target.parent.mkdir(exist_ok=True)
        return backend.export(self._given.source, ExportRequest(precision), target)

    def _package(self, recipe: Recipe | None, run_id: str) -> DetectorPackage:
        """A recipe's package; the run is where training is logged, if it comes to that."""
        if recipe not in self._packages:
            self._packages[recipe] = self._made(recipe, run_id)
        return self._packages[recipe]

    def _made(self, recipe: Recipe | None, run_id: str) -> DetectorPackage:
        if recipe is None:
            return self._export("fp16")
        target = self._context.scratch / "tries" / recipe.digest[:12]
        # The best of the tries is made whatever it takes: it is the result.
        seconds = None if run_id == self._run_id else self._seconds_left()
        if recipe.training is None:
            distiller = distiller_of(self._context, self._given, run_id, seconds)
            return self._exporter.make(recipe, target, distiller)
        return make_trained(
            self._context,
            self._exporter,
            recipe,
            self._given,
            run_id=run_id,
            destination=target,
            seconds=seconds,
        )

    # --- one try -------------------------------------------------------------------------------

    def _try(self, recipe: Recipe | None) -> Trial:
        context, store = self._context, self._context.ports.store
        label = "float16" if recipe is None else recipe.label
        fingerprint = self._fingerprint(recipe)
        found = store.find_runs(
            experiment_name=context.request.experiment_name,
            tags={TRY_TAG: fingerprint},
            status=RunStatus.FINISHED,
            limit=1,
        )
        if found and not context.request.force and self._is_enough(found[0]):
            context.events.message(f"{label}: measured before, run {found[0].run_id}")
            return Trial.of_run(recipe, found[0]).judged(self._wanted)
        tags = {
            **context.scenario.to_all_tags("quant"),
            "guardianflow.stage": "quant-try",
            TRY_TAG: fingerprint,
            "quant.recipe": label,
        }
        if recipe is not None:
            tags["quant.float_groups"] = ", ".join(recipe.float_groups) or "none"
            tags["quant.method"] = recipe.method
            if recipe.activations is not None:
                tags["quant.activations"] = ", ".join(recipe.activations.names)
                tags["quant.activation_groups"] = ", ".join(recipe.activations.groups)
        began = time.monotonic()
        request = RunRequest(
            experiment_name=context.request.experiment_name,
            run_name=f"try-{label.replace(' ', '-').replace(',', '')}",
            tags=tags,
            parent_run_id=self._run_id,
        )
        with tracked_run(store, lambda: store.start_run(request), context.events.message) as run:
            for data in store.get_run(self._run_id).data:
                store.log_data(run.run_id, data)
            trial = self._measure(recipe, run.run_id)
            if not trial.is_measured:
                run.status, run.reason = RunStatus.FAILED, trial.reason
            said = {"quant.accepted": str(trial.accepted).lower(), "quant.reason": trial.reason}
            store.annotate(run.run_id, tags=said)
        self._longest_s = max(self._longest_s, time.monotonic() - began)
        context.events.message(f"{label}: {trial.reason}")
        return trial

    def _is_enough(self, run: RunRecord) -> bool:
        """Whether a try of before has its times, or can't have them now either."""
        return not is_busy(run.metrics) or not self._rounds.wait_for_quiet()

    def _measure(self, recipe: Recipe | None, child: str) -> Trial:
        try:
            trial, metrics = self._timed(lambda: self._measured(recipe, child))
        except GuardianFlowError as exc:  # one recipe that can't be made is no end of the search
            return Trial(recipe, reason=f"it could not be made or run: {exc}", run_id=child)
        self._context.ports.store.log_metrics(child, metrics)
        return trial.judged(self._wanted)

    def _measured(self, recipe: Recipe | None, child: str) -> tuple[Trial, dict[str, float]]:
        from guardianflow.detector import Detector
        from guardianflow.evaluation.timing.latency import speedup

        context, images = self._context, self._original.images
        device = context.scenario.environment.device
        package = self._package(recipe, child)
        with (
            Detector.open(package, device=device) as detector,
            Detector.open(self._float, device=device) as reference,
        ):
            judged = evaluate_split(context, detector, images, f"judging {package.spec.variant}")
            both = {"float": reference, "try": detector}
            timed = self._in_quiet(lambda: time_by_turns(context, both, images, self._rounds))
        rate, times = None, dict[str, float]()
        if self._wants_throughput:
            rate = self._in_quiet(
                lambda: self._rounds.measure(lambda: self._relative_throughput(package))
            )
        if timed is None or (rate is None and self._wants_throughput):
            times[BUSY] = 1.0
        latency = None
        if timed is not None:
            gain = speedup(timed["float"], timed["try"])
            latency = Estimate(1 / gain.value, 1 / gain.high, 1 / gain.low)
            times["sys.inference_latency_p50_ms"] = timed["try"].latency_p50_ms
        trial = Trial(
            recipe,
            run_id=child,
            drops=self._drops(judged),
            class_recall=dict(judged.metrics.class_recall),
            relative_latency=latency.value if latency else None,
            latency_bounds=(latency.low, latency.high) if latency else None,
            size_mb=package.size_bytes / 1e6,
            relative_throughput=rate,
        )
        return trial, judged.metrics.as_metrics("det.") | trial.as_metrics() | times

    def _in_quiet(self, work: Callable[[], T]) -> T | None:
        """What was timed; None where the machine was busy."""
        from guardianflow.evaluation.timing.quiet import BusyMachineError

        try:
            return work()
        except BusyMachineError as exc:
            self._context.events.message(f"a try has no times, the machine was busy: {exc}")
            return None

    def _relative_throughput(self, package: DetectorPackage) -> float:
        from guardianflow.detector import Detector
        from guardianflow.evaluation.images.preprocessing import load_image
        from guardianflow.evaluation.timing.throughput import measure_network_throughput

        device = self._context.scenario.environment.device
        images = [load_image(path) for path in timing_paths(self._original.images)[:8]]
        rates: dict[str, list[float]] = {"float": [], "try": []}
        for _ in range(2):  # by turns, as everything that is compared
            for name, each in (("float", self._float), ("try", package)):
                with Detector.open(each, device=device, mode="throughput") as detector:
                    result = measure_network_throughput(detector, images, seconds=THROUGHPUT_S)
                rates[name].append(result.fps)
        return sum(rates["try"]) / sum(rates["float"])

    def _drops(self, judged: Evaluated) -> dict[str, Estimate]:
        """Original − try; without an interval where images are too few for one."""
        before, after = self._original.metrics, judged.metrics
        drops = {
            "mAP50": Estimate.exactly(before.mAP50 - after.mAP50),
            "mAP50_95": Estimate.exactly(before.mAP50_95 - after.mAP50_95),
        }
        differences = accuracy_differences(self._context, self._original, judged, self._basis)
        return drops | {key: -each for key, each in differences.items()}

    def _fingerprint(self, recipe: Recipe | None) -> str:
        identity = {
            **self._identity,
            "recipe": None if recipe is None else asdict(recipe),
            "throughput": self._wants_throughput,
        }
        text = json.dumps(identity, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    # --- what is left of it ----------------------------------------------------------------------

    def _save(
        self,
        outputs: Path,
        result: SearchResult,
        ranking: Mapping[str, float],
        order: ActivationOrder,
    ) -> None:
        from guardianflow.evaluation.pictures.tradeoff import TradeoffPoint, search_frontier

        seconds = time.monotonic() - self._began
        overhead = 1 - self._working_s / seconds if seconds else 0.0
        table = {
            "limits": self._wanted.model_dump(mode="json"),
            "ended": result.ended,
            "seconds": round(seconds, 1),
            "overhead_share": round(overhead, 4),
            "sensitivity": dict(ranking),
            **({"activations": order.to_table()} if order.measured or order.reason else {}),
            "best": result.best.label if result.best else None,
            "chosen_by": result.chosen_by,
            "tries": [each.to_row() for each in result.trials],
        }
        save_json(outputs / "results" / "search.json", table)
        points = [
            TradeoffPoint(
                each.label,
                each.relative_latency,
                each.drop,
                each.latency_bounds,
                accuracy_bounds=(each.drops["mAP50_95"].low, each.drops["mAP50_95"].high),
                within=each.accepted,
                best=each is result.best,
            )
            for each in result.trials
            if each.is_measured
        ]
        if points:
            title = f"{self._given.variant.variant}: what was tried"
            path = outputs / "plots" / "search.png"
            search_frontier(points, self._wanted.max_drop_mAP50_95, path, title=title)
        self._context.ports.store.log_files(self._run_id, outputs)
        self._context.ports.store.log_metrics(
            self._run_id,
            {"search.tries": float(len(result.trials)), "search.seconds": seconds,
             "search.overhead_share": overhead},
        )  # fmt: skip
