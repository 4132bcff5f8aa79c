"""Infer: how good and how fast a trained or quantised model is, on the split named.

python -m pipelines.infer --scenario S --source-run-id ID
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.estimates import estimates_as_metrics
from guardianflow.contracts.results import DetectorPackage, LocalDataset

from ..measuring.accuracy import (
    Evaluated,
    accuracy_intervals,
    draw_misses,
    evaluate_split,
    read_split,
    save_judged,
)
from ..measuring.mot import measure_tracking, resolve_sequences, tracking_identity, tracking_tags
from ..measuring.timing import (
    TimingConditions,
    Timings,
    camera_metrics,
    sampled,
    save_json,
    save_timings,
    time_batch_sizes,
    time_throughput,
    timing_paths,
)
from ..stage.backend_check import require_backend, verdict_tags
from ..stage.code_identity import code_digest
from ..stage.inputs import (
    check_classes,
    dataset_tags,
    fetch_source,
    infer_split,
    load_dataset,
    require_original,
    source_run_tags,
    source_trust_tags,
)
from ..stage.stage import StageContext, StageOutcome, StagePlan, library_versions

if TYPE_CHECKING:
    from guardianflow.contracts.results import LabelledImage
    from guardianflow.contracts.sequences import TrackingSequence

LIBRARIES = ("openvino", "onnxruntime", "torch", "ultralytics", "trackeval", "lap", "scipy")


class InferStage:
    """Judges a model and times it for each batch size."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._dataset: LocalDataset
        self._source: DetectorPackage
        self._images: list[LabelledImage]
        self._split = ""
        self._sequences: tuple[TrackingSequence, ...] = ()

    def prepare(self) -> StagePlan:
        context, scenario = self._context, self._context.scenario
        self._source = fetch_source(context, context.scratch / "source")
        if context.request.variant:  # the original's place in a comparison
            require_original(context, self._source)
        spec = self._source.spec
        verdict = require_backend(spec.backend, spec.precision, context.settings.probes_dir)
        self._dataset = load_dataset(context)
        check_classes(self._source, self._dataset)
        self._split = infer_split(context, self._dataset)
        self._images = read_split(self._dataset, self._split)
        self._sequences = resolve_sequences(context, spec.class_names)
        identity = {
            "stage": "infer",
            "benchmark": scenario.benchmark.model_dump(mode="json"),
            "device": scenario.environment.device,
            "source": self._source.digest,
            "data": self._dataset.fingerprint,
            "split": self._split,
            "sequences": tracking_identity(self._sequences),
            "version": scenario.version,
            "libraries": library_versions(*LIBRARIES),
            "own_code": code_digest("infer", [spec.backend]),
        }
        params = {key: str(value) for key, value in scenario.to_all_params("infer").items()}
        params["model.input_size"] = str(self._source.spec.input_size)
        return StagePlan(
            identity=identity,
            tags={
                **scenario.to_all_tags("infer"),
                **dataset_tags(self._dataset),
                **source_run_tags(context),
                **source_trust_tags(context, self._source),
                **verdict_tags(verdict),
                **tracking_tags(context, self._sequences),
                "data.split": self._split,
                "model.variant": self._source.spec.variant,
            },
            params=params,
        )

    def work(self, run_id: str) -> StageOutcome:
        from guardianflow.backends.weights.model_figures import figures_from_lineage
        from guardianflow.detector import Detector
        from guardianflow.evaluation.timing.latency import latency_metrics
        from guardianflow.evaluation.timing.throughput import throughput_metrics

        context, store = self._context, self._context.ports.store
        outputs = context.scratch / "outputs"
        device = context.scenario.environment.device
        usage: dict[str, float] = {}
        with Detector.open(self._source, device=device) as detector:
            with sampled(usage):
                judged = evaluate_split(context, detector, self._images, "judging")
            tracked = measure_tracking(context, detector, self._sequences, outputs)
            session = detector.info
        paths = timing_paths(self._images)
        with TimingConditions(context) as watch:
            latency = time_batch_sizes(context, self._source, paths)
            throughput, cameras = time_throughput(context, self._source, paths, usage)
            watch.timings = {f"batch size {each.batch_size}": each.latency for each in latency}
        timings = Timings({"model": latency}, throughput, cameras)
        intervals = accuracy_intervals(context, judged, "how sure the accuracy is")
        metrics = judged.metrics.as_metrics() | estimates_as_metrics(intervals, "det.") | tracked
        for each in latency:
            # sys.* speaks of one image at a time, as frames come from a camera
            metrics |= latency_metrics(each, sys_prefix="sys." if each.batch_size == 1 else None)
        metrics |= throughput_metrics(throughput) | camera_metrics(cameras)
        metrics |= usage | watch.metrics()
        metrics["sys.model_size_mb"] = self._source.size_bytes / 1e6
        metrics |= figures_from_lineage(self._source.spec)
        save_judged(judged, "model", outputs)
        save_timings(outputs / "results" / "latency.json", timings, watch, {"model": session})
        table = {
            "variant": self._source.spec.variant,
            "split": self._split,
            "metrics": metrics,
            "intervals_95": {key: [each.low, each.high] for key, each in intervals.items()},
            "session": vars(session),
        }
        save_json(outputs / "results" / "inference.json", table)
        self._draw(outputs, judged, timings)
        store.log_files(run_id, outputs)
        tags = {"det.evaluator": judged.metrics.evaluator, **watch.tags(session)}
        store.annotate(run_id, tags=tags)
        store.log_metrics(run_id, metrics)
        return StageOutcome(metrics)

    def _draw(self, outputs: Path, judged: Evaluated, timings: Timings) -> None:
        from guardianflow.evaluation.accuracy.confusion_matrix import confusion_matrix
        from guardianflow.evaluation.accuracy.detection import precision_recall_curves
        from guardianflow.evaluation.pictures import accuracy as pictures
        from guardianflow.evaluation.pictures import timing as timing_pictures

        plots, latency = outputs / "plots", timings.latency["model"]
        names = self._source.spec.class_names
        deployed = judged.metrics.conf_threshold
        curves = precision_recall_curves(judged.predictions, self._images, names)
        pictures.precision_recall_curve(curves, plots / "precision_recall.png")
        pictures.average_precision_bars(
            judged.metrics.ap, judged.metrics.ap50, plots / "average_precision.png"
        )
        matrix = confusion_matrix(judged.predictions, self._images, names, conf_threshold=deployed)
        pictures.confusion_matrix_picture(matrix, names, plots / "confusion_matrix.png")
        timing_pictures.latency_by_batch_size(latency, plots / "latency.png")
        single = next(each for each in latency if each.batch_size == 1)
        timing_pictures.latency_distribution(
            {"file to boxes without decoding": single.latency, **single.stages},
            plots / "latency_distribution.png",
            title=f"{self._source.spec.variant}: how long one image took",
        )
        if timings.cameras is not None:
            timing_pictures.camera_load(timings.cameras, plots / "cameras.png")
        draw_misses(judged, plots / "detections.png")
