"""Finds how many cameras a device holds.

Frames arrive as N cameras send them: each camera at its own even pace and its own phase, whether
or not the device keeps up. A frame's latency runs from the moment it was due, not from the moment
somebody had time for it: a device that falls behind can't hide it. A load holds when p95 is shown
to be within the budget and the queue does not grow. The largest load that holds is found by
bisection; the one above it was tried and failed.

An image file is decoded for each frame. It stands for the frame of a camera's video stream, whose
decoding may cost more or less: see docs/metrics.md.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.measurements import CameraCapacity, CameraStep, Timing
from .order_statistics import timing_of
from .quiet import QuietRounds
from .throughput import (
    Frame,
    FrameDone,
    FrameWorkers,
    StreamingDetector,
    measure_file_throughput,
    worker_count,
)

MIN_STEP_S = 5.0
MIN_FRAMES = 150  # p95 needs 59; with 150 its interval is narrow enough to decide most loads
LONGEST = 3  # an undecided step goes on, to this many times its length
PILOT_S = 2.0
BLOCKS = 10
T_OF_BLOCKS = 1.860  # Student's t, 8 degrees of freedom, one-sided 95 %
# A queue that would break the budget within a minute at the pace it grows is growing.
HORIZON_S = 60.0
# Behind by so many budgets, nothing that follows could bring a step back.
HOPELESS = 5


def measure_cameras(
    detector: StreamingDetector,
    paths: Sequence[Path],
    *,
    fps: float,
    latency_budget_ms: float,
    seed: int = 42,
    progress: Callable[[CameraStep], None] | None = None,
    rounds: QuietRounds | None = None,
) -> CameraCapacity:
    """Find the largest number of cameras whose frames this device works off in time.

    Args:
        detector: opened for throughput with batches of 1.
        paths: image files that stand for the cameras' frames, taken in turn.
        fps: frames a second of one camera.
        latency_budget_ms: p95 from a frame's arrival to its boxes must stay within it.
        seed: of the cameras' phases.
        progress: called after each load tried.
        rounds: decide which tries count, and repeat those that don't; None: all do.

    Returns:
        With `cameras` 0 where not even one holds: that was measured.

    Raises:
        EvaluationError: no files, one can't be decoded, a number that is not above 0.
        BusyMachineError: the machine was never quiet for long enough.
    """
    for name, value in (("fps", fps), ("latency_budget_ms", latency_budget_ms)):
        if not value > 0:
            raise EvaluationError(f"{name} must be above 0 but is {value}")
    pilot = measure_file_throughput(detector, paths, seconds=PILOT_S)
    steps: dict[int, CameraStep] = {}

    def holds(cameras: int) -> bool:
        if cameras not in steps:
            try_it = partial(
                try_load,
                detector,
                paths,
                cameras=cameras,
                fps=fps,
                latency_budget_ms=latency_budget_ms,
                seed=seed,
            )
            steps[cameras] = try_it() if rounds is None else rounds.measure(try_it)
            if progress is not None:
                progress(steps[cameras])
        return steps[cameras].holds

    best = largest_that_holds(holds, guess=int(pilot.fps / fps))
    ordered = tuple(steps[cameras] for cameras in sorted(steps))
    return CameraCapacity(best, fps, latency_budget_ms, ordered)


def largest_that_holds(holds: Callable[[int], bool], guess: int) -> int:
    """Bisection for the largest whole number that holds; that one and the next were tried.

    Args:
        holds: True up to some number and False beyond it.
        guess: where to begin; the nearer, the fewer tries.

    Returns:
        0 where 1 does not hold.
    """
    low, high = 0, max(guess, 1)
    while holds(high):
        low, high = high, high + max(high // 4, 1)
    while high - low > 1:
        # Just below what saturates the device is where the answer usually lies.
        middle = low + max(1, round((high - low) * (0.75 if low == 0 else 0.5)))
        middle = min(middle, high - 1)
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def try_load(
    detector: StreamingDetector,
    paths: Sequence[Path],
    *,
    cameras: int,
    fps: float,
    latency_budget_ms: float,
    seed: int = 42,
) -> CameraStep:
    """Offer the frames of `cameras` cameras until it is plain whether the device keeps up.

    Arguments and errors as measure_cameras.
    """
    length_s = max(MIN_STEP_S, MIN_FRAMES / (cameras * fps))
    arrivals = _arrivals(cameras, fps, seed)
    names = itertools.cycle(paths)
    offered: list[float] = []
    behind = False
    with FrameWorkers(detector, worker_count(detector)) as frames:
        start = time.perf_counter() + 0.05
        for part in range(1, LONGEST + 1):
            until_s = part * length_s
            behind = _pace(frames, arrivals, names, start, until_s, offered, latency_budget_ms)
            if behind or _judge(_settled(frames, offered, start), start, latency_budget_ms).decided:
                break
        done = frames.abandon() if behind else frames.finish()
        frames.check()
    verdict = _judge(done, start, latency_budget_ms, behind=behind)
    span_s = max(one.done_s for one in done) - start
    return CameraStep(
        cameras=cameras,
        frames=len(offered),
        latency=verdict.latency,
        growth_ms_per_s=verdict.growth_ms_per_s,
        done_fps=len(done) / span_s,
        holds=verdict.holds,
        reason=verdict.reason,
    )


def _arrivals(cameras: int, fps: float, seed: int) -> Iterator[float]:
    """When frames are due, in seconds from the start: every camera evenly, at its own phase."""
    phases = np.sort(np.random.default_rng((seed, cameras)).uniform(0, 1 / fps, cameras))
    for turn in itertools.count():
        for phase in phases:
            yield turn / fps + float(phase)


def _pace(
    frames: FrameWorkers,
    arrivals: Iterator[float],
    names: Iterator[Path],
    start: float,
    until_s: float,
    offered: list[float],
    budget_ms: float,
) -> bool:
    """Offer each frame when it is due, until `until_s`.

    Returns:
        True when the device fell so far behind that there was no use in going on.
    """
    for due in arrivals:
        wait = start + due - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        frames.check()
        frames.offer(Frame(next(names), start + due))
        offered.append(due)
        oldest = offered[min(frames.done_count, len(offered) - 1)]
        if (time.perf_counter() - start - oldest) * 1000 > HOPELESS * budget_ms:
            return True
        if due >= until_s:
            return False
    raise AssertionError("cameras never stop sending")


def _settled(frames: FrameWorkers, offered: Sequence[float], start: float) -> list[FrameDone]:
    """Frames done whose forerunners are all done too: the quick ones alone would flatter."""
    done = sorted(frames.done(), key=lambda one: one.arrived_s)
    for place, (one, due) in enumerate(zip(done, offered, strict=False)):
        if one.arrived_s != start + due:
            return done[:place]
    return done


@dataclass(frozen=True)
class _Verdict:
    latency: Timing
    growth_ms_per_s: float
    holds: bool
    decided: bool
    reason: str


def _judge(
    done: Sequence[FrameDone], start: float, budget_ms: float, *, behind: bool = False
) -> _Verdict:
    in_order = sorted(done, key=lambda one: one.arrived_s)
    arrived = [one.arrived_s - start for one in in_order]
    late = [(one.done_s - one.arrived_s) * 1000 for one in in_order]
    timing, growth = timing_of(late), _growth(arrived, late)
    p95 = timing.p95
    if behind:
        reason = f"fell behind by more than {HOPELESS} × the budget"
        return _Verdict(timing, growth, False, True, reason)
    if p95 is None:
        return _Verdict(timing, growth, False, False, "too few frames to tell p95")
    shown = f"p95 {p95.value:.0f} ms ({p95.low:.0f}–{p95.high:.0f})"
    if p95.low > budget_ms:
        return _Verdict(timing, growth, False, True, f"{shown} is beyond the budget")
    lately = float(np.median(late[-max(1, len(late) // BLOCKS) :]))
    if growth > 0 and lately + growth * HORIZON_S > budget_ms:
        # A moment's disturbance looks the same at first, so it isn't decided yet.
        reason = f"the queue grows: latency rises by {growth:.1f} ms a second"
        return _Verdict(timing, growth, False, False, reason)
    if p95.high > budget_ms:
        return _Verdict(timing, growth, False, False, f"{shown} is not shown to be in the budget")
    return _Verdict(timing, growth, True, True, f"{shown} is within the budget")


def _growth(arrived: Sequence[float], late_ms: Sequence[float]) -> float:
    """By how much latency surely rises, ms a second: lower 95 % bound of a line's slope.

    Least squares through the medians of BLOCKS blocks of frames, since single latencies are neither
    independent nor normal. Where frames are too few for blocks it is 0.
    """
    if len(arrived) < 5 * BLOCKS:
        return 0.0
    times = np.array([np.mean(block) for block in np.array_split(np.array(arrived), BLOCKS)])
    medians = np.array([np.median(block) for block in np.array_split(np.array(late_ms), BLOCKS)])
    centred = times - times.mean()
    slope = float(centred @ medians / (centred @ centred))
    rest = medians - medians.mean() - slope * centred
    error = math.sqrt(float(rest @ rest) / (BLOCKS - 2) / float(centred @ centred))
    return max(0.0, slope - T_OF_BLOCKS * error)
