"""Latency against a clock that the detector itself moves, so that every figure is known."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.results import LatencyResult, SessionInfo
from guardianflow.evaluation import latency
from guardianflow.evaluation.latency import (
    latency_metrics,
    measure_interleaved,
    measure_latency,
    percentile,
)

IMAGES = [np.full((4, 4, 3), value, dtype=np.uint8) for value in range(3)]


class Clock:
    def __init__(self):
        self.now = 0

    def perf_counter_ns(self):
        return self.now

    def sleep(self, seconds):
        self.now += int(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    return clock


class TimedDetector:
    """Each stage takes a known time: 2 ms, the next of `inference_ms`, 1 ms."""

    def __init__(self, clock, inference_ms, batch_size=1, diary=None, name=""):
        self.info = SessionInfo("pytorch", "fp32", "f32", "cpu", 4, batch_size, 1, "none")
        self.clock, self.times, self.name = clock, iter(inference_ms), name
        self.diary = [] if diary is None else diary

    def preprocess(self, images):
        self.diary.append((self.name, [int(image[0, 0, 0]) for image in images]))
        self.clock.now += 2_000_000
        return np.stack(images), [None] * len(images)

    def infer(self, batch):
        self.clock.now += int(next(self.times) * 1e6)
        return batch

    def postprocess(self, raw, letterboxes):
        assert len(raw) == len(letterboxes)
        self.clock.now += 1_000_000
        return []


def test_every_stage_is_timed_and_nothing_is_left_out(clock):
    times = [500, 500, *[10] * 98, 70, 7000]  # two warm-up calls, and one stall at the end
    result = measure_latency(
        TimedDetector(clock, times), IMAGES, batch_size=1, warmup_runs=2, benchmark_runs=100
    )
    assert (result.runs, result.warmup_runs, result.batch_size) == (100, 2, 1)
    assert (result.preprocessing_time_ms, result.postprocessing_time_ms) == (2, 1)
    assert (result.inference_p50_ms, result.latency_p50_ms) == (10, 13)
    assert (result.latency_p95_ms, result.inference_p99_ms) == (13, 70)
    total = 98 * 13 + 73 + 7003
    assert result.latency_mean_ms == pytest.approx(total / 100)
    assert result.inference_mean_ms == pytest.approx(total / 100 - 3)
    assert result.fps == pytest.approx(100 / (total / 1000))


@pytest.mark.parametrize(
    ("runs", "p95", "p99"), [(1, None, None), (19, None, None), (20, 22, None), (99, 98, None)]
)
def test_a_percentile_needs_calls_beyond_it(clock, runs, p95, p99):
    detector = TimedDetector(clock, range(1, runs + 1))
    result = measure_latency(detector, IMAGES, batch_size=1, warmup_runs=0, benchmark_runs=runs)
    assert (result.latency_p95_ms, result.latency_p99_ms) == (p95, p99)
    assert result.latency_p50_ms == math.ceil(runs / 2) + 3


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=300), st.sampled_from([95, 99]))
def test_percentiles_are_numpy_s_nearest_ranks(values, percent):
    given_value = percentile(values, percent)
    if len(values) * (100 - percent) < 100:
        assert given_value is None
    else:
        assert given_value == np.percentile(values, percent, method="inverted_cdf")


def test_batches_go_round_the_images(clock):
    diary = []
    detector = TimedDetector(clock, [10] * 4, batch_size=2, diary=diary)
    result = measure_latency(detector, IMAGES, batch_size=2, warmup_runs=1, benchmark_runs=3)
    assert [batch for _, batch in diary] == [[0, 1], [2, 0], [1, 2], [0, 1]]
    assert result.fps == pytest.approx(2 / 0.013)


def test_detectors_take_turns_on_the_same_batches(clock):
    diary = []
    detectors = {
        "fast": TimedDetector(clock, [5] * 3, diary=diary, name="fast"),
        "slow": TimedDetector(clock, [20] * 3, diary=diary, name="slow"),
    }
    results = measure_interleaved(detectors, IMAGES, batch_size=1, warmup_runs=1, benchmark_runs=2)
    assert diary == [(name, [i]) for i in range(3) for name in ("fast", "slow")]
    assert {name: r.latency_p50_ms for name, r in results.items()} == {"fast": 8, "slow": 23}
    assert results["slow"].fps == pytest.approx(1000 / 23)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": []}, "at least one decoded image"),
        ({"benchmark_runs": 0}, "benchmark_runs must be at least 1 but is 0"),
        ({"warmup_runs": -1}, "warmup_runs must be at least 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"batch_size": 4}, "opened for batches of 1 but is to be timed with 4"),
        ({"detectors": {}}, "no detector to time"),
    ],
)
def test_what_can_t_be_measured_is_an_error(clock, changes, words):
    arguments = {
        "detectors": {"a": TimedDetector(clock, [])},
        "images": IMAGES,
        "batch_size": 1,
        "warmup_runs": 0,
        "benchmark_runs": 1,
    } | changes
    with pytest.raises(EvaluationError, match=words):
        measure_interleaved(arguments.pop("detectors"), arguments.pop("images"), **arguments)


def result_with(**changes):
    values = {field.name: 1.5 for field in fields(LatencyResult)}
    return LatencyResult(**(values | {"batch_size": 8, "runs": 50, "warmup_runs": 5} | changes))


def test_metric_keys():
    assert sorted(latency_metrics(result_with())) == [
        "bench.bs8.fps",
        "bench.bs8.latency_p50_ms",
        "bench.bs8.latency_p95_ms",
        "bench.bs8.latency_p99_ms",
        "sys.fps",
        "sys.inference_time_ms",
        "sys.inference_time_p50_ms",
        "sys.inference_time_p95_ms",
        "sys.inference_time_p99_ms",
        "sys.postprocessing_time_ms",
        "sys.preprocessing_time_ms",
    ]


def test_what_was_not_measured_has_no_key():
    short = result_with(latency_p99_ms=None, inference_p99_ms=None)
    assert not [key for key in latency_metrics(short) if "p99" in key]
    assert all(key.startswith("bench.") for key in latency_metrics(short, sys_prefix=None))
    only = latency_metrics(short, sys_prefix="sys.original.", bench_prefix=None)
    assert all(key.startswith("sys.original.") for key in only)


def test_a_real_clock_moves_forward():
    detector = TimedDetector(Clock(), [1] * 3)
    result = measure_latency(detector, IMAGES, batch_size=1, warmup_runs=0, benchmark_runs=3)
    assert 0 < result.latency_p50_ms < 1000
    assert result.inference_mean_ms <= result.latency_mean_ms
