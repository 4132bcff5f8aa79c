"""What happens in a recording: incidents, near misses, people who do all as they should.

incident   a worker without a helmet, or without a vest, stays in the zone for some seconds
near miss  the helmet is off for a moment; somebody without one is outside the zone; a second
           helmet is carried in the hand
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import numpy as np

from ..canvas import Camera
from ..outfits import Outfit
from .actors import Actor, Stop, dressed, visit
from .site import OUTSIDE_TO, border_at

NO_HELMET = "no_helmet"
NO_VEST = "no_vest"
RULES = (NO_HELMET, NO_VEST)
MOMENT_S = (0.8, 1.2)
"""So long the helmet is off in a near miss; every rule worth its name holds longer."""
SHORTEST_INCIDENT_S = 5.0
APART_S = 20.0
"""Two incidents of one rule begin at least this far apart."""
_QUIET_EVERY = 5  # so many recordings have one in which nothing happens
_STEP_S = 0.02


class ActKind(StrEnum):
    """A thing that happens in a recording."""

    PASSES = "passes"
    COMES_BARE = "comes_bare"
    TAKES_OFF = "takes_off"
    COMES_WITHOUT_VEST = "comes_without_vest"
    OFF_FOR_A_MOMENT = "off_for_a_moment"
    CARRIES_A_SPARE = "carries_a_spare"
    BARE_OUTSIDE = "bare_outside"


_RULE_OF = {
    ActKind.COMES_BARE: NO_HELMET,
    ActKind.TAKES_OFF: NO_HELMET,
    ActKind.COMES_WITHOUT_VEST: NO_VEST,
}


@dataclass(frozen=True)
class Act:
    """A thing that happens, from when to when.

    Args:
        rule: that it truly breaks; '' where it breaks none.
        start_s, end_s: of the incident; of the actor's whole visit where there is none.
    """

    kind: ActKind
    rule: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Plan:
    """All that happens in one recording."""

    actors: tuple[Actor, ...]
    acts: tuple[Act, ...]

    @property
    def incidents(self) -> tuple[Act, ...]:
        """Those acts that break a rule, by start."""
        return tuple(act for act in self.acts if act.rule)


def plan(camera: Camera, seconds: float, seed: int, *, number: int) -> Plan:
    """Decide what happens in one recording.

    Args:
        seconds: its length; every visit ends before.
        number: of the recording: kinds of acts take turns, and some recordings are quiet.
    """
    rng = np.random.default_rng((seed, 31))
    quiet = number % _QUIET_EVERY == _QUIET_EVERY - 1
    in_zone = _in_the_zone(camera, seconds, rng, number, quiet=quiet)
    outside = _outside_of_it(camera, seconds, rng)
    onlooker = _onlooker(camera, seconds, rng) if rng.random() < 0.5 else []
    told = sorted([*in_zone, *outside], key=lambda pair: pair[1].start_s)
    return Plan((*[actor for actor, _ in told], *onlooker), tuple(act for _, act in told))


def _in_the_zone(
    camera: Camera, seconds: float, rng: np.random.Generator, number: int, *, quiet: bool
) -> list[tuple[Actor, Act]]:
    """One visit after the other, so that no two incidents overlap."""
    kinds = [kind for kind in ActKind if kind is not ActKind.BARE_OUTSIDE]
    if quiet:
        kinds = [kind for kind in kinds if kind not in _RULE_OF]
    deck = [kinds[(number * 2 + i) % len(kinds)] for i in range(len(kinds))]
    done: list[tuple[Actor, Act]] = []
    began = dict.fromkeys(RULES, -APART_S)
    now = float(rng.uniform(0.5, 3))
    while deck:
        fitting = [k for k in deck if k not in _RULE_OF or now >= began[_RULE_OF[k]] + APART_S]
        kind = (fitting or [ActKind.PASSES])[0]
        actor, act = _ACTS[kind](camera, rng, now)
        if actor.times_s[-1] > seconds - 0.5:
            break
        if kind in deck:
            deck.remove(kind)
        deck = deck or [*kinds]
        done.append((actor, act))
        if act.rule:
            began[act.rule] = act.start_s
        now = actor.times_s[-1] + float(rng.uniform(0.5, 2.5))
    return done


def _outside_of_it(
    camera: Camera, seconds: float, rng: np.random.Generator
) -> list[tuple[Actor, Act]]:
    """People who come and go left of the zone, dressed as they like."""
    done: list[tuple[Actor, Act]] = []
    now = float(rng.uniform(2, 14))
    while True:
        bare = rng.random() < 0.7
        outfit = dressed(rng, helmet=not bare, vest=bool(rng.random() < 0.5))
        stop = Stop(
            float(rng.uniform(0.1, OUTSIDE_TO)), float(rng.uniform(0.62, 0.7)),
            float(rng.uniform(6, 14)),
        )  # fmt: skip
        actor = visit(camera, outfit, rng, now, stop, from_left=True, to_left=True)
        if actor.times_s[-1] > seconds - 0.5:
            return done
        kind = ActKind.BARE_OUTSIDE if bare else ActKind.PASSES
        done.append((actor, Act(kind, "", actor.times_s[0], actor.times_s[-1])))
        now = actor.times_s[-1] + float(rng.uniform(4, 16))


def _onlooker(camera: Camera, seconds: float, rng: np.random.Generator) -> list[Actor]:
    """Somebody who works far back in the zone all the while, dressed as they should be."""
    place = camera.ground_at(float(rng.uniform(0.82, 0.9)), 0.55)
    facing = float(rng.uniform(-3, 3))
    return [Actor(dressed(rng), (0.0, seconds), (place, place), facing=facing)]


def _enters(
    camera: Camera,
    rng: np.random.Generator,
    now: float,
    stays_s: tuple[float, float],
    outfit: Outfit | None = None,
) -> Actor:
    """Somebody comes into the zone from either side, dressed as they should be if not told else."""
    from_left, to_left = bool(rng.random() < 0.4), bool(rng.random() < 0.4)
    u, v = float(rng.uniform(0.5, 0.76)), float(rng.uniform(0.78, 0.9))
    stop = Stop(u, v, float(rng.uniform(*stays_s)))
    outfit = outfit or dressed(rng)
    return visit(camera, outfit, rng, now, stop, from_left=from_left, to_left=to_left)


def _passes(camera: Camera, rng: np.random.Generator, now: float) -> tuple[Actor, Act]:
    actor = _enters(camera, rng, now, (1.0, 5.0))
    return actor, Act(ActKind.PASSES, "", now, actor.times_s[-1])


def _comes_without(
    kind: ActKind, camera: Camera, rng: np.random.Generator, now: float
) -> tuple[Actor, Act]:
    rule = _RULE_OF[kind]
    outfit = dressed(rng, helmet=rule != NO_HELMET, vest=rule != NO_VEST)
    actor = _enters(camera, rng, now, (SHORTEST_INCIDENT_S, 10.0), outfit)
    return actor, Act(kind, rule, *_time_in_zone(camera, actor))


def _takes_off(camera: Camera, rng: np.random.Generator, now: float) -> tuple[Actor, Act]:
    actor = _enters(camera, rng, now, (SHORTEST_INCIDENT_S + 4, 13.0))
    bare = actor.times_s[1] + 1.5, actor.times_s[2] - 1.5
    return replace(actor, bare=bare), Act(ActKind.TAKES_OFF, NO_HELMET, *bare)


def _off_for_a_moment(camera: Camera, rng: np.random.Generator, now: float) -> tuple[Actor, Act]:
    actor = _enters(camera, rng, now, (5.0, 8.0))
    off = actor.times_s[1] + float(rng.uniform(1.5, 3))
    bare = off, off + float(rng.uniform(*MOMENT_S))
    return replace(actor, bare=bare), Act(ActKind.OFF_FOR_A_MOMENT, "", now, actor.times_s[-1])


def _carries_a_spare(camera: Camera, rng: np.random.Generator, now: float) -> tuple[Actor, Act]:
    actor, act = _passes(camera, rng, now)
    outfit = replace(actor.outfit, in_hand=dressed(rng).helmet)
    return replace(actor, outfit=outfit), replace(act, kind=ActKind.CARRIES_A_SPARE)


_ACTS: dict[ActKind, Callable[[Camera, np.random.Generator, float], tuple[Actor, Act]]] = {
    ActKind.PASSES: _passes,
    ActKind.COMES_BARE: partial(_comes_without, ActKind.COMES_BARE),
    ActKind.TAKES_OFF: _takes_off,
    ActKind.COMES_WITHOUT_VEST: partial(_comes_without, ActKind.COMES_WITHOUT_VEST),
    ActKind.OFF_FOR_A_MOMENT: _off_for_a_moment,
    ActKind.CARRIES_A_SPARE: _carries_a_spare,
}


def _time_in_zone(camera: Camera, actor: Actor) -> tuple[float, float]:
    """When an actor's feet come into the zone, and when they leave it or the picture."""
    times = np.arange(actor.times_s[0], actor.times_s[-1], _STEP_S)
    x = np.interp(times, actor.times_s, [point[0] for point in actor.points])
    z = np.interp(times, actor.times_s, [point[1] for point in actor.points])
    feet = camera.project(np.stack([x, np.zeros_like(x), z], axis=1)) / camera.size
    inside = [border_at(v) <= u <= 1.0 for u, v in feet]
    within = times[np.array(inside)]
    return float(within[0]), float(within[-1])
