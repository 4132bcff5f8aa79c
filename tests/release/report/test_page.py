"""The release report: everything in it, in both languages, and content that contradicts itself."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from release_reports import CLASSES, DOUBT, MODEL, SITE, make_report, png, verdict
from report_pages import Reader, shown

from guardianflow.contracts.errors import ConfigurationError, EvaluationError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import DoubtKind, TimingDoubt
from guardianflow.contracts.quantisation import NetworkChange
from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    VERDICTS,
    CauseKind,
    GateCause,
)
from guardianflow.contracts.results import DetectorPackage, DetectorSpec
from guardianflow.release.report.content import MISSES, PRECISION_RECALL, Lineage, ReportPicture
from guardianflow.release.report.figures import ABSENT, GateFigures
from guardianflow.release.report.page import render_report, report_name, write_release_report
from guardianflow.release.report.wording import LANGUAGES, SYMBOLS, Wording

SIX = ("pytorch_fp32", "openvino_fp32", "openvino_fp16", "openvino_int8", "onnx_fp32", "onnx_int8")
EIGHTY = tuple(f"클래스 {number} <class>" for number in range(80))


PHOTOGRAPHED = ("pytorch_fp32", "openvino_int8")


def report_pictures(variants: Sequence[str]) -> tuple[ReportPicture, ...]:
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), "grey").save(stream, "JPEG")
    return tuple(
        ReportPicture(role, image, variant)
        for variant in variants
        for role, image in ((PRECISION_RECALL, png()), (MISSES, stream.getvalue()))
    )


@pytest.fixture(params=list(LANGUAGES))
def wording(request: pytest.FixtureRequest) -> Wording:
    return Wording(request.param)


# --- files ---------------------------------------------------------------------------------------


def test_every_language_and_format_is_written(tmp_path: Path) -> None:
    write_release_report(make_report(), tmp_path / "new" / "report")
    found = sorted(each.name for each in (tmp_path / "new" / "report").iterdir())
    assert found == ["release.html", "release.ko.html", "release.ko.md", "release.md"]
    assert 'lang="ko"' in (tmp_path / "new/report" / report_name("ko")).read_text("utf-8")


@pytest.mark.parametrize(("outcome", "whose"), [(PASS, "openvino_int8"), (FAIL, "pytorch_fp32")])
def test_photos_are_of_one_variant_and_drawings_of_all(outcome: str, whose: str) -> None:
    report = make_report(outcome, pictures=False)
    drawn = report_pictures([each.variant for each in report.decision.variants])
    page = render_report(replace(report, pictures=drawn), "en")
    assert [variant for variant in PHOTOGRAPHED if f'alt="{variant} – Images' in page] == [whose]
    assert all(f'alt="{variant} – Precision' in page for variant in PHOTOGRAPHED)
    assert page.count("data:image/jpeg;base64,") == 1
    assert "in plots/ of the release run" in page


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("in the way")
    with pytest.raises(EvaluationError, match=r"can't be written to .*report"):
        write_release_report(make_report(), tmp_path / "report")


def test_nothing_is_written_when_the_content_is_wrong(tmp_path: Path) -> None:
    broken = replace(make_report(), pictures=(ReportPicture("misses", b"no PNG"),))
    with pytest.raises(EvaluationError, match="must be PNG or JPEG but begins with b'no PNG'"):
        write_release_report(broken, tmp_path / "report")
    assert not (tmp_path / "report").exists()


# --- what was changed in the network --------------------------------------------------------------


@pytest.mark.parametrize("form", ["html", "md"])
def test_a_change_of_activations_is_told_in_a_sentence(form: str, wording: Wording) -> None:
    plain = make_report()
    assert wording.text("network_changes") not in render_report(plain, wording.language, form)
    change = NetworkChange((("activations 1 of 8", "hardswish"),), 34, 77, 60, 81, 96)
    spec = DetectorSpec(
        "openvino", "int8", "yolo11n", ("person",), 640, "grid", "model.xml", {},
        lineage=change.as_lineage(),
    )  # fmt: skip
    first, second = plain.variants
    model = replace(second.candidate.model, package=DetectorPackage(Path("model"), spec))
    changed = replace(second, candidate=replace(second.candidate, model=model))
    report = replace(plain, variants=(first, changed))
    page = render_report(report, wording.language, form)
    text = " ".join(Reader(page).text.split()) if form == "html" else page.replace("\\", "")
    assert wording.network_change("openvino_int8", change) in text
    for said in ("openvino_int8", "34", "77", "96", "hardswish"):
        assert said in wording.network_change("openvino_int8", change)
    assert wording.text("network_change.trained", images=512) not in text
    trained = replace(change, distilled=512)
    assert "512" in wording.network_change("openvino_int8", trained)
    assert wording.text("network_change.fitted", fitted=41) not in text
    fitted = replace(trained, fitted=41)
    assert "41" in wording.network_change("openvino_int8", fitted)
    assert NetworkChange.from_lineage(fitted.as_lineage()) == fitted
    before = {k: v for k, v in trained.as_lineage().items() if k != "activations_fitted"}
    assert NetworkChange.from_lineage(before) == trained  # a package of before has no such fact


# --- content -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["html", "md"])
@pytest.mark.parametrize("outcome", VERDICTS)
def test_decision_gates_models_and_lineage_are_all_there(
    outcome: str, form: str, wording: Wording
) -> None:
    report = make_report(outcome, promoted=outcome == PASS)
    page = render_report(report, wording.language, form)
    text = " ".join(Reader(page).text.split()) if form == "html" else page.replace("\\", "")
    for said in (
        f"{SYMBOLS[outcome]} {wording.text(f'headline.{outcome}')}",
        wording.decision_reason(report.decision),
        f"{SITE} · ppe",
        "donghwa_welding v3",
        "2026-11-21 17:24 UTC",
        "1,248",
        "95 %",
        wording.text("champion_version", version="6"),
        f"{MODEL}__openvino_int8 v7",
        "9c" * 32,
        "3f9a" * 16,
        "c3" * 16,
        "guardianflow.evaluation 1",
        "AVX512_CORE_VNNI",
        "openvino 2026.4.1",
        "0.549",  # the champion's, of another day
        "24.8 ms",
        "0.842 … 0.901",  # a gate's interval
        "≤ 30 ms",
        "≥ 0.8",
        "+0.031",  # a class's difference
        wording.text("better"),
        wording.text("worse"),
        wording.text("unsure"),
    ):
        assert said in text, said
    for variant in report.decision.variants:
        for gate in variant.gates:
            assert wording.gate_name(gate.gate) in text
            assert " ".join(wording.gate_reason(gate).split()) in text


def test_a_passed_release_names_the_commands_to_deploy() -> None:
    text = shown(make_report(PASS))
    assert f"guardianflow promote {MODEL}__openvino_int8 --version 7" in text
    assert f"guardianflow pull {MODEL}__openvino_int8@champion --to" in text
    assert f"guardianflow rollback {MODEL}__openvino_int8" in text
    promoted = shown(make_report(PASS, promoted=True))
    assert "guardianflow promote" not in promoted
    assert "이안전@부산" in promoted and "야간 오탐 감소" in promoted and "v6 → v7" in promoted


def test_the_overview_tells_failed_gates_from_undecided_ones() -> None:
    report = make_report(FAIL, SIX[:1])
    (variant,) = report.decision.variants
    gates = (verdict(FAIL), verdict(UNDECIDED, "min_mAP50"), verdict(PASS, "min_fps"))
    decision = replace(report.decision, variants=(replace(variant, gates=gates),))
    assert "✗ mAP50-95; ? mAP50 " in shown(replace(report, decision=decision))


def test_a_first_champion_has_nothing_to_go_back_to() -> None:
    text = shown(make_report(PASS, champion=False))
    assert "guardianflow rollback" not in text
    assert "no champion yet: only absolute gates apply" in text
    assert "difference" not in text.lower()
    assert "max_drop_vs_champion" not in text


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_a_winner_that_is_not_registered_is_not_promoted(language: str) -> None:
    report = make_report(PASS)
    bare = [replace(each, version="") for each in report.decision.variants]
    text = shown(replace(report, decision=replace(report.decision, variants=tuple(bare))), language)
    assert "guardianflow promote" not in text and "guardianflow pull" not in text
    assert "--no-register" in text


def test_an_undecided_release_says_how_much_more_it_takes() -> None:
    report = make_report(UNDECIDED)
    assert "about 2,400 more labelled test images" in shown(report)
    assert "약 2,400장 더" in shown(report, "ko")
    again = f"guardianflow release SCENARIO.yaml --run {report.lineage.parent_run_id}"
    assert again in shown(report)
    assert "guardianflow promote" not in shown(report)


def test_a_failed_release_says_what_to_mend_and_nothing_to_promote() -> None:
    text = shown(make_report(FAIL))
    assert "Do not deploy. The model at the site stays as it is." in text
    assert "Accuracy gates failed" in text and "Speed gates failed" not in text
    assert "guardianflow promote" not in text and "guardianflow pull" not in text
    assert "no champion yet to stay with" in shown(make_report(FAIL, champion=False))


def test_the_nearest_variant_is_advised_when_several_are_undecided() -> None:
    report = make_report(UNDECIDED, SIX[:3])
    asked = (9000, 300, 5000)
    variants = tuple(
        replace(each, gates=(verdict(UNDECIDED, cause=GateCause(CauseKind.MORE_IMAGES, more)),))
        for each, more in zip(report.decision.variants, asked, strict=True)
    )
    text = shown(replace(report, decision=replace(report.decision, variants=variants)))
    assert "about 300 more labelled test images: openvino_fp32 could be decided" in text


def test_the_command_to_judge_again_names_the_runs_and_the_calls_it_takes() -> None:
    report = make_report(UNDECIDED, SIX[:1])
    (variant,) = report.decision.variants
    slow = verdict(
        UNDECIDED,
        "max_latency_p95_ms",
        limit=30,
        measured=Estimate(29, 27, 31),
        cause=GateCause(CauseKind.MORE_RUNS, needed=480),
    )
    decision = replace(report.decision, variants=(replace(variant, gates=(slow,)),))
    lineage = replace(report.lineage, parent_run_id="", source_runs={"a": "c3", "b": "d4"})
    text = shown(replace(report, decision=decision, lineage=lineage))
    assert (
        "guardianflow release SCENARIO.yaml --source-run-id c3 --source-run-id d4 "
        "-p benchmark.benchmark_runs=480"
    ) in text
    assert "set benchmark.benchmark_runs to 480 in the scenario" in text


def test_a_winner_that_is_the_champion_is_not_promoted_again() -> None:
    report = make_report(PASS, SIX[:1])
    (variant,) = report.decision.variants
    same = replace(variant, champion_version=variant.version)
    text = shown(replace(report, decision=replace(report.decision, variants=(same,))))
    assert "is the champion already" in text
    assert "guardianflow promote" not in text and "guardianflow rollback" not in text
    assert "guardianflow pull" in text


def test_the_confidence_of_each_kind_of_interval_is_told() -> None:
    report = make_report(PASS)
    sure = replace(report, decision=replace(report.decision, confidence=0.99))
    assert "intervals: 99 %, of latency and speed-up 95 %" in shown(sure)
    assert "99 %, 지연 시간과 속도비는 95 %" in shown(sure, "ko")


def test_images_that_cannot_help_are_not_asked_for(wording: Wording) -> None:
    gates = (
        verdict(UNDECIDED, cause=GateCause(CauseKind.AT_LIMIT)),
        verdict(
            UNDECIDED,
            "min_fps",
            limit=30,
            measured=Estimate(30, 28, 32),
            cause=GateCause(CauseKind.QUIETER_MACHINE),
        ),
        verdict(
            UNDECIDED,
            "min_cameras",
            limit=4,
            measured=None,
            cause=GateCause(CauseKind.NOT_MEASURED),
        ),
    )
    report = make_report(UNDECIDED, SIX[:1])
    (variant,) = report.decision.variants
    decision = replace(report.decision, variants=(replace(variant, gates=gates),))
    text = shown(replace(report, decision=decision), wording.language)
    for key, gate in (("hopeless", gates[0]), ("quiet", gates[1]), ("unmeasured", gates[2])):
        name = wording.gate_name(gate.gate)
        step = wording.text(f"next.{key}", gate=name, variant=variant.variant)
        assert " ".join(step.split()) in text
    assert "2,400" not in text


def test_what_was_not_measured_is_a_dash_and_no_zero() -> None:
    report = make_report(PASS, SIX[:1])
    (compared,) = report.variants
    bare = replace(
        compared.candidate, latency=None, throughput=None, cameras=None, size_mb=None, intervals={}
    )
    text = render_report(replace(report, variants=(replace(compared, candidate=bare),)), form="md")
    row = next(each for each in text.splitlines() if "candidate v7" in each and ABSENT in each)
    assert row.count(f" {ABSENT} |") == 6
    assert not re.search(r"\| 0(\.0+)? ", row)


def test_what_a_busy_machine_left_out_says_so_in_its_place(wording: Wording) -> None:
    report = make_report(UNDECIDED, SIX[:1])
    (compared,) = report.variants
    cause = GateCause(CauseKind.BUSY_MACHINE, told="other processes took 1.40 of 2 cores")
    gates = ("max_latency_p95_ms", "min_fps", "min_cameras")
    untimed = replace(
        compared.candidate,
        latency=None,
        throughput=None,
        cameras=None,
        missing=dict.fromkeys(gates, cause),
    )
    without = replace(compared, candidate=untimed, speedup=None)
    text = render_report(replace(report, variants=(without,)), wording.language, "md")
    cells = [row.count(f"| {wording.text('busy')} ") for row in text.splitlines()]
    assert max(cells) == 5  # p50, p95, p99, fps and cameras
    assert "× 1.72" not in text


def test_classes_without_truth_are_named_and_not_judged(wording: Wording) -> None:
    text = shown(make_report(), wording.language)
    assert f"{CLASSES[-1]} 0 {wording.text('no_truth')}" in text


def test_warnings_stand_before_everything_else_but_the_decision(wording: Wording) -> None:
    text = shown(make_report(), wording.language)
    warning = wording.warning(DOUBT)
    assert text.index(warning) < text.index(wording.text("next"))
    assert wording.text("absent_times") in text and wording.text("absent_times.hint") in text
    spread = TimingDoubt(DoubtKind.WIDE, name="a", slow_ms=3, median_ms=1)
    wide = replace(make_report().conditions, doubts=(spread,))
    text = shown(replace(make_report(), conditions=wide), wording.language)
    assert wording.text("warnings") in text and wording.text("absent_times") not in text
    quiet = shown(make_report(quiet=True), wording.language)
    assert wording.text("warnings") not in quiet and wording.text("absent_times") not in quiet
    assert wording.text("quiet") in quiet
    unwatched = shown(replace(make_report(), conditions=None), wording.language)
    assert wording.text("quiet") not in unwatched
    assert wording.text("no_conditions") in unwatched and "cpu, 2 threads, f32" in unwatched


@pytest.mark.parametrize("form", ["html", "md"])
def test_six_variants_and_eighty_classes_fit(form: str, wording: Wording) -> None:
    report = make_report(UNDECIDED, SIX, classes=EIGHTY, pictures=False)
    page = render_report(report, wording.language, form)
    text = Reader(page).text if form == "html" else page
    for variant in SIX:
        assert variant in text
    name = "클래스 41 <class>" if form == "html" else "클래스 41 &lt;class&gt;"
    assert text.count(name) == len(SIX)


def test_a_report_without_anything_optional_still_says_its_decision(wording: Wording) -> None:
    report = replace(
        make_report(PASS, SIX[:1], champion=False, pictures=False),
        conditions=None,
        device="",
        lineage=Lineage(),
        instances={},
    )
    (variant,) = report.decision.variants
    decision = replace(report.decision, variants=(replace(variant, gates=()),))
    text = shown(replace(report, decision=decision), wording.language)
    for key in ("headline.pass", "no_gates", "no_pictures", "no_conditions"):
        assert wording.text(key) in text


# --- content that contradicts itself -------------------------------------------------------------


def test_variants_must_be_the_decisions_own() -> None:
    report = make_report()
    with pytest.raises(EvaluationError, match=r"must be the decision's.*got \['pytorch_fp32'\]"):
        render_report(replace(report, variants=report.variants[:1]))
    decision = replace(report.decision, winner="tensorrt_fp16")
    with pytest.raises(EvaluationError, match=r"winner must be one of .* but got 'tensorrt_fp16'"):
        render_report(replace(report, decision=decision))


def test_pictures_must_be_there_and_of_a_known_role(tmp_path: Path) -> None:
    report = make_report(pictures=False)
    missing = ReportPicture("misses", tmp_path / "none.png")
    with pytest.raises(EvaluationError, match=r"'misses' can't be read: .*none\.png"):
        render_report(replace(report, pictures=(missing,)))
    with pytest.raises(EvaluationError, match=r"role must be one of .* but got selfie"):
        render_report(replace(report, pictures=(ReportPicture("selfie", b""),)))


def test_an_unknown_language_or_gate_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="one of en, ko but got 'de'"):
        render_report(make_report(), "de")
    with pytest.raises(EvaluationError, match=r"a gate must be one of .* but got 'min_luck'"):
        GateFigures(verdict(PASS, "min_luck"))
