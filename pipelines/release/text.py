"""A release's decision in a few lines: for the terminal, the summary and a command's error.

Takes the decision as ReleaseDecision.to_dict() gives it, which is how it comes from a stage.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from guardianflow.contracts.releases import PASS

WORDS = {"pass": "PASS", "fail": "FAIL", "undecided": "UNDECIDED"}


def decision_lines(decision: Mapping[str, Any]) -> list[str]:
    """What was decided, every gate that stopped a variant, and what to do next."""
    basis = (
        f"{decision['images']} images of {decision['split']}, "
        f"{decision['confidence']:.4g} confidence"
    )
    lines = [f"Release: {WORDS[decision['outcome']]} ({basis}). {decision['reason']}"]
    for variant in decision["variants"]:
        lines += [f"  {variant['variant']}: {text}" for text in stopping_texts(variant)]
    return [*lines, *next_steps(decision)]


def stopping_texts(variant: Mapping[str, Any]) -> list[str]:
    """'FAIL max_size_mb: …' of every gate that did not pass."""
    return [
        f"{WORDS[gate['outcome']]} {gate['gate']}: {gate['reason']}"
        for gate in variant["gates"]
        if gate["outcome"] != PASS
    ]


def next_steps(decision: Mapping[str, Any]) -> list[str]:
    if decision["promoted"]:
        return [f"  champion now: {name}" for name in decision["promoted"]]
    winners = [v for v in decision["variants"] if v["variant"] == decision["winner"]]
    if not winners or not winners[0]["version"]:
        return []
    (winner,) = winners
    if winner["version"] == winner["champion_version"]:
        return [f"  {winner['model_name']} v{winner['version']} is the champion already"]
    command = (
        f"guardianflow promote {shlex.quote(winner['model_name'])} --version {winner['version']}"
    )
    return [f"  make it champion: {command}"]


def refusal(decision: Mapping[str, Any]) -> str:
    """What --fail-on-gate says of a release that did not pass."""
    texts = [
        f"\n  - {variant['variant']}: {text}"
        for variant in decision["variants"]
        for text in stopping_texts(variant)
    ]
    return f"the release did not pass, it is {decision['outcome']}:" + "".join(texts)
