"""Verdicts and decisions in English: for the console, JSON and results files.

    explain_gate      why one gate was judged so, with its figures
    explain_variant   what kept one variant from passing
    explain_decision  what was decided and why
    as_dict           a decision as results/release.json and --json have it

A report has words of its own for gates and decisions in Korean: report/wording.py.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from ..contracts.estimates import Estimate
from ..contracts.recordings.groups import EvidenceUnit
from ..contracts.recordings.leaks import LeakUnknown
from ..contracts.releases import (
    ALARM_FALSE,
    ALARM_RECALL,
    FAIL,
    OBJECTIVES,
    PASS,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseDecision,
    VariantDecision,
    is_least,
)

_OBJECTIVE_WORDS = {
    "latency_p50": ("lowest median latency", " ms"),
    "throughput": ("highest throughput", " fps"),
    "size": ("smallest files", " MB"),
}
_NOT_MEASURED = {
    "max_latency_p95_ms": "latency",
    "min_fps": "throughput",
    "min_cameras": "the number of cameras",
    "max_size_mb": "size",
}
_ALARMS = {
    "max_missed_alarms": "the share of missed incidents",
    "max_false_alarms_per_day": "the number of false alarms",
    "max_alarm_delay_s": "the delay of alarms",
}
_TEST_IMAGE = "test image"
_MORE = {
    CauseKind.MORE_IMAGES: _TEST_IMAGE,
    CauseKind.FEW_IMAGES: _TEST_IMAGE,
    CauseKind.FEW_BOXES: _TEST_IMAGE,
    CauseKind.RECORDED: _TEST_IMAGE,
    CauseKind.MORE_GROUPS: "",
    CauseKind.FEW_GROUPS: "",
    CauseKind.MORE_INCIDENTS: "recorded incident",
    CauseKind.FEW_ALARMS: "recorded incident",
    CauseKind.MORE_RECORDINGS: "recording",
    CauseKind.FEW_RECORDINGS: "recording",
}
"""Cause → what more of would decide a gate; '' for the cause's own unit."""
_ALARM_METRICS = {
    ALARM_RECALL: "the share of alarmed incidents",
    ALARM_FALSE: "the number of false alarms",
}
_LEAK = "have a twin in train or are of a recording in it"
_LEAK_UNKNOWN = {
    LeakUnknown.NO_TRAIN: "the data set has no train split, so it can't be told what of the "
    "judged images the model has learnt.",
    LeakUnknown.OTHER_DATA: "the model was trained on other data than the scenario's, which are "
    "not here, so it can't be told what of the judged images it has learnt.",
    LeakUnknown.NOT_LOOKED: "it could not be looked at here what of the judged images is in train.",
}


def as_dict(decision: ReleaseDecision) -> dict[str, Any]:
    """The decision with its words; ReleaseDecision.from_dict reads it back."""
    plain = asdict(decision) | {"reason": explain_decision(decision)}
    leak = plain.pop("leak")  # of a release that did not look there is none
    if leak is not None and decision.leak is not None:
        plain["leak"] = decision.leak.to_dict()
    for row, variant in zip(plain["variants"], decision.variants, strict=True):
        row["outcome"] = variant.outcome
        for shown, gate in zip(row["gates"], variant.gates, strict=True):
            of_images = _MORE.get(gate.cause.kind) == _TEST_IMAGE
            more = gate.cause.more if of_images else None  # its place before there were causes
            shown |= {"reason": explain_gate(gate), "more_images": more}
    return plain


# --- gates ---------------------------------------------------------------------------------------


