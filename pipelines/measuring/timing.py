"""Measures what infer and quant say beside accuracy: time, and what it took.

time_batch_sizes     latency, one call at a time, for each batch size
time_by_turns        latency of several detectors, to be compared
time_throughput      many calls at once: the network alone, and files → boxes
count_cameras        how many cameras this device holds
save_timings         results/latency.json: every figure with its interval, every call
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import BackendUnavailableError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import (
    CameraCapacity,
    CameraStep,
    LatencyResult,
    ThroughputResult,
    Timing,
)
from guardianflow.contracts.results import DetectorPackage, LabelledImage, SessionInfo

from ..stage.inputs.sources import (
    device_within,
)
from ..stage.stage import StageContext
from .conditions import TimingConditions

if TYPE_CHECKING:
    from guardianflow.detector import Detector
    from guardianflow.evaluation.timing.quiet import QuietRounds

LATENCY_IMAGES = 32
# For each kind of throughput; less where the scenario wants few calls timed.
THROUGHPUT_S = 2.0
THROUGHPUT_S_A_RUN = 0.02
THROUGHPUT_FRAMES = 500


@dataclass(frozen=True)
class Timings:
    """Everything timed of one model, or of several by their names.

    Args:
        latency: name → results; for infer one name with a result for each batch size.
        throughput: what was measured in throughput mode; empty where the backend has none.
        cameras: None where it was not asked for or can't be measured here.

    What could not be timed because the machine was busy is not in it.
    """

    latency: Mapping[str, Sequence[LatencyResult]]
    throughput: Sequence[ThroughputResult] = ()
    cameras: CameraCapacity | None = None
    speedup: Estimate | None = None


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
    watch: TimingConditions, source: DetectorPackage, paths: Sequence[Path]
) -> list[LatencyResult]:
    """Each batch size on a session of its own, opened for that batch; 1 is always among them.

    Those that could not be timed in quiet are left out.
    """
    from guardianflow.detector import Detector
    from guardianflow.evaluation.timing.latency import measure_latency

    context = watch.context
    benchmark = context.scenario.benchmark
    sizes = sorted(set(benchmark.batch_sizes) | {1})
    results = []
    for place, size in enumerate(sizes):
        context.events.progress(place, len(sizes), f"timing batch size {size}")
        device = device_within(context, source.spec.backend)
        with Detector.open(source, batch_size=size, device=device) as detector:
            measured = watch.timed(
                f"latency of batch size {size}",
                partial(
                    measure_latency,
                    detector,
                    paths,
                    batch_size=size,
                    warmup_runs=benchmark.warmup_runs,
                    benchmark_runs=benchmark.benchmark_runs,
                    rounds=watch.rounds,
                ),
            )
        results += [measured] if measured else []
    return results


def time_by_turns(
    context: StageContext,
    detectors: Mapping[str, Detector],
    images: Sequence[LabelledImage],
    rounds: QuietRounds,
) -> dict[str, LatencyResult]:
    """Latency of open detectors by turns, one image at a time, so that they can be compared.

    Args:
        detectors: name → opened for single images.
        images: of the split; a few of them are timed on.

    Raises:
        BusyMachineError: the machine was busy; nothing is known of any of them then.
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
        rounds=rounds,
    )


def time_throughput(
    watch: TimingConditions, source: DetectorPackage, paths: Sequence[Path], usage: dict[str, float]
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

    context, scenario = watch.context, watch.context.scenario
    try:
        device = device_within(context, source.spec.backend)
        opened = Detector.open(source, device=device, mode="throughput")
    except BackendUnavailableError as exc:
        context.events.message(f"throughput is not measured: {exc}")
        return [], None
    with opened as detector:
        context.events.message("timing many calls at once")
        images = [load_image(path) for path in paths[:8]]
        runs = scenario.benchmark.benchmark_runs
        seconds = min(THROUGHPUT_S, THROUGHPUT_S_A_RUN * runs)

        def both() -> tuple[list[ThroughputResult], dict[str, float]]:
            taken: dict[str, float] = {}
            with sampled(taken):
                network = measure_network_throughput(
                    detector, images, seconds=seconds, frames=THROUGHPUT_FRAMES
                )
                files = measure_file_throughput(
                    detector, paths, seconds=seconds, frames=THROUGHPUT_FRAMES
                )
            return [network, files], taken

        results, taken = watch.timed("throughput", lambda: watch.rounds.measure(both)) or ([], {})
        usage.update(taken)
        return results, count_cameras(watch, detector, paths)


def count_cameras(
    watch: TimingConditions, detector: Any, paths: Sequence[Path], name: str = ""
) -> CameraCapacity | None:
    """Find how many cameras the device holds.

    Args:
        detector: opened for throughput.
        name: of the detector, where there are several.

    Returns:
        None where the scenario does not ask, or where the machine was busy.
    """
    from guardianflow.evaluation.timing.cameras import measure_cameras

    context, wanted = watch.context, watch.context.scenario.benchmark.cameras
    if wanted is None:
        return None

    def told(step: CameraStep) -> None:
        cameras = f"{step.cameras} camera{'s' if step.cameras != 1 else ''}"
        context.events.message(f"{cameras}: {'holds' if step.holds else 'too many'}: {step.reason}")

    return watch.timed(
        f"the number of cameras{name and f' of {name}'}",
        lambda: measure_cameras(
            detector,
            paths,
            fps=wanted.fps,
            latency_budget_ms=wanted.latency_budget_ms,
            seed=context.scenario.environment.seed,
            progress=told,
            rounds=watch.rounds,
        ),
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
        "cameras": _camera_table(timings.cameras) if timings.cameras else None,
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


def _camera_table(capacity: CameraCapacity) -> dict[str, Any]:
    steps = [asdict(step) | {"latency": _timing_table(step.latency)} for step in capacity.steps]
    return asdict(capacity) | {"steps": steps}
