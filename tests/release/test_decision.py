"""One answer out of many verdicts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseDecision,
    VariantDecision,
)
from guardianflow.release.decision import decide
from guardianflow.release.explanation import as_dict, explain_decision, explain_variant

OUTCOMES = st.sampled_from([PASS, FAIL, UNDECIDED])


def gate(outcome: str, name: str = "min_mAP50", more: int | None = None) -> GateVerdict:
    return GateVerdict(
        name, outcome, 0.5, None, GateCause(CauseKind.RECORDED, more, told="because.")
    )


def variant(name: str, *gates: GateVerdict, **metrics: float) -> VariantDecision:
    return VariantDecision(name, f"site/{name}", "1", "run", "", gates, metrics)


@given(st.lists(st.tuples(OUTCOMES, st.floats(0.1, 100)), min_size=1, max_size=6))
def test_the_winner_passed_and_none_that_passed_is_better(
    drawn: list[tuple[str, float]],
) -> None:
    variants = [
        variant(f"v{place}", gate(outcome), latency_p50_ms=time)
        for place, (outcome, time) in enumerate(drawn)
    ]
    decision = decide(variants)
    times = [time for outcome, time in drawn if outcome == PASS]
    if not times:
        assert decision.winner == ""
        assert decision.outcome == (UNDECIDED if UNDECIDED in dict(drawn) else FAIL)
        return
    (winner,) = [each for each in variants if each.variant == decision.winner]
    assert decision.outcome == winner.outcome == PASS
    assert winner.metrics["latency_p50_ms"] == min(times)


def test_each_objective_has_its_own_winner() -> None:
    variants = [
        variant("quick", gate(PASS), latency_p50_ms=2.0, fps=50.0, size_mb=9.0),
        variant("wide", gate(PASS), latency_p50_ms=3.0, fps=90.0, size_mb=8.0),
        variant("small", gate(PASS), latency_p50_ms=4.0, fps=40.0, size_mb=3.0),
        variant("best but failed", gate(FAIL), latency_p50_ms=0.1, fps=999.0, size_mb=0.1),
    ]
    for objective, winner, words in (
        ("latency_p50", "quick", "lowest median latency (2 ms) of the 3 variants"),
        ("throughput", "wide", "highest throughput (90 fps)"),
        ("size", "small", "smallest files (3 MB)"),
    ):
        decision = decide(variants, objective=objective)
        assert decision.winner == winner
        assert words in explain_decision(decision)


def test_a_figure_that_is_missing_comes_last() -> None:
    known = variant("known", gate(PASS), fps=1.0)
    unknown = variant("unknown", gate(PASS))
    assert decide([unknown, known], objective="throughput").winner == "known"
    neither = decide([unknown, variant("other", gate(PASS))], objective="throughput")
    assert neither.winner == "unknown"
    assert "none has a figure for throughput" in explain_decision(neither)


def test_a_refusal_names_every_gate_that_stopped() -> None:
    first = variant(
        "a", gate(PASS, "min_fps"), gate(UNDECIDED, "min_mAP50", 300), gate(FAIL, "max_size_mb")
    )
    second = variant("b", gate(UNDECIDED, "min_recall.안전모"))
    decision = decide([first, second])
    assert decision.outcome == UNDECIDED
    assert explain_variant(first) == (
        "a failed max_size_mb and is undecided on min_mAP50 (about 300 more test images)"
    )
    assert explain_decision(decision) == (
        f"No variant passed every gate: {explain_variant(first)}; "
        "b is undecided on min_recall.안전모."
    )


def test_what_no_gate_has_judged_is_not_decided() -> None:
    with pytest.raises(ConfigurationError, match="b was by none"):
        decide([variant("a", gate(PASS)), variant("b")])
    with pytest.raises(ConfigurationError, match="at least one variant"):
        decide([])
    with pytest.raises(ConfigurationError, match="objective must be one of"):
        decide([variant("a", gate(PASS))], objective="speed")


def test_a_decision_is_json_with_every_outcome() -> None:
    made = decide([variant("a", gate(PASS), size_mb=1.0)], confidence=0.9, split="test", images=24)
    table = json.loads(json.dumps(as_dict(made)))
    assert (table["outcome"], table["winner"], table["images"]) == (PASS, "a", 24)
    assert table["variants"][0]["outcome"] == PASS
    assert ReleaseDecision.from_dict(table) == made
