"""An infer run whose boxes an author's Benchmark finds; what they are worth, we judge.

    Benchmark.predict        → det.*, each image's boxes; its time from decoded images to boxes
    Benchmark.predict_split  → det.* alone
    Benchmark.track          → mot.*, where the scenario asks for tracking
    Benchmark.extra_metrics  → bench.*

Nothing else is measured: what happens inside is not known, so there are no stages of a call, no
throughput of many calls at once and no count of cameras.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import Problem, ScenarioError
from guardianflow.contracts.estimates import estimates_as_metrics
from guardianflow.contracts.measurements import LatencyResult
from guardianflow.contracts.results import DetectorPackage, LabelledImage, LocalDataset

from ..measuring.accuracy import Evaluated, accuracy_intervals, judge, save_judged, told_by
from ..measuring.alarms.files import save_alarms
from ..measuring.alarms.judging import JudgedAlarms, judge_found_by, tags_of, untold
from ..measuring.alarms.pictures import draw_alarms
from ..measuring.conditions import TimingConditions
from ..measuring.evidence import basis_table
from ..measuring.leaks import look_for_leaks, notes_of_leaks
from ..measuring.mot import OwnTracker, measure_tracking
from ..measuring.slices import (
    draw_slices,
    save_slices,
    slice_metrics,
    slice_notes,
    slice_tags,
    sliced,
    traits_of,
    worst_name,
)
from ..measuring.timing import (
    Timings,
    sampled,
    save_json,
    save_timings,
    timing_paths,
)
from ..stage.inputs.sources import (
    device_within,
)
from ..stage.stage import StageContext, StageOutcome
from .pictures import draw_accuracy

if TYPE_CHECKING:
    from experiments_adapters.benchmarks import RunningBenchmark
    from experiments_adapters.code_path import ExperimentCode
    from guardianflow.contracts.ports import ImageArray
    from guardianflow.contracts.recordings.evidence import EvidenceBasis
    from guardianflow.contracts.results import Detections
    from guardianflow.contracts.sequences import TrackingSequence
    from guardianflow.evaluation.mot.tracker import TrackedObjects

    from ..measuring.alarms.inputs import AlarmInputs

CONFIDENCE = 0.001
"""As every detector is judged: nearly all boxes."""
CUT_FROM = 0.01
"""A lowest score of a split from which on boxes were cut away, rather than not found."""
NO_PICTURES = (
    "alarms are not judged: {label} takes a whole split, no single pictures as a recording has them"
)


@dataclass(frozen=True)
class Judged:
    """All that a Benchmark is asked about.

    Args:
        code: the author's.
        source: the model that it is given.
        split: the name of `images`.
        sequences: to be tracked; empty where that is not asked for.
        alarms: to be judged; None where that is not asked for.
        basis: what intervals of accuracy count as one piece of evidence.
    """

    code: ExperimentCode
    source: DetectorPackage
    dataset: LocalDataset
    split: str
    images: list[LabelledImage]
    sequences: tuple[TrackingSequence, ...]
    basis: EvidenceBasis
    alarms: AlarmInputs | None = None


class _Framed:
    """A Benchmark whose modules are importable only while it is asked: a tracker of ours asks it,
    whose own libraries must not be looked for among the author's files."""

    def __init__(self, benchmark: RunningBenchmark) -> None:
        self._benchmark, self.class_names = benchmark, benchmark.class_names

    def predict(
        self,
        images: Sequence[ImageArray],
        *,
        confidence: float | None = None,
        iou: float | None = None,
        multi_label: bool = False,
    ) -> list[Detections]:
        with self._benchmark.at_work():
            return self._benchmark.predict(
                images, confidence=confidence, iou=iou, multi_label=multi_label
            )


def require_trackable(code: ExperimentCode, sequences: Sequence[TrackingSequence]) -> None:
    """Raises ScenarioError where tracking is asked for and the Benchmark takes no single frames."""
    able = any(hasattr(code.loaded_class, name) for name in ("track", "predict"))
    if sequences and not able:
        text = f"{code.label} must have track(frames, frame_rate) or predict(images) for tracking"
        raise ScenarioError(Problem(text, "benchmark.use_tracking"))


def tracker_of(code: ExperimentCode | None) -> str:
    """The tracker that is the author's own; '' for the scenario's."""
    is_own = code is not None and hasattr(code.loaded_class, "track")
    return f"{code.label}" if is_own and code is not None else ""


