"""Too much of the test in train makes a release undecided, whatever the other gates say."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from judged_models import judge

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.recordings.leaks import LeakNote, LeakUnknown
from guardianflow.contracts.releases import (
    PASS,
    UNDECIDED,
    CauseKind,
    GateVerdict,
    ReleaseLimits,
)
from guardianflow.release.explanation import explain_gate
from guardianflow.release.gates import check_limits
from guardianflow.release.gates.leaks import verdicts
from guardianflow.release.report.texts_en import ENGLISH
from guardianflow.release.report.wording import Wording

CLEAN = LeakNote("test", 200)
LEAKING = LeakNote("test", 200, twins=108, touched=108)
FOREIGN = LeakNote("test", 9, unknown=LeakUnknown.OTHER_DATA)
RESTED = LeakNote("test", 200, 80, 108, untouched={"mAP50": (0.41, 0.33, 0.49)})


def judged(note: LeakNote | None, most: float | None = None) -> list[GateVerdict]:
    return list(verdicts(ReleaseLimits(min_mAP50=0.5, max_leak=most), note))


def test_unasked_only_a_leak_is_told() -> None:
    assert judged(None) == judged(CLEAN) == judged(LeakNote("test", 200, 10, 10)) == []
    (gate,) = judged(LeakNote("test", 200, 11, 11))
    assert (gate.gate, gate.outcome, gate.limit) == ("max_leak", UNDECIDED, 0.05)
    assert gate.cause.kind is CauseKind.LEAKS


@pytest.mark.parametrize(
    ("note", "most", "outcome", "cause"),
    [
        (CLEAN, 0.0, PASS, CauseKind.KEPT),
        (LEAKING, 0.6, PASS, CauseKind.KEPT),
        (LEAKING, 1.0, PASS, CauseKind.KEPT),
        (LEAKING, 0.5, UNDECIDED, CauseKind.LEAKS),
        (None, 0.5, UNDECIDED, CauseKind.LEAK_UNKNOWN),
        (FOREIGN, 1.0, UNDECIDED, CauseKind.LEAK_UNKNOWN),
        # What was seen is enough, though more may leak.
        (replace(FOREIGN, touched=5), 0.1, UNDECIDED, CauseKind.LEAKS),
    ],
)
def test_asked_it_is_a_gate_that_passes_or_stays_open(
    note: LeakNote | None, most: float, outcome: str, cause: CauseKind
) -> None:
    (gate,) = judged(note, most)
    assert (gate.outcome, gate.cause.kind) == (outcome, cause)
    assert GateVerdict.from_dict(_plain(gate)) == gate


def _plain(gate: GateVerdict) -> dict[str, object]:
    return asdict(gate)


def test_what_is_unknown_is_no_gate_where_nobody_asked() -> None:
    assert judged(FOREIGN) == []


def test_a_share_is_from_0_to_1() -> None:
    with pytest.raises(ConfigurationError, match=r"max_leak must be a number from 0 to 1 but is 5"):
        check_limits(ReleaseLimits(max_leak=5))


def test_asking_for_it_alone_leaves_the_drop_gate_in() -> None:
    """It says nothing of the model: alone with a drop gate and no champion, nothing may pass."""
    limits = ReleaseLimits(max_drop_vs_champion={"mAP50": 0.02}, max_leak=0.1)
    drop, leak = judge(limits, has_champion=False)
    assert (drop.gate, drop.outcome) == ("max_drop_vs_champion.mAP50", UNDECIDED)
    assert (leak.gate, leak.outcome) == ("max_leak", UNDECIDED)  # nobody looked


def test_the_reason_has_its_figures_in_both_languages() -> None:
    (gate,) = judged(LEAKING)
    english = explain_gate(gate)
    assert "108 of 200 images of test have a twin in train" in english
    assert "guardianflow data split DATA --by recording" in english
    assert Wording("en").gate_reason(gate) == english
    korean = Wording("ko").gate_reason(gate)
    assert "200장 중 108장" in korean
    assert "0.05" in korean
    for unknown in LeakUnknown:
        note = LeakNote("test", 9, unknown=unknown)
        (gate,) = judged(note, 0.5)
        assert Wording("ko").gate_reason(gate) == Wording("ko").text(f"leak.unknown.{unknown}")
        told = explain_gate(gate)
        assert "can't be told" in told or "could not be looked at" in told


def test_the_sentence_says_what_the_figures_are_worth() -> None:
    words = Wording("en")
    assert words.leak(LEAKING) == (
        "54 % of the test images (108 of 200) have a twin in train: these figures say nothing "
        "about new footage. The 92 others are too few for figures of their own: it takes 20 that "
        "show objects."
    )
    told = words.leak(RESTED)
    assert "have a twin in train or are of a recording that is in train" in told
    assert told.endswith("On the 92 images that are not in train: mAP50 0.410 (0.330 … 0.490).")
    assert words.leak(CLEAN) == ""
    little = words.leak(LeakNote("test", 200, 4, 4, untouched={"mAP50": (0.4, 0.3, 0.5)}))
    assert "on these the figures say nothing about new footage" in little
    korean = Wording("ko").leak(LEAKING)
    assert "test 이미지 200장 중 108장(54 %)" in korean
    assert "새 영상" in korean
    assert {key for key in ENGLISH if key.startswith("leak.unknown.")} == {
        f"leak.unknown.{each}" for each in LeakUnknown
    }
