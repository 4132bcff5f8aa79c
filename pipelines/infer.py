"""Infer: how good and how fast a trained or quantised model is, on the split named.

python -m pipelines.infer --scenario S --source-run-id ID
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.results import DetectorPackage, LocalDataset

from .inputs import check_classes, dataset_tags, fetch_source, load_dataset, source_run_tags
from .judging import Judged, decoded_images, judge, load_metrics, read_split, save_judged
from .readiness import require_backend, verdict_tags
from .stages import StageContext, StageOutcome, StagePlan, library_versions

if TYPE_CHECKING:
    from guardianflow.contracts.results import LabelledImage, LatencyResult

LIBRARIES = ("openvino", "onnxruntime", "torch", "ultralytics")


class InferStage:
    """Judges a model and times it for each batch size."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._dataset: LocalDataset
        self._source: DetectorPackage
        self._images: list[LabelledImage]
        self._split = ""

    def prepare(self) -> StagePlan:
        context, scenario = self._context, self._context.scenario
        if scenario.benchmark.use_tracking:
            raise ScenarioError(
                "benchmark.use_tracking is true, but evaluating multi-object tracking is not "
                "built yet; set it to false"
            )
        self._source = fetch_source(context, context.scratch / "source")
        spec = self._source.spec
        verdict = require_backend(spec.backend, spec.precision, context.settings.probes_dir)
        self._dataset = load_dataset(context)
        check_classes(self._source, self._dataset)
        self._split = infer_split(context, self._dataset)
        self._images = read_split(self._dataset, self._split)
        identity = {
            "stage": "infer",
            "benchmark": scenario.benchmark.model_dump(mode="json"),
            "device": scenario.environment.device,
            "source": self._source.digest,
            "data": self._dataset.fingerprint,
            "split": self._split,
            "version": scenario.version,
            "libraries": library_versions(*LIBRARIES),
        }
        params = {key: str(value) for key, value in scenario.to_all_params("infer").items()}
        params["model.input_size"] = str(self._source.spec.input_size)
        return StagePlan(
            identity=identity,
            tags={
                **scenario.to_all_tags("infer"),
                **dataset_tags(self._dataset),
                **source_run_tags(context),
                **verdict_tags(verdict),
                "data.split": self._split,
                "model.variant": self._source.spec.variant,
            },
            params=params,
        )

    def work(self, run_id: str) -> StageOutcome:
        from guardianflow.detector import Detector
        from guardianflow.evaluation.latency import latency_metrics

        context, store = self._context, self._context.ports.store
        device = context.scenario.environment.device
        with Detector.open(self._source, device=device) as detector:
            judged = judge(context, detector, self._images, "judging")
            session = detector.info
        load = load_metrics(context)
        timings = self._time_all(device)
        metrics = judged.metrics.as_metrics() | load
        for timing in timings:
            # sys.* speaks of one image at a time, as frames come from a camera
            prefix = "sys." if timing.batch_size == 1 else None
            metrics |= latency_metrics(timing, sys_prefix=prefix)
        metrics["sys.throughput_imgs_per_sec"] = max(timing.fps for timing in timings)
        metrics["sys.model_size_mb"] = self._source.size_bytes / 1e6
        outputs = context.scratch / "outputs"
        save_judged(judged, self._images, "model", outputs)
        self._save_table(outputs, metrics, vars(session))
        self._draw(outputs, judged, timings)
        store.log_files(run_id, outputs)
        store.annotate(
            run_id,
            tags={
                "det.evaluator": judged.metrics.evaluator,
                "sys.execution_precision": session.execution_precision,
                "sys.device": session.device,
                "sys.library": session.library,
            },
        )
        store.log_metrics(run_id, metrics)
        return StageOutcome(metrics)

    def _time_all(self, device: str) -> list[LatencyResult]:
        """Each batch size on a session of its own, opened for that batch."""
        from guardianflow.detector import Detector
        from guardianflow.evaluation.latency import measure_latency

        benchmark = self._context.scenario.benchmark
        images = decoded_images(self._images)
        sizes = sorted(set(benchmark.batch_sizes) | {1})
        timings = []
        for place, size in enumerate(sizes):
            self._context.events.progress(place, len(sizes), f"timing batch size {size}")
            with Detector.open(self._source, batch_size=size, device=device) as detector:
                timings.append(
                    measure_latency(
                        detector,
                        images,
                        batch_size=size,
                        warmup_runs=benchmark.warmup_runs,
                        benchmark_runs=benchmark.benchmark_runs,
                    )
                )
        return timings

    def _save_table(
        self, outputs: Path, metrics: dict[str, float], session: dict[str, object]
    ) -> None:
        table = {
            "variant": self._source.spec.variant,
            "split": self._split,
            "metrics": metrics,
            "session": session,
        }
        path = outputs / "results" / "inference.json"
        path.write_text(json.dumps(table, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    def _draw(self, outputs: Path, judged: Judged, timings: list[LatencyResult]) -> None:
        from guardianflow.evaluation import pictures
        from guardianflow.evaluation.contact_sheet import detections_contact_sheet
        from guardianflow.evaluation.detection import precision_recall_curves

        plots = outputs / "plots"
        names = self._source.spec.class_names
        curves = precision_recall_curves(judged.predictions, self._images, names)
        pictures.precision_recall_curve(curves, plots / "precision_recall.png")
        pictures.average_precision_bars(
            judged.metrics.ap, judged.metrics.ap50, plots / "average_precision.png"
        )
        pictures.latency_by_batch_size(timings, plots / "latency.png")
        detections_contact_sheet(
            self._images,
            judged.predictions,
            names,
            plots / "detections.png",
            conf_threshold=judged.metrics.conf_threshold,
        )


def infer_split(context: StageContext, dataset: LocalDataset) -> str:
    """The split asked for; else test where there is one, else val."""
    split = context.scenario.dataset.split
    if split is None:
        return "test" if "test" in dataset.splits else "val"
    if split not in dataset.splits:
        raise ScenarioError(
            f"split '{split}' is not in {dataset.name}, which has {sorted(dataset.splits)}; "
            f"set dataset.split"
        )
    return split


if __name__ == "__main__":
    from .entry import main

    sys.exit(main("infer"))
