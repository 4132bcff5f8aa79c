"""Measures a release: every candidate and champion on the same images and device.

    measure   predictions → accuracy with intervals → differences → latency by turns → throughput

Models with the same files are measured once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.backends import SOURCE
from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.releases import RECALL, CauseKind, GateCause
from guardianflow.contracts.results import DetectorPackage, LabelledImage
from guardianflow.release.models import ComparedModels, JudgedSplit, ModelMeasurement
from scenario import ReleaseParams

from ..measuring.accuracy import evaluate_split
from ..measuring.timing import THROUGHPUT_FRAMES, TimingConditions, count_cameras, timing_paths
from ..stage.stage import StageContext

if TYPE_CHECKING:
    from guardianflow.detector import Detector

RESAMPLES = 1000
# Draws beyond an interval's bounds, so that these are not the chance of a few.
DRAWS_BEYOND = 50
THROUGHPUT_S = 5.0
# What a bootstrap gives; the rest of a release's figures has no interval.
BOOTSTRAPPED = ("mAP50", "mAP50_95", "recall")
BOOTSTRAPPED_BY_CLASS = ("ap.", "ap50.", RECALL)


class ReleaseMeasurement:
    """Measures the candidates of one release, each beside its champion.

    Args:
        asked: fetched, not measured yet.
        images: of the split, with truth.
        release: what is asked; throughput and cameras are measured only for it.
    """

    def __init__(
        self,
        context: StageContext,
        asked: Sequence[ComparedModels],
        images: list[LabelledImage],
        release: ReleaseParams,
    ) -> None:
        self._context, self._asked, self._images = context, asked, images
        self._release = release
        self._by_key: dict[str, ModelMeasurement] = {}

    def run(self) -> tuple[list[ComparedModels], TimingConditions]:
        """Raises EvaluationError or BackendError where a model can't be measured."""
        for each in self._asked:
            self._evaluate(each.candidate)
            if each.champion is not None:
                self._evaluate(each.champion)
        differences = [self._differences(each) for each in self._asked]
        with TimingConditions(self._context) as watch:
            self._time()
            watch.timings = {m.label: m.latency.latency for m in self.models if m.latency}
        self._time_many()
        compared = [
            self._compared(each, lost) for each, lost in zip(self._asked, differences, strict=True)
        ]
        return compared, watch

    @property
    def models(self) -> list[ModelMeasurement]:
        """Every model once, in the order of the release."""
        return list(self._by_key.values())

    def _compared(
        self, asked: ComparedModels, differences: Mapping[str, Estimate]
    ) -> ComparedModels:
        from guardianflow.evaluation.timing.latency import speedup

        mine = self._measured(asked.candidate)
        champion = self._measured(asked.champion) if asked.champion else None
        gain = None
        if champion and champion.latency and mine.latency:
            gain = speedup(champion.latency, mine.latency)
        return ComparedModels(mine, champion, differences, gain, asked.stored)

    def _measured(self, asked: ModelMeasurement) -> ModelMeasurement:
        found = self._by_key[asked.model.key]
        return replace(found, model=asked.model, label=asked.label, digest=asked.digest)

    def _evaluate(self, asked: ModelMeasurement) -> None:
        from guardianflow.evaluation.accuracy.significance import bootstrap_metrics

        key, package, label = asked.model.key, asked.model.files, asked.label
        if key in self._by_key:
            return
        with self._open(package) as detector:
            judged = evaluate_split(self._context, detector, self._images, f"judging {label}")
            session = detector.info
        intervals = bootstrap_metrics(
            judged.predictions,
            self._images,
            package.spec.class_names,
            conf_threshold=judged.metrics.conf_threshold,
            resamples=resamples_for(self._release.confidence),
            confidence=self._release.confidence,
            progress=self._told(f"how sure the accuracy of {label} is"),
        )
        self._by_key[key] = replace(
            asked,
            metrics=judged.metrics.as_metrics(""),
            intervals=intervals,
            predictions=judged.predictions,
            session=session,
        )

    def _differences(self, asked: ComparedModels) -> Mapping[str, Estimate]:
        from guardianflow.evaluation.accuracy.significance import bootstrap_differences

        if asked.champion is None:
            return {}
        model, mine = asked.candidate.model, self._by_key[asked.candidate.model.key]
        if asked.same_files:
            keys = (
                k for k in mine.metrics if k in BOOTSTRAPPED or k.startswith(BOOTSTRAPPED_BY_CLASS)
            )
            return dict.fromkeys(keys, Estimate(0.0, 0.0, 0.0))
        return bootstrap_differences(
            self._by_key[asked.champion.model.key].predictions,
            mine.predictions,
            self._images,
            model.files.spec.class_names,
            conf_threshold=self._context.scenario.benchmark.conf_threshold,
            resamples=resamples_for(self._release.confidence),
            confidence=self._release.confidence,
            progress=self._told(f"how sure {asked.variant} differs from its champion"),
        )

    def _time(self) -> None:
        """Latency of all by turns, one image at a time."""
        from guardianflow.evaluation.images.preprocessing import load_image
        from guardianflow.evaluation.timing.latency import measure_interleaved
        from guardianflow.evaluation.timing.order_statistics import percentile_of

        benchmark = self._context.scenario.benchmark
        self._context.events.message("timing all models by turns")
        with ExitStack() as stack:
            detectors = {
                each.label: stack.enter_context(self._open(each.model.files))
                for each in self.models
            }
            results = measure_interleaved(
                detectors,
                [load_image(path) for path in timing_paths(self._images)],
                batch_size=1,
                warmup_runs=benchmark.warmup_runs,
                benchmark_runs=benchmark.benchmark_runs,
            )
        for key, each in self._by_key.items():
            latency = results[each.label]
            p95 = percentile_of(latency.latency.samples_ms, 95, self._release.confidence)
            self._by_key[key] = replace(each, latency=latency, latency_p95=p95)

    def _time_many(self) -> None:
        """Throughput and cameras of the candidates, where the release asks for them."""
        release = self._release
        wants_cameras = release.min_cameras is not None
        wants_fps = release.min_fps is not None or release.objective == "throughput"
        if not (wants_fps or wants_cameras):
            return
        paths = timing_paths(self._images)
        for key in dict.fromkeys(each.candidate.model.key for each in self._asked):
            mine = self._by_key[key]
            try:
                opened = self._open(mine.model.files, mode="throughput")
            except BackendUnavailableError as exc:
                cause = GateCause(CauseKind.UNAVAILABLE, told=str(exc).rstrip("."))
                missing = {"min_fps": cause, "min_cameras": cause}
                self._by_key[key] = replace(mine, missing=missing)
                self._context.events.message(f"throughput of {mine.label} is not measured: {exc}")
                continue
            with opened as detector:
                if wants_fps:
                    mine = self._with_fps(mine, detector, paths)
                if wants_cameras:
                    mine = replace(mine, cameras=count_cameras(self._context, detector, paths))
            self._by_key[key] = mine

    def _with_fps(
        self, mine: ModelMeasurement, detector: Detector, paths: Sequence[Path]
    ) -> ModelMeasurement:
        from guardianflow.evaluation.timing.throughput import measure_file_throughput

        self._context.events.message(f"timing many calls of {mine.label} at once")
        result = measure_file_throughput(
            detector,
            paths,
            seconds=THROUGHPUT_S,
            frames=THROUGHPUT_FRAMES,
            confidence=self._release.confidence,
        )
        cause = GateCause(CauseKind.FEW_FRAMES, held=result.frames, bare=result.fps)
        missing = {} if result.interval else {"min_fps": cause}
        return replace(mine, throughput=result, missing=missing)

    def _open(self, package: DetectorPackage, mode: str = "latency") -> Detector:
        from guardianflow.backends.catalogue import device_for
        from guardianflow.detector import Detector

        device = self._context.scenario.environment.device
        if package.spec.backend == SOURCE:
            device = device_for(device, SOURCE)
        return Detector.open(package, device=device, mode=mode)

    def _told(self, label: str) -> Callable[[int, int], None]:
        return lambda done, total: self._context.events.progress(done, total, label)


def resamples_for(confidence: float) -> int:
    """Draws that a bootstrap takes: more, the further out its bounds lie."""
    return max(RESAMPLES, math.ceil(DRAWS_BEYOND / (1 - confidence) - 1e-9))


def judged_split(
    name: str, images: Sequence[LabelledImage], class_names: Sequence[str]
) -> JudgedSplit:
    """Count the images that show each class, and its objects."""
    holding: dict[str, int] = {}
    instances = dict.fromkeys(class_names, 0)
    for image in images:
        shown = [class_names[int(class_id)] for class_id in image.class_ids]
        for each in shown:
            instances[each] += 1
        for each in {*shown, ""} if shown else ():
            holding[each] = holding.get(each, 0) + 1
    return JudgedSplit(name, len(images), holding, instances)