def explain_gate(gate: GateVerdict) -> str:
    """One sentence with the figures."""
    measured, limit, kind = gate.measured, f"{gate.limit:g}", gate.cause.kind
    if gate.rule == "max_leak" and kind is not CauseKind.RECORDED:
        return _explain_leak(gate)
    if measured is None or kind is CauseKind.RECORDED:
        return _explain_missing(gate)
    if gate.rule == "min_cameras":
        cameras = f"{measured.value:g} camera{'' if measured.value == 1 else 's'}"
        return f"the device held {cameras}; {limit} {'is' if gate.limit == 1 else 'are'} asked."
    if gate.rule == "max_size_mb":
        return f"the model's files take {measured.value:.4g} MB; at most {limit} MB are asked."
    shown, least = _shown(gate, measured), is_least(gate.gate)
    if kind is CauseKind.KEPT:
        return f"{shown}: {'at least' if least else 'at most'} {limit} throughout."
    if kind is CauseKind.MISSED:
        return f"{shown}: {'below' if least else 'above'} {limit} throughout."
    if kind is CauseKind.UNKNOWN_RECORDINGS:
        return f"{shown}, but {_advice(gate)}"
    return f"{shown}, on both sides of {limit}: {_advice(gate)}"


def _explain_leak(gate: GateVerdict) -> str:
    cause = gate.cause
    counted = f"{cause.held} of {cause.needed} images of {cause.split}"
    if cause.kind is CauseKind.KEPT:
        return f"{counted} {_LEAK}: at most {gate.limit:.3g} of them may."
    if cause.kind is CauseKind.LEAKS:
        return (
            f"{counted} {_LEAK}, more than {gate.limit:.3g} of them: what is measured on them "
            "says nothing about new footage. Judge on recordings "
            "that are not in train: guardianflow data split DATA --by recording."
        )
    return _LEAK_UNKNOWN[cause.unknown or LeakUnknown.NOT_LOOKED]


def _shown(gate: GateVerdict, measured: Estimate) -> str:
    match gate.rule:
        case "max_latency_p95_ms":
            return f"p95 latency is {_interval(measured, 4)} ms"
        case "min_fps":
            return f"throughput is {_interval(measured, 4)} fps"
        case "max_missed_alarms":
            return f"the share of missed incidents is {_interval(measured)}"
        case "max_false_alarms_per_day":
            return f"false alarms are {_interval(measured, 3)} a day of a camera"
        case "max_alarm_delay_s":
            return f"p95 delay of alarms is {_interval(measured, 3)} s"
        case "max_rise_vs_champion":
            return (
                f"false alarms rise by {_interval(measured, 3)} a day of a camera against the "
                "champion"
            )
        case "max_drop_vs_champion":
            return f"{_label(gate)} drops by {_interval(measured)} against the champion"
    return f"{_label(gate)} is {_interval(measured)}"


def _advice(gate: GateVerdict) -> str:
    cause = gate.cause
    if more := more_evidence(cause):
        return f"needs about {more}."
    match cause.kind:
        case CauseKind.UNKNOWN_RECORDINGS:
            return (
                "the images look like frames of videos and nothing says of which recordings, so "
                "that interval, which takes each image for new evidence, is too narrow to judge "
                "by: name the recordings (guardianflow data groups proposes how, dataset.groups "
                "keeps it), or set release.unit: image if each image is evidence of its own."
            )
        case CauseKind.MORE_RUNS:
            return f"set benchmark.benchmark_runs to about {cause.needed} to decide it."
        case CauseKind.QUIETER_MACHINE:
            return "measure again on a quieter machine; test images don't help."
    counted = "timed calls" if gate.rule == "max_latency_p95_ms" else f"{cause.unit or 'image'}s"
    if is_of_alarms(gate):
        counted = "recordings"
    return f"it lies at the limit, and no number of {counted} will settle it within reason."


def more_evidence(cause: GateCause) -> str:
    """'3 more recordings'; '' where nothing is known to decide it."""
    if cause.more is not None and cause.kind is CauseKind.MORE_FOOTAGE:
        count, unit = recorded_time(cause.more)
        return f"{count:g} more recorded {unit}{'' if count == 1 else 's'} of a camera"
    if cause.more is None or cause.kind not in _MORE:
        return ""
    what, plural = _MORE[cause.kind] or cause.unit, "" if cause.more == 1 else "s"
    return f"{cause.more:.10g} more {what}{plural}"


