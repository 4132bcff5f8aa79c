"""Gates on slices: judged on the slice's own interval, and undecided with what would decide."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from judged_models import MODEL
from sliced_models import sliced_site

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.contracts.recordings.slices import SliceName, SliceTable
from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    CauseKind,
    GateVerdict,
    ReleaseLimits,
)
from guardianflow.release.explanation import explain_gate
from guardianflow.release.gates import judge_gates
from guardianflow.release.models import ComparedModels, JudgedSplit, ModelMeasurement
from guardianflow.release.report.wording import Wording

NIGHT = SliceName("light", "night")
SPLIT = JudgedSplit("test", 288)


def judged(
    least: float,
    table: SliceTable | None,
    name: str = "night",
    class_name: str = "helmet",
    split: JudgedSplit = SPLIT,
) -> GateVerdict:
    limits = ReleaseLimits(min_recall_in={name: {class_name: least}})
    (verdict,) = judge_gates(limits, ComparedModels(ModelMeasurement(MODEL, slices=table)), split)
    return verdict


def test_the_whole_interval_of_the_slice_decides() -> None:
    _, candidate, _ = sliced_site()
    night = candidate.find(NIGHT, "helmet")
    assert night is not None and night.interval is not None
    for least, outcome in (
        (night.interval.low, PASS),
        (night.recall, UNDECIDED),
        (night.interval.high + 1e-6, FAIL),
    ):
        verdict = judged(least, candidate)
        assert verdict.outcome == outcome
        assert verdict.measured == night.interval
        assert verdict.gate == "min_recall_in.night.helmet"
        assert (verdict.slice_name, verdict.class_name) == ("night", "helmet")


def test_a_model_that_is_good_by_day_alone_fails_at_night() -> None:
    champion, candidate, _ = sliced_site()
    assert judged(0.6, champion).outcome == PASS
    assert judged(0.6, candidate, "day").outcome == PASS
    assert judged(0.6, candidate).outcome == FAIL


def test_undecided_says_how_many_more_recordings_of_the_slice() -> None:
    _, candidate, _ = sliced_site()
    night = candidate.find(NIGHT, "helmet")
    assert night is not None and night.interval is not None
    near = (night.recall + night.interval.low) / 2
    verdict = judged(near, candidate)
    # Half the width takes four times the recordings: three times as many more.
    assert verdict.cause.kind is CauseKind.MORE_GROUPS
    assert verdict.cause.unit == EvidenceUnit.RECORDING
    assert verdict.cause.more == pytest.approx(3 * night.units, rel=0.1)
    told = explain_gate(verdict)
    assert "recall of 'helmet' in slice 'night' is" in told
    assert f"needs about {verdict.cause.more} more recordings" in told


def test_over_images_it_is_images_of_the_split() -> None:
    _, candidate, _ = sliced_site(unit=EvidenceUnit.IMAGE)
    night = candidate.find(NIGHT, "helmet")
    assert night is not None and night.interval is not None
    verdict = judged((night.recall + night.interval.low) / 2, candidate)
    assert verdict.cause.kind is CauseKind.MORE_IMAGES
    assert verdict.cause.more == pytest.approx(3 * SPLIT.images, rel=0.1)


def test_a_slice_in_too_few_recordings_is_undecided_whatever_its_value() -> None:
    champion, _, _ = sliced_site(12)
    night = champion.find(NIGHT, "helmet")
    assert night is not None
    assert (night.interval, night.units) == (None, 4)
    verdict = judged(0.01, champion)
    assert verdict.outcome == UNDECIDED
    assert (verdict.cause.kind, verdict.cause.held, verdict.cause.more) == (
        CauseKind.FEW_GROUPS,
        4,
        1,
    )
    assert "only 4 recordings of the test split show class 'helmet' in slice 'night'" in (
        explain_gate(verdict)
    )


def test_a_slice_of_too_few_boxes_is_undecided() -> None:
    _, candidate, _ = sliced_site()
    night = candidate.find(NIGHT, "helmet")
    assert night is not None
    few = replace(night, boxes=7, found=5, units=6, interval=None)
    table = replace(candidate, scores=(few,))
    verdict = judged(0.01, table)
    assert verdict.cause.kind is CauseKind.FEW_BOXES
    assert (verdict.cause.held, verdict.cause.needed) == (7, 20)
    assert "has only 7 boxes of class 'helmet' in slice 'night'" in explain_gate(verdict)
    assert verdict.cause.more == pytest.approx(SPLIT.images * (20 / 7 - 1), rel=0.1)


def test_a_slice_that_the_split_does_not_show_is_undecided() -> None:
    _, candidate, _ = sliced_site()
    for name, table, kind in (
        ("blurred", candidate, CauseKind.NO_IMAGES),
        ("night", None, CauseKind.NOT_MEASURED),
    ):
        verdict = judged(0.01, table, name)
        assert (verdict.outcome, verdict.measured, verdict.cause.kind) == (UNDECIDED, None, kind)
        assert explain_gate(verdict)


def test_frames_of_unknown_recordings_decide_nothing() -> None:
    _, candidate, _ = sliced_site(unit=EvidenceUnit.IMAGE)
    split = replace(SPLIT, basis=EvidenceBasis(images=288, unknown_recordings=True))
    verdict = judged(0.01, candidate, split=split)
    assert (verdict.outcome, verdict.cause.kind) == (UNDECIDED, CauseKind.UNKNOWN_RECORDINGS)


def test_dots_in_cameras_and_classes_are_no_trouble_and_a_verdict_is_read_back() -> None:
    _, candidate, _ = sliced_site()
    night = candidate.find(NIGHT, "helmet")
    assert night is not None
    gate = replace(night, name=SliceName("camera", "10.0.0.7"), class_name="vest.v2")
    table = replace(candidate, scores=(gate,))
    verdict = judged(0.01, table, "camera.10.0.0.7", "vest.v2")
    assert verdict.outcome == PASS
    assert verdict.class_name == "vest.v2"
    read = GateVerdict.from_dict(json.loads(json.dumps(asdict(verdict))))
    assert read == verdict
    assert Wording("en").gate_name(verdict.gate, verdict.slice_name) == (
        "Recall of vest.v2 in slice camera.10.0.0.7"
    )


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_verdict_has_a_reason_in_both_languages(language: str) -> None:
    _, candidate, _ = sliced_site()
    few, _, _ = sliced_site(12)
    wording = Wording(language)
    for least, table, name in (
        (0.0, candidate, "night"),
        (1.0, candidate, "night"),
        (0.5, candidate, "night"),
        (0.5, few, "night"),
        (0.5, candidate, "blurred"),
    ):
        verdict = judged(least, table, name)
        assert wording.gate_reason(verdict)
        assert name in wording.gate_name(verdict.gate, verdict.slice_name)


def test_limits_that_cannot_be_are_told_at_once() -> None:
    limits = ReleaseLimits(min_recall_in={"night": {"helmet": 1.2, "머리": -1}})
    with pytest.raises(ConfigurationError) as told:
        judge_gates(limits, ComparedModels(ModelMeasurement(MODEL)), SPLIT)
    assert "min_recall_in.night.helmet must be a number from 0 to 1" in str(told.value)
    assert "min_recall_in.night.머리" in str(told.value)
