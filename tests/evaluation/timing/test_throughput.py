"""Throughput and cameras on a detector whose speed is known: it sleeps, so cores don't matter."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.results import SessionInfo
from guardianflow.evaluation.timing import cameras
from guardianflow.evaluation.timing.cameras import largest_that_holds, measure_cameras, try_load
from guardianflow.evaluation.timing.throughput import (
    Frame,
    FrameWorkers,
    measure_file_throughput,
    measure_network_throughput,
    throughput_metrics,
)

STREAMS = 2


class SleepyDetector:
    """Two networks side by side, each `call_s` a call; the other stages cost next to nothing."""

    def __init__(self, call_s, mode="throughput", batch_size=1, fails_at=None):
        self.info = SessionInfo(
            "onnx", "fp32", "f32", "cpu", 8, batch_size, 1, "none", mode, STREAMS, 2 * STREAMS
        )
        self.call_s, self.calls, self.fails_at = call_s, 0, fails_at
        self.lock = threading.Lock()
        self.pool = ThreadPoolExecutor(STREAMS)
        self.free = threading.Semaphore(2 * STREAMS)

    def preprocess(self, images):
        return np.stack([image[:8, :8] for image in images]), [None] * len(images)

    def submit(self, batch):
        self.free.acquire()
        future = self.pool.submit(self.run, batch)
        future.add_done_callback(lambda _: self.free.release())
        return future

    def run(self, batch):
        with self.lock:
            self.calls += 1
            call = self.calls
        if call == self.fails_at:
            raise EvaluationError("the network broke")
        time.sleep(self.call_s)
        return batch

    def postprocess(self, raw, letterboxes):
        return []


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    paths = [folder / f"현장 {number}.jpg" for number in range(3)]
    for path in paths:
        cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tofile(path)
    return paths


IMAGES = [np.zeros((16, 16, 3), np.uint8)] * 4


def test_two_streams_do_twice_as_much_as_one_call_after_the_other():
    result = measure_network_throughput(SleepyDetector(0.02), IMAGES, seconds=1.5)
    # 2 streams ÷ 20 ms = 100: sleeping may take longer, never shorter. One stream alone gives 50.
    assert 51 < result.fps <= 102
    assert result.interval.low <= result.fps * 1.05
    assert result.interval.high >= result.fps * 0.95
    assert (result.scope, result.streams, result.workers) == ("network", 2, 4)


def test_a_batch_counts_for_all_its_images():
    result = measure_network_throughput(SleepyDetector(0.02, batch_size=4), IMAGES, seconds=1)
    assert 204 < result.fps <= 408
    assert result.frames % 4 == 0


def test_files_go_through_the_whole_path(files):
    result = measure_file_throughput(SleepyDetector(0.02), files, seconds=1.5)
    assert 51 < result.fps <= 102
    assert set(result.core_seconds) == {"decode", "preprocess", "inference", "postprocess"}
    # it sleeps: two cores that never waited could do far more
    assert 2 / sum(result.core_seconds.values()) > 2 * result.fps
    metrics = throughput_metrics([result])
    assert metrics["sys.throughput_imgs_per_sec"] == result.fps
    assert metrics["bench.throughput.files_fps_low"] <= metrics["bench.throughput.files_fps"]


def test_enough_frames_end_it_early(files):
    network = measure_network_throughput(SleepyDetector(0.005), IMAGES, seconds=60, frames=100)
    path = measure_file_throughput(SleepyDetector(0.005), files, seconds=60, frames=100)
    assert network.frames == 100
    assert 100 <= path.frames < 1000  # 60 s would bring some 12,000


def test_what_breaks_in_a_worker_is_raised_where_it_is_measured(files):
    with pytest.raises(EvaluationError, match="the network broke"):
        measure_file_throughput(SleepyDetector(0.001, fails_at=20), files, seconds=1)
    with pytest.raises(EvaluationError, match="can't be read"):
        measure_file_throughput(SleepyDetector(0.001), [files[0].parent / "없음.jpg"], seconds=1)
    with pytest.raises(EvaluationError, match="the network broke"):
        measure_cameras(SleepyDetector(0.001, fails_at=1500), files, fps=15, latency_budget_ms=100)


def test_leaving_early_ends_the_threads(files):
    before = threading.active_count()
    detector = SleepyDetector(0.01)
    with pytest.raises(KeyboardInterrupt), FrameWorkers(detector, 3) as frames:
        for path in files * 50:
            frames.offer(Frame(path, 0.0))
        raise KeyboardInterrupt
    detector.pool.shutdown()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("detector", "words"),
    [
        (SleepyDetector(0.01, mode="latency"), "opened for latency"),
        (SleepyDetector(0.01, batch_size=4), "opened for batches of 4"),
    ],
)
def test_only_a_fitting_detector_is_measured(files, detector, words):
    with pytest.raises(EvaluationError, match=words):
        measure_file_throughput(detector, files, seconds=1)
    with pytest.raises(EvaluationError, match="at least one image"):
        measure_network_throughput(SleepyDetector(0.01), [], seconds=1)


# --- cameras -----------------------------------------------------------------------------------


@given(st.integers(0, 300), st.integers(0, 300))
def test_bisection_finds_the_largest_and_has_tried_the_next(truth, guess):
    tried = {}

    def holds(number):
        assert number >= 1
        assert number not in tried, "each load is minutes: never twice"
        tried[number] = number <= truth
        return tried[number]

    assert largest_that_holds(holds, guess) == truth
    assert tried[truth + 1] is False
    assert truth == 0 or tried[truth] is True
    assert len(tried) <= 40


@pytest.fixture
def short_steps(monkeypatch):
    monkeypatch.setattr(cameras, "MIN_STEP_S", 1.0)
    monkeypatch.setattr(cameras, "MIN_FRAMES", 60)
    monkeypatch.setattr(cameras, "PILOT_S", 0.5)


def test_a_load_below_the_device_s_rate_holds_and_one_above_fails(files, short_steps):
    # 2 streams ÷ 40 ms = 50 frames a second
    within = try_load(SleepyDetector(0.04), files, cameras=2, fps=10, latency_budget_ms=1000)
    assert within.holds, within.reason
    assert 40 <= within.latency.p50.value < 1000
    beyond = try_load(SleepyDetector(0.04), files, cameras=6, fps=15, latency_budget_ms=200)
    assert not beyond.holds
    assert beyond.done_fps < 55
    # the frames' ages count from when they were due, so falling behind can't hide
    assert max(beyond.latency.samples_ms) > 200


def test_a_budget_shorter_than_one_call_holds_no_camera(files, short_steps):
    capacity = measure_cameras(SleepyDetector(0.05), files, fps=10, latency_budget_ms=20)
    assert capacity.cameras == 0
    assert "beyond the budget" in capacity.steps[0].reason or "fell behind" in (
        capacity.steps[0].reason
    )


@pytest.mark.slow
def test_the_number_of_cameras_is_what_the_rate_allows(files, short_steps):
    # 2 streams ÷ 40 ms = 50 frames a second at most: 4 cameras of 12 at the utmost
    seen = []
    capacity = measure_cameras(
        SleepyDetector(0.04), files, fps=12, latency_budget_ms=500, progress=seen.append
    )
    assert 1 <= capacity.cameras <= 4  # timers oversleep on a busy machine
    tried = {step.cameras: step.holds for step in capacity.steps}
    assert tried[capacity.cameras]
    assert not tried[capacity.cameras + 1]
    assert sorted(step.cameras for step in seen) == list(tried)


def test_a_queue_that_grows_slowly_is_seen_before_it_breaks_the_budget():
    arrived = np.arange(0, 5, 1 / 30)
    noise = np.random.default_rng(0).normal(0, 3, len(arrived))
    steady = cameras._growth(arrived, 50 + noise)
    growing = cameras._growth(arrived, 50 + 12 * arrived + noise)
    assert steady < 1
    assert 10 < growing < 13


@pytest.mark.parametrize("wrong", [{"fps": 0}, {"latency_budget_ms": -1}])
def test_wrong_numbers_are_refused(files, wrong):
    arguments = {"fps": 15, "latency_budget_ms": 200} | wrong
    with pytest.raises(EvaluationError, match="must be above 0"):
        measure_cameras(SleepyDetector(0.01), files, **arguments)