def recorded_time(days: float) -> tuple[float, str]:
    """Days of footage in the unit that is read at a glance: (80, 'day'), (2, 'minute')."""
    for unit, in_a_day in (("day", 1), ("hour", 24)):
        if days * in_a_day >= 1:
            return float(f"{days * in_a_day:.2g}"), unit
    return math.ceil(days * 24 * 60), "minute"


def counted_units(count: int, unit: str) -> str:
    """'12 recordings', '1 camera'."""
    return f"{count} {unit}{'' if count == 1 else 's'}"


def explain_basis(decision: ReleaseDecision) -> str:
    """What the intervals of accuracy count: '120 images of test in 9 recordings'."""
    images = f"{counted_units(decision.images, 'image')} of {decision.split}"
    if decision.unit in ("", EvidenceUnit.IMAGE):
        asked = ", each counted as evidence of its own by release.unit"
        return images + (asked if decision.unit_asked else "")
    return f"{images} in {counted_units(decision.groups, decision.unit)}"


def _explain_missing(gate: GateVerdict) -> str:
    cause, label = gate.cause, _label(gate)
    about = f"class '{gate.class_name}'" if gate.class_name else "any object"
    about += f" in slice '{gate.slice_name}'" if gate.slice_name else ""
    match cause.kind:
        case CauseKind.NO_CHAMPION:
            return (
                "there is no champion to compare with yet: ask for an absolute gate too, e.g. "
                "min_mAP50, or promote the first one by hand with --force and a reason."
            )
        case CauseKind.NO_IMAGES:
            return (
                f"no image of the {cause.split} split shows {about}, so {label} can't be "
                f"measured: label at least {cause.needed} images of it."
            )
        case CauseKind.FEW_IMAGES:
            bare = "" if cause.bare is None else f" (the bare value is {cause.bare:.3f})"
            return (
                f"only {cause.held} image{'' if cause.held == 1 else 's'} of the {cause.split} "
                f"split show {about}, and an interval of {label} takes {cause.needed}{bare}: "
                f"{_advice(gate)}"
            )
        case CauseKind.FEW_BOXES:
            return (
                f"the {cause.split} split has only {cause.held} box"
                f"{'' if cause.held == 1 else 'es'} of {about}, and an interval of {label} takes "
                f"{cause.needed} (the bare value is {cause.bare or 0.0:.3f}): {_advice(gate)}"
            )
        case CauseKind.FEW_GROUPS:
            bare = "" if cause.bare is None else f" (the bare value is {cause.bare:.3f})"
            return (
                f"only {counted_units(cause.held or 0, cause.unit)} of the {cause.split} split "
                f"show{'s' if cause.held == 1 else ''} {about}, and an interval of {label} takes "
                f"{cause.needed}{bare}: {_advice(gate)}"
            )
        case CauseKind.FEW_RUNS:
            return (
                f"{cause.held} timed calls can't tell p95 with {cause.confidence:.4g} confidence: "
                f"set benchmark.benchmark_runs to {cause.needed} at least."
            )
        case CauseKind.FEW_FRAMES:
            return (
                f"only {cause.held} frames were done in the time measured, too few for an interval "
                f"(the bare value is {cause.bare:.3g} fps)."
            )
        case CauseKind.BUSY_MACHINE:
            return (
                f"{_NOT_MEASURED.get(gate.rule, label)} could not be measured, because the machine "
                f"was busy ({cause.told}): measure again on a quiet machine; test images don't "
                "help."
            )
        case CauseKind.NO_INCIDENTS:
            return (
                f"the recordings show no incident of the rules, so {label} can't be judged: record "
                "some, or say in the truth what happens in them."
            )
        case CauseKind.NO_ALARMS:
            return f"no incident was alarmed, so {label} can't be measured."
        case CauseKind.SHORT_FOOTAGE:
            return f"there is too little footage for {label}: record more."
        case CauseKind.FEW_RECORDINGS:
            bare = "" if cause.bare is None else f" (the bare value is {cause.bare:.3g})"
            return (
                f"{cause.held} recording{'' if cause.held == 1 else 's'} can't tell how much "
                f"recordings differ, and an interval of {label} takes {cause.needed}{bare}: "
                f"{_advice(gate)}"
            )
        case CauseKind.FEW_ALARMS:
            bare = "" if cause.bare is None else f" (the bare value is {cause.bare:.3g} s)"
            return (
                f"{cause.held} alarmed incident{'' if cause.held == 1 else 's'} can't tell "
                f"{label} with an interval, which takes {cause.needed}{bare}: {_advice(gate)}"
            )
        case CauseKind.UNAVAILABLE:
            return f"{cause.told}."
        case CauseKind.RECORDED:
            return cause.told
    return f"{_NOT_MEASURED.get(gate.rule, label)} was not measured."


