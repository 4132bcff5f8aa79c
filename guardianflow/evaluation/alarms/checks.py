"""Checks rules before anything is detected; all that is wrong is told at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ...contracts.errors import Problem, ScenarioError
from ...contracts.recordings.alarms import AlarmRule, Hold
from ...support.suggestions import did_you_mean

Point = tuple[float, float]
WHERE = "alarms.rules"
MOST_CORNERS = 100
LEAST_AREA = 1e-6
"""Of the picture: a zone smaller than that holds no pixel of a 1000 × 1000 picture."""


def check_rules(
    rules: Sequence[AlarmRule],
    class_names: Sequence[str] | None = None,
    *,
    least_confidence: float = 0.0,
) -> None:
    """Refuse rules that can't be meant.

    Args:
        class_names: that the model knows; None leaves them unchecked, as before a model is known.
        least_confidence: of the boxes that were kept.

    Raises:
        ScenarioError: all that is wrong, as of `alarms.rules[2].zone`: no or twice named rules,
            unknown classes, zones that are no plain polygon or lie outside the picture, numbers
            out of range.
    """
    problems = [
        Problem(message, f"{WHERE}[{index}].{field}")
        for index, rule in enumerate(rules)
        for field, message in _faults(rule, class_names, least_confidence)
    ]
    names = [rule.name for rule in rules]
    problems += [
        Problem(f"a rule's name must be its own but '{name}' is there twice", f"{WHERE}[{i}].name")
        for i, name in enumerate(names)
        if name in names[:i]
    ]
    if not rules:
        problems.append(Problem("there must be at least one rule", WHERE))
    if problems:
        raise ScenarioError(problems)


def _faults(
    rule: AlarmRule, class_names: Sequence[str] | None, least: float
) -> Iterator[tuple[str, str]]:
    if not rule.name.strip():
        yield "name", "must not be empty"
    for field, name in (("class", rule.class_name), ("without", rule.without)):
        if class_names is not None and name and name not in class_names:
            yield (
                field,
                f"'{name}' is no class of the model; it knows {', '.join(class_names)}"
                f"{did_you_mean(name, class_names)}",
            )
    if not rule.class_name:
        yield "class", "must name the class of the boxes that count"
    if rule.without and rule.without == rule.class_name:
        yield "without", f"must be another class than '{rule.class_name}': a box lies on itself"
    if not 0 <= rule.min_confidence <= 1:
        yield "min_confidence", f"must lie in 0…1 but got {rule.min_confidence}"
    elif rule.min_confidence < least:
        yield (
            "min_confidence",
            f"must be at least {least:g}, below which no box was kept, but got "
            f"{rule.min_confidence:g}",
        )
    if not 0 <= rule.cooldown_s < math.inf:
        yield "cooldown_s", f"must be 0 or more seconds but got {rule.cooldown_s}"
    yield from (("hold", each) for each in _hold_faults(rule.hold))
    yield from (("zone", each) for each in zone_faults(rule.zone, in_pixels=rule.zone_in_pixels))


def _hold_faults(hold: Hold) -> Iterator[str]:
    if hold.seconds is not None:
        if not 0 <= hold.seconds < math.inf:
            yield f"seconds must be 0 or more but got {hold.seconds}"
        return
    frames, of = hold.frames, hold.of
    if frames is None or of is None:
        yield "must give frames and of, or seconds"
    elif not 1 <= frames <= of:
        yield f"frames must be from 1 to of but got {frames} of {of}"


def zone_faults(zone: Sequence[Point], *, in_pixels: bool = False) -> Iterator[str]:
    """What is wrong with a polygon; none of an empty one, which is the whole picture."""
    if not zone:
        return
    if not np.isfinite(np.asarray(zone, dtype=np.float64)).all():
        yield f"corners must be numbers but got {list(zone)}"
        return
    limit = math.inf if in_pixels else 1.0
    outside = [corner for corner in zone if not all(0 <= value <= limit for value in corner)]
    if outside:
        wanted = "pixels, 0 or more" if in_pixels else "shares of the picture, 0…1"
        yield f"corners must be {wanted}, but got {_shown(outside[0])}"
        return
    if len(zone) > MOST_CORNERS:
        yield f"must have at most {MOST_CORNERS} corners but has {len(zone)}"
        return
    corners = [tuple(map(float, corner)) for corner in zone]
    if len(corners) > 3 and corners[0] == corners[-1]:
        corners = corners[:-1]  # closed by hand, as GeoJSON is
    if len(set(corners)) < 3:
        yield f"must have three or more different corners but has {len(set(corners))}"
        return
    twice = [corner for i, corner in enumerate(corners) if corner in corners[:i]]
    if twice:
        yield f"corner {_shown(twice[0])} is there twice; name each once, in their order"
        return
    crossing = _crossing(corners)
    if crossing:
        first, second = crossing
        yield (
            f"sides {first + 1} and {second + 1} cross or touch; name the corners in their order "
            "around the zone"
        )
    elif polygon_area(corners) < LEAST_AREA * (1 if not in_pixels else 1e6):
        yield "has no area: its corners lie on a line"


def polygon_area(corners: Sequence[Sequence[float]]) -> float:
    """Area by the shoelace formula."""
    points = np.asarray(corners, dtype=np.float64)
    x, y = points[:, 0], points[:, 1]
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)


def _crossing(corners: Sequence[Sequence[float]]) -> tuple[int, int] | None:
    """The first two sides that meet elsewhere than in the corner they share; None where none do."""
    sides = len(corners)
    ends = [(corners[i], corners[(i + 1) % sides]) for i in range(sides)]
    for i in range(sides):
        for j in range(i + 1, sides):
            if j - i in (1, sides - 1):
                shared = ends[i][1] if j - i == 1 else ends[i][0]
                others = (ends[i][0], ends[j][1]) if j - i == 1 else (ends[i][1], ends[j][0])
                if _turn(*others, shared) == 0 and _runs_back(*others, shared):
                    return i, j
            elif _meet(*ends[i], *ends[j]):
                return i, j
    return None


def _turn(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> int:
    value = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return 0 if abs(value) < 1e-12 else 1 if value > 0 else -1


def _runs_back(a: Sequence[float], b: Sequence[float], corner: Sequence[float]) -> bool:
    """Whether two sides from one corner lie on each other."""
    return sum((a[k] - corner[k]) * (b[k] - corner[k]) for k in (0, 1)) > 0


def _meet(a: Sequence[float], b: Sequence[float], c: Sequence[float], d: Sequence[float]) -> bool:
    """Whether two sides have a point in common."""
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] != turns[1] and turns[2] != turns[3]:
        return True
    between = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(
        turn == 0 and all(min(p[k], q[k]) <= r[k] <= max(p[k], q[k]) for k in (0, 1))
        for turn, (p, q, r) in zip(turns, between, strict=True)
    )


def _shown(corner: Sequence[float]) -> str:
    return f"({', '.join(f'{value:g}' for value in corner)})"
