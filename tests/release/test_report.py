"""The release report: everything in it, in both languages, and nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_reports import CLASSES, MODEL, SITE, make_report, verdict

from guardianflow.contracts.errors import ConfigurationError, EvaluationError
from guardianflow.contracts.measurements import Estimate
from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    UNDECIDED,
    VERDICTS,
    GateVerdict,
    ReleaseLimits,
)
from guardianflow.release.report import (
    Verbatim,
    markdown_text,
    render_report,
    report_name,
    write_release_report,
)
from guardianflow.release.report_content import Lineage, ReleaseReport, ReportPicture
from guardianflow.release.report_figures import (
    ABSENT,
    RULES,
    amount,
    gate_figures,
    number,
    signed,
    telling_decimals,
)
from guardianflow.release.report_gates import CHART_WIDTH, interval_chart
from guardianflow.release.report_tables import difference
from guardianflow.release.wording import LANGUAGES, SYMBOLS, Wording

SIX = ("pytorch_fp32", "openvino_fp32", "openvino_fp16", "openvino_int8", "onnx_fp32", "onnx_int8")
EIGHTY = tuple(f"클래스 {number} <class>" for number in range(80))
VOID = {"meta", "link", "img", "br", "rect", "line", "path", "circle"}


class Reader(HTMLParser):
    """A page's text as a reader sees it, its addresses, and whether its elements are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing"
        self.text += " " if tag in ("td", "th", "dt", "dd") else ""

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data


def shown(report: ReleaseReport, language: str = "en") -> str:
    """The HTML page's text, blanks joined."""
    return " ".join(Reader(render_report(report, language)).text.split())


@pytest.fixture(params=list(LANGUAGES))
def wording(request: pytest.FixtureRequest) -> Wording:
    return Wording(request.param)


# --- files ---------------------------------------------------------------------------------------


def test_every_language_and_format_is_written(tmp_path: Path) -> None:
    write_release_report(make_report(), tmp_path / "new" / "report")
    found = sorted(each.name for each in (tmp_path / "new" / "report").iterdir())
    assert found == ["release.html", "release.ko.html", "release.ko.md", "release.md"]
    assert 'lang="ko"' in (tmp_path / "new/report" / report_name("ko")).read_text("utf-8")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("in the way")
    with pytest.raises(EvaluationError, match=r"can't be written to .*report"):
        write_release_report(make_report(), tmp_path / "report")


def test_nothing_is_written_when_the_content_is_wrong(tmp_path: Path) -> None:
    broken = replace(make_report(), pictures=(ReportPicture("misses", b"no PNG"),))
    with pytest.raises(EvaluationError, match="'misses' must be a PNG but begins with b'no PNG'"):
        write_release_report(broken, tmp_path / "report")
    assert not (tmp_path / "report").exists()


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
        replace(each, gates=(verdict(UNDECIDED, more_images=more),))
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
        more_images=None,
        reason="set benchmark.benchmark_runs to about 480 to decide it.",
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
        verdict(UNDECIDED, more_images=None, reason=""),
        verdict(
            UNDECIDED,
            "min_fps",
            limit=30,
            measured=Estimate(30, 28, 32),
            more_images=None,
            reason="",
        ),
        verdict(UNDECIDED, "min_cameras", limit=4, measured=None, more_images=None, reason="no."),
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
        compared.candidate, latency=None, fps=None, cameras=None, size_mb=None, intervals={}
    )
    text = render_report(replace(report, variants=(replace(compared, candidate=bare),)), form="md")
    row = next(each for each in text.splitlines() if "candidate v7" in each and ABSENT in each)
    assert row.count(f" {ABSENT} |") == 6
    assert not re.search(r"\| 0(\.0+)? ", row)


def test_classes_without_truth_are_named_and_not_judged(wording: Wording) -> None:
    text = shown(make_report(), wording.language)
    assert f"{CLASSES[-1]} 0 {wording.text('no_truth')}" in text


def test_warnings_stand_before_everything_else_but_the_decision(wording: Wording) -> None:
    text = shown(make_report(), wording.language)
    warning = wording.warning("other processes kept 0.71 cores busy meanwhile")
    assert text.index(warning) < text.index(wording.text("next"))
    quiet = shown(make_report(quiet=True), wording.language)
    assert wording.text("warnings") not in quiet
    assert wording.text("quiet") in quiet


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
        conditions={},
        device="",
        lineage=Lineage(),
        instances={},
    )
    (variant,) = report.decision.variants
    decision = replace(report.decision, variants=(replace(variant, gates=()),), reason="")
    text = shown(replace(report, decision=decision), wording.language)
    for key in ("headline.pass", "no_gates", "no_pictures", "no_conditions"):
        assert wording.text(key) in text


# --- nothing from outside, nothing that breaks out ----------------------------------------------


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_the_page_asks_for_nothing_outside(language: str) -> None:
    page = render_report(make_report(), language)
    assert "http://" not in page and "https://" not in page and "@import" not in page
    assert re.findall(r"url\(", page) == []
    reader = Reader(page)
    assert reader.addresses and all(each.startswith("data:") for each in reader.addresses)
    assert "script" not in reader.tags
    assert "default-src 'none'" in page


