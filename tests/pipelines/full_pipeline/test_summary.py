"""The table at the end says what was measured, and nothing that was not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from guardianflow.contracts.releases import (
    FAIL,
    PASS,
    CauseKind,
    GateCause,
    GateVerdict,
    VariantDecision,
)
from guardianflow.contracts.results import RegisteredModel, StageResult
from guardianflow.release.decision import decide
from pipelines.full_pipeline.summary import Summary, summarise, write_summary
from scenario import Scenario, load_scenario

EXPERIMENT = "demo-construction/seoul-plant1/full"


def demo(repository: Path) -> Scenario:
    return load_scenario(repository / "configs/scenarios/demo.yaml")


def made(stage: str, variant: str, **metrics: float) -> StageResult:
    name = f"demo-construction.seoul-plant1.full.ppe__{variant}"
    models = (
        () if stage == "infer" else (RegisteredModel(name, "3", display_name=f"shown/{variant}"),)
    )
    return StageResult(
        stage, f"{stage}-{variant}", "FINISHED", EXPERIMENT, "r", metrics, models, variant
    )


def cells(summary: Summary, place: int) -> tuple[str, ...]:
    return summary.cells(summary.rows[place])


def results() -> list[StageResult]:
    return [
        made("train", "pytorch_fp32"),
        made("quant", "openvino_int8", **{"comparison.speedup_ratio": 1.83}),
        made(
            "infer",
            "pytorch_fp32",
            **{"det.mAP50": 0.91, "det.mAP50_95": 0.6, "bench.bs1.latency_p50_ms": 20.0},
        ),
        made("infer", "openvino_int8", **{"det.mAP50": 0.90, "det.mAP50_95": 0.59}),
    ]


def test_rows_join_each_model_with_its_own_judgement(repository: Path) -> None:
    original, int8 = summarise(demo(repository), "parent", results()).rows
    assert (original.mAP50, original.drop_mAP50) == (0.91, None)
    assert int8.drop_mAP50 is not None
    assert round(int8.drop_mAP50, 6) == 0.01
    assert int8.speedup_ratio == 1.83
    assert int8.infer_run_id == "infer-openvino_int8"


def test_what_was_not_measured_is_a_dash_and_no_metric(repository: Path) -> None:
    summary = summarise(demo(repository), "parent", results())
    assert cells(summary, 1)[4] == "–"
    assert "summary.openvino_int8.latency_p50_ms" not in summary.metrics
    assert summary.metrics["summary.pytorch_fp32.mAP50"] == 0.91


def test_the_delta_is_negative_where_the_variant_is_worse(repository: Path) -> None:
    summary = summarise(demo(repository), "parent", results())
    assert cells(summary, 1)[3] == "-0.010"


def test_the_report_holds_names_runs_and_a_picture(repository: Path, tmp_path: Path) -> None:
    summary = summarise(demo(repository), "parent", results())
    write_summary(summary, tmp_path)
    text = (tmp_path / "summary.md").read_text("utf-8")
    assert text == summary.to_markdown()
    assert "shown/openvino_int8 v3" in text
    assert "| infer-openvino_int8 |" in text
    rows = json.loads((tmp_path / "summary.json").read_text("utf-8"))["rows"]
    assert [row["variant"] for row in rows] == ["pytorch_fp32", "openvino_int8"]
    assert (tmp_path / "variants.png").stat().st_size > 1000


BUSY = {"sys.busy": 1.0, "sys.warnings": 1.0}


def test_what_a_busy_machine_left_out_is_called_busy_and_is_no_number(
    repository: Path, tmp_path: Path
) -> None:
    quiet = summarise(demo(repository), "parent", results())
    assert "busy" not in quiet.to_markdown()
    given = results()
    given[1] = made("quant", "openvino_int8", **BUSY)
    given[3] = made("infer", "openvino_int8", **{"det.mAP50": 0.9, "det.mAP50_95": 0.59}, **BUSY)
    summary = summarise(demo(repository), "parent", given)
    assert cells(summary, 1)[4:7] == ("busy", "busy", "busy")
    assert "busy" not in cells(summary, 0)
    assert "sys.busy says with what. Run the same command again" in summary.to_markdown()
    assert not [key for key in summary.metrics if "int8.latency" in key or "speedup" in key]
    write_summary(summary, tmp_path)
    (row,) = json.loads((tmp_path / "summary.json").read_text("utf-8"))["rows"][1:]
    assert (row["speedup_ratio"], row["speedup_busy"], row["latency_busy"]) == (None, True, True)
    assert (tmp_path / "variants.png").stat().st_size > 1000


def test_no_time_at_all_is_no_reason_to_end_without_a_picture(
    repository: Path, tmp_path: Path
) -> None:
    given = results()
    for place in (2, 3):
        kept = {key: v for key, v in given[place].metrics.items() if key.startswith("det.")}
        given[place] = made("infer", given[place].variant, **kept, **BUSY)
    write_summary(summarise(demo(repository), "parent", given), tmp_path)
    assert (tmp_path / "variants.png").stat().st_size > 1000


def test_times_that_are_spread_wide_are_marked(repository: Path) -> None:
    given = results()
    given[1] = made(
        "quant", "openvino_int8", **{"comparison.speedup_ratio": 1.8, "sys.warnings": 1.0}
    )
    summary = summarise(demo(repository), "parent", given)
    assert cells(summary, 1)[6] == "1.80× !"
    assert "!" not in "".join(cells(summary, 0))
    assert "Times were spread wide" in summary.to_markdown()


def test_intervals_come_with_their_values(repository: Path) -> None:
    given = results()
    bounds = {"det.mAP50_95_low": 0.55, "det.mAP50_95_high": 0.64}
    bounds |= {"bench.bs1.latency_p50_low_ms": 19.0, "bench.bs1.latency_p50_high_ms": 22.0}
    given[2] = made("infer", "pytorch_fp32", **given[2].metrics, **bounds)
    original, int8 = summarise(demo(repository), "parent", given).rows
    assert (original.mAP50_95_bounds, original.latency_bounds) == ((0.55, 0.64), (19.0, 22.0))
    assert int8.mAP50_95_bounds is int8.latency_bounds is None


def test_a_zero_difference_has_no_minus_sign(repository: Path) -> None:
    same = results()
    same[3] = made("infer", "openvino_int8", **{"det.mAP50": 0.91, "det.mAP50_95": 0.5999})
    assert cells(summarise(demo(repository), "parent", same), 1)[3] == "+0.000"


def told(text: str) -> GateCause:
    return GateCause(CauseKind.RECORDED, told=text)


def test_the_decision_stands_below_the_table(repository: Path) -> None:
    passed = GateVerdict("max_size_mb", PASS, 5, None, told("fine."))
    failed = GateVerdict("min_mAP50", FAIL, 0.95, None, told("mAP50 is 0.9."))
    variants = [
        VariantDecision("pytorch_fp32", "shown/ppe", "3", "r", "2", (passed,)),
        VariantDecision("openvino_int8", "shown/ppe__openvino_int8", "1", "r", "", (failed,)),
    ]
    decision = decide(variants, split="test", images=77)
    release = StageResult("release", "rel", "FINISHED", EXPERIMENT, "r", decision=decision)
    summary = summarise(demo(repository), "parent", [*results(), release])
    assert len(summary.rows) == 2
    text = summary.to_markdown()
    assert "Release: PASS (77 images of test, 0.95 confidence). pytorch_fp32 passed" in text
    assert "- openvino_int8: FAIL min_mAP50: mAP50 is 0.9." in text
    assert "- make it champion: guardianflow promote shown/ppe --version 3" in text
    assert "## Release" not in summarise(demo(repository), "parent", results()).to_markdown()


HOSTILE = "<img src=x onerror=alert(1)>|`*[a](javascript:alert(1))"


def test_names_of_others_are_no_markup_in_the_summary(repository: Path) -> None:
    plain = summarise(demo(repository), "parent", results())
    rows = tuple(
        replace(row, variant=HOSTILE, registered_name=HOSTILE, run_id=HOSTILE) for row in plain.rows
    )
    gate = GateVerdict(HOSTILE, FAIL, 0.95, None, told(HOSTILE))
    decision = decide(
        [VariantDecision(HOSTILE, HOSTILE, "1", "r", "", (gate,))], split=HOSTILE, images=7
    )
    hostile = replace(
        plain,
        scenario=HOSTILE,
        experiment_name=HOSTILE,
        rows=rows,
        release=decision,
    )
    text = hostile.to_markdown()
    assert "<img" not in text and not re.search(r"(?<!\\)]\(", text)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_the_work_of_an_authors_code_is_said_below_the_table(repository: Path) -> None:
    ours = summarise(demo(repository), "parent", results())
    assert "experiment's own" not in ours.to_markdown()
    theirs = [
        replace(each, author=f"{name} (x.py)") if name else each
        for each, name in zip(results(), ["", "Quantizer", "Benchmark", "Benchmark"], strict=True)
    ]
    text = summarise(demo(repository), "parent", theirs).to_markdown()
    assert "Boxes, mAP and latency are those of the experiment's own Benchmark (x.py)" in text
    assert "openvino_int8 was made by the experiment's own Quantizer (x.py)" in text
