"""Kept boxes → alarms.

    evaluate_rules(detections, rules)    every alarm of every rule, by time
    Watch(detections, rule)              one rule over one recording, ready to be set otherwise

A picture fulfils a rule when at least one box of its class, at least `min_confidence`, stands in
its zone (the middle of its lower edge) and has no box of `without` on it. When that has held for
`hold`, the rule speaks; then it is quiet for `cooldown_s`, and speaks again when the condition
holds then. A gap in the footage begins everything anew but the cooldown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...contracts.recordings.alarms import Alarm, AlarmRule, Hold, RecordingDetections
from ..accuracy.average_precision import Bool, Float64, Int64
from .checks import check_rules

if TYPE_CHECKING:
    from ...contracts.results import FloatArray

LONGEST_STEP_S = 1.0
STEPS_A_GAP = 3.0
ROUNDING_S = 1e-6
"""Times of streams are multiples of 1/90000 s, and their differences are rounded."""


def evaluate_rules(
    detections: RecordingDetections, rules: Sequence[AlarmRule]
) -> tuple[Alarm, ...]:
    """Every alarm that the rules raise in one recording, by time, then in the rules' order.

    Raises:
        ScenarioError: what check_rules refuses.
    """
    check_rules(rules, detections.class_names, least_confidence=detections.least_confidence)
    alarms = [
        Alarm(detections.recording, rule.name, float(detections.times_s[frame]), int(frame))
        for rule in rules
        for frame in Watch(detections, rule).alarm_frames(rule.min_confidence, rule.hold)
    ]
    return tuple(sorted(alarms, key=lambda each: each.at_s))


class Watch:
    """One rule over one recording: what does not change with confidence and hold is done once.

    Args:
        rule: its min_confidence and hold are not looked at.
    """

    def __init__(self, detections: RecordingDetections, rule: AlarmRule) -> None:
        self._times = detections.times_s
        self._cooldown_s = rule.cooldown_s
        self._begins = begins_of_stretches(self._times)
        names = detections.class_names
        boxes = np.asarray(detections.boxes_xyxy, dtype=np.float64)
        mine = np.flatnonzero(detections.class_ids == names.index(rule.class_name))
        feet = np.column_stack([(boxes[mine, 0] + boxes[mine, 2]) / 2, boxes[mine, 3]])
        mine = mine[in_zone(feet, rule, detections.width, detections.height)]
        self._frames = detections.frames[mine]
        self._scores = detections.scores[mine]
        # Such a box counts at confidences above its own excuse's, up to its own.
        self._excused: FloatArray = np.full(len(mine), -1.0, dtype=np.float32)
        if rule.without:
            others = np.flatnonzero(detections.class_ids == names.index(rule.without))
            self._excused = _best_on(
                boxes[mine],
                self._frames,
                boxes[others],
                detections.frames[others],
                detections.scores[others],
            )

    def fulfilled(self, min_confidence: float) -> Bool:
        """bool, one per picture: whether a box counts in it."""
        least = np.float32(min_confidence)
        counts = (self._scores >= least) & (self._excused < least)
        pictures: Bool = np.zeros(len(self._times), dtype=bool)
        pictures[self._frames[counts]] = True
        return pictures

    def alarm_frames(self, min_confidence: float, hold: Hold) -> list[int]:
        """The pictures at which the rule speaks, rising."""
        fulfilled = self.fulfilled(min_confidence)
        held = held_pictures(fulfilled, self._times, self._begins, hold)
        return raised(held, self._times, self._begins, self._cooldown_s)


def begins_of_stretches(times_s: Float64) -> Int64:
    """int64, one per picture: the first picture of the footage without a gap that it lies in.

    A gap is a step of more than a second and of more than three times the usual one.
    """
    begins = np.zeros(len(times_s), dtype=np.int64)
    gaps = np.flatnonzero(np.diff(times_s) > longest_step(times_s)) + 1
    begins[gaps] = gaps
    return np.maximum.accumulate(begins)


def longest_step(times_s: Float64) -> float:
    """Seconds from one picture to the next that are no gap yet."""
    if len(times_s) < 2:
        return LONGEST_STEP_S
    return max(LONGEST_STEP_S, STEPS_A_GAP * float(np.median(np.diff(times_s))))


def watched_seconds(detections: RecordingDetections) -> float:
    """The seconds of footage in which something could have been seen: gaps count a usual step."""
    times, duration_s = detections.times_s, float(detections.duration_s)
    if len(times) < 2:
        return duration_s
    steps = np.diff(times)
    gaps = steps > longest_step(times)
    return max(0.0, duration_s - float((steps[gaps] - np.median(steps)).sum()))


def in_zone(points: Float64, rule: AlarmRule, width: int, height: int) -> Bool:
    """Which points (float64, N×2, pixels) lie in the rule's zone, its edge included."""
    if not rule.zone:
        return np.ones(len(points), dtype=bool)
    scale = np.ones(2) if rule.zone_in_pixels else np.array([width, height], dtype=np.float64)
    corners = np.asarray(rule.zone, dtype=np.float64) * scale
    # A box that reaches the picture's edge, or a little beyond, stands at the edge.
    points = np.clip(points, 0, [width, height])
    inside: Bool = np.zeros(len(points), dtype=bool)
    x, y = points[:, 0], points[:, 1]
    on_edge: Bool = np.zeros(len(points), dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        across = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        along = (x - x1) * (x - x2) + (y - y1) * (y - y2)
        on_edge |= (np.abs(across) <= 1e-9 * max(width, height)) & (along <= 0)
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside | on_edge


def _best_on(
    boxes: Float64, frames: Int64, others: Float64, other_frames: Int64, scores: FloatArray
) -> FloatArray:
    """float32, one per box: the best score of the others whose middle lies in it; -1 for none."""
    best: FloatArray = np.full(len(boxes), -1.0, dtype=np.float32)
    first = np.searchsorted(other_frames, frames, side="left")
    count = np.searchsorted(other_frames, frames, side="right") - first
    middles = (others[:, :2] + others[:, 2:]) / 2
    for nth in range(int(count.max(initial=0))):
        rows = np.flatnonzero(count > nth)
        other = first[rows] + nth
        x, y = middles[other, 0], middles[other, 1]
        box = boxes[rows]
        on = (box[:, 0] <= x) & (x <= box[:, 2]) & (box[:, 1] <= y) & (y <= box[:, 3])
        best[rows[on]] = np.maximum(best[rows[on]], scores[other[on]])
    return best


def held_pictures(fulfilled: Bool, times_s: Float64, begins: Int64, hold: Hold) -> Bool:
    """bool, one per picture: whether the condition has held for as long as `hold` asks.

    Args:
        begins: as begins_of_stretches gives them.
    """
    if hold.seconds is not None:
        return _held_seconds(fulfilled, times_s, begins, hold.seconds)
    assert hold.frames is not None and hold.of is not None  # check_rules sees to it
    seen = np.concatenate([[0], np.cumsum(fulfilled)])
    places = np.arange(len(fulfilled))
    oldest = np.maximum(places - hold.of + 1, begins)
    held: Bool = seen[places + 1] - seen[oldest] >= hold.frames
    return held


def _held_seconds(fulfilled: Bool, times_s: Float64, begins: Int64, seconds: float) -> Bool:
    places = np.arange(len(fulfilled))
    last_failed = np.maximum.accumulate(np.where(fulfilled, -1, places))
    since = np.minimum(np.maximum(last_failed + 1, begins), places)
    held: Bool = fulfilled & (times_s - times_s[since] >= seconds - ROUNDING_S)
    return held


def raised(held: Bool, times_s: Float64, begins: Int64, cooldown_s: float) -> list[int]:
    """The pictures at which an alarm is raised, rising.

    Without a cooldown that is the first picture of each stretch in which the rule's condition has
    held; with one, each first picture that is so far from the last alarm.
    """
    places = np.flatnonzero(held)
    if not len(places):
        return []
    if not cooldown_s:
        new = np.ones(len(places), dtype=bool)
        new[1:] = (np.diff(places) > 1) | (begins[places[1:]] == places[1:])
        return [int(each) for each in places[new]]
    times = times_s[places]
    found: list[int] = []
    next_one = 0
    while next_one < len(places):
        found.append(int(places[next_one]))
        quiet_until = times[next_one] + cooldown_s - ROUNDING_S
        next_one = max(next_one + 1, int(np.searchsorted(times, quiet_until, side="left")))
    return found
