"""Verdicts and decisions in English: for the console, JSON and results files.

    explain_gate      why one gate was judged so, with its figures
    explain_variant   what kept one variant from passing
    explain_decision  what was decided and why
    as_dict           a decision as results/release.json and --json have it

A report has words of its own for gates and decisions in Korean: report/wording.py.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..contracts.estimates import Estimate
from ..contracts.releases import (
    FAIL,
    OBJECTIVES,
    PASS,
    UNDECIDED,
    CauseKind,
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


def as_dict(decision: ReleaseDecision) -> dict[str, Any]:
    """The decision with its words; ReleaseDecision.from_dict reads it back."""
    plain = asdict(decision) | {"reason": explain_decision(decision)}
    for row, variant in zip(plain["variants"], decision.variants, strict=True):
        row["outcome"] = variant.outcome
        for shown, gate in zip(row["gates"], variant.gates, strict=True):
            shown |= {"reason": explain_gate(gate), "more_images": gate.more_images}
    return plain


# --- gates ---------------------------------------------------------------------------------------


def explain_gate(gate: GateVerdict) -> str:
    """One sentence with the figures."""
    measured, limit, kind = gate.measured, f"{gate.limit:g}", gate.cause.kind
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
    return f"{shown}, on both sides of {limit}: {_advice(gate)}"


def _shown(gate: GateVerdict, measured: Estimate) -> str:
    match gate.rule:
        case "max_latency_p95_ms":
            return f"p95 latency is {_interval(measured, '.4g')} ms"
        case "min_fps":
            return f"throughput is {_interval(measured, '.4g')} fps"
        case "max_drop_vs_champion":
            return f"{_label(gate)} drops by {_interval(measured)} against the champion"
    return f"{_label(gate)} is {_interval(measured)}"


def _advice(gate: GateVerdict) -> str:
    cause = gate.cause
    match cause.kind:
        case CauseKind.MORE_IMAGES | CauseKind.FEW_IMAGES:
            return f"needs about {cause.more_images} more test images."
        case CauseKind.MORE_RUNS:
            return f"set benchmark.benchmark_runs to about {cause.needed} to decide it."
        case CauseKind.QUIETER_MACHINE:
            return "measure again on a quieter machine; test images don't help."
    counted = "timed calls" if gate.rule == "max_latency_p95_ms" else "images"
    return f"it lies at the limit, and no number of {counted} will settle it within reason."


def _explain_missing(gate: GateVerdict) -> str:
    cause, label = gate.cause, _label(gate)
    about = f"class '{gate.class_name}'" if gate.class_name else "any object"
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
        case CauseKind.UNAVAILABLE:
            return f"{cause.told}."
        case CauseKind.RECORDED:
            return cause.told
    return f"{_NOT_MEASURED.get(gate.rule, label)} was not measured."


def _label(gate: GateVerdict) -> str:
    if gate.class_name:
        return f"recall of '{gate.class_name}'"
    return "mAP50-95" if gate.metric == "mAP50_95" else gate.metric


def _interval(estimate: Estimate, form: str = ".3f") -> str:
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


# --- variants and decisions ----------------------------------------------------------------------


def explain_variant(variant: VariantDecision) -> str:
    """'onnx_int8 failed min_mAP50 and is undecided on min_fps', as far as it did not pass."""
    parts = []
    for words, outcome in (("failed", FAIL), ("is undecided on", UNDECIDED)):
        names = []
        for gate in variant.gates:
            if gate.outcome == outcome:
                need = f" (about {gate.more_images} more test images)" if gate.more_images else ""
                names.append(f"{gate.gate}{need}")
        if names:
            parts.append(f"{words} {', '.join(names)}")
    return f"{variant.variant} {' and '.join(parts)}"


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
