"""Times a detector: decoded images in, boxes out, stage by stage.

Nothing is clipped and nothing is left out: a slow call happened. order_statistics says which
percentiles a number of calls can carry, and how sure they are. Where `rounds` are given, whole
rounds in which the machine was not ours are thrown away and measured again: see quiet.py.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ...contracts.errors import EvaluationError
from ...contracts.estimates import Estimate
from ...contracts.measurements import LatencyResult, Timing
from ...contracts.results import SessionInfo
from ..images.preprocessing import load_image
from .order_statistics import timing_of
from .quiet import ROUND_S, QuietRounds

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray, RawOutput
    from ...contracts.results import Detections
    from ..images.preprocessing import Letterbox

NANOSECONDS_PER_MS = 1e6
# Long enough for the thread pools of OpenMP and ONNX Runtime to give up spinning (about 1 ms).
HANDOVER_PAUSE_S = 0.01
# Calls that a detector is timed for before the next one's turn: few, so that both see the same
# minute of the machine; several, so that each runs as it does alone.
CALLS_A_TURN = 10
RESAMPLES = 2000
MEDIAN_METRICS = {
    "decode": "decoding_time_ms",
    "preprocess": "preprocessing_time_ms",
    "postprocess": "postprocessing_time_ms",
}


class StagedDetector(Protocol):
    """A detector whose three stages can be called one by one; see guardianflow.detector."""

    @property
    def info(self) -> SessionInfo: ...

    def preprocess(self, images: Sequence[ImageArray]) -> tuple[ImageArray, list[Letterbox]]: ...

    def infer(self, batch: ImageArray) -> RawOutput: ...

    def postprocess(self, raw: RawOutput, letterboxes: Sequence[Letterbox]) -> list[Detections]: ...


def measure_latency(
    detector: StagedDetector,
    images: Sequence[ImageArray] | Sequence[Path],
    *,
    batch_size: int,
    warmup_runs: int,
    benchmark_runs: int,
    rounds: QuietRounds | None = None,
) -> LatencyResult:
    """Time one detector at one batch size.

    Args:
        detector: opened with this batch size.
        images: uint8, H×W×3, RGB, decoded; or image files, whose decoding is then timed beside the
            latency. Taken in turn to fill batches.
        batch_size: images a call.
        warmup_runs: calls before the measured ones.
        benchmark_runs: calls measured.
        rounds: decide which calls count; None: all do. Each round then begins with a call that
            is not measured, after which caches and cores are as in steady work.

    Raises:
        EvaluationError: no images, a number below 1 (0 for warm-up), or a detector opened with
            another batch size.
        BusyMachineError: the machine was never quiet for long enough.
    """
    _check({"": detector}, images, batch_size, warmup_runs, benchmark_runs)
    once = partial(_timed_call, detector)
    return _measured(once, images, batch_size, warmup_runs, benchmark_runs, rounds)


def measure_whole(
    call: Callable[[list[ImageArray]], object],
    images: Sequence[ImageArray],
    *,
    batch_size: int,
    warmup_runs: int,
    benchmark_runs: int,
    rounds: QuietRounds | None = None,
) -> LatencyResult:
    """Time something that takes decoded images and can't be looked into: it has no stages.

    Args:
        call: takes a batch and returns when its boxes are there.
        rounds: as of measure_latency.

    Raises:
        EvaluationError, BusyMachineError: as measure_latency.
    """
    _check({}, images, batch_size, warmup_runs, benchmark_runs)

    def once(batch: list[ImageArray] | list[Path]) -> StagedCall:
        begun = time.perf_counter_ns()
        call(batch)  # type: ignore[arg-type]
        return StagedCall(None, begun, None, None, time.perf_counter_ns())

    return _measured(once, images, batch_size, warmup_runs, benchmark_runs, rounds)


def measure_interleaved(
    detectors: Mapping[str, StagedDetector],
    images: Sequence[ImageArray],
    *,
    batch_size: int,
    warmup_runs: int,
    benchmark_runs: int,
    rounds: QuietRounds | None = None,
) -> dict[str, LatencyResult]:
    """Time several detectors by turns, A B A B …, on the same batches.

    Whatever else the machine does then hits all alike, so their ratio can be trusted where a pair
    measured one after the other can't. A turn is CALLS_A_TURN measured calls. Before it there is a
    pause, in which the other detector's threads stop spinning for more work (they would take the
    cores), and one call that is not measured, after which caches and cores are as in steady work.
    `fps` counts the measured calls alone. A round holds whole turns of all detectors, so that what
    counts of one was measured in the same rounds as what counts of the others. Arguments and errors
    as measure_latency; the results have the names and the order of `detectors`.
    """
    if not detectors:
        raise EvaluationError("there is no detector to time")
    _check(detectors, images, batch_size, warmup_runs, benchmark_runs)
    calls: dict[str, list[StagedCall]] = {name: [] for name in detectors}
    pause_s = HANDOVER_PAUSE_S if len(detectors) > 1 else 0.0
    batches = _batches(images, batch_size)
    warmup = [next(batches) for _ in range(warmup_runs)]
    for detector in detectors.values():
        for batch in warmup:
            _timed_call(detector, batch)
    medians: dict[str, list[float]] = {name: [] for name in detectors}
    left = benchmark_runs

    def one_round() -> dict[str, list[StagedCall]]:
        made: dict[str, list[StagedCall]] = {name: [] for name in detectors}
        start, to_do = time.perf_counter_ns(), left
        while to_do > 0 and _goes_on(rounds, start):
            turn = [next(batches) for _ in range(min(CALLS_A_TURN, to_do))]
            for name, detector in detectors.items():
                time.sleep(pause_s)
                _timed_call(detector, turn[0])
                for batch in turn:
                    made[name].append(_timed_call(detector, batch))
            to_do -= len(turn)
        return made

    while left > 0:
        made = one_round() if rounds is None else rounds.measure(one_round)
        for name, each in made.items():
            calls[name] += each
            medians[name].append(_median_ms(each))
        left = benchmark_runs - len(calls[name])
    if rounds is not None:
        for name, values in medians.items():
            rounds.require_steady(name, values)
    return {name: _result(made, batch_size, warmup_runs) for name, made in calls.items()}


def fast_call_ms(result: LatencyResult) -> float:
    """The call that a tenth of all are faster than.

    It tells which of two networks is faster where they are a few percent apart: what else a machine
    does makes calls longer, never shorter. Of 17 networks timed by turns beside other work, 200
    calls each, it came out within 0.012 of itself when measured again, medians within 0.05. It is
    no latency that anybody could count on.
    """
    ordered = sorted(result.latency.samples_ms)
    return ordered[(len(ordered) - 1) // 10]


def speedup(first: LatencyResult, second: LatencyResult) -> Estimate:
    """The factor by which the second is faster: median of the first ÷ median of the second.

    The interval is a bootstrap over turns, since calls of one turn see the same moment of
    the machine (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and
    13).

    Args:
        first, second: results of one measure_interleaved.

    Raises:
        EvaluationError: they have different numbers of calls.
    """
    import numpy as np

    if first.runs != second.runs:
        raise EvaluationError(
            f"only detectors timed by turns compare, but one was timed {first.runs} times and the "
            f"other {second.runs}"
        )
    pair = np.array([first.latency.samples_ms, second.latency.samples_ms])
    value = first.latency_p50_ms / second.latency_p50_ms
    whole_turns = first.runs // CALLS_A_TURN
    turns = pair[:, : whole_turns * CALLS_A_TURN].reshape(2, whole_turns, CALLS_A_TURN)
    if whole_turns < 2:
        turns = pair[:, :, None]  # too few to group: each call by itself
    drawn = np.random.default_rng(0).integers(turns.shape[1], size=(RESAMPLES, turns.shape[1]))
    medians = np.median(turns[:, drawn].reshape(2, RESAMPLES, -1), axis=2)
    low, high = np.quantile(medians[0] / medians[1], [0.025, 0.975])
    return Estimate(value, float(low), float(high))


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
    metrics: dict[str, float] = {}
    if sys_prefix is not None:
        if "inference" in result.stages:
            metrics |= result.stages["inference"].as_metrics(f"{sys_prefix}inference_time")
        for stage, key in MEDIAN_METRICS.items():
            if stage in result.stages and (median := result.stages[stage].p50) is not None:
                metrics[f"{sys_prefix}{key}"] = median.value
        metrics[f"{sys_prefix}fps"] = result.fps
    if bench_prefix is not None:
        batch = f"{bench_prefix}bs{result.batch_size}."
        for percent, percentile in result.latency.percentiles.items():
            if percentile is not None:
                metrics |= percentile.as_metrics(f"{batch}latency_p{percent}", "_ms")
        metrics[f"{batch}fps"] = result.fps
    return metrics


def comparable(one: SessionInfo, other: SessionInfo) -> bool:
    """Whether a ratio of their times says something of the models: both ran on the same device."""
    return one.device == other.device


class StagedCall(NamedTuple):
    """A clock's stamps in one call, nanoseconds.

    `asked` is None where nothing was decoded; `prepared` and `inferred` are where the call can't be
    looked into.
    """

    asked: int | None
    start: int
    prepared: int | None
    inferred: int | None
    end: int

    def stages(self) -> dict[str, int]:
        """Each stage's time, in the order of the work."""
        if self.prepared is None or self.inferred is None:
            return {}
        decoding = {} if self.asked is None else {"decode": self.start - self.asked}
        return decoding | {
            "preprocess": self.prepared - self.start,
            "inference": self.inferred - self.prepared,
            "postprocess": self.end - self.inferred,
        }


