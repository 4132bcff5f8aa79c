"""A release's decision in a few lines: for the terminal, the summary and a command's error."""

from __future__ import annotations

import shlex

from guardianflow.contracts.releases import PASS, ReleaseDecision, VariantDecision
from guardianflow.release.explanation import explain_basis, explain_decision, explain_gate
from guardianflow.release.report.wording import Wording


def decision_lines(decision: ReleaseDecision) -> list[str]:
    """The decision, every gate that stopped a variant, and what to do next."""
    basis = f"{explain_basis(decision)}, {decision.confidence:.4g} confidence"
    lines = [f"Release: {decision.outcome.upper()} ({basis}). {explain_decision(decision)}"]
    if decision.leak is not None and (told := Wording("en").leak(decision.leak)):
        lines.append(f"  {told}")
    for variant in decision.variants:
        lines += [f"  {variant.variant}: {text}" for text in stopping_texts(variant)]
    return [*lines, *next_steps(decision)]


def stopping_texts(variant: VariantDecision) -> list[str]:
    """'FAIL max_size_mb: …' of every gate that did not pass."""
    return [
        f"{gate.outcome.upper()} {gate.gate}: {explain_gate(gate)}"
        for gate in variant.gates
        if gate.outcome != PASS
    ]


def next_steps(decision: ReleaseDecision) -> list[str]:
    if decision.promoted:
        return [f"  champion now: {name}" for name in decision.promoted]
    winner = decision.winning
    if winner is None or not winner.version:
        return []
    name, version = winner.model_name, winner.version
    if version == winner.champion_version:
        return [f"  {name} v{version} is the champion already"]
    return [f"  make it champion: guardianflow promote {shlex.quote(name)} --version {version}"]


def refusal(decision: ReleaseDecision) -> str:
    """The error that --fail-on-gate makes of a release that did not pass."""
    texts = [
        f"\n  - {variant.variant}: {text}"
        for variant in decision.variants
        for text in stopping_texts(variant)
    ]
    return f"the release did not pass, it is {decision.outcome}:" + "".join(texts)
