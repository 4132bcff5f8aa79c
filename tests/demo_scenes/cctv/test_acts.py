"""What is planned is what is drawn: the boxes, judged by the rules, give the truth and no more."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from boxes_and_rules import boxes_of, is_broken, stretches

from demo_scenes.cctv.acts import (
    APART_S,
    MOMENT_S,
    NO_HELMET,
    RULES,
    SHORTEST_INCIDENT_S,
    ActKind,
)
from demo_scenes.cctv.film import Film, Shot, times_of
from demo_scenes.cctv.site import OUTSIDE_TO, border_at
from demo_scenes.cctv.takes import takes

SECONDS, FPS, SIZE = 60, 3.0, 160
HELD_S, GAP_S = 1.6, 0.6
"""Longer than a helmet is off in a near miss; shorter than who walks by hides a head."""


@pytest.fixture(scope="module")
def films() -> list[Film]:
    """All plans of several sites."""
    return [
        Film(take, seconds=SECONDS, size=96)
        for seed in range(12)
        for take in takes(10, seed, first_day=seed)
    ]


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Film, list[float], list[Shot]]]:
    made = []
    for seed, numbers in ((7, (0, 3)), (11, (2,))):
        every = takes(4, seed)
        for number in numbers:
            film = Film(every[number], seconds=SECONDS, size=SIZE)
            times = times_of(SECONDS, FPS)
            made.append((film, times, [film.shot(i, t) for i, t in enumerate(times)]))
    return made


@pytest.mark.parametrize("rule", RULES)
def test_boxes_judged_by_the_rules_give_the_planted_incidents_and_no_others(
    drawn: list[tuple[Film, list[float], list[Shot]]], rule: str
) -> None:
    planted = 0
    for film, times, shots in drawn:
        broken = [is_broken(rule, shot.seen, SIZE) for shot in shots]
        found = stretches(times, broken, least_s=HELD_S, bridged_s=GAP_S)
        truth = [(act.start_s, act.end_s) for act in film.plan.incidents if act.rule == rule]
        assert len(found) == len(truth), (film.take.name, found, truth)
        for (start, end), (true_start, true_end) in zip(found, truth, strict=True):
            assert abs(start - true_start) <= 0.6 and abs(end - true_end) <= 0.8
        planted += len(truth)
    assert planted >= 3


def test_every_near_miss_comes_and_would_be_one_for_a_rule_that_does_not_hold(
    drawn: list[tuple[Film, list[float], list[Shot]]],
) -> None:
    kinds = Counter(act.kind for film, _, _ in drawn for act in film.plan.acts)
    assert set(kinds) == set(ActKind)
    moments = 0
    for film, times, shots in drawn:
        for act in film.plan.acts:
            inside = [s for t, s in zip(times, shots, strict=True) if act.start_s < t < act.end_s]
            if act.kind is ActKind.OFF_FOR_A_MOMENT:
                broken = sum(is_broken(NO_HELMET, shot.seen, SIZE) for shot in inside)
                moments += 1
                assert 1 <= broken <= 1 + MOMENT_S[1] * FPS + 2
            if act.kind is ActKind.BARE_OUTSIDE:
                bare = [box for shot in inside for box in boxes_of(shot.seen, "head")]
                assert any((x1 + x2) / 2 / SIZE < border_at(y2 / SIZE) for x1, _, x2, y2 in bare)
    assert moments


def test_incidents_of_a_rule_are_long_apart_and_within_the_recording(films: list[Film]) -> None:
    for film in films:
        for rule in RULES:
            told = [act for act in film.plan.incidents if act.rule == rule]
            for act in told:
                assert act.start_s > 0 and act.end_s < SECONDS
                assert act.end_s - act.start_s >= SHORTEST_INCIDENT_S
            for one, other in itertools.pairwise(told):
                assert other.start_s >= one.start_s + APART_S and other.start_s > one.end_s


def test_who_is_outside_stays_outside(films: list[Film]) -> None:
    assert all(border_at(v) > OUTSIDE_TO + 0.08 for v in (0.5, 0.75, 1.0))
    seen = 0
    for film in films:
        for actor, act in zip(film.plan.actors, film.plan.acts, strict=False):
            if act.kind is ActKind.BARE_OUTSIDE:
                feet = [(x, 0.0, z) for x, z in actor.points]
                places = film.camera.project(feet) / film.camera.size
                assert not act.rule and places[:, 0].max() <= OUTSIDE_TO + 0.01
                seen += 1
    assert seen > len(films)


def test_some_recordings_are_quiet_and_most_are_not(films: list[Film]) -> None:
    quiet = [film for film in films if not film.plan.incidents]
    assert 0.1 * len(films) <= len(quiet) <= 0.4 * len(films)
    by_rule = Counter(act.rule for film in films for act in film.plan.incidents)
    assert all(by_rule[rule] >= len(films) / 3 for rule in RULES), by_rule
