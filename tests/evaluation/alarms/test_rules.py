"""Kept boxes → alarms, equal to looking at every picture one by one."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from alarm_timelines import HEIGHT, WIDTH, detections, many_detections, person_at, rules
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.recordings.alarms import AlarmRule, Hold, RecordingDetections
from guardianflow.evaluation.alarms.rules import (
    Watch,
    evaluate_rules,
    in_zone,
    watched_seconds,
)

RULE = AlarmRule("no_helmet", "person", min_confidence=0.5)


def frames_of(found: RecordingDetections, rule: AlarmRule) -> list[int]:
    return [each.frame for each in evaluate_rules(found, [rule])]


def by_looking_at_each_picture(found: RecordingDetections, rule: AlarmRule) -> list[int]:
    """The reference: plain loops, and OpenCV's own test of points in polygons."""
    times = list(found.times_s)
    steps = [b - a for a, b in itertools.pairwise(times)]
    longest = max(1.0, 3 * float(np.median(steps))) if steps else 1.0
    corners = np.array(rule.zone, dtype=np.float32).reshape(-1, 2)
    polygon = corners * np.array([WIDTH, HEIGHT], dtype=np.float32)

    def boxes(frame: int, name: str) -> list[np.ndarray]:
        return [
            box
            for at, box, score, kind in zip(
                found.frames, found.boxes_xyxy, found.scores, found.class_ids, strict=True
            )
            if at == frame
            and found.class_names[kind] == name
            and score >= np.float32(rule.min_confidence)
        ]

    def fulfils(frame: int) -> bool:
        for x1, y1, x2, y2 in boxes(frame, rule.class_name):
            foot = (float(min(max((x1 + x2) / 2, 0), WIDTH)), float(min(max(y2, 0), HEIGHT)))
            if rule.zone and cv2.pointPolygonTest(polygon, foot, False) < 0:
                continue
            excused = rule.without and any(
                x1 <= (a + c) / 2 <= x2 and y1 <= (b + d) / 2 <= y2
                for a, b, c, d in boxes(frame, rule.without)
            )
            if not excused:
                return True
        return False

    fulfilled = [fulfils(frame) for frame in range(len(times))]

    def held(frame: int) -> bool:
        if rule.hold.seconds is not None:
            first = frame
            if not fulfilled[frame]:
                return False
            while first > 0 and fulfilled[first - 1] and times[first] - times[first - 1] <= longest:
                first -= 1
            return times[frame] - times[first] >= rule.hold.seconds
        seen, first = [frame], frame
        while len(seen) < rule.hold.of and first > 0 and times[first] - times[first - 1] <= longest:
            first -= 1
            seen.append(first)
        return sum(fulfilled[each] for each in seen) >= rule.hold.frames

    alarms: list[int] = []
    for frame in range(len(times)):
        if not held(frame):
            continue
        if rule.cooldown_s:
            if not alarms or times[frame] - times[alarms[-1]] >= rule.cooldown_s:
                alarms.append(frame)
        elif not (frame and held(frame - 1) and times[frame] - times[frame - 1] <= longest):
            alarms.append(frame)
    return alarms


@settings(max_examples=1000, deadline=None)
@given(found=many_detections(), rule=rules)
def test_equal_to_looking_at_each_picture(found: RecordingDetections, rule: AlarmRule) -> None:
    assert frames_of(found, rule) == by_looking_at_each_picture(found, rule)


def test_five_of_eight_pictures() -> None:
    found = detections([i / 10 for i in range(20)], person_at([2, 3, 5, 7, 8, 15]))
    rule = replace(RULE, hold=Hold(frames=5, of=8), cooldown_s=60)
    (alarm,) = evaluate_rules(found, [rule])
    assert (alarm.frame, alarm.at_s, alarm.rule) == (8, 0.8, "no_helmet")
    assert frames_of(found, replace(rule, hold=Hold(frames=6, of=8))) == []


def test_seconds_are_those_of_the_clock_not_of_pictures() -> None:
    """Four pictures a second, then one each second: two seconds are two seconds."""
    times = [0.0, 0.25, 0.5, 0.75, 1.75, 2.75, 3.75]
    found = detections(times, person_at(range(7)))
    rule = replace(RULE, hold=Hold(frames=None, of=None, seconds=2.0), cooldown_s=60)
    assert frames_of(found, rule) == [5]


@pytest.mark.parametrize("hold", [Hold(3, 3), Hold(frames=None, of=None, seconds=0.2)])
def test_a_gap_in_the_footage_breaks_what_has_held(hold: Hold) -> None:
    whole = detections([0.0, 0.1, 0.2, 0.3, 0.4], person_at(range(5)))
    gap = detections([0.0, 0.1, 30.2, 30.3, 30.4], person_at(range(5)))
    rule = replace(RULE, hold=hold, cooldown_s=1000)
    assert frames_of(whole, rule) == [2]
    assert frames_of(gap, rule) == [4]


def test_after_an_alarm_it_is_quiet_then_speaks_again_while_the_condition_holds() -> None:
    found = detections([float(i) for i in range(100)], person_at(range(100)))
    assert frames_of(found, replace(RULE, cooldown_s=30)) == [0, 30, 60, 90]
    assert frames_of(found, replace(RULE, cooldown_s=0)) == [0]


def test_without_a_cooldown_each_stretch_is_told_once() -> None:
    found = detections([i / 4 for i in range(12)], person_at([1, 2, 3, 6, 7, 10]))
    assert frames_of(found, replace(RULE, cooldown_s=0)) == [1, 6, 10]


