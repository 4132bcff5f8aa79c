"""How fast variants are, by turns: what disturbs a shared machine disturbs all of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from guardianflow.contracts.results import DetectorPackage
from guardianflow.detector import Detector
from guardianflow.evaluation.timing.cameras import measure_cameras
from guardianflow.evaluation.timing.latency import CALLS_A_TURN
from guardianflow.evaluation.timing.throughput import measure_network_throughput

Number = TypeVar("Number", int, float)
SECONDS = 1.0
"""Of a turn: what disturbs a shared machine for longer disturbs all."""
CAMERA_FPS, CAMERA_BUDGET_MS = 10.0, 200.0


def throughput(
    packages: Mapping[str, DetectorPackage], frames: list[np.ndarray], rounds: int
) -> dict[str, list[float]]:
    """Frames a second of each network, round by round; who goes first changes."""

    def rate(detector: Detector) -> float:
        return measure_network_throughput(detector, frames, seconds=SECONDS).fps

    return _by_turns(packages, rounds, rate)


def latency(
    ours: Callable[[np.ndarray], object],
    theirs: Callable[[np.ndarray], object],
    frames: list[np.ndarray],
    rounds: int,
) -> list[float]:
    """Median of ours ÷ median of theirs, a turn of calls each, round by round."""
    ratios = []
    for _ in range(rounds):
        medians = []
        for call in (ours, theirs):
            time.sleep(0.01)
            call(frames[0])
            spent = []
            for number in range(CALLS_A_TURN):
                begin = time.perf_counter()
                call(frames[number % len(frames)])
                spent.append(time.perf_counter() - begin)
            medians.append(float(np.median(spent)))
        ratios.append(medians[0] / medians[1])
    print(f"latency, ours ÷ theirs: {np.median(ratios):.3f}", flush=True)
    return ratios


def cameras(
    packages: Mapping[str, DetectorPackage], paths: Sequence[Path], rounds: int
) -> dict[str, list[int]]:
    """Cameras of 10 frames a second that this machine holds with each, within 200 ms, by turns."""

    def held(detector: Detector) -> int:
        return measure_cameras(
            detector, paths, fps=CAMERA_FPS, latency_budget_ms=CAMERA_BUDGET_MS
        ).cameras

    return _by_turns(packages, rounds, held)


def _by_turns(
    packages: Mapping[str, DetectorPackage], rounds: int, measure: Callable[[Detector], Number]
) -> dict[str, list[Number]]:
    """What is measured of each, opened for throughput; who goes first changes."""
    found: dict[str, list[Number]] = {name: [] for name in packages}
    with contextlib.ExitStack() as stack:
        opened = {
            name: stack.enter_context(Detector.open(package, mode="throughput"))
            for name, package in packages.items()
        }
        for number in range(rounds):
            for name in list(opened)[:: -1 if number % 2 else 1]:
                found[name].append(measure(opened[name]))
            print({name: round(each[-1], 1) for name, each in found.items()}, flush=True)
    return found
