"""Words of verdicts: those that results have always had, and those of results that had no causes.

tests/data/release_at_75815ba.json is a release's result as 75815ba wrote it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from judged_models import judge

from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.releases import (
    FAIL,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseDecision,
    ReleaseLimits,
    VariantDecision,
)
from guardianflow.contracts.results import RunRecord, StageResult
from guardianflow.release.decision import decide
from guardianflow.release.explanation import as_dict, explain_gate
from guardianflow.release.promotion.evidence import read_evidence

LIMITS = ReleaseLimits(
    min_mAP50=0.6,
    min_recall={"안전모": 0.8},
    max_drop_vs_champion={"mAP50": 0.02},
    max_latency_p95_ms=30,
    max_size_mb=10,
)


@pytest.fixture(scope="module")
def before(repository: Path) -> dict[str, Any]:
    text = (repository / "tests/data/release_at_75815ba.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def decided_now() -> ReleaseDecision:
    """What the kept result was made of, judged today."""
    unsure = judge(
        LIMITS,
        accuracy={"mAP50": Estimate(0.62, 0.58, 0.66)},
        holding={"": 180, "안전모": 6},
        bare={"recall.안전모": 0.5},
        drops={"mAP50": Estimate(-0.012, -0.026, 0.003)},
        has_champion=True,
        latency=None,
        latency_runs=30,
        size_mb=3.3,
        stored={"mAP50": 0.549},
    )
    worse = judge(
        LIMITS,
        accuracy={"mAP50": Estimate(0.5, 0.45, 0.55), "recall.안전모": Estimate(0.9, 0.85, 0.95)},
        drops={"mAP50": Estimate(0.1, 0.08, 0.12)},
        has_champion=True,
        latency=Estimate(9.0, 8.0, 10.0),
        latency_runs=100,
        size_mb=1.1,
    )
    name = "site/plant1/full/ppe"
    metrics = {"mAP50": 0.62, "latency_p50_ms": 20.0}
    variants = [
        VariantDecision(
            "pytorch_fp32", name, "7", "a1" * 16, "6", unsure, metrics, "3f9a" * 16, "c0de" * 16
        ),
        VariantDecision(
            "onnx_int8",
            f"{name}__onnx_int8",
            "2",
            "b2" * 16,
            "1",
            worse,
            {"mAP50": 0.5},
            "77" * 32,
            "88" * 32,
        ),
    ]
    return decide(variants, split="test", images=200)


def test_a_result_has_the_fields_and_words_it_always_had(before: dict[str, Any]) -> None:
    now = json.loads(json.dumps(as_dict(decided_now())))
    for variant in now["variants"]:
        for gate in variant["gates"]:
            assert gate.pop("cause")["kind"] in set(CauseKind)
            assert gate.pop("slice_name") == ""
    added = {key: now.pop(key) for key in ("unit", "groups", "unit_asked")}
    assert added == {"unit": "image", "groups": 200, "unit_asked": False}
    assert now == {key: before[key] for key in now}


def test_a_result_of_an_earlier_release_is_read_and_its_words_are_quoted(
    before: dict[str, Any],
) -> None:
    read = ReleaseDecision.from_dict(before)
    assert [each.outcome for each in read.variants] == [UNDECIDED, FAIL]
    for variant, row in zip(read.variants, before["variants"], strict=True):
        for gate, written in zip(variant.gates, row["gates"], strict=True):
            assert gate.cause.kind is CauseKind.RECORDED
            assert explain_gate(gate) == written["reason"]
            assert gate.cause.more == written["more_images"]
    assert json.loads(json.dumps(as_dict(read)))["reason"] == before["reason"]


def test_evidence_is_read_from_results_with_and_without_causes(before: dict[str, Any]) -> None:
    tags = {"guardianflow.stage": "release"}
    run = RunRecord("r", "site", "ppe-release", "FINISHED", 0, 1, tags, {}, {})
    read, now = read_evidence(run, before), read_evidence(run, as_dict(decided_now()))
    for then, mine in zip(read.variants, now.variants, strict=True):
        assert mine == replace(then, gates=mine.gates)
        assert mine.outcome == then.outcome


def test_a_cause_that_only_a_later_release_knows_is_quoted(before: dict[str, Any]) -> None:
    row = before["variants"][0]["gates"][0]
    later = GateVerdict.from_dict({**row, "cause": {"kind": "weather", "wind": 7}})
    assert explain_gate(later) == row["reason"]
    known = {"kind": "missed", "wind": 7}
    assert GateVerdict.from_dict({**row, "cause": known}).cause == GateCause(CauseKind.MISSED)
    with pytest.raises(ValueError, match="outcome 'maybe'"):
        GateVerdict.from_dict({**row, "outcome": "maybe"})


def test_a_decision_crosses_a_process_whole() -> None:
    decision = decided_now()
    inner = StageResult("release", "r", "FINISHED", "e", "n", decision=decision)
    whole = StageResult("full_pipeline", "p", "FINISHED", "e", "n", stages=(inner,))
    sent = json.loads(json.dumps(asdict(whole)))
    received = StageResult.from_dict(sent)
    assert received.decision is None
    assert received.stages[0].decision == decision
