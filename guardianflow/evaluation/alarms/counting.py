"""Counts alarms against what truly happened, as i-LIDS and KISA do.

    count_alarms(alarms, incidents, …)   each alarm hit, false or neither; each incident hit or not

For each rule on its own:

1.  An alarm is near an incident from `early_s` before its start to `tolerance_s` after it.
2.  As many alarms as possible are paired with incidents they are near, one with one: hits.
    In order of time, an alarm goes to the earliest incident that it is near and that has none yet.
3.  Another alarm counts neither way when it lies in a hit incident: from `early_s` before its start
    to its end, or to `tolerance_s` after its start where that is later.
4.  All other alarms are false, those too late in an incident that was missed among them.

As all windows are of one length, the pairing of 2. is the largest there is (Glover, "Maximum
matching in a convex bipartite graph", Naval Research Logistics Quarterly 14, 1967), and the order
in which alarms or incidents are given does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...contracts.errors import EvaluationError
from ...contracts.recordings.alarm_results import (
    ILIDS,
    AlarmOutcome,
    Counting,
    JudgedAlarm,
    JudgedIncident,
    RecordingOutcome,
)
from ...contracts.recordings.alarms import (
    Alarm,
    AlarmRule,
    Incident,
    Recording,
    RecordingDetections,
)
from .rules import ROUNDING_S, evaluate_rules, watched_seconds


def judge_recording(
    recording: Recording,
    detections: RecordingDetections,
    rules: Sequence[AlarmRule],
    counting: Counting = ILIDS,
) -> RecordingOutcome:
    """The alarms that the rules raise in a recording, counted against its incidents.

    Incidents of rules that are not among these are left out.

    Raises:
        ScenarioError: what check_rules refuses.
        EvaluationError: detections of another recording; what count_alarms refuses.
    """
    if detections.recording != recording.name:
        raise EvaluationError(
            f"detections must be of recording '{recording.name}' but are of "
            f"'{detections.recording}'"
        )
    names = {rule.name for rule in rules}
    return count_alarms(
        evaluate_rules(detections, rules),
        [each for each in recording.incidents if each.rule in names],
        recording=recording.name,
        camera=recording.camera,
        watched_s=watched_seconds(detections),
        counting=counting,
    )


def count_alarms(
    alarms: Sequence[Alarm],
    incidents: Sequence[Incident],
    *,
    recording: str,
    camera: str = "",
    watched_s: float,
    counting: Counting = ILIDS,
) -> RecordingOutcome:
    """Judge one recording's alarms and incidents, each rule on its own.

    Args:
        alarms, incidents: of this recording, in any order.
        watched_s: seconds of footage.

    Returns:
        The outcome; its alarms are by time and its incidents by start.

    Raises:
        EvaluationError: an alarm or incident of another recording, a time that is no number, a
            negative tolerance.
    """
    _check(alarms, incidents, recording, counting)
    in_order = sorted(incidents, key=lambda each: (each.start_s, each.end_s, each.rule))
    by_time = sorted(alarms, key=lambda each: (each.at_s, each.rule, each.frame))
    hit_by = _pairs(by_time, in_order, counting)
    hits = {alarm: incident for incident, alarm in hit_by.items()}
    judged = []
    for number, alarm in enumerate(by_time):
        if number in hits:
            judged.append(JudgedAlarm(alarm, AlarmOutcome.HIT, hits[number]))
            continue
        repeated = next(
            (i for i in hit_by if _is_within(alarm, in_order[i], counting)),
            None,
        )
        outcome = AlarmOutcome.FALSE if repeated is None else AlarmOutcome.NEITHER
        judged.append(JudgedAlarm(alarm, outcome, repeated))
    return RecordingOutcome(
        recording=recording,
        camera=camera,
        watched_s=watched_s,
        alarms=tuple(judged),
        incidents=tuple(
            JudgedIncident(each, by_time[hit_by[i]].at_s - each.start_s if i in hit_by else None)
            for i, each in enumerate(in_order)
        ),
    )


def _pairs(
    alarms: Sequence[Alarm], incidents: Sequence[Incident], counting: Counting
) -> dict[int, int]:
    """Incident → alarm that hit it, by their places; in the order of incidents."""
    found: dict[int, int] = {}
    places: dict[str, list[int]] = {}
    for place, each in enumerate(incidents):
        places.setdefault(each.rule, []).append(place)
    waiting = dict.fromkeys(places, 0)
    for number, alarm in enumerate(alarms):
        mine = places.get(alarm.rule, [])
        next_one = waiting.get(alarm.rule, 0)
        while next_one < len(mine) and alarm.at_s > _window(incidents[mine[next_one]], counting)[1]:
            next_one += 1  # its time is over: it was missed
        if next_one < len(mine) and alarm.at_s >= _window(incidents[mine[next_one]], counting)[0]:
            found[mine[next_one]] = number
            next_one += 1
        waiting[alarm.rule] = next_one
    return dict(sorted(found.items()))


def _window(incident: Incident, counting: Counting) -> tuple[float, float]:
    early_s, late_s = counting.early_s + ROUNDING_S, counting.tolerance_s + ROUNDING_S
    return incident.start_s - early_s, incident.start_s + late_s


def _is_within(alarm: Alarm, incident: Incident, counting: Counting) -> bool:
    first, last = _window(incident, counting)
    return alarm.rule == incident.rule and first <= alarm.at_s <= max(
        last, incident.end_s + ROUNDING_S
    )


def _check(
    alarms: Sequence[Alarm], incidents: Sequence[Incident], recording: str, counting: Counting
) -> None:
    named = {each.recording for each in alarms} | {each.recording for each in incidents}
    strangers = named - {recording}
    if strangers:
        raise EvaluationError(
            f"alarms and incidents must be of recording '{recording}' but some are of "
            f"{', '.join(sorted(strangers))}"
        )
    times = [each.at_s for each in alarms] + [t for i in incidents for t in (i.start_s, i.end_s)]
    if not all(map(math.isfinite, times)):
        raise EvaluationError("the times of alarms and incidents must be numbers of seconds")
    if not (0 <= counting.tolerance_s < math.inf and 0 <= counting.early_s < math.inf):
        raise EvaluationError(
            "tolerance_s and early_s must be 0 or more seconds but got "
            f"{counting.tolerance_s} and {counting.early_s}"
        )
