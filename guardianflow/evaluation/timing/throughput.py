"""Measures how many frames a second a device gets through when it is kept busy.

    FrameWorkers              threads that take frames through the whole path, file → boxes
    measure_network_throughput   the session alone, as many calls under way as it wants
    measure_file_throughput      image files → boxes

A detector opened with mode='throughput' runs several calls at once. One call then takes longer
than in latency mode, and more of them are done in a second.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.estimates import Estimate
from ...contracts.measurements import ThroughputResult
from ...support.child_processes import join
from .latency import StagedDetector, staged_call

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray, RawOutput

WINDOWS = 10
CONFIDENCE = 0.95
STAGES = ("decode", "preprocess", "inference", "postprocess")


class StreamingDetector(StagedDetector, Protocol):
    """A detector opened for throughput; see guardianflow.detector."""

    def submit(self, batch: ImageArray) -> Future[RawOutput]: ...


@dataclass(frozen=True)
class Frame:
    """A frame to be worked on.

    Args:
        path: image file.
        arrived_s: when it was there, on time.perf_counter's clock.
    """

    path: Path
    arrived_s: float


@dataclass(frozen=True)
class FrameDone:
    """A frame that went through the whole path, on time.perf_counter's clock."""

    arrived_s: float
    done_s: float


class FrameWorkers:
    """Threads that each take one frame at a time from file to boxes.

    Args:
        detector: opened for throughput.
        workers: threads. One more than the calls that the session has under way keeps it fed
            while another decodes.

    Use it as a context manager; leaving it ends the threads and raises what went wrong in one.
    """

    def __init__(self, detector: StreamingDetector, workers: int) -> None:
        self._detector = detector
        self._waiting: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._done: list[FrameDone] = []
        self._core_seconds = dict.fromkeys(STAGES, 0.0)
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"frames-{number}", daemon=True)
            for number in range(workers)
        ]

    def __enter__(self) -> FrameWorkers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # what waits is of no use any more
            self._drop_waiting()
        self.finish()
        if kind is None:
            self.check()

    def offer(self, frame: Frame) -> None:
        """Let a frame wait for the next free worker."""
        self._waiting.put(frame)

    @property
    def done_count(self) -> int:
        """Frames that have gone through."""
        return len(self._done)

    def done(self) -> list[FrameDone]:
        """Frames that have gone through so far."""
        with self._lock:
            return list(self._done)

    def finish(self) -> list[FrameDone]:
        """Work off what waits and end the threads.

        Returns:
            Every frame done, in the order in which they were.
        """
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            join(thread)
        return self._done

    def abandon(self) -> list[FrameDone]:
        """End the threads without working off what waits; returns what was done."""
        self._drop_waiting()
        return self.finish()

    @property
    def core_seconds(self) -> dict[str, float]:
        """CPU time of the workers' own stages so far, summed; 'inference' only what they do."""
        with self._lock:
            return dict(self._core_seconds)

    def check(self) -> None:
        """Raise what went wrong in a worker."""
        if self._failure is not None:
            raise self._failure

    def _drop_waiting(self) -> None:
        while True:
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                return

    def _work(self) -> None:
        try:
            while (frame := self._waiting.get()) is not None:
                call = staged_call(
                    self._detector,
                    [frame.path],
                    clock=time.thread_time_ns,
                    infer=lambda batch: self._detector.submit(batch).result(),
                )
                now = time.perf_counter()
                with self._lock:
                    self._done.append(FrameDone(frame.arrived_s, now))
                    for stage, spent_ns in call.stages().items():
                        self._core_seconds[stage] += spent_ns / 1e9
        except BaseException as exc:  # raised in the measuring thread by check()
            self._failure = exc
            self._drop_waiting()


def worker_count(detector: StagedDetector) -> int:
    """As many as the session has calls under way, and one for each core to decode meanwhile."""
    return detector.info.requests + len(os.sched_getaffinity(0))


