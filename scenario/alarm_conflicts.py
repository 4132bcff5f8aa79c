"""Contradictions in the section `alarms`, and in gates that need it.

As conflicts.py, which asks it: reads what a file holds as well as checked sections, and passes
over what has the wrong type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from guardianflow.support.suggestions import did_you_mean
from guardianflow.support.text.spelling import nfc

Conflict = tuple[tuple[str | int, ...], str]
"""Where, and what."""
LEAST_CONFIDENCE = 0.05
"""Boxes below it are not kept, so no rule can ask for them."""
ALARM_GATES = ("max_missed_alarms", "max_false_alarms_per_day", "max_alarm_delay_s")
DROP, RISE, ALARM = "max_drop_vs_champion", "max_rise_vs_champion", "alarm."


def is_in_pixels(zone: Sequence[Sequence[float]]) -> bool:
    """Whether corners are pixels: one of them lies beyond 0…1."""
    return any(value > 1 for corner in zone for value in corner)


def conflicts(values: Mapping[str, object]) -> Iterator[Conflict]:
    """What contradicts itself in the section, and in gates that need it.

    Args:
        values: a file's own, or those of a checked scenario; what has a wrong type is passed over.
    """
    alarms = values.get("alarms")
    yield from _of_gates(values.get("release"), alarms)
    rules = look(alarms, "rules")
    if not isinstance(rules, (list, tuple)):
        return
    names: list[str] = []
    for index, rule in enumerate(rules):
        at = ("alarms", "rules", index)
        name = look(rule, "name")
        if isinstance(name, str):
            if nfc(name) in names:
                yield (
                    (*at, "name"),
                    f"{_where(at)} must have a name of its own, but '{name}' is there twice",
                )
            names.append(nfc(name))
        for place, message in _of_rule(rule):
            yield (*at, *place), f"{_where((*at, *place))} {message}"
    yield from _of_labels(look(alarms, "recordings"), names)
    yield from unknown_classes(alarms, look(values.get("task"), "classes"), "task.classes")


def unknown_classes(alarms: object, classes: object, whose: str) -> Iterator[Conflict]:
    """Rules on classes that are not there.

    Args:
        classes: names; anything else says nothing.
        whose: 'task.classes', or what else names them.
    """
    rules = look(alarms, "rules")
    if not isinstance(classes, (list, tuple)) or not classes:
        return
    known = [nfc(str(each)) for each in classes]
    for index, rule in enumerate(rules if isinstance(rules, (list, tuple)) else ()):
        for key, name in (("class", _class_of(rule)), ("without", look(rule, "without"))):
            if isinstance(name, str) and name and nfc(name) not in known:
                at = ("alarms", "rules", index, key)
                has = f"{whose} has {', '.join(known)}"
                hint = did_you_mean(nfc(name), known, 1)
                yield at, f"{_where(at)} names class '{name}', but {has}{hint}"


def _of_rule(rule: object) -> Iterator[Conflict]:
    """(place within the rule, what is wrong)"""
    class_name, without = _class_of(rule), look(rule, "without")
    if isinstance(class_name, str) and class_name == without:
        yield (("without",), f"must be another class than '{class_name}': a box lies on itself")
    least = look(rule, "min_confidence")
    if _is_number(least) and 0 <= least < LEAST_CONFIDENCE:  # type: ignore[operator]
        yield (
            ("min_confidence",),
            f"must be at least {LEAST_CONFIDENCE}, as boxes of less are not kept, but got {least}",
        )
    yield from ((("hold",), each) for each in _of_hold(look(rule, "hold")))
    yield from ((("zone",), each) for each in _of_zone(look(rule, "zone")))


def _of_labels(recordings: object, rules: Sequence[str]) -> Iterator[Conflict]:
    labels = look(recordings, "labels")
    for label, rule in labels.items() if isinstance(labels, Mapping) else ():
        if isinstance(rule, str) and nfc(rule) not in rules:
            at = ("alarms", "recordings", "labels", str(label))
            hint = did_you_mean(nfc(rule), rules, 1)
            yield at, f"{_where(at)} must name a rule of alarms.rules but got '{rule}'{hint}"


def _of_hold(hold: object) -> Iterator[str]:
    frames, of, seconds = (look(hold, each) for each in ("frames", "of", "seconds"))
    if seconds is not None and (frames is not None or of is not None):
        yield "must say frames and of, or seconds, but has both"
    elif of is not None and frames is None:
        yield "must say in how many of the last pictures: add frames"
    elif _is_number(frames) and _is_number(of) and frames > of:  # type: ignore[operator]
        yield f"must have frames of at most of, but got {frames} of {of}"


def _of_zone(zone: object) -> Iterator[str]:
    if not isinstance(zone, (list, tuple)) or not zone:
        return
    corners = [tuple(each) if isinstance(each, (list, tuple)) else () for each in zone]
    if any(len(each) != 2 or not all(map(_is_number, each)) for each in corners):
        return  # told as a value of the wrong type
    in_pixels = is_in_pixels(corners)
    shares = [each for each in corners if any(0 < value < 1 for value in each)]
    if in_pixels and shares:
        odd = dict.fromkeys((shares[0], next(each for each in corners if max(each) > 1)))
        yield (
            "must be all in shares of the picture (0…1) or all in pixels, but has "
            + " and ".join(map(_corner, odd))
        )
        return
    from guardianflow.evaluation.alarms.checks import zone_faults  # numpy: for zones alone

    yield from zone_faults(corners, in_pixels=in_pixels)


def _of_gates(release: object, alarms: object) -> Iterator[Conflict]:
    """Gates on alarms where nothing says how to judge them."""
    if alarms is not None:
        return
    asked: list[tuple[str | int, ...]] = [
        ("release", gate) for gate in ALARM_GATES if look(release, gate) is not None
    ]
    for key in (DROP, RISE):
        limits = look(release, key)
        names = [str(each) for each in limits] if isinstance(limits, Mapping) else []
        asked += [("release", key, name) for name in names if f"{name}.".startswith(ALARM)]
    for place in asked:
        yield (
            place,
            f"{_where(place)} needs the section alarms, which says what an alarm is; write alarms: "
            "{recordings: {path: …}, rules: [{name: …, class: …}]}",
        )


def _class_of(rule: object) -> object:
    return look(rule, "class_name") if look(rule, "class") is None else look(rule, "class")


def _where(place: Sequence[str | int]) -> str:
    return ".".join(map(str, place))


def _corner(corner: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:g}' for value in corner)}]"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def look(section: object, name: str, default: object = None) -> object:
    """A value of a file's mapping or of a checked section."""
    if isinstance(section, Mapping):
        return section.get(name, default)
    return getattr(section, name, default)
