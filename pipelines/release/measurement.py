"""What a release measures: every candidate and champion on the same images and device.

    measure   predictions → accuracy with intervals → differences → latency by turns → throughput

Models with the same files are measured once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.measurements import (
    CameraCapacity,
    Estimate,
    LatencyResult,
    ThroughputResult,
)
from guardianflow.contracts.results import DetectorPackage, LabelledImage, SessionInfo
from scenario import ReleaseParams

from ..measuring.accuracy import Evaluated, evaluate_split
from ..measuring.timing import THROUGHPUT_FRAMES, TimingConditions, count_cameras, timing_paths
from ..stage.stage import StageContext
from .candidates import Contender, Pair

if TYPE_CHECKING:
    from guardianflow.detector import Detector

RESAMPLES = 1000
# Draws beyond an interval's bounds, so that these are not the chance of a few.
DRAWS_BEYOND = 50
THROUGHPUT_S = 5.0


@dataclass
class Measured:
    """One model, measured.

    Args:
        label: for people and pictures: 'openvino_int8', 'openvino_int8 champion v3'.
        intervals: of accuracy; absent where images are too few.
        missing: 'fps', 'cameras' → why it was not measured.
    """

    label: str
    contender: Contender
    judged: Evaluated
    session: SessionInfo
    intervals: Mapping[str, Estimate] = field(default_factory=dict)
    latency: LatencyResult | None = None
    throughput: ThroughputResult | None = None
    cameras: CameraCapacity | None = None
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Compared:
    """A pair, measured.

    Args:
        differences: key → candidate − champion; empty without a champion. Exactly 0 where both
            have the same files.
    """

    pair: Pair
    candidate: Measured
    champion: Measured | None
    differences: Mapping[str, Estimate]


class ReleaseMeasurement:
    """Measures the pairs of one release.

    Args:
        images: of the split, with truth.
        release: what is asked; throughput and cameras are measured only for it.
    """

    def __init__(
        self,
        context: StageContext,
        pairs: Sequence[Pair],
        images: list[LabelledImage],
        release: ReleaseParams,
    ) -> None:
        self._context, self._pairs, self._images = context, pairs, images
        self._release = release
        self._models: dict[str, Measured] = {}

    def run(self) -> tuple[list[Compared], TimingConditions]:
        """Raises EvaluationError or BackendError where a model can't be measured."""
        for pair in self._pairs:
            self._judge(pair.candidate, pair.variant)
            if pair.champion is not None:
                self._judge(pair.champion, f"{pair.variant} champion v{pair.champion.version}")
        compared = [self._compare(pair) for pair in self._pairs]
        with TimingConditions(self._context) as watch:
            self._time()
            watch.timings = {m.label: m.latency.latency for m in self.models if m.latency}
        self._time_many()
        return compared, watch

    @property
    def models(self) -> list[Measured]:
        """Every model once, in the order of the pairs."""
        return list(self._models.values())

    def _judge(self, contender: Contender, label: str) -> None:
        from guardianflow.evaluation.accuracy.significance import bootstrap_metrics

        if contender.key in self._models:
            return
        with self._open(contender.package) as detector:
            judged = evaluate_split(self._context, detector, self._images, f"judging {label}")
            session = detector.info
        intervals = bootstrap_metrics(
            judged.predictions,
            self._images,
            contender.package.spec.class_names,
            conf_threshold=judged.metrics.conf_threshold,
            resamples=resamples_for(self._release.confidence),
            confidence=self._release.confidence,
            progress=self._told(f"how sure the accuracy of {label} is"),
        )
        self._models[contender.key] = Measured(label, contender, judged, session, intervals)

    def _compare(self, pair: Pair) -> Compared:
        from guardianflow.evaluation.accuracy.significance import bootstrap_differences

        candidate = self._models[pair.candidate.key]
        if pair.champion is None:
            return Compared(pair, candidate, None, {})
        champion = self._models[pair.champion.key]
        if pair.same_files:
            nothing = Estimate(0.0, 0.0, 0.0)
            same = dict.fromkeys(candidate.judged.metrics.as_metrics(""), nothing)
            return Compared(pair, candidate, champion, _accuracy_keys(same))
        differences = bootstrap_differences(
            champion.judged.predictions,
            candidate.judged.predictions,
            self._images,
            pair.candidate.package.spec.class_names,
            conf_threshold=candidate.judged.metrics.conf_threshold,
            resamples=resamples_for(self._release.confidence),
            confidence=self._release.confidence,
            progress=self._told(f"how sure {pair.variant} differs from its champion"),
        )
        return Compared(pair, candidate, champion, differences)

    def _time(self) -> None:
        """Latency of all by turns, one image at a time."""
        from guardianflow.evaluation.images.preprocessing import load_image
        from guardianflow.evaluation.timing.latency import measure_interleaved

        benchmark = self._context.scenario.benchmark
        self._context.events.message("timing all models by turns")
        with ExitStack() as stack:
            detectors = {
                each.label: stack.enter_context(self._open(each.contender.package))
                for each in self.models
            }
            results = measure_interleaved(
                detectors,
                [load_image(path) for path in timing_paths(self._images)],
                batch_size=1,
                warmup_runs=benchmark.warmup_runs,
                benchmark_runs=benchmark.benchmark_runs,
            )
        for each in self.models:
            each.latency = results[each.label]

    def _time_many(self) -> None:
        """Throughput and cameras of the candidates, where the release asks for them."""
        release = self._release
        wants_cameras = release.min_cameras is not None
        wants_fps = release.min_fps is not None or release.objective == "throughput"
        if not (wants_fps or wants_cameras):
            return
        paths = timing_paths(self._images)
        candidates = {pair.candidate.key: None for pair in self._pairs}
        for each in (self._models[key] for key in candidates):
            try:
                opened = self._open(each.contender.package, mode="throughput")
            except BackendUnavailableError as exc:
                each.missing |= {"fps": str(exc).rstrip("."), "cameras": str(exc).rstrip(".")}
                self._context.events.message(f"throughput of {each.label} is not measured: {exc}")
                continue
            with opened as detector:
                if wants_fps:
                    self._measure_fps(each, detector, paths)
                if wants_cameras:
                    each.cameras = count_cameras(self._context, detector, paths)

    def _measure_fps(self, each: Measured, detector: Detector, paths: Sequence[Path]) -> None:
        from guardianflow.evaluation.timing.throughput import measure_file_throughput

        self._context.events.message(f"timing many calls of {each.label} at once")
        each.throughput = measure_file_throughput(
            detector,
            paths,
            seconds=THROUGHPUT_S,
            frames=THROUGHPUT_FRAMES,
            confidence=self._release.confidence,
        )
        if each.throughput.interval is None:
            each.missing["fps"] = (
                f"only {each.throughput.frames} frames were done in the time measured, too few for "
                f"an interval (the bare value is {each.throughput.fps:.3g} fps)"
            )

    def _open(self, package: DetectorPackage, mode: str = "latency") -> Detector:
        from guardianflow.backends.catalogue import device_for
        from guardianflow.detector import Detector

        device = device_for(self._context.scenario.environment.device, package.spec.backend)
        return Detector.open(package, device=device, mode=mode)

    def _told(self, label: str) -> Callable[[int, int], None]:
        return lambda done, total: self._context.events.progress(done, total, label)


def resamples_for(confidence: float) -> int:
    """Draws that a bootstrap takes: more, the further out its bounds lie."""
    return max(RESAMPLES, math.ceil(DRAWS_BEYOND / (1 - confidence) - 1e-9))


def fps_estimate(result: ThroughputResult | None) -> Estimate | None:
    """The rate with its interval; None where it has none."""
    if result is None or result.interval is None:
        return None
    low, high = result.interval.low, result.interval.high
    return Estimate(result.fps, min(low, result.fps), max(high, result.fps))


def holding_images(images: Sequence[LabelledImage], class_names: Sequence[str]) -> dict[str, int]:
    """Class → images that show it, '' → images that show any object; absent where none does."""
    held: dict[str, int] = {}
    for image in images:
        shown = {class_names[int(class_id)] for class_id in image.class_ids}
        for name in {*shown, ""} if shown else ():
            held[name] = held.get(name, 0) + 1
    return held


def _accuracy_keys(values: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Those that a bootstrap gives."""
    kinds = ("mAP50", "mAP50_95", "recall", "ap.", "ap50.", "recall.")
    return {
        key: value for key, value in values.items() if key in kinds[:3] or key.startswith(kinds[3:])
    }
