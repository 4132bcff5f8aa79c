"""Gates: what passes, fails or stays open, and how much more would settle it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from judged_models import judge, judge_one

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.estimates import (
    MINIMUM_GROUPS,
    MINIMUM_IMAGES,
    Estimate,
)
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    CauseKind,
    GateCause,
    GateVerdict,
    ReleaseLimits,
    VariantDecision,
)
from guardianflow.release.explanation import explain_gate

SHARES = st.floats(0, 1)
LIMITS = st.floats(0, 1)


@st.composite
def estimates(draw: st.DrawFn, bounds: tuple[float, float] = (0, 1)) -> Estimate:
    low, value, high = sorted(draw(st.tuples(*[st.floats(*bounds)] * 3)))
    return Estimate(value, low, high)


def at_least(limit: float, estimate: Estimate, images: int = 200) -> GateVerdict:
    return judge_one(ReleaseLimits(min_mAP50=limit), accuracy={"mAP50": estimate}, images=images)


def drop(limit: float, estimate: Estimate, images: int = 200) -> GateVerdict:
    limits = ReleaseLimits(max_drop_vs_champion={"mAP50_95": limit})
    return judge_one(limits, drops={"mAP50_95": estimate}, has_champion=True, images=images)


def latency(limit: float, estimate: Estimate, runs: int = 200) -> GateVerdict:
    return judge_one(ReleaseLimits(max_latency_p95_ms=limit), latency=estimate, latency_runs=runs)


# --- the interval decides ------------------------------------------------------------------------


@given(LIMITS, estimates())
def test_at_least_is_judged_on_the_whole_interval(limit: float, estimate: Estimate) -> None:
    outcome = at_least(limit, estimate).outcome
    assert (outcome == PASS) == (estimate.low >= limit)
    assert (outcome == FAIL) == (estimate.high < limit)


@given(LIMITS, estimates((-1, 1)))
def test_a_drop_is_judged_on_the_whole_interval(limit: float, estimate: Estimate) -> None:
    outcome = drop(limit, estimate).outcome
    assert (outcome == PASS) == (estimate.high <= limit)
    assert (outcome == FAIL) == (estimate.low > limit)


@given(st.floats(0.001, 1000), estimates((0.001, 1000)))
def test_latency_is_judged_on_the_whole_interval(limit: float, estimate: Estimate) -> None:
    outcome = latency(limit, estimate).outcome
    assert (outcome == PASS) == (estimate.high <= limit)
    assert (outcome == FAIL) == (estimate.low > limit)


@given(estimates((0.001, 1000)), st.floats(0.001, 1000))
def test_fps_is_judged_on_the_whole_interval(estimate: Estimate, limit: float) -> None:
    outcome = judge_one(ReleaseLimits(min_fps=limit), fps=estimate).outcome
    assert (outcome == PASS) == (estimate.low >= limit)
    assert (outcome == FAIL) == (estimate.high < limit)


@given(st.tuples(LIMITS, LIMITS), estimates())
def test_a_stricter_limit_never_helps(limits: tuple[float, float], estimate: Estimate) -> None:
    order = [FAIL, UNDECIDED, PASS]
    lax, strict = sorted(limits)
    assert order.index(at_least(strict, estimate).outcome) <= order.index(
        at_least(lax, estimate).outcome
    )
    assert order.index(drop(lax, estimate).outcome) <= order.index(drop(strict, estimate).outcome)


@given(LIMITS, estimates(), st.floats(0, 0.5))
def test_a_wider_interval_decides_nothing_new(
    limit: float, estimate: Estimate, wider: float
) -> None:
    before = at_least(limit, estimate).outcome
    loose = Estimate(estimate.value, estimate.low - wider, estimate.high + wider)
    assert at_least(limit, loose).outcome in (before, UNDECIDED)


# --- what would settle it ------------------------------------------------------------------------


@given(LIMITS, estimates(), st.integers(20, 100_000))
def test_the_images_asked_for_would_decide(limit: float, estimate: Estimate, images: int) -> None:
    verdict = at_least(limit, estimate, images)
    if verdict.outcome != UNDECIDED:
        assert verdict.cause.more is None
        return
    if verdict.cause.more is None:
        assert "no number of images will settle it" in explain_gate(verdict)
        return
    assert f"about {verdict.cause.more} more test images" in explain_gate(verdict)
    shrunk = math.sqrt(images / (images + verdict.cause.more))
    later = Estimate(
        estimate.value,
        estimate.value - (estimate.value - estimate.low) * shrunk,
        estimate.value + (estimate.high - estimate.value) * shrunk,
    )
    assume(abs(estimate.value - limit) > 1e-9)  # beyond it rounding decides
    # Ten to twelve digits: the limit itself may be met by a rounding step.
    slack = 1e-12
    assert later.low >= limit - slack or later.high < limit + slack


def test_the_figures_of_an_example() -> None:
    # 0.04 to each side, 0.02 from the limit: half the width takes four times the 200 images.
    verdict = at_least(0.60, Estimate(0.62, 0.58, 0.66))
    assert verdict.cause.more == 600
    assert explain_gate(verdict) == (
        "mAP50 is 0.620 (0.580 to 0.660), on both sides of 0.6: needs about 600 more test images."
    )
    lost = drop(0.01, Estimate(0.005, -0.02, 0.03))
    assert lost.cause.more == 200 * 24
    assert explain_gate(lost).startswith(
        "mAP50-95 drops by 0.005 (-0.020 to 0.030) against the champion"
    )


# --- what was not measured never passes ----------------------------------------------------------

EVERY_GATE = ReleaseLimits(
    min_mAP50=0.1,
    min_mAP50_95=0.1,
    min_recall={"helmet": 0.1},
    max_drop_vs_champion={"mAP50": 1.0, "recall.helmet": 1.0},
    max_latency_p95_ms=1000,
    min_fps=1,
    min_cameras=1,
    max_size_mb=1000,
)


def test_nothing_measured_nothing_passed() -> None:
    verdicts = judge(EVERY_GATE, images=50, has_champion=True)
    assert [each.gate for each in verdicts] == [
        "min_mAP50",
        "min_mAP50_95",
        "min_recall.helmet",
        "max_drop_vs_champion.mAP50",
        "max_drop_vs_champion.recall.helmet",
        "max_latency_p95_ms",
        "min_fps",
        "min_cameras",
        "max_size_mb",
    ]
    for each in verdicts:
        assert (each.outcome, each.measured) == (UNDECIDED, None)
        assert explain_gate(each).endswith(".")


def test_a_class_nobody_labelled_says_so() -> None:
    verdict = judge_one(ReleaseLimits(min_recall={"용접면": 0.9}), holding={"": 200})
    assert verdict.outcome == UNDECIDED
    assert explain_gate(verdict).startswith("no image of the test split shows class '용접면'")
    assert verdict.cause.more is None


def test_a_rare_class_says_how_many_images_are_missing() -> None:
    verdict = judge_one(
        ReleaseLimits(min_recall={"head": 0.9}), bare={"recall.head": 1.0}, holding={"head": 5}
    )
    assert (verdict.outcome, verdict.measured) == (UNDECIDED, None)
    assert verdict.cause.more == 200 * (MINIMUM_IMAGES // 5 - 1)
    assert "only 5 images" in explain_gate(verdict)
    assert "the bare value is 1.000" in explain_gate(verdict)


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        ({"max_latency_p95_ms": 10}, "latency"),
        ({"min_fps": 5}, "throughput"),
        ({"min_cameras": 2}, "the number of cameras"),
    ],
)
def test_what_a_busy_machine_left_out_is_undecided_and_asks_for_a_quiet_one(
    limits: dict[str, float], what: str
) -> None:
    cause = GateCause(CauseKind.BUSY_MACHINE, told="other processes took 1.40 of 2 cores")
    verdict = judge_one(ReleaseLimits(**limits), missing=dict.fromkeys(limits, cause))
    assert (verdict.outcome, verdict.measured, verdict.cause.more) == (UNDECIDED, None, None)
    assert explain_gate(verdict) == (
        f"{what} could not be measured, because the machine was busy (other processes took 1.40 of "
        "2 cores): measure again on a quiet machine; test images don't help."
    )


def test_too_few_calls_ask_for_runs_and_not_for_images() -> None:
    verdict = judge_one(
        ReleaseLimits(max_latency_p95_ms=10),
        latency=None,
        latency_runs=20,
    )
    assert (verdict.outcome, verdict.cause.more) == (UNDECIDED, None)
    assert "benchmark.benchmark_runs to 59" in explain_gate(verdict)
    near = latency(10, Estimate(9, 8, 11), runs=100)
    assert (near.outcome, near.cause.more) == (UNDECIDED, None)
    assert "benchmark.benchmark_runs to about 400" in explain_gate(near)


# --- what is counted is judged as it is ----------------------------------------------------------


def test_size_and_cameras_are_judged_as_they_are() -> None:
    assert judge_one(ReleaseLimits(max_size_mb=5.0), size_mb=5.0).outcome == PASS
    assert judge_one(ReleaseLimits(max_size_mb=5.0), size_mb=5.01).outcome == FAIL
    assert judge_one(ReleaseLimits(min_cameras=4), cameras=4).outcome == PASS
    refused = judge_one(ReleaseLimits(min_cameras=4), cameras=3)
    assert (refused.outcome, refused.cause.more) == (FAIL, None)
    assert explain_gate(refused) == "the device held 3 cameras; 4 are asked."
    assert judge_one(ReleaseLimits(min_cameras=1), cameras=0).outcome == FAIL


# --- the champion --------------------------------------------------------------------------------


def test_without_a_champion_absolute_gates_alone_count() -> None:
    limits = ReleaseLimits(min_mAP50=0.5, max_drop_vs_champion={"mAP50": 0.01})
    verdict = judge_one(limits, accuracy={"mAP50": Estimate(0.7, 0.6, 0.8)})
    assert (verdict.gate, verdict.outcome) == ("min_mAP50", PASS)


def test_drop_gates_alone_without_a_champion_pass_nobody() -> None:
    verdict = judge_one(ReleaseLimits(max_drop_vs_champion={"mAP50": 0.01}))
    assert verdict.outcome == UNDECIDED
    assert "no champion" in explain_gate(verdict)


def test_the_champion_s_number_of_another_day_is_shown_and_not_judged() -> None:
    measured = {"accuracy": {"mAP50": Estimate(0.7, 0.6, 0.8)}}
    alone = judge_one(ReleaseLimits(min_mAP50=0.5), **measured)
    beside = judge_one(ReleaseLimits(min_mAP50=0.5), stored={"mAP50": 0.1}, **measured)
    assert replace(beside, stored=None) == alone
    assert beside.stored == 0.1


# --- limits that are none ------------------------------------------------------------------------


def test_every_limit_that_is_none_is_told_at_once() -> None:
    wrong = ReleaseLimits(
        min_mAP50=1.5,
        min_recall={"helmet": -0.1},
        max_drop_vs_champion={"precision": 0.1},
        max_latency_p95_ms=0,
        confidence=95,
    )
    with pytest.raises(ConfigurationError) as caught:
        judge(wrong, images=10)
    text = str(caught.value)
    assert len(caught.value.problems) == 5
    for part in ("min_mAP50 must be", "min_recall.helmet", "'precision'", "latency", "confidence"):
        assert part in text


@given(st.lists(st.sampled_from([PASS, FAIL, UNDECIDED]), min_size=1))
def test_one_gate_that_fails_is_enough(outcomes: list[str]) -> None:
    cause = GateCause(CauseKind.NOT_MEASURED)
    gates = tuple(GateVerdict(f"g{i}", each, 0, None, cause) for i, each in enumerate(outcomes))
    outcome = VariantDecision("v", "", "", "", "", gates).outcome
    assert (outcome == PASS) == (set(outcomes) == {PASS})
    assert (outcome == FAIL) == (FAIL in outcomes)


# --- recordings and cameras ----------------------------------------------------------------------

NINE = EvidenceBasis(EvidenceUnit.RECORDING, tuple(f"r{i % 9}" for i in range(200)), 200)


def test_where_recordings_count_the_advice_counts_recordings() -> None:
    open_ = judge_one(
        ReleaseLimits(min_mAP50=0.7), accuracy={"mAP50": Estimate(0.8, 0.6, 0.9)}, basis=NINE
    )
    assert open_.outcome == UNDECIDED
    # Four times as many make an interval half as wide, which ends at the limit.
    assert open_.cause == GateCause(CauseKind.MORE_GROUPS, more=27, unit="recording")
    assert "needs about 27 more recordings." in explain_gate(open_)
    near = judge_one(
        ReleaseLimits(min_mAP50=0.79999), accuracy={"mAP50": Estimate(0.8, 0.6, 0.9)}, basis=NINE
    )
    assert near.cause.kind is CauseKind.AT_LIMIT
    assert "no number of recordings" in explain_gate(near)


def test_fewer_than_five_recordings_of_a_class_leave_it_undecided() -> None:
    few = judge_one(
        ReleaseLimits(min_recall={"helmet": 0.7}),
        holding={"helmet": 90, "": 200},
        holding_groups={"helmet": 3, "": 9},
        bare={"recall.helmet": 0.91},
        basis=NINE,
    )
    assert (few.outcome, few.cause.kind) == (UNDECIDED, CauseKind.FEW_GROUPS)
    assert (few.cause.held, few.cause.needed, few.cause.more) == (3, MINIMUM_GROUPS, 2)
    assert explain_gate(few) == (
        "only 3 recordings of the test split show class 'helmet', and an interval of recall of "
        "'helmet' takes 5 (the bare value is 0.910): needs about 2 more recordings."
    )


@pytest.mark.parametrize("measured", [Estimate(0.9, 0.88, 0.92), Estimate(0.3, 0.28, 0.32)])
def test_frames_of_unknown_recordings_decide_nothing_about_accuracy(measured: Estimate) -> None:
    frames = EvidenceBasis(images=200, alike=0.8, unknown_recordings=True)
    limits = ReleaseLimits(min_mAP50=0.7, max_drop_vs_champion={"mAP50": 0.1}, max_size_mb=10)
    given = {"accuracy": {"mAP50": measured}, "has_champion": True, "size_mb": 9.0}
    accuracy, drop, size = judge(limits, drops={"mAP50": Estimate(0, 0, 0)}, basis=frames, **given)
    assert (accuracy.outcome, accuracy.cause.kind) == (UNDECIDED, CauseKind.UNKNOWN_RECORDINGS)
    assert accuracy.measured == measured  # shown all the same
    told = explain_gate(accuracy)
    for word in ("guardianflow data groups", "dataset.groups", "release.unit: image"):
        assert word in told
    # What was counted and not sampled is judged as ever.
    assert (drop.outcome, size.outcome) == (PASS, PASS)
    named = judge_one(ReleaseLimits(min_mAP50=0.7), accuracy={"mAP50": measured}, basis=NINE)
    assert named.outcome in (PASS, FAIL)


def test_a_cause_with_groups_comes_back_as_it_was_written() -> None:
    open_ = judge_one(
        ReleaseLimits(min_mAP50=0.7), accuracy={"mAP50": Estimate(0.8, 0.6, 0.9)}, basis=NINE
    )
    assert GateVerdict.from_dict(json.loads(json.dumps(asdict(open_)))) == open_
