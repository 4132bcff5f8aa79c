"""Gates: what a model must keep to be released, each judged on an interval.

    judge_gates(limits, measured) → GateVerdict, one for each gate asked, in the scenario's order

A bare value says nothing about the next thousand images, so no gate that was measured on a sample
is decided by it. The whole interval must lie on the good side to pass, and on the bad side to fail;
else the gate is undecided and says what would decide it. What was counted and not sampled (files'
size, cameras found by bisection) is judged as it is. What was not measured is undecided, never
passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..contracts.errors import ConfigurationError
from ..contracts.estimates import (
    MINIMUM_IMAGES,
    Estimate,
    minimum_runs,
    more_images,
    rounded_up,
)
from ..contracts.releases import FAIL, PASS, UNDECIDED, GateVerdict, ReleaseLimits

DROP_METRICS = ("mAP50", "mAP50_95")
RECALL = "recall."
NO_CHAMPION = (
    "there is no champion to compare with yet: ask for an absolute gate too, e.g. min_mAP50, or "
    "promote the first one by hand with --force and a reason."
)


@dataclass(frozen=True)
class MeasuredVariant:
    """What a release knows of one variant. Absent is absent.

    Args:
        images: of the split.
        split: its name, for the reasons.
        accuracy: 'mAP50', 'mAP50_95', 'recall.{class}' → value and interval.
        bare: the same keys → value, where images are too few for an interval as well.
        holding: class → images of the split that show it, '' → that show any object; absent
            where none does.
        drops: key → champion − candidate with its interval; empty where it could not be taken.
        has_champion: False leaves drop gates out.
        latency: p95 in ms; None where it was not timed or calls were too few for an interval.
        latency_runs: calls timed; 0 where it was not.
        fps: None where it was not measured or calls were too few for an interval.
        cameras, size_mb: None where it was not measured.
        missing: 'latency', 'fps', 'cameras' → why it was not measured, one sentence without
            its full stop.
        stored: key as in `accuracy`, or 'latency_p95_ms', 'fps', 'cameras', 'size_mb' → the
            champion's number of the release that made it champion.
    """

    images: int
    split: str = "test"
    accuracy: Mapping[str, Estimate] = field(default_factory=dict)
    bare: Mapping[str, float] = field(default_factory=dict)
    holding: Mapping[str, int] = field(default_factory=dict)
    drops: Mapping[str, Estimate] = field(default_factory=dict)
    has_champion: bool = False
    latency: Estimate | None = None
    latency_runs: int = 0
    fps: Estimate | None = None
    cameras: int | None = None
    size_mb: float | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    stored: Mapping[str, float] = field(default_factory=dict)


def judge_gates(limits: ReleaseLimits, measured: MeasuredVariant) -> tuple[GateVerdict, ...]:
    """Judge every gate that is asked.

    Drop gates are left out where there is no champion and another gate is asked; alone they are
    undecided.

    Raises:
        ConfigurationError: a limit that can't be one, an unknown metric, a confidence outside
            0.5…<1. All problems at once.
    """
    check_limits(limits)
    return tuple(_verdicts(limits, measured))


def check_limits(limits: ReleaseLimits) -> None:
    """Raises ConfigurationError for limits no gate can be judged by; all problems at once."""
    problems = []
    if not 0.5 <= limits.confidence < 1:
        problems.append(f"confidence must be from 0.5 to below 1 but is {limits.confidence}")
    shares = {"min_mAP50": limits.min_mAP50, "min_mAP50_95": limits.min_mAP50_95}
    shares |= {f"min_recall.{name}": value for name, value in limits.min_recall.items()}
    for key, value in limits.max_drop_vs_champion.items():
        shares[f"max_drop_vs_champion.{key}"] = value
        if key not in DROP_METRICS and not (key.startswith(RECALL) and key != RECALL):
            problems.append(
                f"max_drop_vs_champion must name mAP50, mAP50_95 or recall.CLASS but got '{key}'"
            )
    for gate, share in shares.items():
        if share is not None and not 0 <= share <= 1:
            problems.append(f"{gate} must be a number from 0 to 1 but is {share}")
    for gate in ("max_latency_p95_ms", "min_fps", "min_cameras", "max_size_mb"):
        amount = getattr(limits, gate)
        if amount is not None and not (math.isfinite(amount) and amount > 0):
            problems.append(f"{gate} must be a number above 0 but is {amount}")
    if problems:
        raise ConfigurationError(problems)


# --- one gate after the other --------------------------------------------------------------------


def _verdicts(limits: ReleaseLimits, measured: MeasuredVariant) -> Iterator[GateVerdict]:
    for metric, limit in (("mAP50", limits.min_mAP50), ("mAP50_95", limits.min_mAP50_95)):
        if limit is not None:
            yield _at_least(f"min_{metric}", metric, limit, measured)
    for name, limit in limits.min_recall.items():
        yield _at_least(f"min_recall.{name}", f"{RECALL}{name}", limit, measured)
    if measured.has_champion:
        for key, limit in limits.max_drop_vs_champion.items():
            yield _drop(key, limit, measured)
    elif not _asks_absolutely(limits):  # else nothing would be judged, and all would pass
        for key, limit in limits.max_drop_vs_champion.items():
            yield GateVerdict(f"max_drop_vs_champion.{key}", UNDECIDED, limit, None, NO_CHAMPION)
    if limits.max_latency_p95_ms is not None:
        yield _latency(limits.max_latency_p95_ms, limits.confidence, measured)
    if limits.min_fps is not None:
        yield _fps(limits.min_fps, measured)
    if limits.min_cameras is not None:
        yield _cameras(limits.min_cameras, measured)
    if limits.max_size_mb is not None:
        yield _size(limits.max_size_mb, measured)


def _asks_absolutely(limits: ReleaseLimits) -> bool:
    """Whether a gate is asked that needs no champion."""
    drops_left_out = replace(limits, max_drop_vs_champion={}, confidence=ReleaseLimits.confidence)
    return drops_left_out != ReleaseLimits()


def _at_least(gate: str, key: str, limit: float, measured: MeasuredVariant) -> GateVerdict:
    estimate, stored = measured.accuracy.get(key), measured.stored.get(key)
    if estimate is None:
        return _unmeasured(gate, key, limit, measured, stored)
    shown = f"{_label(key)} is {_interval(estimate)}"
    if estimate.low >= limit:
        outcome, reason, more = PASS, f"{shown}: at least {limit:g} throughout.", None
    elif estimate.high < limit:
        outcome, reason, more = FAIL, f"{shown}: below {limit:g} throughout.", None
    else:
        outcome = UNDECIDED
        above = estimate.value >= limit
        reach = estimate.value - estimate.low if above else estimate.high - estimate.value
        more = more_images(reach, abs(estimate.value - limit), measured.images)
        reason = f"{shown}, on both sides of {limit:g}: {_advice(more)}"
    return GateVerdict(gate, outcome, limit, estimate, reason, more, stored)


def _drop(key: str, limit: float, measured: MeasuredVariant) -> GateVerdict:
    gate, estimate = f"max_drop_vs_champion.{key}", measured.drops.get(key)
    if estimate is None:
        return _unmeasured(gate, key, limit, measured, None)
    shown = f"{_label(key)} drops by {_interval(estimate)} against the champion"
    if estimate.high <= limit:
        outcome, reason, more = PASS, f"{shown}: at most {limit:g} throughout.", None
    elif estimate.low > limit:
        outcome, reason, more = FAIL, f"{shown}: above {limit:g} throughout.", None
    else:
        outcome = UNDECIDED
        within = estimate.value <= limit
        reach = estimate.high - estimate.value if within else estimate.value - estimate.low
        more = more_images(reach, abs(estimate.value - limit), measured.images)
        reason = f"{shown}, on both sides of {limit:g}: {_advice(more)}"
    return GateVerdict(gate, outcome, limit, estimate, reason, more)


def _latency(limit: float, confidence: float, measured: MeasuredVariant) -> GateVerdict:
    gate, stored = "max_latency_p95_ms", measured.stored.get("latency_p95_ms")
    estimate, runs = measured.latency, measured.latency_runs
    if not runs:
        why = measured.missing.get("latency", "latency was not measured")
        return GateVerdict(gate, UNDECIDED, limit, None, f"{why}.", None, stored)
    if estimate is None:
        reason = (
            f"{runs} timed calls can't tell p95 with {confidence:.4g} confidence: set "
            f"benchmark.benchmark_runs to {minimum_runs(95, confidence)} at least."
        )
        return GateVerdict(gate, UNDECIDED, limit, None, reason, None, stored)
    shown = f"p95 latency is {_interval(estimate, '.4g')} ms"
    if estimate.high <= limit:
        outcome, reason = PASS, f"{shown}: at most {limit:g} throughout."
    elif estimate.low > limit:
        outcome, reason = FAIL, f"{shown}: above {limit:g} throughout."
    else:
        outcome = UNDECIDED
        within = estimate.value <= limit
        reach = estimate.high - estimate.value if within else estimate.value - estimate.low
        more = more_images(reach, abs(estimate.value - limit), runs)
        advice = (
            "it lies at the limit, and no number of timed calls will settle it within reason."
            if more is None
            else f"set benchmark.benchmark_runs to about {runs + more} to decide it."
        )
        reason = f"{shown}, on both sides of {limit:g}: {advice}"
    return GateVerdict(gate, outcome, limit, estimate, reason, None, stored)


def _fps(limit: float, measured: MeasuredVariant) -> GateVerdict:
    gate, stored, estimate = "min_fps", measured.stored.get("fps"), measured.fps
    if estimate is None:
        why = measured.missing.get("fps", "throughput was not measured")
        return GateVerdict(gate, UNDECIDED, limit, None, f"{why}.", None, stored)
    shown = f"throughput is {_interval(estimate, '.4g')} fps"
    if estimate.low >= limit:
        return GateVerdict(
            gate, PASS, limit, estimate, f"{shown}: at least {limit:g} throughout.", None, stored
        )
    if estimate.high < limit:
        return GateVerdict(
            gate, FAIL, limit, estimate, f"{shown}: below {limit:g} throughout.", None, stored
        )
    reason = (
        f"{shown}, on both sides of {limit:g}: measure again on a quieter machine; test images "
        "don't help."
    )
    return GateVerdict(gate, UNDECIDED, limit, estimate, reason, None, stored)


def _cameras(limit: int, measured: MeasuredVariant) -> GateVerdict:
    gate, stored, count = "min_cameras", measured.stored.get("cameras"), measured.cameras
    if count is None:
        why = measured.missing.get("cameras", "the number of cameras was not measured")
        return GateVerdict(gate, UNDECIDED, limit, None, f"{why}.", None, stored)
    outcome = PASS if count >= limit else FAIL
    held = f"the device held {count} camera{'' if count == 1 else 's'}"
    reason = f"{held}; {limit} {'is' if limit == 1 else 'are'} asked."
    return GateVerdict(gate, outcome, limit, Estimate.exactly(count), reason, None, stored)


def _size(limit: float, measured: MeasuredVariant) -> GateVerdict:
    gate, stored, size = "max_size_mb", measured.stored.get("size_mb"), measured.size_mb
    if size is None:
        return GateVerdict(gate, UNDECIDED, limit, None, "size was not measured.", None, stored)
    outcome = PASS if size <= limit else FAIL
    reason = f"the model's files take {size:.4g} MB; at most {limit:g} MB are asked."
    return GateVerdict(gate, outcome, limit, Estimate.exactly(size), reason, None, stored)


def _unmeasured(
    gate: str, key: str, limit: float, measured: MeasuredVariant, stored: float | None
) -> GateVerdict:
    """A metric of accuracy without an interval: why, and what would give it one."""
    name, bare, images = key.removeprefix(RECALL), measured.bare.get(key), measured.images
    about = f"class '{name}'" if key.startswith(RECALL) else "any object"
    holding = measured.holding.get(name if key.startswith(RECALL) else "", 0)
    more = None
    if not holding:
        reason = (
            f"no image of the {measured.split} split shows {about}, so {_label(key)} can't be "
            f"measured: label at least {MINIMUM_IMAGES} images of it."
        )
    else:
        more = rounded_up(max(1.0, images * (MINIMUM_IMAGES / holding - 1)))
        value = "" if bare is None else f" (the bare value is {bare:.3f})"
        reason = (
            f"only {holding} image{'' if holding == 1 else 's'} of the {measured.split} split "
            f"show {about}, and an interval of {_label(key)} takes {MINIMUM_IMAGES}{value}: "
            f"{_advice(more)}"
        )
    return GateVerdict(gate, UNDECIDED, limit, None, reason, more, stored)


def _advice(more: int | None) -> str:
    if more is None:
        return "it lies at the limit, and no number of images will settle it within reason."
    return f"needs about {more} more test images."


def _label(key: str) -> str:
    if key.startswith(RECALL):
        return f"recall of '{key.removeprefix(RECALL)}'"
    return "mAP50-95" if key == "mAP50_95" else key


def _interval(estimate: Estimate, form: str = ".3f") -> str:
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"
