"""Cells say what was measured, and a table writes only what its kind has."""

from __future__ import annotations

import pytest

from guardianflow.contracts.results import RegisteredModel, StageResult
from pipelines.compare.table import ComparisonTable
from pipelines.full_pipeline.summary import Summary
from pipelines.tables import CELLS, VariantRow, number, row_of


@pytest.mark.parametrize(
    ("value", "form", "said"),
    [
        (None, ".3f", "–"),
        (0.12345, ".3f", "0.123 MB"),
        (-0.00001, "+.3f", "+0.000 MB"),
        (-0.0, ".1f", "+0.0 MB"),
        (-0.5, "+.3f", "-0.500 MB"),
    ],
)
def test_numbers(value: float | None, form: str, said: str) -> None:
    assert number(value, form, " MB") == said


def test_a_row_takes_what_every_result_says() -> None:
    model = RegisteredModel("a.b.ppe", "3", display_name="a/b/ppe")
    doubts = {"sys.warnings": 2.0}
    result = StageResult(
        "quant", "r1", "FINISHED", "e", "n", doubts, (model,), "onnx_int8", reused=True
    )
    row = row_of(result, VariantRow)
    assert (row.variant, row.run_id, row.reused) == ("onnx_int8", "r1", True)
    assert row.spread_wide
    assert CELLS["registered as"](row) == "a/b/ppe v3"
    assert CELLS["variant"](row) == "onnx_int8 (reused)"
    measured = ("mAP50", "mAP50-95", "Δ mAP50-95", "latency p50 ms", "fps", "speed-up", "MB")
    assert {CELLS[heading](row) for heading in measured} == {"–"}


def test_every_column_can_be_drawn_and_every_metric_is_a_field() -> None:
    fields = set(VariantRow.__dataclass_fields__)
    for kind in (Summary, ComparisonTable):
        assert {*kind.COLUMNS, *kind.RUN_COLUMNS} <= set(CELLS)
        assert set(kind.METRICS) | kind.ABSENT <= fields
        assert not kind.ABSENT & set(kind.METRICS)
