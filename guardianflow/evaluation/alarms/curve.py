"""What rules miss against what they raise falsely, as confidence and hold vary; and choosing.

    operating_curve(recordings, detections, rule)   a point for each confidence and hold
    best_points(points)                             those that no other beats
    tune(recordings, detections, rules, …)          the rules that miss fewest within a limit

Choose on recordings for choosing (val) and judge on others (test): a point that was chosen looks
better where it was chosen than it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...contracts.errors import ConfigurationError, EvaluationError, Problem
from ...contracts.recordings.alarm_results import (
    DAY_S,
    ILIDS,
    Counting,
    OperatingPoint,
    TunedRules,
)
from ...contracts.recordings.alarms import (
    Alarm,
    AlarmRule,
    Hold,
    Incident,
    Recording,
    RecordingDetections,
)
from .checks import check_rules
from .counting import count_alarms
from .rates import LEAST_WATCHED_S
from .rules import Watch, watched_seconds

CONFIDENCES = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""0.05, 0.10 … 0.95."""
FRAMES_OF = ((1, 1), (2, 4), (3, 5), (5, 8), (8, 12), (12, 16))
SECONDS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0)


def usual_holds(hold: Hold) -> tuple[Hold, ...]:
    """Holds to try: of the same kind as the rule's own, and itself."""
    if hold.seconds is not None:
        seconds = sorted({*SECONDS, hold.seconds})
        return tuple(Hold(frames=None, of=None, seconds=each) for each in seconds)
    assert hold.frames is not None and hold.of is not None
    return tuple(Hold(frames, of) for frames, of in sorted({*FRAMES_OF, (hold.frames, hold.of)}))


def operating_curve(
    recordings: Sequence[Recording],
    detections: Mapping[str, RecordingDetections],
    rule: AlarmRule,
    *,
    confidences: Sequence[float] | None = None,
    holds: Sequence[Hold] | None = None,
    counting: Counting = ILIDS,
) -> tuple[OperatingPoint, ...]:
    """A point for each hold and confidence, by hold, then confidence.

    Args:
        detections: by the recording's name.
        confidences: None takes 0.05 … 0.95 and the rule's own; those below the least that was kept
            are left out.
        holds: None takes usual_holds.

    Raises:
        ScenarioError: what check_rules refuses.
        EvaluationError: a recording without detections.
    """
    watched = _watched(recordings, detections, rule)
    least = max((each.detections.least_confidence for each in watched), default=0.0)
    given = confidences if confidences is not None else (*CONFIDENCES, rule.min_confidence)
    return tuple(
        _point(watched, replace(rule, hold=hold, min_confidence=confidence), counting)
        for hold in (holds if holds is not None else usual_holds(rule.hold))
        for confidence in sorted({each for each in given if each >= least})
    )


@dataclass(frozen=True, eq=False)
class _Watched:
    detections: RecordingDetections
    incidents: Sequence[Incident]
    watch: Watch
    watched_s: float


def _watched(
    recordings: Sequence[Recording], detections: Mapping[str, RecordingDetections], rule: AlarmRule
) -> list[_Watched]:
    missing = [each.name for each in recordings if each.name not in detections]
    if missing or not recordings:
        raise EvaluationError(
            f"there must be detections of every recording but of {', '.join(missing)} there are "
            "none"
            if missing
            else "a curve needs at least one recording"
        )
    found = []
    for recording in recordings:
        kept = detections[recording.name]
        check_rules([replace(rule, min_confidence=1.0)], kept.class_names)
        incidents = [each for each in recording.incidents if each.rule == rule.name]
        found.append(_Watched(kept, incidents, Watch(kept, rule), watched_seconds(kept)))
    return found


def _point(watched: Sequence[_Watched], rule: AlarmRule, counting: Counting) -> OperatingPoint:
    outcomes = [
        count_alarms(
            [
                Alarm(one.detections.recording, rule.name, float(one.detections.times_s[i]), i)
                for i in one.watch.alarm_frames(rule.min_confidence, rule.hold)
            ],
            one.incidents,
            recording=one.detections.recording,
            watched_s=one.watched_s,
            counting=counting,
        )
        for one in watched
    ]
    incidents = sum(len(each.incidents) for each in outcomes)
    hits, false = sum(each.hits for each in outcomes), sum(each.false for each in outcomes)
    watched_s = sum(each.watched_s for each in outcomes)
    days = watched_s / DAY_S
    return OperatingPoint(
        rule=rule,
        incidents=incidents,
        hits=hits,
        false=false,
        camera_days=days,
        missed=(incidents - hits) / incidents if incidents else None,
        false_per_camera_day=false / days if watched_s >= LEAST_WATCHED_S else None,
    )


def best_points(points: Sequence[OperatingPoint]) -> tuple[OperatingPoint, ...]:
    """Those than which none has more hits with no more false alarms; by false alarms.

    Of points that are equal in both, the first.
    """
    best: list[OperatingPoint] = []
    for point in sorted(points, key=lambda each: (each.false, -each.hits)):
        if not best or point.hits > best[-1].hits:
            best.append(point)
    return tuple(best)