def staged_call(
    detector: StagedDetector,
    batch: Sequence[ImageArray] | Sequence[Path],
    *,
    clock: Callable[[], int],
    infer: Callable[[ImageArray], RawOutput],
) -> StagedCall:
    """Take a batch through the whole path; image files are decoded first."""
    asked = None
    if isinstance(batch[0], Path):
        asked = clock()
        batch = [load_image(path) for path in batch]  # type: ignore[arg-type]
    start = clock()
    prepared_batch, letterboxes = detector.preprocess(batch)  # type: ignore[arg-type]
    prepared = clock()
    raw = infer(prepared_batch)
    inferred = clock()
    detector.postprocess(raw, letterboxes)
    return StagedCall(asked, start, prepared, inferred, clock())


def _timed_call(
    detector: StagedDetector, batch: Sequence[ImageArray] | Sequence[Path]
) -> StagedCall:
    return staged_call(detector, batch, clock=time.perf_counter_ns, infer=detector.infer)


def _measured(
    once: Callable[[list[ImageArray] | list[Path]], StagedCall],
    images: Sequence[ImageArray] | Sequence[Path],
    batch_size: int,
    warmup_runs: int,
    runs: int,
    rounds: QuietRounds | None,
) -> LatencyResult:
    """So many calls after the warm-up; each round begins with one that doesn't count."""
    batches = _batches(images, batch_size)
    for _ in range(warmup_runs):
        once(next(batches))
    calls: list[StagedCall] = []
    medians, wall_ns = [], 0

    def one_round() -> tuple[list[StagedCall], int]:
        made: list[StagedCall] = []
        if rounds is not None:
            once(next(batches))
        start = time.perf_counter_ns()
        while len(calls) + len(made) < runs and _goes_on(rounds, start):
            made.append(once(next(batches)))
        return made, time.perf_counter_ns() - start

    while len(calls) < runs:
        made, took_ns = one_round() if rounds is None else rounds.measure(one_round)
        calls += made
        wall_ns += took_ns
        medians.append(_median_ms(made))
    if rounds is not None:
        rounds.require_steady(f"batch size {batch_size}", medians)
    return _result(calls, batch_size, warmup_runs, wall_ns)


