"""Quant: one variant made of a trained model, judged beside it on the same images and device.

python -m pipelines.quant --scenario S --source-run-id ID [--backend openvino]
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.backends import SOURCE
from guardianflow.contracts.results import (
    DetectorPackage,
    ExportRequest,
    LocalDataset,
    sha256_of,
)

from ..measuring.accuracy import (
    Evaluated,
    accuracy_differences,
    draw_misses,
    evaluate_split,
    read_split,
    save_judged,
)
from ..measuring.timing import (
    TimingConditions,
    Timings,
    save_json,
    save_timings,
    time_by_turns,
)
from ..stage.backend_check import require_backend, verdict_tags
from ..stage.code_identity import code_digest
from ..stage.inputs import (
    check_classes,
    dataset_tags,
    fetch_source,
    load_dataset,
    log_weights,
    quant_split,
    require_original,
    source_run_tags,
    source_trust_tags,
)
from ..stage.plan import read_variant
from ..stage.stage import VARIANT_TAG, StageContext, StageOutcome, StagePlan, library_versions
from .calibration import sample_calibration
from .checks import calibration_tags, difference_metrics, refuse_broken, warn_unknown_structure
from .qat import QatInput, make_by_qat, require_trainable
from .search import SearchInput, VariantSearch

if TYPE_CHECKING:
    from guardianflow.contracts.estimates import Estimate
    from guardianflow.contracts.ports import ImageArray
    from guardianflow.contracts.results import LabelledImage
    from guardianflow.detector import Detector

LIBRARIES = (
    "openvino", "nncf", "onnx", "onnxruntime", "onnxslim", "torch", "ultralytics", "scipy",
)  # fmt: skip


class QuantStage:
    """Exports one variant, measures it against the original, registers it as a candidate."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._variant = read_variant(context.request.variant)
        self._dataset: LocalDataset
        self._source: DetectorPackage
        self._images: list[LabelledImage]
        self._calibration: tuple[Path, ...] = ()
        self._split = ""

    def prepare(self) -> StagePlan:
        context, scenario = self._context, self._context.scenario
        self._source = fetch_source(context, context.scratch / "source")
        require_original(context, self._source)
        require_trainable(self._variant)
        verdict = require_backend(
            self._variant.backend, self._variant.precision, context.settings.probes_dir
        )
        self._dataset = load_dataset(context)
        check_classes(self._source, self._dataset)
        self._split = quant_split(context, self._dataset)
        self._images = read_split(self._dataset, self._split)
        calibration = sample_calibration(context, self._dataset, self._variant)
        self._calibration = calibration.images
        registered_name = scenario.get_registered_model_name(self._name)
        single = scenario.model_copy(update={"quantization": self._variant})
        identity = {
            "stage": "quant",
            "variant": self._variant.model_dump(mode="json"),
            "benchmark": scenario.benchmark.model_dump(mode="json"),
            "source": self._source.digest,
            "data": self._dataset.fingerprint,
            "split": self._split,
            "device": scenario.environment.device,
            "seed": scenario.environment.seed,
            "registered_model": registered_name if context.request.register else "",
            "version": scenario.version,
            "libraries": library_versions(*LIBRARIES),
            "own_code": code_digest("quant", [SOURCE, self._variant.backend]),
        }
        return StagePlan(
            identity=identity,
            tags={
                **scenario.to_all_tags("quant"),
                **dataset_tags(self._dataset),
                **source_run_tags(context),
                **source_trust_tags(context, self._source),
                **verdict_tags(verdict),
                **calibration.tags,
                "data.split": self._split,
                "comparison.variable": "quantization",
                "comparison.value": self._name,
                "comparison.baseline": self._source.spec.variant,
            },
            params={key: str(value) for key, value in single.to_all_params("quant").items()},
            record={"calibration_images": len(self._calibration)},
        )

    @property
    def _name(self) -> str:
        return self._variant.variant

    def work(self, run_id: str) -> StageOutcome:
        from guardianflow.backends.catalogue import device_for
        from guardianflow.detector import Detector

        context, store = self._context, self._context.ports.store
        outputs = context.scratch / "outputs"
        device = context.scenario.environment.device
        # The original runs in its own library, whatever runtime the variant's device names.
        own_device = device_for(device, self._source.spec.backend)
        with Detector.open(self._source, device=own_device) as original:
            before = evaluate_split(context, original, self._images, "judging the original")
        package = self._make(run_id, before, outputs)
        with (
            Detector.open(self._source, device=own_device) as original,
            Detector.open(package, device=device) as quantized,
        ):
            after = evaluate_split(context, quantized, self._images, f"judging {self._name}")
            refuse_broken(before, after, self._name)
            context.events.message("timing both, interleaved")
            with TimingConditions(context) as watch:
                timings = self._time(original, quantized)
                watch.timings = {name: each.latency for name, (each,) in timings.latency.items()}
            sessions = {"original": original.info, "quantized": quantized.info}
        label = "how sure the difference is"
        differences = accuracy_differences(context, before, after, label)
        metrics = self._metrics(before, after, timings, package)
        metrics |= difference_metrics(differences) | watch.metrics()
        save_judged(before, "original", outputs)
        save_judged(after, "quantized", outputs)
        save_timings(outputs / "results" / "latency.json", timings, watch, sessions)
        self._save_table(outputs, metrics, differences)
        self._draw(outputs, after, timings, differences)
        store.log_files(run_id, outputs)
        log_weights(store, run_id, package.directory)
        store.annotate(
            run_id,
            tags={
                **calibration_tags(package),
                "det.evaluator": after.metrics.evaluator,
                **watch.tags(sessions["quantized"]),
            },
        )
        store.log_metrics(run_id, metrics)
        made = ""
        if package.spec.variant != self._name:  # a search that ended with float16
            made = f"{self._name}-as-{package.spec.precision}"
            store.annotate(run_id, tags={VARIANT_TAG: made})
        if not context.request.register:
            return StageOutcome(metrics, variant=made)
        name = context.scenario.get_registered_model_name(package.spec.variant)
        tags = self._model_tags(package)
        model = context.ports.registry.register(run_id, package, name, tags=tags)
        return StageOutcome(metrics, (model,), made)

    def _make(self, run_id: str, before: Evaluated, outputs: Path) -> DetectorPackage:
        """The variant's package: by its one recipe, or the best that a search finds."""
        from guardianflow.evaluation.images.preprocessing import LetterboxedImages

        side = self._source.spec.input_size
        images = LetterboxedImages(self._calibration, side) if self._calibration else None
        trained_on = QatInput(self._source, self._dataset)
        if self._variant.search is not None and images is not None:
            given = SearchInput(trained_on, self._variant, images, before, self._try_identity())
            package = VariantSearch(self._context, run_id, given).run(outputs)
        elif self._variant.method == "qat" and images is not None:
            package = make_by_qat(self._context, run_id, self._variant, trained_on, images)
        else:
            self._context.events.message(f"exporting {self._name}")
            package = self._export(images)
        warn_unknown_structure(self._context, package)
        lineage = {
            **package.spec.lineage,
            **source_run_tags(self._context),
            "source_run_id": source_run_tags(self._context).get("source.run_id", ""),
            "source_digest": self._source.digest,
            "run_id": run_id,
            "data_fingerprint": self._dataset.fingerprint,
            "calibration_images_digest": self._calibration_digest(),
        }
        return package.with_lineage(lineage)

    def _export(self, calibration: Sequence[ImageArray] | None) -> DetectorPackage:
        from guardianflow.backends.catalogue import get_backend

        return get_backend(self._variant.backend).export(
            self._source,
            ExportRequest(
                precision=self._variant.precision,
                method=self._variant.method,
                calibration_method=self._variant.calibration_method,
            ),
            self._context.scratch / "package",
            calibration,
        )

    def _calibration_digest(self) -> str:
        """sha256 over the calibration images' contents, in their order; '' where there are none."""
        if not self._calibration:
            return ""
        digest = hashlib.sha256()
        for path in self._calibration:
            digest.update(sha256_of(path).encode())
        return digest.hexdigest()

    def _try_identity(self) -> dict[str, Any]:
        """Everything a try depends on beside its recipe; limits and budget are not part of it."""
        scenario = self._context.scenario
        return {
            "backend": self._variant.backend,
            "source": self._source.digest,
            "calibration": self._calibration_digest(),
            "data": self._dataset.fingerprint,
            "split": self._split,
            "benchmark": scenario.benchmark.model_dump(mode="json"),
            "device": scenario.environment.device,
            "libraries": library_versions(*LIBRARIES),
            "own_code": code_digest("quant", [SOURCE, self._variant.backend]),
        }

    def _time(self, original: Detector, quantized: Detector) -> Timings:
        from guardianflow.evaluation.timing.latency import speedup

        detectors = {"original": original, "quantized": quantized}
        results = time_by_turns(self._context, detectors, self._images)
        gain = speedup(results["original"], results["quantized"])
        return Timings({name: (each,) for name, each in results.items()}, speedup=gain)

    def _metrics(
        self, before: Evaluated, after: Evaluated, timings: Timings, package: DetectorPackage
    ) -> dict[str, float]:
        from guardianflow.backends.weights.model_figures import figures_from_lineage
        from guardianflow.evaluation.timing.latency import latency_metrics

        metrics = before.metrics.as_metrics("det.original.")
        metrics |= after.metrics.as_metrics("det.quantized.")
        sides = {"original": self._source, "quantized": package}
        for name, (timing,) in timings.latency.items():
            prefix = f"sys.{name}."
            metrics |= latency_metrics(timing, sys_prefix=prefix, bench_prefix=None)
            metrics[f"{prefix}model_size_mb"] = sides[name].size_bytes / 1e6
            metrics |= figures_from_lineage(sides[name].spec, prefix)
        gain = timings.speedup
        assert gain is not None  # _time measured it
        return metrics | {
            "comparison.accuracy_drop_mAP50": before.metrics.mAP50 - after.metrics.mAP50,
            "comparison.accuracy_drop_mAP50_95": before.metrics.mAP50_95 - after.metrics.mAP50_95,
            **gain.as_metrics("comparison.speedup_ratio"),
            "comparison.compression_ratio": self._source.size_bytes / package.size_bytes,
        }

    def _save_table(
        self, outputs: Path, metrics: dict[str, float], differences: dict[str, Estimate]
    ) -> None:
        table = {
            "variant": self._name,
            "split": self._split,
            "metrics": metrics,
            "quantized_minus_original": {key: asdict(each) for key, each in differences.items()},
            "calibration": {
                "sha256": self._calibration_digest(),
                "images": [path.name for path in self._calibration],
            },
        }
        save_json(outputs / "results" / "comparison.json", table)

    def _draw(
        self, outputs: Path, after: Evaluated, timings: Timings, differences: dict[str, Estimate]
    ) -> None:
        from guardianflow.evaluation.pictures.accuracy import (
            average_precision_bars,
            differences_forest,
        )
        from guardianflow.evaluation.pictures.timing import latency_distribution

        plots = outputs / "plots"
        average_precision_bars(
            after.metrics.ap,
            after.metrics.ap50,
            plots / "average_precision.png",
            title=f"{self._name}: average precision by class ({self._split})",
        )
        if differences:
            title = f"{self._name} − original ({self._split})"
            differences_forest(differences, plots / "differences.png", title=title)
        else:
            self._context.events.message(
                f"{len(self._images)} images are too few to say how sure the difference is"
            )
        latency_distribution(
            {name: each.latency for name, (each,) in timings.latency.items()},
            plots / "latency_distribution.png",
            title=f"{self._name} and the original, timed by turns",
        )
        draw_misses(after, plots / "detections.png")

    def _model_tags(self, package: DetectorPackage) -> dict[str, str]:
        scenario, made = self._context.scenario, package.spec
        return {
            "architecture": scenario.model.architecture,
            "input_size": str(self._source.spec.input_size),
            "task": scenario.task.type,
            "exp_version": scenario.version,
            "source_run_id": source_run_tags(self._context).get("source.run_id", ""),
            "quant_backend": self._variant.backend,
            # A search may end with a method that was not asked for, or with float16.
            "quant_method": made.lineage.get("quantization_method", self._variant.method),
            "precision": made.precision,
            "data_fingerprint": self._dataset.fingerprint,
        }
