"""Figures of alarms with their intervals, and the causes where there are none."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from guardianflow.contracts.errors import ConfigurationError, EvaluationError
from guardianflow.contracts.recordings.alarm_results import (
    DAY_S,
    KEYS,
    AlarmFigure,
    NoFigure,
    RecordingOutcome,
)
from guardianflow.contracts.recordings.alarms import Alarm, Incident
from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.evaluation.alarms.counting import count_alarms
from guardianflow.evaluation.alarms.rates import (
    alarm_figures,
    exact_rate_bounds,
    exact_share_bounds,
    percentile,
)


def outcome(
    name: str,
    delays: list[float | None],
    false: int = 0,
    *,
    days: float = 1.0,
    camera: str = "",
    rule: str = "r",
) -> RecordingOutcome:
    """A recording with an incident for each delay (None: missed) and false alarms between them."""
    incidents = [Incident(name, rule, 100.0 * i, 100.0 * i + 20) for i in range(len(delays))]
    alarms = [
        Alarm(name, rule, 100.0 * i + delay, i)
        for i, delay in enumerate(delays)
        if delay is not None
    ]
    alarms += [Alarm(name, rule, 50_000.0 + 100 * i, i) for i in range(false)]
    return count_alarms(alarms, incidents, recording=name, camera=camera, watched_s=days * DAY_S)


SITE = [
    outcome("a", [1.0, 2.0, None], 1),
    outcome("b", [3.0], 0),
    outcome("c", [4.0, 5.0], 2),
    outcome("d", [6.0, None], 0),
    outcome("e", [7.0, 8.0], 1),
    outcome("f", [], 0),
]


def test_values_are_the_counts_divided() -> None:
    """8 of 10 incidents hit, 2 missed, 4 false alarms in 6 camera-days."""
    found = alarm_figures(SITE, recall_bias=1.0)
    assert (found.incidents, found.hits, found.false) == (10, 8, 4)
    assert found["missed"].value == pytest.approx(0.2)
    assert found["recall"].value == pytest.approx(0.8)
    assert found["precision"].value == pytest.approx(8 / 12)
    assert found["false_per_camera_day"].value == pytest.approx(4 / 6)
    assert found["f1"].value == pytest.approx(2 * (8 / 12) * 0.8 / (8 / 12 + 0.8))
    assert (found.recordings, found.camera_days) == (6, 6.0)
    assert found["delay_p50_s"].value == 4.0
    assert found["delay_p95_s"].value == 8.0


@pytest.mark.parametrize("bias", [0.5, 0.65, 1.0, 10.0])
def test_f1_is_that_of_ilids(bias: float) -> None:
    """(α + 1)·R·P ÷ (R + α·P): docs/alarms.md."""
    recall, precision = 0.8, 8 / 12
    expected = (bias + 1) * recall * precision / (recall + bias * precision)
    assert alarm_figures(SITE, recall_bias=bias)["f1"].value == pytest.approx(expected)


def test_kisas_score_is_a_hundredfold_f1_of_its_own_counting() -> None:
    found = alarm_figures(SITE, kisa_outcomes=SITE)
    assert found["f1"].value is not None
    assert found["kisa_score"].value == pytest.approx(100 * found["f1"].value)
    assert alarm_figures(SITE)["kisa_score"] == AlarmFigure(None)


def test_no_false_alarm_in_ten_days_bounds_the_rate_at_3_69_a_ten_days() -> None:
    """−ln(0.025) = 3.689: the rule of three, two-sided."""
    quiet = [outcome(str(i), [1.0], 0, days=2.0) for i in range(5)]
    figure = alarm_figures(quiet)["false_per_camera_day"]
    assert (figure.value, figure.low) == (0.0, 0.0)
    assert figure.high == pytest.approx(3.6889 / 10, abs=1e-4)


def test_exact_bounds_are_those_of_the_tables() -> None:
    """Garwood (1936) and Clopper and Pearson (1934) at 95 %."""
    assert exact_rate_bounds(10, 1.0) == pytest.approx((4.795, 18.390), abs=1e-3)
    assert exact_rate_bounds(1, 1.0) == pytest.approx((0.0253, 5.572), abs=1e-3)
    assert exact_share_bounds(2, 10) == pytest.approx((0.0252, 0.5561), abs=1e-4)
    assert exact_share_bounds(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert exact_share_bounds(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)


def test_false_alarms_of_one_recording_are_worth_less_than_as_many_of_all() -> None:
    spread = [outcome(str(i), [1.0], 2) for i in range(8)]
    heaped = [outcome(str(i), [1.0], 16 if i == 0 else 0) for i in range(8)]
    one, other = (alarm_figures(each)["false_per_camera_day"] for each in (spread, heaped))
    assert one.value == other.value == 2.0
    assert one.high is not None and other.high is not None
    assert (one.low, one.high) == pytest.approx(
        tuple(each / 8 for each in exact_rate_bounds(16, 1.0)), rel=1e-6
    )
    assert other.high > 2 * one.high


def test_what_was_not_measured_is_absent_with_its_cause() -> None:
    idle = [outcome(str(i), [], 0) for i in range(6)]
    found = alarm_figures(idle, kisa_outcomes=idle)
    causes = {key: found[key].cause for key in KEYS if found[key].value is None}
    assert causes == {
        "missed": NoFigure.NO_INCIDENTS,
        "recall": NoFigure.NO_INCIDENTS,
        "f1": NoFigure.NO_INCIDENTS,
        "kisa_score": NoFigure.NO_INCIDENTS,
        "precision": NoFigure.NO_ALARMS,
        "delay_p50_s": NoFigure.NO_INCIDENTS,
        "delay_p95_s": NoFigure.NO_INCIDENTS,
    }
    assert "alarm.missed" not in found.as_metrics()
    assert found.as_metrics()["alarm.incidents"] == 0.0
    blind = alarm_figures([outcome("a", [None, None]), outcome("b", [None])])
    assert blind["delay_p50_s"].cause is NoFigure.NO_HITS
    assert blind["missed"].value == 1.0
    short = alarm_figures([outcome("a", [1.0], 0, days=30 / DAY_S)])
    assert short["false_per_camera_day"] == AlarmFigure(None, cause=NoFigure.TOO_SHORT)


def test_four_recordings_give_no_interval_and_say_so() -> None:
    found = alarm_figures([outcome(str(i), [1.0, None], 1) for i in range(4)])
    for key in ("missed", "false_per_camera_day", "precision", "recall", "f1", "delay_p50_s"):
        figure = found[key]
        assert figure.value is not None and figure.low is None and figure.high is None
        assert (figure.cause, figure.groups) == (NoFigure.FEW_RECORDINGS, 4)


def test_few_hits_give_no_interval_of_the_slowest() -> None:
    """At 95 % the 95th percentile takes 59 hits, the median 6."""
    few = alarm_figures([outcome(str(i), [1.0 + i, 2.0 + i]) for i in range(6)])
    assert few["delay_p95_s"].cause is NoFigure.FEW_HITS
    assert few["delay_p50_s"].low is not None
    rng = np.random.default_rng(0)
    delays = [[float(each) for each in rng.uniform(0, 9, 12)] for _ in range(40)]
    p95 = alarm_figures([outcome(str(i), each) for i, each in enumerate(delays)])["delay_p95_s"]
    assert p95.value is not None and p95.low is not None and p95.high is not None
    assert 8 < p95.low < p95.value < p95.high <= 9
    # Five recordings can't bound it, but no hit is slower than the tolerance.
    five = alarm_figures([outcome(str(i), each) for i, each in enumerate(delays[:5])])
    assert five["delay_p95_s"].high == 10.0


def test_cameras_are_the_units_where_they_are_meant() -> None:
    cameras = [outcome(str(i), [1.0, None], i, camera=f"cam{i % 3}") for i in range(9)]
    by_recording = alarm_figures(cameras)["missed"]
    by_camera = alarm_figures(cameras, unit=EvidenceUnit.CAMERA)["missed"]
    assert (by_recording.groups, by_camera.groups) == (9, 3)
    assert by_camera.cause is NoFigure.FEW_RECORDINGS
    assert alarm_figures(cameras).cameras == 3
    nameless = [*cameras, outcome("9", [1.0])]
    with pytest.raises(ConfigurationError, match=r"it is not known of 9; put recordings"):
        alarm_figures(nameless, unit=EvidenceUnit.CAMERA)


def test_each_rule_has_its_own_figures() -> None:
    both = []
    for i in range(5):
        fire = outcome(str(i), [2.0], 0, rule="fire")
        helmet = outcome(str(i), [None, 3.0], 1, rule="no_helmet")
        both.append(
            count_alarms(
                [each.alarm for each in (*fire.alarms, *helmet.alarms)],
                [each.incident for each in (*fire.incidents, *helmet.incidents)],
                recording=str(i),
                watched_s=DAY_S,
            )
        )
    found = alarm_figures(both, rules=("fire", "no_helmet"))
    assert found.rules["fire"]["missed"].value == 0.0
    assert found.rules["no_helmet"]["missed"].value == 0.5
    assert found["missed"].value == pytest.approx(5 / 15)
    metrics = found.as_metrics()
    assert metrics["alarm.no_helmet.false_per_camera_day"] == 1.0
    assert metrics["alarm.delay_p50_s"] == 2.0
    assert metrics["alarm.delay_p50_low_s"] <= 2.0 <= metrics["alarm.delay_p50_high_s"]


def test_figures_are_the_same_in_json() -> None:
    found = alarm_figures(SITE, rules=("r", "other"), kisa_outcomes=SITE)
    written = json.loads(json.dumps(found.to_dict()))
    assert written == found.to_dict()
    assert written["rules"]["r"]["figures"]["missed"] == asdict(found.rules["r"]["missed"])


def test_a_percentile_is_a_delay_that_was_measured() -> None:
    assert percentile(np.array([1.0, 2.0, 3.0, 4.0]), 50) == 2.0
    assert percentile(np.array([1.0, 2.0, 3.0, 4.0]), 95) == 4.0


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(EvaluationError, match="at least one recording"):
        alarm_figures([])
    with pytest.raises(EvaluationError, match="each recording must be there once"):
        alarm_figures([outcome("a", []), outcome("a", [])])
    with pytest.raises(EvaluationError, match="recall_bias"):
        alarm_figures([outcome("a", [])], recall_bias=math.inf)
    with pytest.raises(EvaluationError, match="confidence"):
        alarm_figures([outcome("a", [])], confidence=1.0)


def simulated(
    rng: np.random.Generator, recordings: int, spread: float
) -> tuple[list[RecordingOutcome], float, float]:
    """Recordings of uneven length whose rates of false alarms and misses differ."""
    rate, missed = 2.0, 0.2
    outcomes = []
    for number in range(recordings):
        days = float(rng.lognormal(0, 0.5))
        factor = float(rng.gamma(1 / spread, spread)) if spread else 1.0
        odds = (1 - 0.2) / 0.2 if spread else 1e6
        share = float(rng.beta(missed * odds, (1 - missed) * odds))
        delays = [None if rng.random() < share else 1.0 for _ in range(rng.poisson(5))]
        false = int(rng.poisson(rate * days * factor))
        outcomes.append(outcome(str(number), delays, false, days=days))
    return outcomes, rate, missed


@pytest.mark.parametrize("recordings", [6, 20])
@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_intervals_hold_the_truth_though_false_alarms_come_together(
    recordings: int, spread: float
) -> None:
    """Of 300 sets at least 91 % hold it: 95 % less three standard errors of 300 trials."""
    rng = np.random.default_rng(recordings)
    held = {"false_per_camera_day": 0, "missed": 0}
    trials = 300
    for _ in range(trials):
        outcomes, rate, missed = simulated(rng, recordings, spread)
        found = alarm_figures(outcomes)
        for key, true in (("false_per_camera_day", rate), ("missed", missed)):
            figure = found[key]
            assert figure.low is not None and figure.high is not None
            held[key] += figure.low <= true <= figure.high
    assert {key: each / trials >= 0.91 for key, each in held.items()} == dict.fromkeys(held, True)