HOSTILE = '<img src="http://evil/x"><script>alert(1)</script>"\'&{{ 7*7 }}{% x %}|`*_[a](b)'


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_names_are_shown_as_they_are_wherever_they_stand(language: str) -> None:
    report = make_report(PASS, ("<u>v</u>",), classes=("사람", HOSTILE, "<u>last</u>"))
    (variant,) = report.decision.variants
    gates = (verdict(FAIL, f"min_recall.{HOSTILE}", reason=HOSTILE), *variant.gates)
    decision = replace(report.decision, variants=(replace(variant, gates=gates),), reason=HOSTILE)
    report = replace(
        report,
        decision=decision,
        scenario=HOSTILE,
        site=HOSTILE,
        device=HOSTILE,
        lineage=replace(report.lineage, data_name=HOSTILE, source_runs={HOSTILE: HOSTILE}),
        conditions={**report.conditions, "warnings": (HOSTILE,)},
    )
    reader = Reader(render_report(report, language))
    assert "script" not in reader.tags and "u" not in reader.tags
    assert all(each.startswith("data:") for each in reader.addresses)
    assert reader.text.count(HOSTILE) >= 6
    markdown = render_report(report, language, "md")
    assert "<script" not in markdown and "<img" not in markdown
    for row in re.findall(r"^\|.*$", markdown, re.MULTILINE):
        assert row.endswith("|")


@given(st.text())
def test_markdown_text_keeps_to_one_line_and_opens_no_markup(text: str) -> None:
    shown = str(markdown_text(text))
    assert "\n" not in shown and "<" not in shown
    assert not re.search(r"(?<!\\)(\\\\)*[|`*\[\]]", shown)
    assert markdown_text(Verbatim(text)) == text


@pytest.mark.parametrize("form", ["html", "md"])
def test_every_table_row_has_the_columns_of_its_heading(form: str) -> None:
    for report in (make_report(promoted=True), make_report(FAIL, champion=False)):
        for widths in row_widths(render_report(report, "ko", form), form):
            assert len(set(widths)) == 1, widths


def row_widths(page: str, form: str) -> Iterator[list[int]]:
    """Of each table the number of columns in each row, spans counted."""
    if form == "md":
        for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
            yield [len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()]
        return
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        widths, hanging = [], 0
        for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL):
            cells = re.findall(r"<t[dh][^>]*>", row)
            spans = [int(n) for n in re.findall(r'colspan="(\d+)"', row)]
            below = [int(n) for n in re.findall(r'rowspan="(\d+)"', row)]
            widths.append(len(cells) + sum(spans) - len(spans) + (hanging > 0))
            hanging = below[0] - 1 if below else max(0, hanging - 1)
        yield widths


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
        gate_figures(verdict(PASS, "min_luck"))


# --- figures -------------------------------------------------------------------------------------


def test_every_limit_of_a_release_has_a_rule() -> None:
    limits = {each.name for each in fields(ReleaseLimits)} - {"confidence"}
    assert set(RULES) == limits


@given(
    values=st.lists(st.floats(0, 1).map(lambda x: round(x, 5)), min_size=1, max_size=3),
    limit=st.floats(0, 1).map(lambda x: round(x, 5)),
)
def test_rounding_moves_no_figure_across_its_limit(values: list[float], limit: float) -> None:
    decimals = telling_decimals(values, limit, 3)
    for value in values:
        rounded = float(f"{value:.{decimals}f}")
        assert (rounded > limit, rounded < limit) == (value > limit, value < limit)


def test_a_value_just_below_its_limit_does_not_look_as_if_it_kept_it() -> None:
    gate = GateVerdict("min_mAP50", FAIL, 0.9, Estimate(0.89, 0.88, 0.89996), "")
    assert gate_figures(gate).high == "0.89996"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (float("nan"), "–"), (float("inf"), "∞"), (-0.0001, "0.000"), (-0.5, "−0.500")],
)
def test_figures_say_what_is_absent_and_never_minus_zero(value: float | None, text: str) -> None:
    assert number(value, 3) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1973, "0.197"), (21.44, "21.4"), (1234.56, "1234.6"), (0.0, "0.0"), (None, "–")],
)
def test_small_amounts_keep_digits_enough_to_compare(value: float | None, text: str) -> None:
    assert amount(value) == text
    if value:
        gate = GateVerdict("max_size_mb", PASS, 5000, Estimate(value, value, value), "")
        assert gate_figures(gate).value == f"{text} MB"


def test_an_interval_that_ends_just_beside_zero_does_not_seem_to_reach_it() -> None:
    cell = difference(Estimate(-0.01, -0.02, -0.0003), Wording())
    assert (cell.kind, cell.interval) == ("worse", "−0.0200 … −0.0003")
    cell = difference(Estimate(0.01, -0.0003, 0.02), Wording())
    assert (cell.kind, cell.interval) == ("unsure", "−0.0003 … +0.0200")


def test_differences_carry_their_sign() -> None:
    assert [signed(x, 3) for x in (0.012, -0.012, 0.0, -0.0001)] == [
        "+0.012",
        "−0.012",
        "0.000",
        "0.000",
    ]


@given(
    bounds=st.tuples(*[st.floats(-1e3, 1e3)] * 3).map(sorted),
    limit=st.floats(-1e3, 1e3),
    gate=st.sampled_from(["min_fps", "max_latency_p95_ms"]),
)
def test_the_small_picture_keeps_its_order_and_its_frame(
    bounds: list[float], limit: float, gate: str
) -> None:
    low, value, high = bounds
    judged = GateVerdict(gate, PASS, limit, Estimate(value, low, high), "")
    chart = interval_chart(judged, gate_figures(judged), Wording())
    assert chart is not None
    assert 0 <= chart.low <= chart.value <= chart.high <= CHART_WIDTH
    assert chart.good_width >= 0
    inside = chart.good_from <= chart.value <= chart.good_from + chart.good_width
    keeps = value >= limit if gate == "min_fps" else value <= limit
    assert inside or not keeps