def is_of_alarms(gate: GateVerdict) -> bool:
    """Whether a gate is about alarms."""
    return gate.rule in _ALARMS or gate.metric.startswith("alarm.")


def _label(gate: GateVerdict) -> str:
    if is_of_alarms(gate):
        return _ALARMS.get(gate.rule) or _ALARM_METRICS[gate.metric]
    if gate.class_name:
        where = f" in slice '{gate.slice_name}'" if gate.slice_name else ""
        return f"recall of '{gate.class_name}'{where}"
    return "mAP50-95" if gate.metric == "mAP50_95" else gate.metric


def _interval(estimate: Estimate, digits: int = 0) -> str:
    """'0.712 (0.650 to 0.774)'; with so many significant digits '1,440 (67.7 to 8,340)'."""

    def figure(value: float) -> str:
        return f"{float(f'{value:.{digits}g}'):,.15g}" if digits else f"{value:.3f}"

    return f"{figure(estimate.value)} ({figure(estimate.low)} to {figure(estimate.high)})"


# --- variants and decisions ----------------------------------------------------------------------


def explain_variant(variant: VariantDecision) -> str:
    """'onnx_int8 failed min_mAP50 and is undecided on min_fps', as far as it did not pass."""
    parts = []
    for words, outcome in (("failed", FAIL), ("is undecided on", UNDECIDED)):
        names = [f"{g.gate}{_need(g)}" for g in variant.gates if g.outcome == outcome]
        if names:
            parts.append(f"{words} {', '.join(names)}")
    return f"{variant.variant} {' and '.join(parts)}"


def _need(gate: GateVerdict) -> str:
    """' (about 300 more test images)'; '' where nothing is known to decide it."""
    more = more_evidence(gate.cause)
    return f" (about {more})" if more else ""


def explain_decision(decision: ReleaseDecision) -> str:
    """One sentence: why the winner won, or what kept every variant from passing."""
    winner = decision.winning
    if winner is None:
        stopped = "; ".join(map(explain_variant, decision.variants))
        return f"No variant passed every gate: {stopped}."
    count, passing = len(winner.gates), [v for v in decision.variants if v.outcome == PASS]
    passed = f"{winner.variant} passed {'its one gate' if count == 1 else f'all {count} gates'}"
    if len(passing) == 1:
        return f"{passed}, the only variant that did."
    value = winner.metrics.get(OBJECTIVES[decision.objective])
    if value is None:
        return (
            f"{passed}; {len(passing)} variants did, and none has a figure for "
            f"{decision.objective}, so it is the first of them."
        )
    words, unit = _OBJECTIVE_WORDS[decision.objective]
    return (
        f"{passed} and has the {words} ({value:.4g}{unit}) of the {len(passing)} variants that did."
    )
