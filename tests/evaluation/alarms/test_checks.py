"""Rules that can't be meant are refused, all at once."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.contracts.errors import ScenarioError
from guardianflow.contracts.recordings.alarms import AlarmRule, Hold
from guardianflow.evaluation.alarms.checks import check_rules, polygon_area, zone_faults

RULE = AlarmRule("no_helmet", "person", without="helmet")
SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def test_everything_wrong_is_told_at_once() -> None:
    rules = [
        replace(RULE, zone=((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)), cooldown_s=-1),
        AlarmRule("", "persn", min_confidence=1.5, hold=Hold(frames=9, of=8)),
        replace(RULE, without="person", hold=Hold(None, None, seconds=math.nan)),
    ]
    with pytest.raises(ScenarioError) as caught:
        check_rules(rules, ("person", "helmet"))
    assert [str(each).split(": ")[0] for each in caught.value.problems] == [
        "alarms.rules[0].cooldown_s",
        "alarms.rules[0].zone",
        "alarms.rules[1].name",
        "alarms.rules[1].class",
        "alarms.rules[1].min_confidence",
        "alarms.rules[1].hold",
        "alarms.rules[2].without",
        "alarms.rules[2].hold",
        "alarms.rules[2].name",
    ]
    assert caught.value.exit_code == 2


def test_rules_of_every_kind_are_taken() -> None:
    check_rules([RULE, AlarmRule("fire", "fire", SQUARE)], ("person", "helmet", "fire"))
    check_rules([RULE])  # before a model is known
    with pytest.raises(ScenarioError, match="at least one rule"):
        check_rules([])


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        (((0.0, 0.0), (0.5, 0.5)), "three or more different corners but has 2"),
        (((0.2, 0.2),) * 4, "three or more different corners but has 1"),
        (((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)), "cross or touch|has no area"),
        (((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)), "sides 1 and 3 cross or touch"),
        (((0.0, 0.0), (1.0, 0.0), (0.5, 0.0), (0.5, 1.0)), "sides 1 and 2 cross or touch"),
        (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.0), (0.0, 1.0)), "cross or touch"),
        (((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 1.0), (0.5, 0.5)), "there twice"),
        (((0.0, 0.0), (1.2, 0.0), (1.0, 1.0)), r"shares of the picture, 0…1, but got \(1.2, 0\)"),
        (((0.0, 0.0), (math.nan, 0.0), (1.0, 1.0)), "corners must be numbers"),
        (((0.5, 0.5), (0.5001, 0.5), (0.5, 0.5001)), "has no area"),
    ],
)
def test_zones_that_are_no_plain_polygon(zone: tuple[tuple[float, float], ...], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        check_rules([replace(RULE, zone=zone)])


@pytest.mark.parametrize(
    "zone",
    [
        (),
        SQUARE,
        (*SQUARE, SQUARE[0]),  # closed by hand
        tuple(reversed(SQUARE)),
        ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.0, 1.0)),
        ((0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (1.0, 1.0)),  # a corner on a straight side
    ],
)
def test_plain_polygons_are_taken(zone: tuple[tuple[float, float], ...]) -> None:
    assert list(zone_faults(zone)) == []


def test_pixels_may_lie_beyond_one_but_not_below_zero() -> None:
    assert list(zone_faults(((0, 0), (640, 0), (640, 360)), in_pixels=True)) == []
    assert list(zone_faults(((-1, 0), (640, 0), (640, 360)), in_pixels=True))


corner = st.tuples(*[st.integers(0, 6).map(lambda each: each / 6)] * 2)


@given(st.lists(corner, min_size=3, max_size=3, unique=True))
def test_triangles_are_refused_just_where_they_have_no_area(
    corners: list[tuple[float, float]],
) -> None:
    assert bool(list(zone_faults(corners))) is (polygon_area(corners) < 1e-9)
