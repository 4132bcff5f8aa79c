"""Measures a release: every candidate and champion on the same images and device.

    measure   predictions → accuracy with intervals → differences → latency by turns → throughput

Models with the same files are measured once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.recordings.alarm_results import AlarmFigure
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.recordings.slices import ImageTraits, SliceChanges
from guardianflow.contracts.releases import RECALL, CauseKind, GateCause
from guardianflow.contracts.results import DetectorPackage, LabelledImage
from guardianflow.release.models import (
    AlarmMeasurement,
    ComparedModels,
    JudgedSplit,
    ModelMeasurement,
)
from scenario import ReleaseParams

from ..measuring.accuracy import (
    Evaluated,
    accuracy_differences,
    accuracy_intervals,
    evaluate_split,
)
from ..measuring.alarms.inputs import AlarmInputs
from ..measuring.alarms.judging import COMPARED, JudgedAlarms, judge_alarms
from ..measuring.alarms.judging import differences as alarm_differences
from ..measuring.conditions import TimingConditions
from ..measuring.slices import compared, sliced
from ..measuring.timing import (
    THROUGHPUT_FRAMES,
    count_cameras,
    time_by_turns,
    timing_paths,
)
from ..stage.stage import StageContext

if TYPE_CHECKING:
    from guardianflow.detector import Detector

THROUGHPUT_S = 5.0
# What a bootstrap gives; the rest of a release's figures has no interval.
BOOTSTRAPPED = ("mAP50", "mAP50_95", "recall")
BOOTSTRAPPED_BY_CLASS = ("ap.", "ap50.", RECALL)


@dataclass
class ReleaseMeasurement:
    """Measures the candidates of one release, each beside its champion.

    Args:
        asked: fetched, not measured yet.
        images: of the split, with truth.
        basis: what intervals of accuracy count as one piece of evidence.
        release: what is asked; throughput and cameras are measured only for it.
        alarm_inputs: the scenario's alarms; None where it has none.
        traits: the slices that each image belongs to.

    Attributes:
        judged: ReleaseModel.key → what that model found.
        alarms: the same over the recordings; empty without them.
    """

    _context: StageContext
    _asked: Sequence[ComparedModels]
    _images: list[LabelledImage]
    _release: ReleaseParams
    _basis: EvidenceBasis
    _traits: ImageTraits
    alarm_inputs: AlarmInputs | None = None
    judged: dict[str, Evaluated] = field(default_factory=dict)
    alarms: dict[str, JudgedAlarms] = field(default_factory=dict)
    _by_key: dict[str, ModelMeasurement] = field(default_factory=dict)

    def run(self) -> tuple[list[ComparedModels], TimingConditions]:
        """Raises EvaluationError or BackendError where a model can't be measured."""
        for each in self._asked:
            self._evaluate(each.candidate)
            if each.champion is not None:
                self._evaluate(each.champion)
        differences = [self._differences(each) for each in self._asked]
        with TimingConditions(self._context) as watch:
            self._time(watch)
            self._time_many(watch)
            watch.timings = {m.label: m.latency.latency for m in self.models if m.latency}
        beside = [
            self._compared(each, lost) for each, lost in zip(self._asked, differences, strict=True)
        ]
        return beside, watch

    @property
    def models(self) -> list[ModelMeasurement]:
        """Every model once, in the order of the release."""
        return list(self._by_key.values())

    def _compared(
        self, asked: ComparedModels, differences: Mapping[str, Estimate]
    ) -> ComparedModels:
        from guardianflow.evaluation.timing.latency import comparable, speedup

        mine = self._measured(asked.candidate)
        champion = self._measured(asked.champion) if asked.champion else None
        gain = None
        alike = (
            champion and champion.session and mine.session
            and comparable(champion.session, mine.session)
        )  # fmt: skip
        if alike and champion and champion.latency and mine.latency:
            gain = speedup(champion.latency, mine.latency)
        changes = self._alarm_differences(asked)
        return ComparedModels(
            mine,
            champion,
            differences,
            gain,
            asked.stored,
            alarm_differences=changes,
            slice_changes=self._slice_changes(asked),
        )

    def _measured(self, asked: ModelMeasurement) -> ModelMeasurement:
        found = self._by_key[asked.model.key]
        return replace(found, model=asked.model, label=asked.label, digest=asked.digest)

    def _evaluate(self, asked: ModelMeasurement) -> None:
        key, package, label = asked.model.key, asked.model.files, asked.label
        if key in self._by_key:
            return
        with self._open(package) as detector:
            judged = evaluate_split(self._context, detector, self._images, f"judging {label}")
            alarms = judge_alarms(
                self._context,
                self.alarm_inputs,
                detector,
                f"watching the recordings: {label}",
                confidence=self._release.confidence,
            )
            session = detector.info
        told, confidence = f"how sure the accuracy of {label} is", self._release.confidence
        intervals = accuracy_intervals(self._context, judged, self._basis, told, confidence)
        metrics = judged.metrics.as_metrics("")
        slices = sliced(judged, self._traits, package.spec.input_size, confidence)
        self.judged[key] = judged
        seen = None
        if alarms is not None:
            self.alarms[key] = alarms
            seen = AlarmMeasurement(alarms.figures, alarms.outcomes)
        self._by_key[key] = replace(
            asked,
            metrics=metrics,
            intervals=intervals,
            session=session,
            alarms=seen,
            slices=slices,
        )

    def _slice_changes(self, asked: ComparedModels) -> SliceChanges | None:
        if asked.champion is None or asked.same_files:
            return None
        pair = asked.champion.model, asked.candidate.model
        before, after = (self.judged[each.key] for each in pair)
        first, second = (each.files.spec.input_size for each in pair)
        return compared(before, after, self._traits, (first, second), self._release.confidence)

    def _differences(self, asked: ComparedModels) -> Mapping[str, Estimate]:
        if asked.champion is None:
            return {}
        mine, champion = asked.candidate.model.key, asked.champion.model.key
        if asked.same_files:
            metrics = self._by_key[mine].metrics
            keys = (k for k in metrics if k in BOOTSTRAPPED or k.startswith(BOOTSTRAPPED_BY_CLASS))
            return dict.fromkeys(keys, Estimate(0.0, 0.0, 0.0))
        return accuracy_differences(
            self._context,
            self.judged[champion],
            self.judged[mine],
            self._basis,
            f"how sure {asked.variant} differs from its champion",
            self._release.confidence,
        )

    def _alarm_differences(self, asked: ComparedModels) -> Mapping[str, AlarmFigure]:
        if asked.champion is None or self.alarm_inputs is None:
            return {}
        mine, champion = asked.candidate.model.key, asked.champion.model.key
        if asked.same_files:
            count = len(self.alarm_inputs.recordings)
            return dict.fromkeys(COMPARED, AlarmFigure(0.0, 0.0, 0.0, groups=count))
        return alarm_differences(
            self.alarms[champion], self.alarms[mine], confidence=self._release.confidence
        )

    def _time(self, watch: TimingConditions) -> None:
        """Latency of all by turns, one image at a time; of none where the machine was busy."""
        from guardianflow.evaluation.timing.order_statistics import percentile_of

        self._context.events.message("timing all models by turns")
        with ExitStack() as stack:
            detectors = {
                each.label: stack.enter_context(self._open(each.model.files))
                for each in self.models
            }
            results = watch.timed(
                "latency and speed-up",
                lambda: time_by_turns(self._context, detectors, self._images, watch.rounds),
            )
        for key, each in self._by_key.items():
            if results is None:
                self._by_key[key] = _without(each, watch, "max_latency_p95_ms")
                continue
            latency = results[each.label]
            p95 = percentile_of(latency.latency.samples_ms, 95, self._release.confidence)
            self._by_key[key] = replace(each, latency=latency, latency_p95=p95)

    def _time_many(self, watch: TimingConditions) -> None:
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
                self._by_key[key] = replace(mine, missing={**mine.missing, **missing})
                self._context.events.message(f"throughput of {mine.label} is not measured: {exc}")
                continue
            with opened as detector:
                if wants_fps:
                    mine = self._with_fps(watch, mine, detector, paths)
                if wants_cameras:
                    mine = _with_cameras(watch, mine, detector, paths)
            self._by_key[key] = mine

    def _with_fps(
        self,
        watch: TimingConditions,
        mine: ModelMeasurement,
        detector: Detector,
        paths: Sequence[Path],
    ) -> ModelMeasurement:
        from guardianflow.evaluation.timing.throughput import measure_file_throughput

        self._context.events.message(f"timing many calls of {mine.label} at once")
        measure = partial(
            measure_file_throughput,
            detector,
            paths,
            seconds=THROUGHPUT_S,
            frames=THROUGHPUT_FRAMES,
            confidence=self._release.confidence,
        )
        result = watch.timed(f"throughput of {mine.label}", lambda: watch.rounds.measure(measure))
        if result is None:
            return _without(mine, watch, "min_fps")
        cause = GateCause(CauseKind.FEW_FRAMES, held=result.frames, bare=result.fps)
        missing = {} if result.interval else {"min_fps": cause}
        return replace(mine, throughput=result, missing={**mine.missing, **missing})

    def _open(self, package: DetectorPackage, mode: str = "latency") -> Detector:
        from guardianflow.backends.catalogue import device_for
        from guardianflow.detector import Detector

        device = device_for(self._context.scenario.environment.device, package.spec.backend)
        return Detector.open(package, device=device, mode=mode)