def test_what_begins_in_the_quiet_time_is_told_when_it_is_over() -> None:
    found = detections([float(i) for i in range(20)], person_at([0, 5, 6, 7, 8, 9, 10, 11, 12]))
    assert frames_of(found, replace(RULE, cooldown_s=10)) == [0, 10]


def test_a_helmet_on_the_person_excuses_it_at_the_same_confidence() -> None:
    times = [0.0, 0.1]
    helmet = (95.0, 20.0, 105.0, 30.0)
    beside = (150.0, 20.0, 160.0, 30.0)
    rule = replace(RULE, without="helmet")
    assert frames_of(detections(times, [*person_at([0]), (0, helmet, 0.8, 1)]), rule) == []
    assert frames_of(detections(times, [*person_at([0]), (0, beside, 0.8, 1)]), rule) == [0]
    # A helmet that the rule does not believe in is none.
    assert frames_of(detections(times, [*person_at([0]), (0, helmet, 0.3, 1)]), rule) == [0]
    # In another picture it excuses nobody.
    assert frames_of(detections(times, [*person_at([0]), (1, helmet, 0.8, 1)]), rule) == [0]


def test_the_middle_of_the_lower_edge_stands_in_the_zone() -> None:
    """The person's head is in the upper half, its feet at y = 60 of 100 in the lower one."""
    found = detections([0.0], person_at([0]))
    upper = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))
    lower = ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))
    assert frames_of(found, replace(RULE, zone=upper)) == []
    assert frames_of(found, replace(RULE, zone=lower)) == [0]
    in_pixels = ((0.0, 50.0), (200.0, 50.0), (200.0, 100.0), (0.0, 100.0))
    assert frames_of(found, replace(RULE, zone=in_pixels, zone_in_pixels=True)) == [0]


def test_feet_at_or_beyond_the_pictures_edge_stand_at_the_edge() -> None:
    whole = AlarmRule("r", "person", zone=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    points = np.array([[100.0, 100.0], [100.0, 100.4], [-0.3, 50.0], [200.0, 0.0]])
    assert in_zone(points, whole, WIDTH, HEIGHT).all()


@settings(max_examples=300, deadline=None)
@given(found=many_detections(), rule=rules, higher=st.integers(1, 20).map(lambda n: n / 20))
def test_a_higher_confidence_never_adds_an_alarm_under_a_cooldown(
    found: RecordingDetections, rule: AlarmRule, higher: float
) -> None:
    """True of rules without `without`: fewer pictures fulfil it, and greedily chosen pictures that
    are a cooldown apart are as many as can be. Not true without a cooldown: a stretch that breaks
    in two is told twice."""
    higher = max(higher, rule.min_confidence)
    rule = replace(rule, without="", cooldown_s=rule.cooldown_s or 0.5)
    raised = replace(rule, min_confidence=higher)
    assert len(frames_of(found, raised)) <= len(frames_of(found, rule))
    fulfilled = Watch(found, rule).fulfilled
    assert not (fulfilled(higher) & ~fulfilled(rule.min_confidence)).any()


def test_a_higher_confidence_can_add_alarms_where_a_helmet_is_no_longer_believed() -> None:
    helmet = (95.0, 20.0, 105.0, 30.0)
    found = detections([0.0], [*person_at([0], 0.9), (0, helmet, 0.6, 1)])
    rule = replace(RULE, without="helmet", cooldown_s=60)
    assert frames_of(found, rule) == []
    assert frames_of(found, replace(rule, min_confidence=0.7)) == [0]


@settings(max_examples=200, deadline=None)
@given(found=many_detections(), rule=rules, cut=st.integers(1, 60))
def test_cutting_the_footage_changes_pictures_only_behind_the_seam(
    found: RecordingDetections, rule: AlarmRule, cut: int
) -> None:
    """Pictures before the cut hold as they did. Of even times, as gaps are told from the usual
    step, which a cut may change."""
    times = [i / 4 for i in range(len(found.times_s))]
    columns = found.frames, found.boxes_xyxy, found.scores, found.class_ids
    boxes = [
        (int(frame), tuple(map(float, box)), float(score), int(kind))
        for frame, box, score, kind in zip(*columns, strict=True)
    ]
    whole = frames_of(detections(times, boxes), rule)
    front = detections(times[:cut], [each for each in boxes if each[0] < cut])
    assert frames_of(front, rule) == [frame for frame in whole if frame < cut]


def test_gaps_are_not_watched() -> None:
    even = detections([i / 10 for i in range(100)], [], duration_s=10.0)
    assert watched_seconds(even) == pytest.approx(10.0)
    # The camera was away for an hour.
    times = [i / 10 for i in range(50)] + [3600 + i / 10 for i in range(50)]
    assert watched_seconds(detections(times, [], duration_s=3605.0)) == pytest.approx(10.0, abs=0.1)


def test_unknown_classes_and_boxes_that_were_not_kept_are_refused() -> None:
    found = replace(detections([0.0], []), least_confidence=0.25)
    wrong = replace(RULE, class_name="persn", without="helmt", min_confidence=0.1)
    with pytest.raises(ScenarioError) as caught:
        evaluate_rules(found, [wrong, RULE])
    text = str(caught.value)
    assert "alarms.rules[0].class: 'persn' is no class of the model" in text
    assert "did you mean 'person'" in text and "did you mean 'helmet'" in text
    assert "at least 0.25, below which no box was kept" in text
    assert "alarms.rules[1].name: a rule's name must be its own" in text


def test_a_day_of_footage_with_somebody_in_every_picture() -> None:
    times = [float(i) for i in range(86_400)]
    found = detections(times, person_at(range(86_400)))
    assert len(frames_of(found, replace(RULE, hold=Hold(5, 8), cooldown_s=60))) == 1440
