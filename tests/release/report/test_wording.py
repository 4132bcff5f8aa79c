"""Sentences of the report: the same keys and places in both languages, none half translated."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from pathlib import Path

import pytest
from judged_models import judge_one
from release_reports import make_report, verdict

from guardianflow.contracts.data_warnings import DataWarningKind
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import DoubtKind, Timing
from guardianflow.contracts.recordings.alarm_results import KEYS, NoFigure
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.contracts.recordings.leaks import LeakUnknown
from guardianflow.contracts.recordings.slices import FIXED_DIMENSIONS
from guardianflow.contracts.releases import (
    FAIL,
    OBJECTIVES,
    PASS,
    UNDECIDED,
    VERDICTS,
    CauseKind,
    GateCause,
    ReleaseLimits,
)
from guardianflow.evaluation.timing.conditions import Watched, unsteady, wide
from guardianflow.release.explanation import explain_decision, explain_gate
from guardianflow.release.report import page as report
from guardianflow.release.report.content import PICTURE_ROLES
from guardianflow.release.report.texts_en import ENGLISH
from guardianflow.release.report.texts_ko import KOREAN
from guardianflow.release.report.wording import Wording, remedy

HANGUL = re.compile(r"[가-힣]")
KO, EN = Wording("ko"), Wording("en")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def is_reason(key: str) -> bool:
    """Whether it says why something was judged so: explanation.py says that in English."""
    return key.startswith(("reason.", "objective.", "verdict.", "missing.", "as_written"))


def test_every_text_is_there_in_both_languages_with_the_same_places() -> None:
    assert list(ENGLISH) == [key for key in KOREAN if not is_reason(key)]
    for key, text in ENGLISH.items():
        assert places(text) == places(KOREAN[key]), key
        assert text and KOREAN[key]
        assert not HANGUL.search(text)


def test_whole_sentences_are_korean() -> None:
    same = {key for key, text in ENGLISH.items() if KOREAN[key] == text}
    assert all(len(ENGLISH[key].split()) <= 3 for key in same)
    for key, text in KOREAN.items():
        if len(ENGLISH.get(key, "").split()) > 4 and "{" not in text:
            assert HANGUL.search(text), key


def test_no_text_is_left_that_nothing_shows() -> None:
    folder = Path(report.__file__).parent
    sources = [*folder.glob("*.py"), *(folder / "templates").iterdir()]
    code = "".join(
        each.read_text("utf-8") for each in sources if not each.name.startswith("texts_")
    )
    made = (
        [f"{stem}.{outcome}" for stem in ("headline", "reason", "verdict") for outcome in VERDICTS]
        + [f"verdict.{outcome}.exact" for outcome in VERDICTS]
        + [f"objective.{each}" for each in OBJECTIVES]
        + [f"missing.{each}" for each in CauseKind]
        + [f"warning.{each}" for each in DoubtKind]
        + [f"leak.unknown.{each}" for each in LeakUnknown]
        + [f"verdict.leak.{each}" for each in (CauseKind.KEPT, CauseKind.LEAKS)]
        + [f"data_warning.{each}" for each in DataWarningKind]
        + [f"picture.{role}" for role in PICTURE_ROLES]
        + [f"{stem}.{x}" for stem in ("verdict", "next") for x in HELP]
        + [key for key in ENGLISH if key.startswith(("gate.", "action.", "state."))]
        + [f"slices.unit.{unit}{end}" for unit in EvidenceUnit for end in ("", ".each", ".count")]
        + [f"unit.{unit}" for unit in (*EvidenceUnit, "day", "hour", "minute")]
        + [f"verdict.{CauseKind.UNKNOWN_RECORDINGS}"]
        + [f"slices.{dimension}" for dimension in (*FIXED_DIMENSIONS, "camera", "all")]
        + [f"slices.{name}.{value}" for name, all_ in FIXED_DIMENSIONS.items() for value in all_]
        + [f"{term}.text" for term in report.TERMS]
        + [f"alarm.{key}" for key in KEYS]
        + [f"no_figure.{each}" for each in NoFigure]
        + list(VERDICTS)
    )
    for key in KOREAN:
        assert key in made or re.search(f"[\"']{key}[\"']", code), f"'{key}' is shown nowhere"


HELP = (
    *("images", "groups", "names", "runs", "quiet", "hopeless", "unmeasured"),
    *("footage", "incidents", "recordings"),
)


# --- what others wrote ---------------------------------------------------------------------------


def test_every_warning_of_the_conditions_is_told_in_korean() -> None:
    spread = Timing(
        (1.0, 2.0),
        1.5,
        Estimate(1.0, 0.9, 1.1),
        Estimate(3.0, 2.0, 4.0),
        None,
    )
    unknown, known = Watched(1, 2, 1e6), Watched(1, 2, 0.5, 1.5, 0.5, 0.35, 40.0)
    doubts = [*unknown.doubts(), *known.doubts(), *wide({"batch size 1": spread})]
    doubts += filter(None, [unsteady("batch size 1", [1.0, 9.0])])
    assert {each.kind for each in doubts} == set(DoubtKind)
    for doubt in doubts:
        told = KO.warning(doubt)
        assert HANGUL.search(told)
        for figure in re.findall(r"\d+\.\d+|\d+ %", str(doubt)):
            assert figure in told
        assert EN.warning(doubt) != str(doubt)  # a sentence with a full stop


RECALL = ReleaseLimits(min_recall={"안전모": 0.9})
P95 = ReleaseLimits(max_latency_p95_ms=30)
MISSING = {
    "no image shows the class": (judge_one(RECALL), ("안전모", "20장 이상", "test")),
    "few images show it": (
        judge_one(RECALL, holding={"안전모": 6}, bare={"recall.안전모": 0.5}),
        ("6장뿐", "470장 더"),
    ),
    "one image shows it": (judge_one(RECALL, holding={"안전모": 1}), ("1장뿐",)),
    "a busy machine": (
        judge_one(
            P95,
            latency=None,
            missing={"max_latency_p95_ms": GateCause(CauseKind.BUSY_MACHINE, told="others")},
        ),
        ("장비가 다른 작업으로 바빴습니다", "다시 측정해야 합니다"),
    ),
    "too few calls": (
        judge_one(P95, latency=None, latency_runs=30),
        ("30회", "59 이상"),
    ),
}


@pytest.mark.parametrize("case", list(MISSING))
def test_why_nothing_was_measured_is_told_in_korean(case: str) -> None:
    gate, said = MISSING[case]
    told = KO.gate_reason(gate)
    assert KO.text("verdict.missing") in told
    assert KO.text("as_written") not in told, gate.cause
    for each in said:
        assert each in told


def test_an_unknown_reason_is_quoted_and_not_lost() -> None:
    gate = judge_one(
        ReleaseLimits(min_cameras=4),
        missing={
            "min_cameras": GateCause(
                CauseKind.UNAVAILABLE, told="the backend has no throughput mode"
            )
        },
    )
    told = KO.gate_reason(gate)
    assert KO.text("as_written") in told and "the backend has no throughput mode." in told


# --- gates ---------------------------------------------------------------------------------------


def test_english_says_what_the_verdict_says() -> None:
    gate = verdict(FAIL)
    assert EN.gate_reason(gate) == explain_gate(gate)
    assert "0.447" in EN.gate_reason(gate) and "below 0.5" in EN.gate_reason(gate)


@pytest.mark.parametrize("outcome", VERDICTS)
def test_korean_is_built_from_the_figures(outcome: str) -> None:
    gate = verdict(outcome)
    told = KO.gate_reason(gate)
    assert gate.measured is not None
    for figure in (gate.measured.value, gate.measured.low, gate.measured.high):
        assert f"{figure:.3f}" in told
    assert "≥ 0.5" in told
    assert ("2,400장" in told) == (outcome == UNDECIDED)


def test_what_decides_an_undecided_gate_depends_on_its_kind() -> None:
    p95 = judge_one(P95, latency=Estimate(29.0, 27.0, 31.0), latency_runs=100)
    at_limit = judge_one(P95, latency=Estimate(30.0, 27.0, 31.0), latency_runs=100)
    fps = judge_one(ReleaseLimits(min_fps=30), fps=Estimate(30.5, 29, 32))
    mean = judge_one(ReleaseLimits(min_mAP50=0.5), accuracy={"mAP50": Estimate(0.52, 0.49, 0.55)})
    assert remedy(p95) == ("runs", 400)
    assert remedy(at_limit) == ("hopeless", None)
    assert remedy(fps) == ("quiet", None)
    assert remedy(MISSING["a busy machine"][0]) == ("quiet", None)
    assert remedy(mean) == ("images", mean.cause.more)
    assert "400" in KO.gate_reason(p95)
    assert KO.text("verdict.quiet") in KO.gate_reason(fps)


def test_recordings_that_are_missing_or_unnamed_are_told_in_korean() -> None:
    nine = EvidenceBasis(EvidenceUnit.RECORDING, tuple(f"r{i % 9}" for i in range(200)), 200)
    frames = EvidenceBasis(images=200, alike=0.8, unknown_recordings=True)
    limits, wide = ReleaseLimits(min_mAP50=0.7), {"mAP50": Estimate(0.8, 0.6, 0.9)}
    more = judge_one(limits, accuracy=wide, basis=nine)
    assert remedy(more) == ("groups", 27)
    assert "녹화 영상이(가) 약 27개" in KO.gate_reason(more)
    few = judge_one(
        ReleaseLimits(min_recall={"helmet": 0.7}),
        holding={"helmet": 90},
        holding_groups={"helmet": 3},
        basis=nine,
    )
    told = KO.gate_reason(few)
    assert "녹화 영상이(가) 3개뿐입니다" in told and "약 2개" in told
    unnamed = judge_one(limits, accuracy={"mAP50": Estimate(0.9, 0.88, 0.92)}, basis=frames)
    assert remedy(unnamed) == ("names", None)
    told = KO.gate_reason(unnamed)
    assert "0.900" in told and "dataset.groups" in told and "release.unit: image" in told
    assert "구간 안에" not in told  # the limit is outside: only who may be believed is open


@pytest.mark.parametrize(
    ("gate", "english", "korean"),
    [
        ("min_recall.안전모.v2", "Recall of 안전모.v2", "안전모.v2 재현율"),
        ("max_drop_vs_champion.mAP50_95", "Loss of mAP50-95 against the champion", "mAP50-95 하락"),
        ("max_drop_vs_champion.recall.a.b", "Loss of recall of a.b against", "a.b 재현율 하락"),
        ("max_latency_p95_ms", "Latency, 95th percentile", "지연 시간 95백분위"),
    ],
)
def test_gates_have_names_for_people(gate: str, english: str, korean: str) -> None:
    assert english in EN.gate_name(gate)
    assert korean in KO.gate_name(gate)


def test_the_decision_names_each_open_gate_once_with_its_variants() -> None:
    decision = make_report(FAIL, ("pytorch_fp32", "onnx_int8")).decision
    assert "mAP50-95 (pytorch_fp32, onnx_int8)" in KO.decision_reason(decision)
    assert EN.decision_reason(decision) == explain_decision(decision)
    passed = make_report(PASS, ("pytorch_fp32", "onnx_int8")).decision
    assert "2개 중 2개" in KO.decision_reason(passed) and "onnx_int8" in KO.decision_reason(passed)


def test_a_variant_that_failed_is_not_called_undecided() -> None:
    decision = make_report(UNDECIDED, ("pytorch_fp32", "onnx_int8")).decision
    first, second = decision.variants
    failed = replace(second, gates=(verdict(FAIL), verdict(UNDECIDED, "min_mAP50")))
    listed = EN.listed_gates(replace(decision, variants=(first, failed)), UNDECIDED)
    assert listed == "mAP50-95 (pytorch_fp32)"
