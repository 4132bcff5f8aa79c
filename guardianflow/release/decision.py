"""From the verdicts of every variant to one answer: may one of them replace the model in use?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..contracts.errors import ConfigurationError
from ..contracts.releases import (
    FAIL,
    OBJECTIVES,
    PASS,
    UNDECIDED,
    GateVerdict,
    ReleaseDecision,
    VariantDecision,
)


@dataclass(frozen=True)
class _Objective:
    """What makes one passing variant better than another."""

    metric: str
    more_is_better: bool
    words: str
    unit: str


# The keys are those of VariantDecision.metrics.
_OBJECTIVES = {
    "latency_p50": _Objective("latency_p50_ms", False, "lowest median latency", " ms"),
    "throughput": _Objective("fps", True, "highest throughput", " fps"),
    "size": _Objective("size_mb", False, "smallest files", " MB"),
}


def decide(
    variants: Sequence[VariantDecision],
    *,
    objective: str = "latency_p50",
    confidence: float = 0.95,
    split: str = "",
    images: int = 0,
) -> ReleaseDecision:
    """Choose among the variants that pass every gate.

    Args:
        variants: the original first; `metrics` hold 'latency_p50_ms', 'fps' or 'size_mb', as the
            objective needs.
        objective: what the winner is best at. A variant whose figure is missing comes last; of
            equal ones the first wins.
        confidence, split, images: what the verdicts rest on.

    Raises:
        ConfigurationError: no variant, one without a gate, an unknown objective.
    """
    if objective not in OBJECTIVES:
        raise ConfigurationError(
            f"objective must be one of {', '.join(OBJECTIVES)} but got '{objective}'"
        )
    if not variants:
        raise ConfigurationError("a release needs at least one variant to decide on but got none")
    bare = [each.variant for each in variants if not each.gates]
    if bare:
        raise ConfigurationError(
            f"every variant must be judged by a gate, but {', '.join(bare)} was by none: with no "
            "champion to compare with, drop gates are left out, so ask for an absolute one too, "
            "e.g. release.min_mAP50"
        )
    passing = [each for each in variants if each.outcome == PASS]
    undecided = [each for each in variants if each.outcome == UNDECIDED]
    winner = min(passing, key=lambda each: _rank(each, objective), default=None)
    if winner is not None:
        outcome, reason = PASS, _why_it_wins(winner, passing, objective)
    else:
        outcome = UNDECIDED if undecided else FAIL
        reason = "No variant passed every gate: " + "; ".join(map(why_not, variants)) + "."
    return ReleaseDecision(
        outcome=outcome,
        winner=winner.variant if winner else "",
        objective=objective,
        variants=tuple(variants),
        reason=reason,
        confidence=confidence,
        split=split,
        images=images,
    )


def stopping_gates(variant: VariantDecision) -> list[GateVerdict]:
    """The gates that kept a variant from passing: those that failed, then the undecided ones."""
    return [
        gate for outcome in (FAIL, UNDECIDED) for gate in variant.gates if gate.outcome == outcome
    ]


def why_not(variant: VariantDecision) -> str:
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


def _rank(variant: VariantDecision, objective: str) -> tuple[bool, float]:
    wanted = _OBJECTIVES[objective]
    value = variant.metrics.get(wanted.metric)
    if value is None:
        return True, 0.0
    return False, -value if wanted.more_is_better else value


def _why_it_wins(
    winner: VariantDecision, passing: Sequence[VariantDecision], objective: str
) -> str:
    wanted, count = _OBJECTIVES[objective], len(winner.gates)
    passed = f"{winner.variant} passed {'its one gate' if count == 1 else f'all {count} gates'}"
    if len(passing) == 1:
        return f"{passed}, the only variant that did."
    value = winner.metrics.get(wanted.metric)
    if value is None:
        return (
            f"{passed}; {len(passing)} variants did, and none has a figure for {objective}, so it "
            "is the first of them."
        )
    return (
        f"{passed} and has the {wanted.words} ({value:.4g}{wanted.unit}) of the "
        f"{len(passing)} variants that did."
    )
