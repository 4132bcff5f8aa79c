"""Call times and loads of cameras are drawn, whatever the names and numbers."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import size_of

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.measurements import CameraCapacity, CameraStep, LatencyResult
from guardianflow.evaluation.pictures.timing import (
    camera_load,
    latency_by_batch_size,
    latency_distribution,
)
from guardianflow.evaluation.timing.order_statistics import timing_of

NAMES = ("안전모 (helmet)", "cost_$x$", "_hidden")


def test_latency(tmp_path):
    def result(batch_size, runs):
        timing = timing_of([10.0 * batch_size + i % 7 for i in range(runs)])
        return LatencyResult(batch_size, 5, timing, {"inference": timing}, 90.0)

    results = [result(8, 100), result(1, 400), result(16, 20)]
    assert size_of(latency_by_batch_size(results, tmp_path / "l.png"))[0] > 900
    assert size_of(latency_by_batch_size(results[2:], tmp_path / "one.png"))[0] > 900


def times(count, middle=20.0, spread=0.1):
    return timing_of(np.random.default_rng(0).lognormal(np.log(middle), spread, count).tolist())


def test_call_times_of_many_and_few_calls(tmp_path):
    near = {NAMES[0]: times(400), NAMES[1]: times(60, 25.0), NAMES[2]: times(1)}
    assert size_of(latency_distribution(near, tmp_path / "near.png"))[0] > 900
    wide = {f"{i}": times(30, 3.0**i) for i in range(10)}
    assert size_of(latency_distribution(wide, tmp_path / "wide.png"))[0] > 900
    latency_distribution({"none": timing_of([0.0, 0.0])}, tmp_path / "zero.png")


def step(cameras, middle, holds, frames=200):
    return CameraStep(cameras, frames, times(frames, middle), 0.0, 5.0 * cameras, holds, "")


@pytest.mark.parametrize(
    "capacity",
    [
        CameraCapacity(2, 5.0, 100.0, (step(1, 30, True), step(2, 60, True), step(3, 900, False))),
        CameraCapacity(1, 5.0, 100.0, (step(1, 30, True, 10), step(2, 90, False, 10))),
        CameraCapacity(0, 12.5, 20.0, (step(1, 30, False),)),
        CameraCapacity(40, 1.0, 500.0, tuple(step(i, 9 + i, True) for i in range(1, 41))),
    ],
)
def test_cameras(tmp_path, capacity):
    assert size_of(camera_load(capacity, tmp_path / "cameras.png"))[0] > 900


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: latency_by_batch_size([], path),
        lambda path: latency_distribution({}, path),
        lambda path: camera_load(CameraCapacity(0, 5.0, 100.0, ()), path),
    ],
)
def test_nothing_to_draw_is_an_error(tmp_path, draw):
    with pytest.raises(EvaluationError, match="at least one value to draw"):
        draw(tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()