def _with_cameras(
    watch: TimingConditions, mine: ModelMeasurement, detector: Detector, paths: Sequence[Path]
) -> ModelMeasurement:
    before = len(watch.missing)
    cameras = count_cameras(watch, detector, paths, mine.label)
    if len(watch.missing) > before:
        return _without(mine, watch, "min_cameras")
    return replace(mine, cameras=cameras)


def _without(mine: ModelMeasurement, watch: TimingConditions, gate: str) -> ModelMeasurement:
    """A gate that can't be judged, because the machine was busy: with what was in the way."""
    (*_, doubts) = watch.missing.values()
    cause = GateCause(CauseKind.BUSY_MACHINE, told="; ".join(map(str, doubts)))
    return replace(mine, missing={**mine.missing, gate: cause})


def judged_split(
    name: str,
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    basis: EvidenceBasis | None = None,
) -> JudgedSplit:
    """Count the images, and the groups of them, that show each class, and its objects."""
    holding: dict[str, int] = {}
    groups: dict[str, set[str]] = {}
    names = basis.names if basis else ()
    instances = dict.fromkeys(class_names, 0)
    for place, image in enumerate(images):
        shown = [class_names[int(class_id)] for class_id in image.class_ids]
        for each in shown:
            instances[each] += 1
        for each in {*shown, ""} if shown else ():
            holding[each] = holding.get(each, 0) + 1
            if names:
                groups.setdefault(each, set()).add(names[place])
    held = {each: len(found) for each, found in groups.items()}
    return JudgedSplit(name, len(images), holding, instances, basis, held)
