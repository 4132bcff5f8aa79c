"""Measures what infer and quant say beside accuracy: time, its conditions, and what it took.

TimingConditions     what the machine did meanwhile: conditions, usage, doubts
time_batch_sizes     latency, one call at a time, for each batch size
time_by_turns        latency of several detectors, to be compared
time_throughput      many calls at once: the network alone, and files → boxes
count_cameras        how many cameras this device holds
save_timings         results/latency.json: every figure with its interval, every call
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import (
    CameraCapacity,
    CameraStep,
    Conditions,
    LatencyResult,
    ThroughputResult,
    Timing,
)
from guardianflow.contracts.results import DetectorPackage, LabelledImage, SessionInfo

from ..stage.stage import StageContext, library_versions

if TYPE_CHECKING:
    from guardianflow.detector import Detector
    from guardianflow.evaluation.timing.conditions import ConditionsRecorder

LATENCY_IMAGES = 32
# For each kind of throughput; less where the scenario wants few calls timed.
THROUGHPUT_S = 2.0
THROUGHPUT_S_A_RUN = 0.02
THROUGHPUT_FRAMES = 500
LIBRARIES = ("torch", "openvino", "onnxruntime", "tensorrt", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class Timings:
    """Everything timed of one model, or of several by their names.

    Args:
        latency: name → results; for infer one name with a result for each batch size.
        throughput: what was measured in throughput mode; empty where the backend has none.
        cameras: None where it was not asked for or can't be measured here.
    """

    latency: Mapping[str, Sequence[LatencyResult]]
    throughput: Sequence[ThroughputResult] = ()
    cameras: CameraCapacity | None = None
    speedup: Estimate | None = None


@dataclass
class TimingConditions:
    """Watches the machine while something is timed; use it as a context manager.

    It looks at both ends alone, so the times in between don't pay for it.

    Args:
        context: of the stage; doubts are told through its events.
        timings: what was timed, by names for people; filled in before the end.
    """

    context: StageContext
    timings: dict[str, Timing] = field(default_factory=dict)
    conditions: Conditions = field(init=False)
    _recorder: ConditionsRecorder = field(init=False)

    def __enter__(self) -> TimingConditions:
        from guardianflow.backends import hardware
        from guardianflow.backends.probe.probe import ISA_VARIABLE
        from guardianflow.evaluation.timing.conditions import ConditionsRecorder

        versions = library_versions(*LIBRARIES)
        self._recorder = ConditionsRecorder(
            cpu=hardware.cpu_model(),
            gpus=hardware.gpu_names(),
            physical_cores=hardware.physical_cores(),
            isa_cap=os.environ.get(ISA_VARIABLE, ""),
            libraries={name: versions[name] for name in LIBRARIES if versions[name]},
        )
        self._recorder.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.conditions = self._recorder.finish(self.timings)
            for warning in self.conditions.warnings:
                self.context.events.message(f"take these times with care: {warning}")

    def metrics(self) -> dict[str, float]:
        """Metrics: how busy the machine was, how many doubts there are about the times."""
        load = self.conditions.load_before / self.conditions.logical_cores
        found = {"sys.load_per_core": load, "sys.warnings": float(len(self.conditions.warnings))}
        for name in ("other_cores", "stolen_cores"):
            if (value := getattr(self.conditions, name)) is not None:
                found[f"sys.{name}"] = value
        return found

    def tags(self, session: SessionInfo) -> dict[str, str]:
        """Tags: what the session really was, and on what machine."""
        from guardianflow.evaluation.timing.conditions import conditions_tags

        tags = {
            "sys.execution_precision": session.execution_precision,
            "sys.device": session.device,
            "sys.library": session.library,
            "sys.streams": str(session.streams),
        }
        if session.threads is not None:
            tags["sys.threads"] = str(session.threads)
        return tags | conditions_tags(self.conditions)


@contextlib.contextmanager
def sampled(usage: dict[str, float]) -> Iterator[None]:
    """Sample processor, memory and GPUs meanwhile, and put `sys.*` into `usage`.

    Not for latencies: each sample takes a few milliseconds of a core, which p95 would show.
    """
    from guardianflow.evaluation.timing.system_metrics import SystemSampler

    with SystemSampler() as sampler:
        yield
    usage.clear()
    usage |= sampler.usage().as_metrics()


def timing_paths(images: Sequence[LabelledImage]) -> list[Path]:
    """A few image files to time on."""
    return [image.path for image in images[:LATENCY_IMAGES]]


def time_batch_sizes(
    context: StageContext, source: DetectorPackage, paths: Sequence[Path]
) -> list[LatencyResult]:
    """Each batch size on a session of its own, opened for that batch; 1 is always among them."""
    from guardianflow.detector import Detector
    from guardianflow.evaluation.timing.latency import measure_latency

    benchmark = context.scenario.benchmark
    sizes = sorted(set(benchmark.batch_sizes) | {1})
    results = []
    for place, size in enumerate(sizes):
        context.events.progress(place, len(sizes), f"timing batch size {size}")
        device = context.scenario.environment.device
        with Detector.open(source, batch_size=size, device=device) as detector:
            results.append(
                measure_latency(
                    detector,
                    paths,
                    batch_size=size,
                    warmup_runs=benchmark.warmup_runs,
                    benchmark_runs=benchmark.benchmark_runs,
                )
            )
    return results


def time_by_turns(
    context: StageContext, detectors: Mapping[str, Detector], images: Sequence[LabelledImage]
) -> dict[str, LatencyResult]:
    """Latency of open detectors by turns, one image at a time, so that they can be compared.

    Args:
        detectors: name → opened for single images.
        images: of the split; a few of them are timed on.
    """
    from guardianflow.evaluation.images.preprocessing import load_image
    from guardianflow.evaluation.timing.latency import measure_interleaved

    benchmark = context.scenario.benchmark
    return measure_interleaved(
        detectors,
        [load_image(path) for path in timing_paths(images)],
        batch_size=1,
        warmup_runs=benchmark.warmup_runs,
        benchmark_runs=benchmark.benchmark_runs,
    )


def time_throughput(
    context: StageContext, source: DetectorPackage, paths: Sequence[Path], usage: dict[str, float]
) -> tuple[list[ThroughputResult], CameraCapacity | None]:
    """Many calls at once, and cameras where they are asked for; nothing where that can't be.

    Args:
        usage: gets what the full load took of the machine, where it was measured.
    """
    from guardianflow.detector import Detector
    from guardianflow.evaluation.images.preprocessing import load_image
    from guardianflow.evaluation.timing.throughput import (
        measure_file_throughput,
        measure_network_throughput,
    )

    scenario = context.scenario
    try:
        opened = Detector.open(source, device=scenario.environment.device, mode="throughput")
    except BackendUnavailableError as exc:
        context.events.message(f"throughput is not measured: {exc}")
        return [], None
    with opened as detector:
        context.events.message("timing many calls at once")
        images = [load_image(path) for path in paths[:8]]
        runs = scenario.benchmark.benchmark_runs
        seconds = min(THROUGHPUT_S, THROUGHPUT_S_A_RUN * runs)
        with sampled(usage):
            results = [
                measure_network_throughput(
                    detector, images, seconds=seconds, frames=THROUGHPUT_FRAMES
                ),
                measure_file_throughput(detector, paths, seconds=seconds, frames=THROUGHPUT_FRAMES),
            ]
        return results, count_cameras(context, detector, paths)


def count_cameras(
    context: StageContext, detector: Any, paths: Sequence[Path]
) -> CameraCapacity | None:
    """Find how many cameras the device holds; None where the scenario does not ask.

    Args:
        detector: opened for throughput.
    """
    from guardianflow.evaluation.timing.cameras import measure_cameras

    wanted = context.scenario.benchmark.cameras
    if wanted is None:
        return None

    def told(step: CameraStep) -> None:
        cameras = f"{step.cameras} camera{'s' if step.cameras != 1 else ''}"
        context.events.message(f"{cameras}: {'holds' if step.holds else 'too many'}: {step.reason}")

    return measure_cameras(
        detector,
        paths,
        fps=wanted.fps,
        latency_budget_ms=wanted.latency_budget_ms,
        seed=context.scenario.environment.seed,
        progress=told,
    )


def camera_metrics(capacity: CameraCapacity | None) -> dict[str, float]:
    """`bench.cameras`, and how that load went."""
    if capacity is None:
        return {}
    metrics = {"bench.cameras": float(capacity.cameras)}
    for step in capacity.steps:
        if step.cameras == capacity.cameras and step.latency.p95 is not None:
            metrics["bench.cameras_latency_p95_ms"] = step.latency.p95.value
    return metrics


def save_timings(
    path: Path, timings: Timings, watch: TimingConditions, sessions: Mapping[str, SessionInfo]
) -> None:
    """Every time with its interval, each single call, and the conditions."""
    table: dict[str, Any] = {
        "latency": {
            name: [_latency_table(result) for result in results]
            for name, results in timings.latency.items()
        },
        "throughput": [asdict(result) for result in timings.throughput],
        "cameras": _camera_table(timings.cameras),
        "speedup": asdict(timings.speedup) if timings.speedup else None,
        "sessions": {name: asdict(session) for name, session in sessions.items()},
        "conditions": watch.conditions.to_dict(),
    }
    save_json(path, {key: value for key, value in table.items() if value})


def save_json(path: Path, table: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _latency_table(result: LatencyResult) -> dict[str, Any]:
    whole = {"latency": result.latency, **result.stages}
    return {
        "batch_size": result.batch_size,
        "runs": result.runs,
        "warmup_runs": result.warmup_runs,
        "fps": result.fps,
        "stages": {name: _timing_table(timing) for name, timing in whole.items()},
        "samples_ms": {
            name: [round(value, 4) for value in timing.samples_ms] for name, timing in whole.items()
        },
    }


def _timing_table(timing: Timing) -> dict[str, Any]:
    unknown = f"insufficient samples ({len(timing.samples_ms)})"
    return {
        "mean_ms": timing.mean_ms,
        **{f"p{n}_ms": asdict(p) if p else unknown for n, p in timing.percentiles.items()},
    }


def _camera_table(capacity: CameraCapacity | None) -> dict[str, Any] | None:
    if capacity is None:
        return None
    steps = [asdict(step) | {"latency": _timing_table(step.latency)} for step in capacity.steps]
    return asdict(capacity) | {"steps": steps}
