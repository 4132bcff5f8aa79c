"""Infer: how good and how fast a trained or quantised model is, on the split named.

python -m pipelines.infer --scenario S --source-run-id ID [--code-path P]

With an author's Benchmark at P, that finds the boxes: see own_benchmark.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.estimates import estimates_as_metrics
from guardianflow.contracts.results import DetectorPackage, LocalDataset

from ..measuring.accuracy import (
    Evaluated,
    accuracy_intervals,
    evaluate_split,
    read_split,
    save_judged,
)
from ..measuring.alarms.files import save_alarms
from ..measuring.alarms.inputs import TEST, AlarmInputs, identity_of, resolve_alarms
from ..measuring.alarms.judging import judge_alarms, tags_of, untold
from ..measuring.alarms.pictures import draw_alarms
from ..measuring.batch_sizes import best_batch_size, memory_by_batch_size
from ..measuring.conditions import TimingConditions
from ..measuring.evidence import basis_table, basis_tags, evidence_basis, evidence_identity
from ..measuring.leaks import (
    look_for_leaks,
    notes_of_leaks,
    untouched_figures,
    untouched_metrics,
)
from ..measuring.model_page import show_with_model
from ..measuring.mot import LIBRARIES as TRACKING_LIBRARIES
from ..measuring.mot import measure_tracking, resolve_sequences, tracking_identity, tracking_tags
from ..measuring.slices import (
    draw_slices,
    save_slices,
    slice_identity,
    slice_metrics,
    slice_notes,
    slice_tags,
    sliced,
    traits_of,
    worst_name,
)
from ..measuring.timing import (
    Timings,
    camera_metrics,
    sampled,
    save_json,
    save_timings,
    time_batch_sizes,
    time_throughput,
    timing_paths,
)
from ..reuse.identity import (
    SourceIdentity,
    device_asked,
    measured_by,
    own_code_fingerprint,
    source_identity,
    timed_on,
    versions_for,
)
from ..stage.author_code import code_tags, load_code
from ..stage.backend_check import require_backend, verdict_tags
from ..stage.code_identity import code_digest
from ..stage.inputs.data_sets import (
    data_input,
    dataset_tags,
    infer_split,
    load_dataset,
)
from ..stage.inputs.sources import (
    check_classes,
    check_split,
    device_within,
    fetch_source,
    require_original,
    require_usual_values,
    source_run_tags,
    source_trust_tags,
    source_weight_tags,
)
from ..stage.kinds import INFER
from ..stage.stage import (
    StageContext,
    StageIdentity,
    StageOutcome,
    StagePlan,
    UndecidedError,
)
from .own_benchmark import Judged, measure_by_benchmark, require_trackable, tracker_of
from .pictures import draw_accuracy

if TYPE_CHECKING:
    from experiments_adapters.code_path import ExperimentCode
    from guardianflow.contracts.recordings.evidence import EvidenceBasis
    from guardianflow.contracts.results import LabelledImage
    from guardianflow.contracts.sequences import TrackingSequence


class InferStage:
    """Judges a model and times it for each batch size."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._dataset: LocalDataset
        self._source: DetectorPackage
        self._images: list[LabelledImage]
        self._split = ""
        self._basis: EvidenceBasis
        self._sequences: tuple[TrackingSequence, ...] = ()
        self._alarms: AlarmInputs | None = None
        self._code: ExperimentCode | None = None

    def identify(self) -> StageIdentity:
        context = self._context
        if context.scenario.benchmark.use_tracking:
            raise UndecidedError("the sequences to track in must be read to be known")
        code = own_code_fingerprint(context, INFER)
        source = source_identity(context)
        self._dataset = load_dataset(context)
        self._split = infer_split(context, self._dataset)
        self._alarms = resolve_alarms(context, self._dataset.class_names, TEST)
        alike = {"guardianflow.stage": INFER, "model.variant": source.variant}
        return StageIdentity(self._identity(source, code), alike, self._dataset.warnings)

    def _identity(self, source: SourceIdentity, code: str) -> dict[str, Any]:
        """Args: code: fingerprint of the author's; '' for ours."""
        context, scenario = self._context, self._context.scenario
        tracking = TRACKING_LIBRARIES if scenario.benchmark.use_tracking else ()
        return {
            "stage": INFER,
            "benchmark": measured_by(scenario, alone=True),
            "device": device_asked(device_within(context, source.backend)),
            "machine": timed_on(),
            "source": source.digest,
            "data": self._dataset.fingerprint,
            "split": self._split,
            "evidence": evidence_identity(
                scenario, self._dataset, self._dataset.splits[self._split]
            ),
            "sequences": tracking_identity(self._sequences),
            **identity_of(self._alarms),
            "slices": slice_identity(self._dataset, self._dataset.splits[self._split]),
            "version": scenario.version,
            "code": code,
            "libraries": versions_for([source.backend], "ultralytics", "scipy", *tracking),
            "own_code": code_digest(INFER, [source.backend], context.settings.own_code_file),
        }

    def prepare(self) -> StagePlan:
        context, scenario = self._context, self._context.scenario
        self._source = fetch_source(context, context.scratch / "source")
        if context.request.variant:  # the original's place in a comparison
            require_original(context, self._source)
        spec = self._source.spec
        verdict = require_backend(
            spec.backend,
            spec.precision,
            context.settings.probes_dir,
            device_within(context, spec.backend),
        )
        self._dataset = load_dataset(context)
        check_classes(self._source, self._dataset)
        check_split(context, self._source, self._dataset)
        self._split = infer_split(context, self._dataset)
        self._images = read_split(self._dataset, self._split)
        paths = [each.path for each in self._images]
        self._basis = evidence_basis(context, self._dataset, paths)
        require_usual_values(context, self._source, paths)
        self._sequences = resolve_sequences(context, spec.class_names)
        self._alarms = resolve_alarms(context, self._dataset.class_names, TEST)
        self._code = load_code(context, INFER)
        if self._code is not None:
            require_trackable(self._code, self._sequences)
        code = self._code.fingerprint if self._code else ""
        params = {key: str(value) for key, value in scenario.to_all_params("infer").items()}
        params["model.input_size"] = str(self._source.spec.input_size)
        return StagePlan(
            identity=self._identity(SourceIdentity.of(self._source), code),
            data=data_input(context, self._dataset, self._split),
            tags={
                **scenario.to_all_tags("infer"),
                **dataset_tags(self._dataset),
                **source_run_tags(context),
                **source_trust_tags(context, self._source),
                **source_weight_tags(context, self._source),
                **verdict_tags(verdict),
                **tracking_tags(context, self._sequences, tracker_of(self._code)),
                **code_tags(self._code),
                **basis_tags(self._basis),
                "data.split": self._split,
                "model.variant": self._source.spec.variant,
            },
            params=params,
            data_warnings=self._dataset.warnings,
        )

    def work(self, run_id: str) -> StageOutcome:
        outcome = self._measured(run_id)
        data = data_input(self._context, self._dataset, self._split)
        show_with_model(self._context, run_id, self._context.request.source, self._source, data)
        return outcome

    def _measured(self, run_id: str) -> StageOutcome:
        if self._code is None:
            return self._measure(run_id)
        given = Judged(
            self._code,
            self._source,
            self._dataset,
            self._split,
            self._images,
            self._sequences,
            self._basis,
            self._alarms,
        )
        return measure_by_benchmark(self._context, given, run_id)

    def _measure(self, run_id: str) -> StageOutcome:
        from guardianflow.backends.weights.model_figures import figures_from_lineage
        from guardianflow.backends.weights.weight_notes import notes_of
        from guardianflow.detector import Detector
        from guardianflow.evaluation.timing.latency import latency_metrics
        from guardianflow.evaluation.timing.throughput import throughput_metrics

        context, store = self._context, self._context.ports.store
        outputs = context.scratch / "outputs"
        device = device_within(context, self._source.spec.backend)
        usage: dict[str, float] = {}
        with Detector.open(self._source, device=device) as detector:
            with sampled(usage):
                judged = evaluate_split(context, detector, self._images, "judging")
            tracked = measure_tracking(context, detector, self._sequences, outputs)
            alarms = judge_alarms(context, self._alarms, detector, "watching the recordings")
            session = detector.info
        seen = look_for_leaks(context, self._dataset, [self._split])
        paths = timing_paths(self._images)
        with TimingConditions(context) as watch:
            latency = time_batch_sizes(watch, self._source, paths)
            throughput, cameras = time_throughput(watch, self._source, paths, usage)
            watch.timings = {f"batch size {each.batch_size}": each.latency for each in latency}
        timings = Timings({"model": latency}, throughput, cameras)
        intervals = accuracy_intervals(context, judged, self._basis, "how sure the accuracy is")
        note = seen.note(self._split, self._source)
        rest = untouched_figures(
            context, judged, seen.touched(self._split), self._basis, "the accuracy"
        )
        note = replace(note, untouched=rest)
        traits = traits_of(context, self._dataset, self._images, self._basis)
        slices = sliced(judged, traits, self._source.spec.input_size)
        metrics = judged.metrics.as_metrics() | estimates_as_metrics(intervals, "det.") | tracked
        metrics |= self._basis.as_metrics()
        metrics |= untouched_metrics(note, "det.") | slice_metrics(slices)
        for each in latency:
            # sys.* speaks of one image at a time, as frames come from a camera
            metrics |= latency_metrics(each, sys_prefix="sys." if each.batch_size == 1 else None)
        metrics |= best_batch_size(metrics)
        metrics |= memory_by_batch_size(context, self._source, paths)
        metrics |= throughput_metrics(throughput) | camera_metrics(cameras)
        metrics |= usage | watch.metrics()
        metrics["sys.model_size_mb"] = self._source.size_bytes / 1e6
        metrics |= figures_from_lineage(self._source.spec)
        metrics |= alarms.figures.as_metrics() if alarms else {}
        save_judged(judged, "model", outputs)
        save_alarms({"model": alarms} if alarms else {}, outputs)
        save_timings(outputs / "results" / "latency.json", timings, watch, {"model": session})
        table = {
            "variant": self._source.spec.variant,
            "split": self._split,
            "metrics": metrics,
            "evidence": basis_table(self._basis),
            "intervals_95": {key: [each.low, each.high] for key, each in intervals.items()},
            "session": vars(session),
            "notes": notes_of(self._source.spec),
            "leak": note.to_dict(),
        }
        save_json(outputs / "results" / "inference.json", table)
        save_slices({"model": slices}, {}, outputs)
        self._draw(outputs, judged, timings)
        draw_slices(slices, outputs / "plots" / "slices.png", f"Recall by slice ({self._split})")
        if alarms is not None:
            draw_alarms(alarms, outputs / "plots")
        seen.save(outputs)
        store.log_files(run_id, outputs)
        tags = {
            "det.evaluator": judged.metrics.evaluator,
            **slice_tags(slices),
            **seen.tags(),
            **watch.tags(session),
            **tags_of(alarms),
        }
        store.annotate(run_id, tags=tags)
        store.log_metrics(run_id, metrics)
        absent = untold(alarms.figures) if alarms else ()
        notes = (
            *notes_of_leaks(note),
            *slice_notes(slices),
            *watch.notes,
            *notes_of(self._source.spec),
            *absent,
        )
        worst = worst_name(slices)
        return StageOutcome(metrics, device=session.device, notes=notes, worst_slice=worst)

    def _draw(self, outputs: Path, judged: Evaluated, timings: Timings) -> None:
        from guardianflow.evaluation.pictures import timing as timing_pictures

        plots, latency = outputs / "plots", timings.latency["model"]
        draw_accuracy(judged, plots)
        if latency:
            timing_pictures.latency_by_batch_size(latency, plots / "latency.png")
        for single in (each for each in latency if each.batch_size == 1):
            timing_pictures.latency_distribution(
                {"file to boxes without decoding": single.latency, **single.stages},
                plots / "latency_distribution.png",
                title=f"{self._source.spec.variant}: how long one image took",
            )
        if timings.cameras is not None:
            timing_pictures.camera_load(timings.cameras, plots / "cameras.png")
