"""What is best, what is certain, and that nothing unmeasured looks like a number."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.contracts.results import StageResult
from pipelines.compare.table import ComparisonTable, tabulate, write_table
from pipelines.console import print_table
from pipelines.tables import verdict
from scenario import Scenario, build_scenario

FORMATS = [{"backend": b, "precision": p} for b in ("openvino", "onnx") for p in ("fp16", "int8")]
NATIVE = StageResult(
    "infer", "r0", "FINISHED", "e", "n", {"det.mAP50": 0.6, "det.mAP50_95": 0.4},
    variant="pytorch_fp32",
)  # fmt: skip


def scenario(**limits: float) -> Scenario:
    return build_scenario(
        {
            "name": "비교",
            "site": {"customer": "동화", "region": "부산"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n"},
            "dataset": {"path": "demo://ppe", "split": "test"},
        }
    ).with_quant_comparison(FORMATS, **limits)


def finished(
    variant: str, drop: float, speedup: float, width: float | None = None, drop50: float = 0.0
) -> StageResult:
    metrics = {
        "det.quantized.mAP50": 0.6 - drop50,
        "det.quantized.mAP50_95": 0.4 - drop,
        "comparison.accuracy_drop_mAP50": drop50,
        "comparison.accuracy_drop_mAP50_95": drop,
        "comparison.speedup_ratio": speedup,
        "comparison.speedup_ratio_low": speedup * 0.9,
        "comparison.speedup_ratio_high": speedup * 1.1,
        "sys.quantized.model_size_mb": 3.0,
    }
    if width is not None:
        for key, value in (("mAP50", drop50), ("mAP50_95", drop)):
            metrics[f"comparison.accuracy_drop_{key}_low"] = value - width
            metrics[f"comparison.accuracy_drop_{key}_high"] = value + width
    return StageResult("quant", f"run-{variant}", "FINISHED", "e", "n", metrics, variant=variant)


def unmeasured(variant: str, status: str, reason: str) -> StageResult:
    return StageResult("quant", "", status, "e", "n", variant=variant, reason=reason)


def table(*results: StageResult, **limits: float) -> ComparisonTable:
    return tabulate(scenario(**limits), "parent", results)


@given(
    st.lists(
        st.tuples(st.floats(-0.05, 0.05), st.floats(-0.05, 0.05), st.floats(0.2, 9)),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_the_best_is_the_fastest_of_those_within_the_limits(
    measured: list[tuple[float, float, float]], with_native: bool
) -> None:
    results = [
        finished(f"v{i}_int8", drop, speed, drop50=drop50)
        for i, (drop, drop50, speed) in enumerate(measured)
    ]
    made = table(*([NATIVE] * with_native), *results)
    allowed = [s for d, d50, s in measured if d <= 0.01 and d50 <= 0.01] + [1.0] * with_native
    if not allowed:
        assert made.best is None
        assert not [key for key in made.metrics if key.startswith("best.")]
        return
    assert made.best is not None
    assert made.best.speedup_ratio == max(allowed)
    assert made.metrics["best.speedup_ratio"] == max(allowed)
    assert sum(row.best for row in made.rows) == 1


def test_what_was_not_measured_has_no_number_anywhere(tmp_path: Path) -> None:
    made = table(
        NATIVE,
        unmeasured("tensorrt_int8", "SKIPPED", "그래픽 장치 없음 | no GPU"),
        unmeasured("onnx_int8", "FAILED", "two\nlines"),
        finished("openvino_int8", 0.002, 2.0, 0.001),
    )
    write_table(made, tmp_path)
    lines = (tmp_path / "comparison.csv").read_text(encoding="utf-8-sig").splitlines()
    rows = list(csv.DictReader(lines))
    assert len(rows) == 4
    for row in rows[1:3]:
        numbers = ("mAP50", "mAP50_95", "drop_mAP50", "speedup_ratio", "size_mb", "within_limits")
        assert [row[key] for key in numbers] == [""] * 6
    assert float(rows[3]["drop_mAP50_95_high"]) == pytest.approx(0.003)
    kept = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    assert (kept["best"], kept["best_run_id"]) == ("openvino_int8", "run-openvino_int8")
    assert kept["rows"][1]["speedup_ratio"] is None
    assert (tmp_path / "comparison.png").stat().st_size > 10_000
    text = made.to_markdown()
    assert "| skipped: 그래픽 장치 없음 \\| no GPU |" in text
    assert "| failed: two lines |" in text
    assert [key for key in made.metrics if "tensorrt" in key or "onnx" in key] == []


HOSTILE = "=cmd|' /C calc'!A0<img src=x onerror=alert(1)>"


def test_a_reason_is_no_markup_in_the_table_and_no_formula_in_the_csv(tmp_path: Path) -> None:
    write_table(table(NATIVE, unmeasured("onnx_int8", "FAILED", HOSTILE)), tmp_path)
    assert "<img" not in (tmp_path / "comparison.md").read_text(encoding="utf-8")
    lines = (tmp_path / "comparison.csv").read_text(encoding="utf-8-sig").splitlines()
    rows = list(csv.DictReader(lines))
    assert rows[1]["reason"] == f"'{HOSTILE}"
    assert rows[0]["speedup_ratio"] == "1.0"


def test_without_a_measured_variant_there_is_no_picture(tmp_path: Path) -> None:
    write_table(table(NATIVE, unmeasured("onnx_int8", "FAILED", "x")), tmp_path)
    assert not (tmp_path / "comparison.png").exists()


@pytest.mark.parametrize(
    ("drop", "drop50", "width", "said"),
    [
        (0.002, 0.0, 0.005, "yes"),
        (0.008, 0.0, 0.005, "yes ?"),
        (0.002, 0.009, 0.005, "yes ?"),
        (0.002, 0.0, None, "yes ?"),
        (0.02, 0.0, 0.005, "no"),
        (0.012, 0.0, 0.005, "no ?"),
        (0.002, 0.02, 0.005, "no"),
    ],
)
def test_an_interval_over_a_limit_is_no_certainty(
    drop: float, drop50: float, width: float | None, said: str
) -> None:
    made = table(finished("onnx_int8", drop, 2.0, width, drop50))
    assert verdict(made.rows[0]) == said


def test_limits_are_the_scenarios() -> None:
    assert table(finished("onnx_int8", 0.02, 2.0)).best is None
    assert table(finished("onnx_int8", 0.02, 2.0), max_drop_mAP50_95=0.03).best is not None


def test_a_search_that_ended_with_float16_is_told_as_that() -> None:
    made = table(finished("openvino_int8-as-fp16", 0.0, 1.5))
    assert (made.rows[0].variant, made.rows[0].made) == ("openvino_int8", "openvino_fp16")
    assert made.cells(made.rows[0])[0] == "* openvino_int8 → openvino_fp16"


def test_no_best_and_a_wide_spread_are_said() -> None:
    late = finished("onnx_int8", 0.5, 3.0)
    spread = StageResult(**{**vars(late), "metrics": {**late.metrics, "sys.warnings": 1.0}})
    made = table(spread)
    said = " ".join(made.notes())
    assert "there is no best one" in said
    assert "spread wide" in said
    assert made.cells(made.rows[0])[4] == "3.00× [2.70 … 3.30] !"
    assert made.to_dict()["best"] is None


def untimed(result: StageResult) -> StageResult:
    """As a stage leaves it that met a busy machine."""
    kept = {key: value for key, value in result.metrics.items() if "speedup" not in key}
    return replace(result, metrics={**kept, "sys.busy": 1.0, "sys.warnings": 1.0})


def test_a_busy_machine_leaves_no_ratio_and_no_best_one(tmp_path: Path) -> None:
    made = table(NATIVE, finished("onnx_int8", 0.001, 3.0), untimed(finished("o_int8", 0.0, 9.0)))
    assert made.cells(made.rows[2])[4] == "busy"
    assert made.best is None, "the one that was not timed might be the fastest"
    assert not [key for key in made.metrics if key.startswith("best.")]
    assert "summary.o_int8.speedup_ratio" not in made.metrics
    said = " ".join(made.notes())
    assert "There is no best one yet" in said and "Run the same command again" in said
    write_table(made, tmp_path)
    lines = (tmp_path / "comparison.csv").read_text(encoding="utf-8-sig").splitlines()
    row = list(csv.DictReader(lines))[2]
    assert (row["speedup_ratio"], row["speedup_ratio_low"], row["speedup_busy"]) == ("", "", "True")
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


def test_one_that_loses_too_much_is_not_waited_for() -> None:
    made = table(finished("onnx_int8", 0.001, 3.0), untimed(finished("o_int8", 0.5, 9.0)))
    assert made.best is not None and made.best.variant == "onnx_int8"


def test_the_table_keeps_its_width_with_hangul(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.cells import cell_len

    print_table(table(NATIVE, unmeasured("onnx_int8", "SKIPPED", "[한글] 라이브러리 없음")))
    shown = capsys.readouterr().out
    assert "[한글] 라이브러리 없음" in shown
    frame = [line for line in shown.splitlines() if line[:1] in "┏┃┡│└"]
    assert len({cell_len(line) for line in frame}) == 1


def test_a_table_says_on_how_much_evidence_its_accuracy_rests() -> None:
    """Drops of 0.01 over 6 recordings and over 600 images are not the same news."""
    original = replace(NATIVE, metrics={**NATIVE.metrics, "det.interval_recordings": 6.0})
    made = finished("onnx_int8", 0.0, 2.0)
    made = replace(made, metrics={**made.metrics, "det.interval_recordings": 6.0})
    table = tabulate(scenario(), "parent", [original, made])
    assert "Accuracy rests on 6 recordings: its intervals are over these." in table.notes()
    assert {(row.interval_unit, row.interval_groups) for row in table.rows} == {("recording", 6)}
    without = tabulate(scenario(), "parent", [NATIVE])
    assert not any("rests on" in note for note in without.notes())


def test_alarms_have_columns_where_the_scenario_has_some(tmp_path: Path) -> None:
    bare = tabulate(scenario(), "parent", [NATIVE])
    assert "missed alarms" not in bare.columns
    measured = {"alarm.missed": 0.25, "alarm.missed_low": 0.1, "alarm.missed_high": 0.4,
                "alarm.false_per_camera_day": 3.0, "alarm.recordings": 12.0}  # fmt: skip
    quantized = {key.replace("alarm.", "alarm.quantized."): v + 0.5 for key, v in measured.items()}
    made = finished("onnx_int8", 0.0, 2.0)
    table = tabulate(
        scenario(),
        "parent",
        [
            replace(NATIVE, metrics={**NATIVE.metrics, **measured}),
            replace(made, metrics={**made.metrics, **quantized}),
        ],
    )
    assert table.columns[-3:-1] == ("missed alarms", "false alarms a day")
    original, variant = (dict(zip(table.columns, table.cells(r), strict=True)) for r in table.rows)
    assert original["missed alarms"] == "0.250 [0.100 … 0.400]"
    assert original["false alarms a day"] == "3.0"
    assert variant["missed alarms"] == "0.750 [0.600 … 0.900]"
    assert table.metrics["summary.onnx_int8.alarm_missed"] == 0.75
    assert "over 12 recordings" in " ".join(table.notes())
    write_table(table, tmp_path)
    text = (tmp_path / "comparison.csv").read_text(encoding="utf-8-sig")
    (first, *_) = csv.DictReader(text.splitlines())
    assert (first["alarm_missed"], first["alarm_missed_low"]) == ("0.25", "0.1")
    assert first["alarm_recordings"] == "12"