# --- choosing -------------------------------------------------------------------------------------


def tune(
    recordings: Sequence[Recording],
    detections: Mapping[str, RecordingDetections],
    rules: Sequence[AlarmRule],
    max_false_per_day: float,
    *,
    confidences: Sequence[float] | None = None,
    holds: Sequence[Hold] | None = None,
    counting: Counting = ILIDS,
) -> TunedRules:
    """The rules set so that together they miss fewest incidents within the limit.

    Every rule's confidence and hold are tried; of the choices that miss as few, the one with
    fewest false alarms is taken, then the one nearest the rules as they are given. The others are
    told as ties.

    Args:
        recordings: for choosing; never those that judge.
        max_false_per_day: false alarms a camera day, of all rules together.

    Raises:
        ConfigurationError: a rule without an incident here, too little footage, a limit that is
            not above 0 or that no choice keeps; all at once.
    """
    check_rules(rules)
    curves = {
        rule.name: operating_curve(
            recordings,
            detections,
            rule,
            confidences=confidences,
            holds=holds,
            counting=counting,
        )
        for rule in rules
    }
    _refuse_untunable(rules, curves, max_false_per_day)
    days = curves[rules[0].name][0].camera_days
    most_false = math.floor(max_false_per_day * days + 1e-9)
    chosen = _fewest_missed([best_points(curves[rule.name]) for rule in rules], most_false)
    if chosen is None:
        least = sum(min(point.false for point in curve) for curve in curves.values()) / days
        raise ConfigurationError(
            f"max_false_per_day must be one that some setting keeps but got {max_false_per_day:g}: "
            f"the fewest is {least:.3g} a camera day; collect footage of what raises them and "
            "train on it, or allow more"
        )
    picked, ties = [], 1
    for rule, point in zip(rules, chosen, strict=True):
        equal = [
            each
            for each in curves[rule.name]
            if (each.hits, each.false) == (point.hits, point.false)
        ]
        picked.append(min(equal, key=lambda each: _distance(each.rule, rule)))
        ties *= len(equal)
    incidents = sum(point.incidents for point in picked)
    return TunedRules(
        rules=tuple(point.rule for point in picked),
        points=tuple(picked),
        ties=ties - 1,
        limit=max_false_per_day,
        false_per_camera_day=sum(point.false for point in picked) / days,
        missed=sum(point.incidents - point.hits for point in picked) / incidents,
        curves=curves,
    )


def _refuse_untunable(
    rules: Sequence[AlarmRule], curves: Mapping[str, Sequence[OperatingPoint]], limit: float
) -> None:
    problems = []
    if not 0 < limit < math.inf:
        problems.append(f"max_false_per_day must be above 0 but got {limit}")
    for rule in rules:
        curve = curves[rule.name]
        if not curve:
            problems.append(f"rule '{rule.name}': there is no confidence to try")
        elif not curve[0].incidents:
            problems.append(
                f"rule '{rule.name}' has no incident in the recordings to choose on; what it "
                "misses can't be told there: add recordings with some, or leave it out"
            )
        elif curve[0].false_per_camera_day is None:
            problems.append(
                f"there must be at least {LEAST_WATCHED_S:g} s of footage to choose on but there "
                f"are {curve[0].camera_days * DAY_S:.0f} s"
            )
    if problems:
        raise ConfigurationError([Problem(each) for each in dict.fromkeys(problems)])


def _fewest_missed(
    fronts: Sequence[Sequence[OperatingPoint]], most_false: int
) -> tuple[OperatingPoint, ...] | None:
    """One point of each rule: most hits within the limit, then fewest false alarms.

    Rules are added one by one; of sums with as many false alarms only that with most hits is kept,
    so none that could be part of the best is lost.
    """
    sums: dict[int, tuple[int, tuple[OperatingPoint, ...]]] = {0: (0, ())}
    for front in fronts:
        longer: dict[int, tuple[int, tuple[OperatingPoint, ...]]] = {}
        for false, (hits, points) in sums.items():
            for point in front:
                together = false + point.false
                if together > most_false:
                    break  # a front is by false alarms
                known = longer.get(together)
                if known is None or hits + point.hits > known[0]:
                    longer[together] = (hits + point.hits, (*points, point))
        sums = longer
    if not sums:
        return None
    best = max(sums, key=lambda false: (sums[false][0], -false))
    return sums[best][1]


def _distance(one: AlarmRule, given: AlarmRule) -> tuple[bool, float, float]:
    """How far a setting is from the given one: the same hold first, then the nearest numbers."""
    holds = [
        each.seconds if each.seconds is not None else float(each.frames or 0)
        for each in (one.hold, given.hold)
    ]
    return (
        one.hold != given.hold,
        abs(holds[0] - holds[1]),
        abs(np.float64(one.min_confidence) - given.min_confidence),
    )
