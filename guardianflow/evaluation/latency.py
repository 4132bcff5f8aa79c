"""How long a detector takes: decoded images in, boxes out, stage by stage.

Nothing is clipped and nothing is left out: a slow call happened. Percentiles are order statistics
by nearest rank: of n calls the p-th percentile is the ceil(p·n/100)-th fastest. It is given only
where at least one slower call was seen, n·(1 − p/100) ≥ 1: 20 calls for p95 and 100 for p99. With
fewer it would be the maximum under another name.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..contracts.errors import EvaluationError
from ..contracts.results import LatencyResult, SessionInfo

if TYPE_CHECKING:
    from ..contracts.ports import ImageArray, RawOutput
    from ..contracts.results import Detections
    from .preprocessing import Letterbox

NANOSECONDS_PER_MS = 1e6
# Long enough for the thread pools of OpenMP and ONNX Runtime to give up spinning (about 1 ms).
HANDOVER_PAUSE_S = 0.01


class StagedDetector(Protocol):
    """A detector whose three stages can be called one by one; see guardianflow.detector."""

    @property
    def info(self) -> SessionInfo: ...

    def preprocess(self, images: Sequence[ImageArray]) -> tuple[ImageArray, list[Letterbox]]: ...

    def infer(self, batch: ImageArray) -> RawOutput: ...

    def postprocess(self, raw: RawOutput, letterboxes: Sequence[Letterbox]) -> list[Detections]: ...


def measure_latency(
    detector: StagedDetector,
    images: Sequence[ImageArray],
    *,
    batch_size: int,
    warmup_runs: int,
    benchmark_runs: int,
) -> LatencyResult:
    """Time one detector at one batch size.

    Args:
        detector: opened with this batch size.
        images: uint8, H×W×3, RGB, decoded; taken in turn to fill batches.
        batch_size: images a call.
        warmup_runs: calls before the measured ones.
        benchmark_runs: calls measured.

    Raises:
        EvaluationError: no images, a number below 1 (0 for warm-up), or a detector opened with
            another batch size.
    """
    return measure_interleaved(
        {"": detector},
        images,
        batch_size=batch_size,
        warmup_runs=warmup_runs,
        benchmark_runs=benchmark_runs,
    )[""]


def measure_interleaved(
    detectors: Mapping[str, StagedDetector],
    images: Sequence[ImageArray],
    *,
    batch_size: int,
    warmup_runs: int,
    benchmark_runs: int,
) -> dict[str, LatencyResult]:
    """Time several detectors by turns, A B A B …, on the same batches.

    Whatever else the machine does then hits all alike, so their ratio can be trusted where a pair
    measured one after the other can't. Between two detectors there is a pause, in which the
    first one's threads stop spinning for more work: they would take the cores from the second.
    `fps` counts the calls alone. Arguments and errors as measure_latency; the results have the
    names and the order of `detectors`.
    """
    _check(detectors, images, batch_size, warmup_runs, benchmark_runs)
    cycle = itertools.cycle(images)
    times = {name: _Times() for name in detectors}
    pause_s = HANDOVER_PAUSE_S if len(detectors) > 1 else 0.0
    for run in range(warmup_runs + benchmark_runs):
        batch = list(itertools.islice(cycle, batch_size))
        for name, detector in detectors.items():
            time.sleep(pause_s)
            stamps = _timed_call(detector, batch)
            if run >= warmup_runs:
                times[name].add(stamps)
    return {name: taken.result(batch_size, warmup_runs) for name, taken in times.items()}


def latency_metrics(
    result: LatencyResult, *, sys_prefix: str | None = "sys.", bench_prefix: str | None = "bench."
) -> dict[str, float]:
    """Flat metrics, ready to log. What a run's length can't carry has no key.

    Args:
        result: of one batch size.
        sys_prefix: 'sys.', 'sys.original.' …; None leaves these keys out, as is right for all
            batch sizes but the one that stands for the deployment.
        bench_prefix: before 'bs{N}.'; None leaves these keys out.
    """
    values: dict[str, float | None] = {}
    if sys_prefix is not None:
        values |= {
            f"{sys_prefix}inference_time_ms": result.inference_mean_ms,
            f"{sys_prefix}inference_time_p50_ms": result.inference_p50_ms,
            f"{sys_prefix}inference_time_p95_ms": result.inference_p95_ms,
            f"{sys_prefix}inference_time_p99_ms": result.inference_p99_ms,
            f"{sys_prefix}preprocessing_time_ms": result.preprocessing_time_ms,
            f"{sys_prefix}postprocessing_time_ms": result.postprocessing_time_ms,
            f"{sys_prefix}fps": result.fps,
        }
    if bench_prefix is not None:
        batch = f"{bench_prefix}bs{result.batch_size}."
        values |= {
            f"{batch}latency_p50_ms": result.latency_p50_ms,
            f"{batch}latency_p95_ms": result.latency_p95_ms,
            f"{batch}latency_p99_ms": result.latency_p99_ms,
            f"{batch}fps": result.fps,
        }
    return {key: value for key, value in values.items() if value is not None}


def percentile(values: Sequence[int], percent: int) -> int | None:
    """Nearest-rank percentile; None where no value lies beyond it.

    Args:
        values: at least one.
        percent: above 50, at most 99.
    """
    rank = -(-len(values) * percent // 100)  # ceil, in whole numbers
    return None if rank == len(values) else sorted(values)[rank - 1]


@dataclass
class _Times:
    """Nanoseconds of each measured call, stage by stage."""

    preprocessing: list[int] = field(default_factory=list)
    inference: list[int] = field(default_factory=list)
    postprocessing: list[int] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)

    def add(self, stamps: tuple[int, int, int, int]) -> None:
        start, prepared, inferred, end = stamps
        self.preprocessing.append(prepared - start)
        self.inference.append(inferred - prepared)
        self.postprocessing.append(end - inferred)
        self.whole.append(end - start)

    def result(self, batch_size: int, warmup_runs: int) -> LatencyResult:
        runs = len(self.whole)
        return LatencyResult(
            batch_size=batch_size,
            runs=runs,
            warmup_runs=warmup_runs,
            latency_p50_ms=_median_ms(self.whole),
            latency_p95_ms=_percentile_ms(self.whole, 95),
            latency_p99_ms=_percentile_ms(self.whole, 99),
            latency_mean_ms=sum(self.whole) / runs / NANOSECONDS_PER_MS,
            inference_mean_ms=sum(self.inference) / runs / NANOSECONDS_PER_MS,
            inference_p50_ms=_median_ms(self.inference),
            inference_p95_ms=_percentile_ms(self.inference, 95),
            inference_p99_ms=_percentile_ms(self.inference, 99),
            preprocessing_time_ms=_median_ms(self.preprocessing),
            postprocessing_time_ms=_median_ms(self.postprocessing),
            fps=runs * batch_size / (sum(self.whole) / 1e9),
        )


def _timed_call(detector: StagedDetector, batch: list[ImageArray]) -> tuple[int, int, int, int]:
    """Clock before and after each of the three stages, nanoseconds."""
    start = time.perf_counter_ns()
    prepared_batch, letterboxes = detector.preprocess(batch)
    prepared = time.perf_counter_ns()
    raw = detector.infer(prepared_batch)
    inferred = time.perf_counter_ns()
    detector.postprocess(raw, letterboxes)
    return start, prepared, inferred, time.perf_counter_ns()


def _percentile_ms(nanoseconds: list[int], percent: int) -> float | None:
    value = percentile(nanoseconds, percent)
    return None if value is None else value / NANOSECONDS_PER_MS


def _median_ms(nanoseconds: list[int]) -> float:
    """The ceil(n/2)-th fastest: with an even number of calls the faster of the middle two."""
    return sorted(nanoseconds)[(len(nanoseconds) - 1) // 2] / NANOSECONDS_PER_MS


def _check(
    detectors: Mapping[str, StagedDetector],
    images: Sequence[ImageArray],
    batch_size: int,
    warmup_runs: int,
    benchmark_runs: int,
) -> None:
    if not detectors:
        raise EvaluationError("there is no detector to time")
    if not len(images):
        raise EvaluationError("latency needs at least one decoded image to run on")
    for name, value, lowest in (
        ("batch_size", batch_size, 1),
        ("warmup_runs", warmup_runs, 0),
        ("benchmark_runs", benchmark_runs, 1),
    ):
        if value < lowest:
            raise EvaluationError(f"{name} must be at least {lowest} but is {value}")
    for name, detector in detectors.items():
        opened = detector.info.batch_size
        if opened != batch_size:
            # A session compiled for 16 images and given one may pad to 16: not batch 1's latency.
            raise EvaluationError(
                f"detector {name!r} was opened for batches of {opened} but is to be timed with "
                f"{batch_size}; open it with batch_size={batch_size}"
            )
