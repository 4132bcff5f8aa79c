"""From the verdicts of every variant to one answer: may one of them replace the model in use?"""

from __future__ import annotations

from collections.abc import Sequence

from ..contracts.errors import ConfigurationError
from ..contracts.recordings.evidence import EvidenceBasis
from ..contracts.releases import (
    FAIL,
    OBJECTIVES,
    PASS,
    UNDECIDED,
    ReleaseDecision,
    VariantDecision,
)


def decide(
    variants: Sequence[VariantDecision],
    *,
    objective: str = "latency_p50",
    confidence: float = 0.95,
    split: str = "",
    images: int = 0,
    basis: EvidenceBasis | None = None,
) -> ReleaseDecision:
    """Choose among the variants that pass every gate.

    Args:
        variants: the original first; `metrics` hold 'latency_p50_ms', 'fps' or 'size_mb', as the
            objective needs.
        objective: what the winner is best at. A variant whose figure is missing comes last; of
            equal ones the first wins.
        confidence, split, images: what the verdicts rest on.
        basis: what their intervals of accuracy count; None: images.

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
    counted = basis or EvidenceBasis(images=images)
    passing = [each for each in variants if each.outcome == PASS]
    winner = min(passing, key=lambda each: _rank(each, objective), default=None)
    open_ = any(each.outcome == UNDECIDED for each in variants)
    return ReleaseDecision(
        outcome=PASS if winner else UNDECIDED if open_ else FAIL,
        winner=winner.variant if winner else "",
        objective=objective,
        variants=tuple(variants),
        confidence=confidence,
        split=split,
        images=images,
        unit=counted.unit,
        groups=counted.groups,
        unit_asked=counted.asked,
    )


def _rank(variant: VariantDecision, objective: str) -> tuple[bool, float]:
    metric = OBJECTIVES[objective]
    value = variant.metrics.get(metric)
    if value is None:
        return True, 0.0
    return False, -value if metric == "fps" else value
