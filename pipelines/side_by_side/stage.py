"""Side by side: several models judged on the same images and timed by turns.

Made for comparisons and ablations; no command asks for it alone. A model that can't be measured
ends the stage by its name: a table without one that was asked for would be read as whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import (
    ConfigurationError,
    EvaluationError,
    GuardianFlowError,
    Problems,
    SourceError,
)
from guardianflow.contracts.measurements import LatencyResult
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.results import (
    DetectorPackage,
    LabelledImage,
    LocalDataset,
    RegisteredModel,
    SessionInfo,
)
from scenario import Scenario

from ..measuring.accuracy import (
    Evaluated,
    evaluate_split,
    read_split,
    save_judged,
)
from ..measuring.conditions import TimingConditions
from ..measuring.evidence import basis_table, basis_tags, evidence_basis, evidence_identity
from ..measuring.leaks import look_for_leaks
from ..measuring.timing import Timings, save_json, save_timings, time_by_turns
from ..reuse.identity import device_asked, measured_by, timed_on, versions_for
from ..stage.backend_check import require_backend
from ..stage.code_identity import code_digest
from ..stage.inputs.data_sets import (
    data_input,
    dataset_tags,
    infer_split,
    load_dataset,
)
from ..stage.inputs.sources import (
    RUN_REFERENCE,
    check_classes,
    check_split,
    fetch_source,
    require_usual_values,
)
from ..stage.kinds import SIDE_BY_SIDE
from ..stage.stage import (
    StageContext,
    StageIdentity,
    StageOutcome,
    StagePlan,
    UndecidedError,
)
from .contenders import Contender, contenders_of, ranked_by
from .figures import RankedBy, SideBySide
from .measured import Judge, Measured, require_measured

if TYPE_CHECKING:
    from guardianflow.detector import Detector

LIBRARIES = ("ultralytics", "scipy")
RESULTS_FILE = "results/side_by_side.json"
Pair = tuple[int, int]
"""Places of two contenders: the second is what the first is held against."""


class SideBySideStage:
    """Judges and times all contenders, and registers the best one where it is told to."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._contenders: list[Contender]
        self._ranked_by: RankedBy
        self._packages: list[DetectorPackage] = []
        self._dataset: LocalDataset
        self._images: list[LabelledImage]
        self._split = ""
        self._basis: EvidenceBasis

    def identify(self) -> StageIdentity:
        raise UndecidedError("the models must be fetched to be known")

    def prepare(self) -> StagePlan:
        context, scenario = self._context, self._context.scenario
        self._contenders = contenders_of(context.request)
        self._ranked_by = ranked_by(context.request)
        self._dataset = load_dataset(context)
        self._split = infer_split(context, self._dataset)
        self._images = read_split(self._dataset, self._split)
        paths = [each.path for each in self._images]
        self._basis = evidence_basis(context, self._dataset, paths)
        require_measured(self._ranked_by, self._dataset.class_names)
        self._fetch()
        return StagePlan(
            identity=self._identity(),
            data=data_input(context, self._dataset, self._split),
            tags={
                **scenario.to_all_tags("infer"),
                **dataset_tags(self._dataset),
                **basis_tags(self._basis),
                "data.split": self._split,
            },
            params={key: str(value) for key, value in scenario.to_all_params("infer").items()},
            data_warnings=self._dataset.warnings,
            record={"models": [each.to_dict() for each in self._contenders]},
        )

    def _identity(self) -> dict[str, Any]:
        context, scenario = self._context, self._context.scenario
        backends = sorted({each.spec.backend for each in self._packages})
        models = [
            [each.label, package.digest, list(each.against), each.name, each.group]
            for each, package in zip(self._contenders, self._packages, strict=True)
        ]
        return {
            "stage": SIDE_BY_SIDE,
            "models": models,
            "ranked_by": [self._ranked_by.metric, self._ranked_by.maximize],
            "register": context.request.register,
            "benchmark": measured_by(scenario, alone=False),
            "device": device_asked(scenario.environment.device),
            "machine": timed_on(),
            "data": self._dataset.fingerprint,
            "split": self._split,
            "evidence": evidence_identity(
                scenario, self._dataset, self._dataset.splits[self._split]
            ),
            "version": scenario.version,
            "libraries": versions_for(backends, *LIBRARIES),
            "own_code": code_digest(SIDE_BY_SIDE, backends, context.settings.own_code_file),
        }

    def _fetch(self) -> None:
        """Every model, checked; what is wrong with any is told at once.

        Raises:
            SourceError: models that can't be had, or that name other classes than the data.
        """
        context, problems = self._context, Problems()
        paths = [each.path for each in self._images]
        for place, each in enumerate(self._contenders):
            try:
                alone = self._alone(each)
                package = fetch_source(alone, context.scratch / "models" / str(place))
                check_classes(package, self._dataset)
                check_split(alone, package, self._dataset)
                spec = package.spec
                require_backend(spec.backend, spec.precision, context.settings.probes_dir)
                require_usual_values(alone, package, paths)
            except ConfigurationError as exc:
                problems.add(str(exc), each.label)
                continue
            self._packages.append(package)
        if problems:
            raise SourceError(problems)

    def _alone(self, each: Contender) -> StageContext:
        """The context for one model: a run's weights are read as the run was made, not as ours."""
        context, request = self._context, replace(self._context.request, source=each.source)
        if not each.source.startswith(RUN_REFERENCE):
            return replace(context, request=request)
        run_id = each.source.removeprefix(RUN_REFERENCE).partition("/")[0]
        made = context.ports.store.get_run(run_id).params
        size = made.get("model.input_size", "")
        known: dict[str, object] = {}
        if architecture := made.get("model.architecture"):
            known["architecture"] = architecture
        if size.isdecimal():
            known["input_size"] = int(size)
        model = context.scenario.model.model_copy(update=known)
        return replace(
            context,
            request=replace(request, input_size_given=size.isdecimal()),
            scenario=context.scenario.model_copy(update={"model": model}),
        )

    # --- the work -----------------------------------------------------------------------------

    def work(self, run_id: str) -> StageOutcome:
        context, store = self._context, self._context.ports.store
        outputs = context.scratch / "outputs"
        judged, sessions = self._judge()
        seen = look_for_leaks(context, self._dataset, [self._split])
        with TimingConditions(context) as watch:
            latency = self._time(watch)
            watch.timings = {label: each.latency for label, each in latency.items()}
        measured = [
            Measured(each.label, package, found, info, latency.get(each.label))
            for each, package, found, info in zip(
                self._contenders, self._packages, judged, sessions, strict=True
            )
        ]
        pairs, reference = self._pairs(measured)
        together = len(self._groups) - 1 if self._groups else len(pairs)
        judge = Judge(context, self._ranked_by, self._basis, measured, pairs, max(1, together))
        notes = [seen.note(self._split, package) for package in self._packages]
        beside = SideBySide(
            tuple(
                judge.figures(place, None if note.unknown else note.share)
                for place, note in enumerate(notes)
            ),
            reference,
        )
        metrics = beside.as_metrics() | self._basis.as_metrics() | watch.metrics()
        for place, each in enumerate(judged):
            save_judged(each, str(place), outputs)
        self._save(measured, watch, metrics)
        seen.save(outputs)
        store.log_files(run_id, outputs)
        tags = {"det.evaluator": judged[0].metrics.evaluator, **seen.tags()}
        tags["side_by_side.ranked_by"] = self._ranked_by.metric
        store.annotate(run_id, tags=tags | watch.tags(sessions[reference]))
        store.log_metrics(run_id, metrics)
        models = self._register(self._best(measured))
        learnt = [
            f"{each.label} has learnt from {note.touched} of the {note.images} images that it is "
            "judged on: what it is ahead by proves nothing"
            for each, note in zip(self._contenders, notes, strict=True)
            if note.leaks and not note.unknown
        ]
        devices = dict.fromkeys(each.device for each in sessions)
        return StageOutcome(
            metrics, models, device=", ".join(devices), notes=(*learnt, *watch.notes)
        )

    def _judge(self) -> tuple[list[Evaluated], list[SessionInfo]]:
        """Every model once; two that answer alike share what was found."""
        known: dict[str, tuple[Evaluated, SessionInfo]] = {}
        for each, package in zip(self._contenders, self._packages, strict=True):
            key = package.spec.answers
            if key in known:
                continue
            try:
                with self._open(package) as detector:
                    found = evaluate_split(
                        self._context, detector, self._images, f"judging {each.label}"
                    )
                    known[key] = found, detector.info
            except GuardianFlowError as exc:
                raise EvaluationError(f"{each.label} can't be measured: {exc}") from exc
        both = [known[package.spec.answers] for package in self._packages]
        return [found for found, _ in both], [info for _, info in both]

    def _best(self, measured: Sequence[Measured]) -> int | None:
        """Place of the best one, the first named of several; None where the metric is not there."""
        by = self._ranked_by
        known = {
            place: by.best_first(each.flat[by.metric])
            for place, each in enumerate(measured)
            if by.metric in each.flat
        }
        means = {
            fmean(known[place] for place in places): places
            for places in reversed(self._groups.values())
            if all(place in known for place in places)
        }
        among = means[min(means)] if means else known
        return min(among, key=lambda place: (known[place], place), default=None)

    @property
    def _groups(self) -> dict[str, list[int]]:
        """Group → places of its contenders; {} where they stand alone."""
        found: dict[str, list[int]] = {}
        for place, each in enumerate(self._contenders):
            if each.group:
                found.setdefault(each.group, []).append(place)
        return found

    def _pairs(self, measured: Sequence[Measured]) -> tuple[list[Pair], int]:
        """Who is compared with whom, and who the others are held against: the best, if unsaid."""
        asked = [(place, o) for place, each in enumerate(self._contenders) for o in each.against]
        if asked:
            return asked, asked[0][1]
        best = self._best(measured) or 0
        if groups := self._groups:
            home = groups[self._contenders[best].group]
            others = [places for places in groups.values() if places is not home]
            return [pair for places in others for pair in zip(places, home, strict=False)], best
        return [(place, best) for place in range(len(measured)) if place != best], best

    def _time(self, watch: TimingConditions) -> Mapping[str, LatencyResult]:
        """Latency of all by turns, one image at a time; of none where the machine was busy."""
        self._context.events.message("timing all models by turns")
        with ExitStack() as stack:
            detectors = {
                each.label: stack.enter_context(self._open(package))
                for each, package in zip(self._contenders, self._packages, strict=True)
            }
            found = watch.timed(
                "latency and speed-up",
                lambda: time_by_turns(self._context, detectors, self._images, watch.rounds),
            )
        return found or {}

    def _register(self, best: int | None) -> tuple[RegisteredModel, ...]:
        """The best one under its name, where it has one and models are to be registered."""
        context = self._context
        if best is None or not (context.request.register and self._contenders[best].name):
            return ()
        each, package = self._contenders[best], self._packages[best]
        run_id = each.source.removeprefix(RUN_REFERENCE)
        learnt = {"run_id": run_id, "data_fingerprint": self._dataset.fingerprint}
        spec = replace(package.spec, lineage={**package.spec.lineage, **learnt})
        tags = {
            "architecture": spec.architecture,
            "input_size": str(spec.input_size),
            "task": context.scenario.task.type,
            "exp_version": context.scenario.version,
            "source_run_id": run_id,
            "data_fingerprint": self._dataset.fingerprint,
        }
        whole = DetectorPackage.create(package.directory, spec)
        return (context.ports.registry.register(run_id, whole, each.name, tags=tags),)

    def _save(
        self, measured: Sequence[Measured], watch: TimingConditions, metrics: Mapping[str, float]
    ) -> None:
        outputs = self._context.scratch / "outputs"
        save_timings(
            outputs / "results" / "latency.json",
            Timings({each.label: [each.timed] for each in measured if each.timed}),
            watch,
            {each.label: each.session for each in measured},
        )
        table = {
            "models": [
                {**each.to_dict(), "variant": found.package.spec.variant,
                 "sha256": found.package.digest, "measured": found.flat}
                for each, found in zip(self._contenders, measured, strict=True)
            ],
            "split": self._split,
            "ranked_by": self._ranked_by.metric,
            "evidence": basis_table(self._basis),
            "metrics": metrics,
        }  # fmt: skip
        save_json(outputs / RESULTS_FILE, table)

    def _open(self, package: DetectorPackage) -> Detector:
        from guardianflow.backends.catalogue import device_for
        from guardianflow.detector import Detector

        device = device_for(self._context.scenario.environment.device, package.spec.backend)
        return Detector.open(package, device=device)


def scenario_for(scenario: Scenario) -> Scenario:
    """A single scenario whose measurement is what this stage measures: one image at a time."""
    single = scenario.as_single()
    benchmark = single.benchmark.model_copy(
        update={"batch_sizes": (1,), "use_tracking": False, "sequences": (), "cameras": None}
    )
    return single.model_copy(update={"benchmark": benchmark, "alarms": None})