def measure_network_throughput(
    detector: StreamingDetector,
    images: Sequence[ImageArray],
    *,
    seconds: float,
    frames: int | None = None,
) -> ThroughputResult:
    """Images a second through the network alone.

    Args:
        detector: opened for throughput; its batch size is used.
        images: uint8, H×W×3, RGB, decoded; letterboxed beforehand.
        seconds: to measure; a fifth of it more goes before, unmeasured.
        frames: that are enough, so that a quick model need not take all that time.

    Raises:
        EvaluationError: no images, or a detector opened for latency.
    """
    _require_throughput(detector, images)
    size = detector.info.batch_size
    cycle = itertools.cycle(images)
    batches = [
        detector.preprocess(list(itertools.islice(cycle, size)))[0]
        for _ in range(max(1, min(8, len(images) // size)))
    ]
    calls = None if frames is None else -(-frames // size)
    _keep_submitting(detector, batches, seconds / 5, _fifth(calls))
    start = time.perf_counter()
    cpu = time.process_time()
    done = _keep_submitting(detector, batches, seconds, calls)
    cpu = time.process_time() - cpu
    return _result(
        [start, *done],
        workers=detector.info.requests,
        detector=detector,
        scope="network",
        core_seconds={"inference": cpu / (len(done) * size)},
    )


def measure_file_throughput(
    detector: StreamingDetector,
    paths: Sequence[Path],
    *,
    seconds: float,
    frames: int | None = None,
    confidence: float = CONFIDENCE,
) -> ThroughputResult:
    """Image files to boxes: decoding, letterboxing, network and reading the output.

    Args:
        detector: opened for throughput with batches of 1.
        paths: image files, taken in turn.
        seconds: to measure; a fifth of it more goes before, unmeasured.
        frames: that are enough.
        confidence: of the interval of fps.

    Raises:
        EvaluationError: no files, one can't be decoded, or a detector opened otherwise.
    """
    _require_throughput(detector, paths)
    if detector.info.batch_size != 1:
        raise EvaluationError(
            f"frames go through one by one, but the detector was opened for batches of "
            f"{detector.info.batch_size}; open it with batch_size=1"
        )
    workers = worker_count(detector)
    names = itertools.cycle(paths)
    with FrameWorkers(detector, workers) as crew:
        _keep_offering(crew, names, workers, seconds / 5, _fifth(frames))
        before, cpu, spent = crew.done_count, time.process_time(), crew.core_seconds
        start = time.perf_counter()
        _keep_offering(crew, names, workers, seconds, frames)
        cpu = time.process_time() - cpu
        own = {stage: value - spent[stage] for stage, value in crew.core_seconds.items()}
        done = [start, *(one.done_s for one in crew.abandon()[before:])]
    count = len(done) - 1
    # What the process spent beyond the workers' own stages, the library's threads did.
    own["inference"] = max(cpu - sum(own[s] for s in STAGES if s != "inference"), 0.0)
    return _result(
        done,
        workers=workers,
        detector=detector,
        scope="files",
        confidence=confidence,
        core_seconds={stage: value / max(count, 1) for stage, value in own.items()},
    )


def throughput_metrics(results: Iterable[ThroughputResult]) -> dict[str, float]:
    """`bench.throughput.{scope}_fps` with its interval, and `sys.throughput_imgs_per_sec`."""
    metrics: dict[str, float] = {}
    for result in results:
        key = f"bench.throughput.{result.scope}_fps"
        bounds = result.interval.as_metrics(key) if result.interval is not None else {}
        metrics |= bounds | {key: result.fps}
        if result.scope == "files":
            metrics["sys.throughput_imgs_per_sec"] = result.fps
    return metrics


def _fifth(count: int | None) -> int | None:
    return None if count is None else max(1, count // 5)


def _keep_submitting(
    detector: StreamingDetector, batches: Sequence[ImageArray], seconds: float, calls: int | None
) -> list[float]:
    """Keep the session's calls under way for `seconds` or `calls`; when each was done, seconds."""
    done: list[float] = []
    under_way: deque[Future[RawOutput]] = deque()
    end = time.perf_counter() + seconds

    def note(_: Future[RawOutput]) -> None:
        done.append(time.perf_counter())

    for number, batch in enumerate(itertools.cycle(batches)):
        if time.perf_counter() >= end or (calls is not None and number >= calls):
            break
        future = detector.submit(batch)
        future.add_done_callback(note)
        under_way.append(future)
        while under_way and under_way[0].done():
            under_way.popleft().result()
    for future in under_way:
        future.result()
    return done


def _keep_offering(
    crew: FrameWorkers, paths: Iterator[Path], workers: int, seconds: float, frames: int | None
) -> None:
    """Keep every worker busy, and one frame waiting for each, for `seconds` or `frames`."""
    end = time.perf_counter() + seconds
    offered = before = crew.done_count
    while (now := time.perf_counter()) < end:
        crew.check()
        if frames is not None and crew.done_count - before >= frames:
            return
        while offered < crew.done_count + 2 * workers:
            crew.offer(Frame(next(paths), now))
            offered += 1
        time.sleep(0.002)


def _result(
    stamps: Sequence[float],
    *,
    workers: int,
    detector: StreamingDetector,
    scope: str,
    core_seconds: dict[str, float],
    confidence: float = CONFIDENCE,
) -> ThroughputResult:
    """From the start and the times at which calls were done."""
    if len(stamps) < 2:
        raise EvaluationError("no frame was done in the time measured; measure for longer")
    ordered, batch_size = sorted(stamps), detector.info.batch_size
    wall_s = ordered[-1] - ordered[0]
    frames = (len(ordered) - 1) * batch_size
    return ThroughputResult(
        frames=frames,
        wall_s=wall_s,
        fps=frames / wall_s,
        interval=_interval(ordered, batch_size, confidence),
        workers=workers,
        streams=detector.info.streams,
        batch_size=batch_size,
        scope=scope,
        core_seconds=core_seconds,
    )


def _interval(stamps: Sequence[float], batch_size: int, confidence: float) -> Estimate | None:
    """Mean rate of equal windows of time, with Student's t over them; None where calls are few.

    Calls that follow each other see the same moment of the machine, so the window is the unit
    (batch means; Law, "Simulation Modeling and Analysis", chapter 9).
    """
    from scipy.special import stdtrit  # of Student's t; scipy.stats takes a second to import

    if len(stamps) <= 5 * WINDOWS:
        return None
    edges = np.linspace(stamps[0], stamps[-1], WINDOWS + 1)
    done = np.searchsorted(stamps, edges, side="right")
    rates = np.diff(done) * batch_size / np.diff(edges)
    mean, error = float(rates.mean()), float(rates.std(ddof=1)) / WINDOWS**0.5
    reach = float(stdtrit(WINDOWS - 1, (1 + confidence) / 2)) * error
    return Estimate(mean, mean - reach, mean + reach)


def _require_throughput(detector: StagedDetector, images: Sequence[object]) -> None:
    if not len(images):
        raise EvaluationError("throughput needs at least one image to run on")
    if detector.info.mode != "throughput":
        raise EvaluationError(
            "throughput is measured on a detector opened with mode='throughput', but this one was "
            f"opened for {detector.info.mode}"
        )