def measure_by_benchmark(context: StageContext, given: Judged, run_id: str) -> StageOutcome:
    """The work of an infer run.

    Raises:
        ExperimentError: the author's code raised, or answered what can't be judged.
    """
    from guardianflow.backends.weights.model_figures import figures_from_lineage
    from guardianflow.backends.weights.weight_notes import notes_of

    store, outputs = context.ports.store, context.scratch / "outputs"
    metrics: dict[str, float] = {}
    tags: dict[str, str] = {}
    latency: list[LatencyResult] = []
    notes: tuple[str, ...] = ()
    context.events.message(f"{given.code.label} finds the boxes")
    with ExitStack() as stack:
        benchmark = _build(context, given, stack)
        with sampled(metrics):
            judged = _judge(context, benchmark, given, tags)
        metrics |= _track(context, benchmark, given, outputs)
        alarms = _watch(context, benchmark, given)
        if benchmark.can("predict"):
            watch = TimingConditions(context)
            with watch, benchmark.at_work():
                latency = _time(watch, benchmark, given.images)
                watch.timings = {f"batch size {each.batch_size}": each.latency for each in latency}
            save_timings(
                outputs / "results" / "latency.json", Timings({"model": latency}), watch, {}
            )
            metrics |= watch.metrics() | _latency_metrics(latency)
            tags |= watch.machine_tags()
            notes = watch.notes
        intervals = accuracy_intervals(context, judged, given.basis, "how sure the accuracy is")
        metrics |= judged.metrics.as_metrics() | estimates_as_metrics(intervals, "det.")
        metrics["sys.model_size_mb"] = given.source.size_bytes / 1e6
        metrics |= figures_from_lineage(given.source.spec)
        metrics |= _extra(context, benchmark, metrics)
    traits = traits_of(context, given.dataset, given.images, given.basis)
    slices = sliced(judged, traits, given.source.spec.input_size)
    metrics |= given.basis.as_metrics() | slice_metrics(slices)
    save_slices({"model": slices}, {}, outputs)
    if alarms is not None:
        metrics |= alarms.figures.as_metrics()
        notes = (*notes, *untold(alarms.figures))
        save_alarms({"model": alarms}, outputs)
        draw_alarms(alarms, outputs / "plots")
    elif given.alarms is not None:
        notes = (*notes, NO_PICTURES.format(label=given.code.label))
    save_judged(judged, "model", outputs)
    table = {
        "variant": given.source.spec.variant,
        "split": given.split,
        "found_by": given.code.label,
        "metrics": metrics,
        "evidence": basis_table(given.basis),
        "intervals_95": {key: [each.low, each.high] for key, each in intervals.items()},
    }
    save_json(outputs / "results" / "inference.json", table)
    draw_accuracy(judged, outputs / "plots")
    seen = look_for_leaks(context, given.dataset, [given.split])
    seen.save(outputs)
    tags |= seen.tags()
    notes = (*notes_of_leaks(seen.note(given.split, given.source)), *notes)
    draw_slices(slices, outputs / "plots" / "slices.png", f"Recall by slice ({given.split})")
    _draw_times(latency, given, outputs / "plots")
    store.log_files(run_id, outputs)
    _keep_files(context, run_id)
    tags |= {"det.evaluator": judged.metrics.evaluator, **slice_tags(slices), **tags_of(alarms)}
    store.annotate(run_id, tags=tags)
    store.log_metrics(run_id, metrics)
    notes = (*slice_notes(slices), *notes, *notes_of(given.source.spec))
    return StageOutcome(metrics, notes=notes, worst_slice=worst_name(slices))


def _work_dir(context: StageContext) -> Path:
    return context.scratch / "benchmark"


def _build(context: StageContext, given: Judged, stack: ExitStack) -> RunningBenchmark:
    """The author's object; it, and a detector that it is handed, are closed with the stack."""
    from experiments_adapters.benchmarks import build_benchmark
    from guardianflow.detector import Detector

    scenario, spec = context.scenario, given.source.spec
    _work_dir(context).mkdir()
    optional: dict[str, Any] = {
        "environment_config": scenario.environment,
        "work_dir": _work_dir(context),
        "class_names": spec.class_names,
    }
    if "detector" in given.code.accepts:
        device = device_within(context, spec.backend)
        optional["detector"] = stack.enter_context(Detector.open(given.source, device=device))
    data = {
        "path": str(given.dataset.data_yaml),
        "split": given.split,
        "image_count": given.dataset.image_count,
    }
    benchmark = build_benchmark(
        given.code,
        spec.class_names,
        optional,
        model_config=scenario.model.model_copy(
            update={
                "weights_path": str(given.source.weights_path),
                "num_classes": len(spec.class_names),
                "input_size": spec.input_size,
            }
        ),
        benchmark_config=scenario.benchmark,
        dataset_config=scenario.dataset.model_copy(update=data),
    )
    stack.callback(benchmark.close)
    return benchmark


