"""Timelines of boxes and incidents, made by hand or by hypothesis, and slow references for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from guardianflow.contracts.recordings.alarm_results import Counting
from guardianflow.contracts.recordings.alarms import (
    Alarm,
    AlarmRule,
    Hold,
    Incident,
    RecordingDetections,
)

CLASSES = ("person", "helmet")
WIDTH, HEIGHT = 200, 100
Box = tuple[int, tuple[float, float, float, float], float, int]
"""Picture, x1 y1 x2 y2, score, class."""


def detections(
    times_s: Sequence[float], boxes: Sequence[Box], *, name: str = "gate", duration_s: float = 0.0
) -> RecordingDetections:
    """Kept boxes of one recording."""
    ordered = sorted(boxes, key=lambda each: each[0])
    return RecordingDetections(
        recording=name,
        camera="",
        times_s=np.asarray(times_s, dtype=np.float64),
        duration_s=duration_s or (times_s[-1] + 1 if len(times_s) else 1.0),
        width=WIDTH,
        height=HEIGHT,
        frames=np.array([each[0] for each in ordered], dtype=np.int64),
        boxes_xyxy=np.array([each[1] for each in ordered], dtype=np.float32).reshape(-1, 4),
        scores=np.array([each[2] for each in ordered], dtype=np.float32),
        class_ids=np.array([each[3] for each in ordered], dtype=np.int64),
        class_names=CLASSES,
    )


def person_at(frames: Sequence[int], score: float = 0.9) -> list[Box]:
    """A person in the middle of each of these pictures."""
    return [(frame, (90.0, 20.0, 110.0, 60.0), score, 0) for frame in frames]


# --- by hypothesis --------------------------------------------------------------------------------

_quarters = st.integers(0, 240).map(lambda each: each / 4)
_scores = st.integers(1, 20).map(lambda each: each / 20)


@st.composite
def many_detections(draw: st.DrawFn) -> RecordingDetections:
    """Up to 60 pictures at uneven times, with gaps, and boxes on whole pixels."""
    steps = draw(st.lists(st.sampled_from([0.25, 0.25, 0.25, 0.5, 0.75, 4.0]), max_size=60))
    times = np.concatenate([[0.0], np.cumsum(steps)])
    boxes = []
    for frame in range(len(times)):
        for _ in range(draw(st.integers(0, 3))):
            x, y = draw(st.integers(0, 180)), draw(st.integers(0, 80))
            w, h = draw(st.integers(1, 60)), draw(st.integers(1, 60))
            boxes.append((frame, (x, y, x + w, y + h), draw(_scores), draw(st.integers(0, 1))))
    return detections(list(times), boxes)


zones = st.sampled_from(
    [
        (),
        ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),
        ((0.1, 0.1), (0.9, 0.2), (0.5, 0.9)),
        ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.0, 1.0)),
    ]
)
holds = st.one_of(
    st.integers(1, 6).flatmap(
        lambda of: st.integers(1, of).map(lambda frames: Hold(frames=frames, of=of))
    ),
    st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0]).map(
        lambda seconds: Hold(frames=None, of=None, seconds=seconds)
    ),
)
rules = st.builds(
    AlarmRule,
    name=st.just("rule"),
    class_name=st.just("person"),
    zone=zones,
    min_confidence=_scores,
    hold=holds,
    cooldown_s=st.sampled_from([0.0, 0.25, 1.0, 10.0]),
    without=st.sampled_from(["", "helmet"]),
)
countings = st.builds(
    Counting,
    tolerance_s=st.sampled_from([0.0, 1.0, 10.0, 25.0]),
    early_s=st.sampled_from([0.0, 2.0, 5.0]),
)


@st.composite
def truths(draw: st.DrawFn) -> list[Incident]:
    """Incidents of two rules; those of one do not overlap."""
    found = []
    for rule in ("a", "b"):
        ends = sorted(draw(st.lists(_quarters, max_size=8, unique=True)))
        pairs = zip(ends[::2], ends[1::2], strict=False)
        found += [Incident("gate", rule, start, end) for start, end in pairs]
    return draw(st.permutations(found))


alarm_lists = st.lists(
    st.tuples(_quarters, st.sampled_from(["a", "b"])).map(
        lambda each: Alarm("gate", each[1], each[0], int(each[0] * 4))
    ),
    max_size=7,
)


# --- slow references ------------------------------------------------------------------------------


def counted_slowly(
    alarms: Sequence[Alarm], incidents: Sequence[Incident], counting: Counting
) -> dict[str, object]:
    """Hits, missed, false, neither and delays, by trying every pairing there is."""
    totals: dict[str, int] = {"hits": 0, "missed": 0, "false": 0, "neither": 0}
    delays: list[tuple[str, float, float]] = []
    for rule in {each.rule for each in alarms} | {each.rule for each in incidents}:
        times = sorted(each.at_s for each in alarms if each.rule == rule)
        mine = sorted((i for i in incidents if i.rule == rule), key=lambda i: i.start_s)
        pairing = min(
            _pairings(times, mine, counting),
            key=lambda pairs: (
                sum(each is None for each in pairs),
                [len(times) if each is None else each for each in pairs],
            ),
        )
        hit = [incident for incident, alarm in zip(mine, pairing, strict=True) if alarm is not None]
        totals["hits"] += len(hit)
        totals["missed"] += len(mine) - len(hit)
        for incident, alarm in zip(mine, pairing, strict=True):
            if alarm is not None:
                delays.append((rule, incident.start_s, times[alarm] - incident.start_s))
        for number, at_s in enumerate(times):
            if number in pairing:
                continue
            inside = any(
                i.start_s - counting.early_s
                <= at_s
                <= max(i.end_s, i.start_s + counting.tolerance_s)
                for i in hit
            )
            totals["neither" if inside else "false"] += 1
    return {**totals, "delays": sorted(delays)}


def _pairings(
    times: Sequence[float], incidents: Sequence[Incident], counting: Counting
) -> list[tuple[int | None, ...]]:
    if not incidents:
        return [()]
    first, *others = incidents
    choices: list[int | None] = [None]
    choices += [
        number
        for number, at_s in enumerate(times)
        if first.start_s - counting.early_s <= at_s <= first.start_s + counting.tolerance_s
    ]
    return [
        (choice, *rest)
        for rest in _pairings(times, others, counting)
        for choice in choices
        if choice is None or choice not in rest
    ]
