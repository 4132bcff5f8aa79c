"""Latency against a clock that the detector itself moves, so that every figure is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.results import SessionInfo
from guardianflow.evaluation.timing import latency
from guardianflow.evaluation.timing.latency import (
    fast_call_ms,
    latency_metrics,
    measure_interleaved,
    measure_latency,
    speedup,
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
    times = [500, 500, *[10] * 398, 70, 7000]  # two warm-up calls, and one stall at the end
    result = measure_latency(
        TimedDetector(clock, times), IMAGES, batch_size=1, warmup_runs=2, benchmark_runs=400
    )
    assert (result.runs, result.warmup_runs, result.batch_size) == (400, 2, 1)
    assert (result.stages["preprocess"].p50.value, result.stages["postprocess"].p50.value) == (2, 1)
    assert (result.stages["inference"].p50.value, result.latency_p50_ms) == (10, 13)
    assert (result.latency.p99.value, result.latency.p99.high) == (13, 7003)
    total = 398 * 13 + 73 + 7003
    assert sum(result.latency.samples_ms) == total
    assert result.stages["inference"].mean_ms == pytest.approx(total / 400 - 3)
    assert result.fps == pytest.approx(400 / (total / 1000))
    assert list(result.stages) == ["preprocess", "inference", "postprocess"]


def test_decoding_is_a_stage_beside_the_latency(clock, tmp_path, monkeypatch):
    def load(path):
        clock.now += 7_000_000
        return IMAGES[0]

    monkeypatch.setattr(latency, "load_image", load)
    files = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    detector = TimedDetector(clock, [10] * 12)
    result = measure_latency(detector, files, batch_size=1, warmup_runs=2, benchmark_runs=10)
    assert result.stages["decode"].p50.value == 7
    assert result.latency_p50_ms == 13
    assert result.fps == pytest.approx(1000 / 13)
    assert latency_metrics(result)["sys.decoding_time_ms"] == 7


def test_batches_go_round_the_images(clock):
    diary = []
    detector = TimedDetector(clock, [10] * 4, batch_size=2, diary=diary)
    result = measure_latency(detector, IMAGES, batch_size=2, warmup_runs=1, benchmark_runs=3)
    assert [batch for _, batch in diary] == [[0, 1], [2, 0], [1, 2], [0, 1]]
    assert result.fps == pytest.approx(2 / 0.013)


def test_detectors_take_turns_on_the_same_batches(clock):
    diary = []
    detectors = {
        "fast": TimedDetector(clock, [5] * 99, diary=diary, name="fast"),
        "slow": TimedDetector(clock, [20] * 99, diary=diary, name="slow"),
    }
    results = measure_interleaved(detectors, IMAGES, batch_size=1, warmup_runs=1, benchmark_runs=13)
    assert {name: r.latency_p50_ms for name, r in results.items()} == {"fast": 8, "slow": 23}
    assert results["slow"].fps == pytest.approx(1000 / 23)
    assert [r.runs for r in results.values()] == [13, 13]
    by_detector = [[seen for who, seen in diary if who == name] for name in detectors]
    assert by_detector[0] == by_detector[1]
    # one warm-up call each, then turns of one settling call and ten measured ones
    turns = [(who, len(list(calls))) for who, calls in itertools.groupby(who for who, _ in diary)]
    assert turns == [("fast", 1), ("slow", 1), ("fast", 11), ("slow", 11), ("fast", 4), ("slow", 4)]


def test_speedup_is_a_ratio_of_medians_with_its_interval(clock):
    rng = np.random.default_rng(0)
    detectors = {
        "slow": TimedDetector(clock, 40 + rng.uniform(-4, 4, 999)),
        "fast": TimedDetector(clock, 10 + rng.uniform(-1, 1, 999)),
    }
    timed = measure_interleaved(detectors, IMAGES, batch_size=1, warmup_runs=5, benchmark_runs=100)
    gain = speedup(timed["slow"], timed["fast"])
    assert gain.value == timed["slow"].latency_p50_ms / timed["fast"].latency_p50_ms
    assert gain.low < 43 / 13 < gain.high
    assert gain.high - gain.low < 0.3
    assert speedup(timed["slow"], timed["slow"]) == Estimate(1, 1, 1)


def test_a_tenth_of_all_calls_are_faster_than_a_fast_one(clock):
    detector = TimedDetector(clock, [7, *range(30, 10, -1)])
    timed = measure_latency(detector, IMAGES, batch_size=1, warmup_runs=1, benchmark_runs=20)
    assert fast_call_ms(timed) == 3 + 12


def test_only_what_took_turns_compares(clock):
    one = measure_latency(
        TimedDetector(clock, [1] * 9), IMAGES, batch_size=1, warmup_runs=0, benchmark_runs=9
    )
    other = measure_latency(
        TimedDetector(clock, [1] * 8), IMAGES, batch_size=1, warmup_runs=0, benchmark_runs=8
    )
    with pytest.raises(EvaluationError, match="9 times and the other 8"):
        speedup(one, other)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": []}, "at least one image"),
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


def metrics_of(clock, runs, **options):
    result = measure_latency(
        TimedDetector(clock, [1] * runs, batch_size=8),
        IMAGES,
        batch_size=8,
        warmup_runs=0,
        benchmark_runs=runs,
    )
    return latency_metrics(result, **options)


def test_metric_keys(clock):
    percentiles = [
        f"bench.bs8.latency_p{percent}{end}_ms"
        for percent in (50, 95, 99)
        for end in ("", "_high", "_low")
    ]
    assert sorted(metrics_of(clock, 300)) == sorted(
        [
            "bench.bs8.fps",
            *percentiles,
            "sys.fps",
            "sys.inference_time_ms",
            "sys.inference_time_p50_ms",
            "sys.inference_time_p95_ms",
            "sys.inference_time_p99_ms",
            "sys.postprocessing_time_ms",
            "sys.preprocessing_time_ms",
        ]
    )


def test_what_the_sample_can_t_carry_has_no_key(clock):
    short = metrics_of(clock, 100)
    assert not [key for key in short if "p99" in key]
    assert "bench.bs8.latency_p95_high_ms" in short
    assert not [key for key in metrics_of(clock, 5) if "latency_p" in key]
    assert all(key.startswith("bench.") for key in metrics_of(clock, 9, sys_prefix=None))
    only = metrics_of(clock, 9, sys_prefix="sys.original.", bench_prefix=None)
    assert all(key.startswith("sys.original.") for key in only)


def test_a_real_clock_moves_forward():
    detector = TimedDetector(Clock(), [1] * 3)
    result = measure_latency(detector, IMAGES, batch_size=1, warmup_runs=0, benchmark_runs=3)
    assert 0 < result.latency_p50_ms < 1000
    assert result.stages["inference"].mean_ms <= result.latency.mean_ms