def _judge(
    context: StageContext, benchmark: RunningBenchmark, given: Judged, tags: dict[str, str]
) -> Evaluated:
    """What it finds in the split, judged; doubts about it are told, and come into the tags."""
    from experiments_adapters.benchmarks import clipped
    from guardianflow.evaluation.accuracy.detection import collect_predictions

    images = given.images
    with benchmark.at_work():
        if benchmark.can("predict"):
            progress = told_by(context, f"judging what {given.code.label} finds")
            found = collect_predictions(benchmark, images, confidence=CONFIDENCE, progress=progress)
        else:
            found = benchmark.predict_split(images, CONFIDENCE)
    if doubt := benchmark.require_pixels(found, images):
        context.events.message(doubt)
        tags["det.doubt"] = doubt
    lowest = min((float(each.scores[-1]) for each in found if len(each)), default=0.0)
    if lowest > CUT_FROM:
        tags["det.lowest_score"] = f"{lowest:.4g}"
        context.events.message(
            f"the lowest score of all boxes is {lowest:.3f}: what scores less was cut away and "
            "counts as missed, so mAP is lower than the model's own. Give boxes from 0.001 upwards"
        )
    found = [clipped(each, image) for each, image in zip(found, images, strict=True)]
    return judge(context, found, images, benchmark.class_names)


def _track(
    context: StageContext, benchmark: RunningBenchmark, given: Judged, outputs: Path
) -> dict[str, float]:
    """Judge its tracks, or those that the scenario's tracker makes of its boxes."""

    def follow(
        sequence: TrackingSequence, progress: Callable[[int, int], None]
    ) -> list[TrackedObjects]:
        with benchmark.at_work():
            return benchmark.track(sequence, progress)

    own = OwnTracker(given.code.label, follow) if benchmark.can("track") else None
    return measure_tracking(context, _Framed(benchmark), given.sequences, outputs, own)


def _watch(
    context: StageContext, benchmark: RunningBenchmark, given: Judged
) -> JudgedAlarms | None:
    """Alarms of the boxes that it finds; None where it takes no single pictures."""
    if not benchmark.can("predict"):
        return None
    return judge_found_by(context, given.alarms, _Framed(benchmark), "watching the recordings")


def _time(
    watch: TimingConditions, benchmark: RunningBenchmark, images: Sequence[LabelledImage]
) -> list[LatencyResult]:
    """Its time from decoded images to boxes for each batch size, one call at a time.

    Those that could not be timed in quiet are left out.
    """
    from guardianflow.evaluation.images.preprocessing import load_image
    from guardianflow.evaluation.timing.latency import measure_whole

    context, wanted = watch.context, watch.context.scenario.benchmark
    decoded = [load_image(path) for path in timing_paths(images)]
    sizes = sorted({*wanted.batch_sizes, 1})
    results: list[LatencyResult] = []
    for place, size in enumerate(sizes):
        context.events.progress(place, len(sizes), f"timing {size} images a call")
        measured = watch.timed(
            f"latency of batch size {size}",
            partial(
                measure_whole,
                benchmark.call,
                decoded,
                batch_size=size,
                warmup_runs=wanted.warmup_runs,
                benchmark_runs=wanted.benchmark_runs,
                rounds=watch.rounds,
            ),
        )
        results += [measured] if measured else []
    if wanted.cameras is not None:
        context.events.message("cameras are not counted: the Benchmark takes one call at a time")
    return results


def _latency_metrics(latency: Sequence[LatencyResult]) -> dict[str, float]:
    from guardianflow.evaluation.timing.latency import latency_metrics

    metrics: dict[str, float] = {}
    for each in latency:
        metrics |= latency_metrics(each, sys_prefix="sys." if each.batch_size == 1 else None)
    return metrics


def _extra(
    context: StageContext, benchmark: RunningBenchmark, taken: dict[str, float]
) -> dict[str, float]:
    with benchmark.at_work():
        extra, unmeasured = benchmark.extra_metrics(taken)
    if unmeasured:
        context.events.message(
            f"{', '.join(unmeasured)} of extra_metrics() is NaN or infinite and is left out"
        )
    return extra


def _draw_times(latency: Sequence[LatencyResult], given: Judged, plots: Path) -> None:
    from guardianflow.evaluation.pictures.timing import latency_by_batch_size, latency_distribution

    if not latency:
        return
    latency_by_batch_size(latency, plots / "latency.png")
    for single in (each for each in latency if each.batch_size == 1):
        latency_distribution(
            {"decoded image to boxes": single.latency},
            plots / "latency_distribution.png",
            title=f"{given.source.spec.variant} by {given.code.label}: how long one image took",
        )


def _keep_files(context: StageContext, run_id: str) -> None:
    """The files that the author's code left, by kind, as those of a training."""
    from experiments_adapters.outputs import collect_outputs

    for category, files in collect_outputs(_work_dir(context), None).items():
        if category != "weights":
            for path in files:
                context.ports.store.log_files(run_id, path, f"benchmark/{category}")
