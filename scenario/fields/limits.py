"""Limits of a release: by class, by slice, and against the champion.

As values.py: kinds of value, each with the words that say what it must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from guardianflow.contracts.recordings.slices import BARE_VALUES, FIXED_DIMENSIONS, SliceName
from guardianflow.contracts.releases import ALARM_FALSE, ALARM_RECALL
from guardianflow.support.suggestions import did_you_mean
from guardianflow.support.text.spelling import nfc

from .values import (
    STRICT,
    ClassLimits,
    Expected,
    Fraction,
    NotNegativeNumber,
    check_class_name,
    check_no_twins,
    null_is_empty,
)


def check_drop_key(value: str) -> str:
    if value in ("mAP50", "mAP50_95"):
        return value
    start, _, name = value.partition(".")
    if start == "recall" and name:
        return f"recall.{check_class_name(name)}"
    if value == ALARM_RECALL:
        return value
    raise ValueError(
        f"mAP50, mAP50_95, {ALARM_RECALL} and recall.CLASS, e.g. recall.helmet, may be limited"
    )


def check_rise_key(value: str) -> str:
    if value != ALARM_FALSE:
        raise ValueError(f"{ALARM_FALSE} may be limited")
    return value


def flat_limits(value: object) -> object:
    """{recall: {helmet: 0.005}}, as an override writes it, is {recall.helmet: 0.005}."""
    if not isinstance(value, Mapping):
        return value
    flat: dict[object, object] = {}
    for key, limit in value.items():
        if key in ("recall", "alarm") and isinstance(limit, Mapping):
            flat |= {f"{key}.{name}": each for name, each in limit.items()}
        else:
            flat[key] = limit
    return flat


def flat_slices(value: object) -> object:
    """Slices by their short names: light.night and {light: {night: …}} are night.

    An override writes {weather: {rain: {helmet: 0.8}}} for weather.rain, and wins over that.

    Raises:
        ValueError: one slice is there twice, or names no class.
    """
    if not isinstance(value, Mapping):
        return value
    flat: dict[object, object] = {}
    nested = {key: limits for key, limits in value.items() if _is_dimension(limits)}
    for key, limits in value.items():
        if key not in nested:
            short = _short_slice(key)
            if short in flat:
                raise ValueError(f"slice '{short}' is there twice")
            flat[short] = limits
    for dimension, parts in nested.items():
        for part, limits in parts.items():
            short = _short_slice(f"{dimension}.{part}")
            before = flat.get(short)
            both = isinstance(before, Mapping) and isinstance(limits, Mapping)
            flat[short] = {**before, **limits} if both else limits  # type: ignore[dict-item]
    if empty := [short for short, limits in flat.items() if limits in (None, {})]:
        raise ValueError(f"slice '{empty[0]}' names no class")
    return flat


def _is_dimension(limits: object) -> bool:
    """Whether what stands below a key are slices, not classes."""
    return isinstance(limits, Mapping) and any(isinstance(x, Mapping) for x in limits.values())


def _short_slice(name: object) -> object:
    """Its short name; what is no slice as it is."""
    try:
        return SliceName.read(nfc(name)).short if isinstance(name, str) else name
    except ValueError:
        return name


def check_slice(value: str) -> str:
    """The short name of a slice: night, camera.gate, weather.rain."""
    try:
        name = SliceName.read(value)
    except ValueError:
        near = did_you_mean(value, BARE_VALUES)
        raise ValueError(
            f"it is no slice{near or ';'} a camera or a value of a column of the groups has that "
            "before it, like camera.gate or weather.rain"
        ) from None
    known = FIXED_DIMENSIONS.get(name.dimension)
    if known is not None and name.value not in known:
        near = did_you_mean(name.value, known)
        raise ValueError(f"{name.dimension} has {', '.join(known)}{near}")
    return name.short


SliceKey = Annotated[
    str,
    STRICT,
    AfterValidator(check_slice),
    Expected(
        f"one of {', '.join(BARE_VALUES)}, or a dimension and its value like camera.gate or "
        "weather.rain"
    ),
]
SliceLimits = Annotated[
    dict[SliceKey, ClassLimits],
    BeforeValidator(flat_slices),
    BeforeValidator(null_is_empty),
    Expected("a mapping of slices to limits by class like {night: {helmet: 0.8}}"),
]
DropKey = Annotated[
    str,
    STRICT,
    AfterValidator(check_drop_key),
    Expected(f"mAP50, mAP50_95, {ALARM_RECALL} or recall.CLASS"),
]
DropLimits = Annotated[
    dict[DropKey, Fraction],
    BeforeValidator(check_no_twins),
    BeforeValidator(null_is_empty),
    BeforeValidator(flat_limits),
    Expected("a mapping like {mAP50_95: 0.01, recall.helmet: 0.005}"),
]
RiseKey = Annotated[str, STRICT, AfterValidator(check_rise_key), Expected(ALARM_FALSE)]
RiseLimits = Annotated[
    dict[RiseKey, NotNegativeNumber],
    BeforeValidator(null_is_empty),
    BeforeValidator(flat_limits),
    Expected(f"a mapping like {{{ALARM_FALSE}: 0.5}}"),
]
