"""Operating points, and choosing among them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from alarm_timelines import Box, detections, person_at

from guardianflow.contracts.errors import ConfigurationError, EvaluationError
from guardianflow.contracts.recordings.alarm_results import DAY_S, OperatingPoint
from guardianflow.contracts.recordings.alarms import (
    AlarmRule,
    Hold,
    Incident,
    Recording,
    RecordingDetections,
)
from guardianflow.evaluation.alarms.counting import judge_recording
from guardianflow.evaluation.alarms.curve import best_points, operating_curve, tune

RULE = AlarmRule("no_helmet", "person", min_confidence=0.5, hold=Hold(2, 3), cooldown_s=30)
FIRE = AlarmRule("fire", "helmet", min_confidence=0.5, hold=Hold(1, 1), cooldown_s=30)
CONFIDENCES = (0.2, 0.4, 0.6, 0.8)
HOLDS = (Hold(1, 1), Hold(2, 3), Hold(3, 3))


def footage(
    seed: int, name: str, pictures: int = 400
) -> tuple[Recording, dict[str, RecordingDetections]]:
    """Incidents of 20 s with surer boxes, and unsure boxes anywhere: of both classes."""
    rng = np.random.default_rng(seed)
    starts = {"no_helmet": (50, 150, 300), "fire": (80, 220)}
    incidents, boxes = [], []
    for kind, (rule, begins) in enumerate(starts.items()):
        unsure = np.flatnonzero(rng.random(pictures) < 0.06)
        boxes += [_box(int(frame), float(rng.uniform(0.1, 0.75)), kind) for frame in unsure]
        for begin in begins:
            incidents.append(Incident(name, rule, float(begin), float(begin + 20)))
            seen = begin + np.flatnonzero(rng.random(20) < 0.6)
            boxes += [_box(int(frame), float(rng.uniform(0.3, 1.0)), kind) for frame in seen]
    found = detections([float(i) for i in range(pictures)], boxes, name=name)
    recording = told(name, float(pictures), incidents)
    return recording, {name: found}


def told(name: str, duration_s: float, incidents: list[Incident]) -> Recording:
    return Recording(
        name, "", Path(), duration_s, frames=lambda: iter(()), incidents=tuple(incidents)
    )


def _box(frame: int, score: float, kind: int) -> Box:
    return frame, (90.0, 20.0, 110.0, 60.0), score, kind


def site(count: int = 3) -> tuple[list[Recording], dict[str, RecordingDetections]]:
    pairs = [footage(seed, f"rec{seed}") for seed in range(count)]
    return [each for each, _ in pairs], {k: v for _, found in pairs for k, v in found.items()}


def test_every_point_is_what_the_rule_would_do_if_it_were_set_so() -> None:
    recordings, found = site()
    curve = operating_curve(recordings, found, RULE, confidences=CONFIDENCES, holds=HOLDS)
    assert len(curve) == len(CONFIDENCES) * len(HOLDS)
    for point in curve:
        outcomes = [judge_recording(each, found[each.name], [point.rule]) for each in recordings]
        assert point.hits == sum(each.hits for each in outcomes)
        assert point.false == sum(each.false for each in outcomes)
        assert point.incidents == 9
        assert point.camera_days == pytest.approx(sum(each.watched_s for each in outcomes) / DAY_S)
    assert {point.rule.min_confidence for point in curve} == set(CONFIDENCES)
    assert len({point.false for point in curve}) > 3  # the footage tells them apart


def test_confidences_below_what_was_kept_are_left_out() -> None:
    recordings, found = site(1)
    kept = {name: replace(each, least_confidence=0.5) for name, each in found.items()}
    curve = operating_curve(recordings, kept, RULE, confidences=CONFIDENCES)
    assert {point.rule.min_confidence for point in curve} == {0.6, 0.8}
    assert {point.rule.hold for point in curve} >= {RULE.hold, Hold(1, 1), Hold(5, 8)}


def test_best_points_are_beaten_by_none() -> None:
    recordings, found = site()
    curve = operating_curve(recordings, found, RULE)
    best = best_points(curve)
    assert [p.false for p in best] == sorted({p.false for p in best})
    for point in curve:
        assert any(p.false <= point.false and p.hits >= point.hits for p in best)
    for point in best:
        assert not any(
            p.false <= point.false
            and p.hits >= point.hits
            and (p.false, p.hits) != (point.false, point.hits)
            for p in curve
        )


@pytest.mark.parametrize("limit", [300.0, 1000.0, 3000.0, 10_000.0])
def test_the_choice_of_two_rules_is_the_best_of_all_pairs(limit: float) -> None:
    """By trying every pair: fewest missed within the limit, then fewest false alarms."""
    recordings, found = site()
    asked = {"confidences": CONFIDENCES, "holds": HOLDS}
    curves = [operating_curve(recordings, found, rule, **asked) for rule in (RULE, FIRE)]
    days = curves[0][0].camera_days
    pairs: list[tuple[OperatingPoint, OperatingPoint]] = [
        pair
        for pair in itertools.product(*curves)
        if (pair[0].false + pair[1].false) / days <= limit
    ]
    if not pairs:
        with pytest.raises(ConfigurationError, match="the fewest is"):
            tune(recordings, found, [RULE, FIRE], limit, **asked)
        return
    best = max((p[0].hits + p[1].hits, -(p[0].false + p[1].false)) for p in pairs)
    tuned = tune(recordings, found, [RULE, FIRE], limit, **asked)
    hits = sum(point.hits for point in tuned.points)
    false = sum(point.false for point in tuned.points)
    assert (hits, -false) == best
    assert tuned.false_per_camera_day == pytest.approx(false / days)
    assert tuned.false_per_camera_day <= limit
    assert tuned.missed == pytest.approx(1 - hits / 15)
    assert [rule.name for rule in tuned.rules] == ["no_helmet", "fire"]
    assert set(tuned.curves) == {"no_helmet", "fire"}


def test_of_equal_settings_the_one_nearest_the_given_rule_is_taken_and_the_others_told() -> None:
    """A person at 0.9 for the whole incident: any confidence up to 0.8 and any hold does."""
    incident = Incident("gate", "no_helmet", 10.0, 30.0)
    recording = told("gate", 100.0, [incident])
    found = detections([float(i) for i in range(100)], person_at(range(10, 30)))
    rule = replace(RULE, min_confidence=0.4, hold=Hold(2, 3))
    tuned = tune([recording], {"gate": found}, [rule], 2.0, confidences=CONFIDENCES, holds=HOLDS)
    assert tuned.rules == (rule,)
    assert tuned.ties == len(CONFIDENCES) * len(HOLDS) - 1
    assert (tuned.missed, tuned.false_per_camera_day) == (0.0, 0.0)


def test_recordings_without_incidents_choose_nothing() -> None:
    recordings, found = site(1)
    idle = [replace(recordings[0], incidents=recordings[0].incidents[:3])]  # none of fire
    with pytest.raises(ConfigurationError) as caught:
        tune(idle, found, [RULE, FIRE], -1.0)
    text = str(caught.value)
    assert "max_false_per_day must be above 0 but got -1.0" in text
    assert "rule 'fire' has no incident in the recordings to choose on" in text
    assert "no_helmet" not in text


def test_a_limit_that_nothing_keeps_says_what_can_be_kept() -> None:
    recordings, found = site(1)
    lowest = {"confidences": (0.2,), "holds": (Hold(1, 1),)}
    with pytest.raises(ConfigurationError, match="but got 1: the fewest is"):
        tune(recordings, found, [RULE], 1.0, **lowest)


def test_a_recording_without_detections_is_named() -> None:
    recordings, _ = site(1)
    with pytest.raises(EvaluationError, match="of rec0 there are none"):
        operating_curve(recordings, {}, RULE)