def _goes_on(rounds: QuietRounds | None, start_ns: int) -> bool:
    """Whether a round is not over yet; without rounds everything is one."""
    return rounds is None or time.perf_counter_ns() - start_ns < ROUND_S * 1e9


def _median_ms(calls: Sequence[StagedCall]) -> float:
    return statistics.median(call.end - call.start for call in calls) / NANOSECONDS_PER_MS


def _result(
    calls: Sequence[StagedCall], batch_size: int, warmup_runs: int, wall_ns: int | None = None
) -> LatencyResult:
    """Stage by stage. `wall_ns` of all calls, decoding included; None: the calls' sum."""

    def timing(times_ns: Iterable[int]) -> Timing:
        return timing_of([value / NANOSECONDS_PER_MS for value in times_ns])

    stages = [call.stages() for call in calls]
    whole = [call.end - call.start for call in calls]
    if wall_ns is None:
        wall_ns = sum(whole)
    else:  # decoding is timed, and is no part of what fps speaks of
        wall_ns -= sum(each.get("decode", 0) for each in stages)
    return LatencyResult(
        batch_size=batch_size,
        warmup_runs=warmup_runs,
        latency=timing(whole),
        stages={name: timing(each[name] for each in stages) for name in stages[0]},
        fps=len(calls) * batch_size / (wall_ns / 1e9),
    )


def _batches(
    images: Sequence[ImageArray] | Sequence[Path], batch_size: int
) -> Iterator[list[ImageArray] | list[Path]]:
    cycle = itertools.cycle(images)
    while True:
        yield list(itertools.islice(cycle, batch_size))  # type: ignore[misc]


def _check(
    detectors: Mapping[str, StagedDetector],
    images: Sequence[ImageArray] | Sequence[Path],
    batch_size: int,
    warmup_runs: int,
    benchmark_runs: int,
) -> None:
    if not len(images):
        raise EvaluationError("latency needs at least one image to run on")
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
