"""Ranks, and what is certain of them, from results that a test makes up."""

from __future__ import annotations

from typing import cast

import pytest

from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from pipelines.compare.ranked_comparison import tabulate_models
from pipelines.compare.ranked_table import RankedRow, Standing
from pipelines.compare.ranking import ranked, standing_of
from pipelines.side_by_side.figures import ModelFigures, RankedBy, SideBySide, Value
from scenario import build_scenario

MORE, LESS = RankedBy(), RankedBy("sys.inference_time_p50_ms", maximize=False)


@pytest.mark.parametrize(
    ("low", "high", "more", "less"),
    [
        (0.01, 0.2, Standing.BETTER, Standing.WORSE),
        (-0.2, -0.01, Standing.WORSE, Standing.BETTER),
        (-0.1, 0.1, Standing.UNDECIDED, Standing.UNDECIDED),
        (0.0, 0.0, Standing.SAME, Standing.SAME),
        (0.0, 0.1, Standing.UNDECIDED, Standing.UNDECIDED),
    ],
)
def test_a_difference_is_certain_where_its_interval_leaves_out_zero(
    low: float, high: float, more: Standing, less: Standing
) -> None:
    difference = Estimate((low + high) / 2, low, high)
    assert standing_of(difference, MORE) == more
    assert standing_of(difference, LESS) == less
    assert standing_of(None, MORE) == Standing.TOO_LITTLE


def row(name: str, value: float | None, half: float | None = None) -> RankedRow:
    bounds = None if value is None or half is None else (value - half, value + half)
    return RankedRow(name, value=value, value_bounds=bounds)


def test_rows_that_no_stage_compared_are_held_against_the_best_by_both_intervals() -> None:
    rows = ranked(
        [row("c", 0.5, 0.1), row("a", 0.9, 0.1), row("b", 0.85, 0.1), row("d", 0.8)], MORE
    )
    assert [(r.variant, r.rank, r.standing) for r in rows] == [
        ("a", 1, Standing.REFERENCE),
        ("b", 2, Standing.UNDECIDED),
        ("d", 3, Standing.TOO_LITTLE),
        ("c", 4, Standing.WORSE),
    ]
    # the two half-widths add up as the sides of a right angle do
    assert rows[1].delta_bounds == pytest.approx((-0.05 - 0.02**0.5, -0.05 + 0.02**0.5))
    assert [r.best for r in rows] == [True, False, False, False]


def test_a_reference_can_be_named_and_less_can_be_better() -> None:
    rows = ranked([row("slow", 9.0, 0.1), row("quick", 2.0, 0.1)], LESS, reference="slow")
    assert [(r.variant, r.standing) for r in rows] == [
        ("quick", Standing.BETTER),
        ("slow", Standing.REFERENCE),
    ]


def test_what_was_not_measured_has_no_rank() -> None:
    rows = ranked([row("gone", None), row("there", 0.1, 0.1)], MORE)
    assert [(r.variant, r.rank) for r in rows] == [("there", 1), ("gone", None)]
    assert ranked([row("gone", None)], MORE)[0].best is False


def beside(*models: ModelFigures, reference: int) -> StageResult:
    metrics = SideBySide(models, reference).as_metrics()
    return StageResult("side_by_side", "s", RunStatus.FINISHED, "e", "n", metrics)


def trained(name: str, status: RunStatus = RunStatus.FINISHED, reason: str = "") -> StageResult:
    return StageResult("train", f"run-{name}", status, "e", "n", variant=name, reason=reason)


def figures(value: float, latency: float, **more: object) -> ModelFigures:
    accuracy = {"mAP50": Value(value, (value - 0.02, value + 0.02)), "mAP50_95": Value(value / 2)}
    return ModelFigures(accuracy["mAP50"], accuracy, Value(latency), 5.0, **more)  # type: ignore[arg-type]


def test_the_table_says_who_is_ahead_who_ties_and_which_of_those_is_fastest() -> None:
    scenario = build_scenario(
        {
            "name": "비교",
            "site": {"customer": "동화", "region": "부산"},
            "task": {"type": "ppe"},
            "model": {"architecture": "yolo11n"},
            "dataset": {"path": "demo://ppe", "split": "test"},
            "comparison": {"architectures": ["yolo11n", "yolo11s", "yolo26n", "yolo12n"]},
        }
    )
    measured = beside(
        figures(0.60, 3.0, deltas={1: Value(-0.20, (-0.30, -0.10))}),
        figures(0.80, 9.0),
        figures(0.79, 4.0, deltas={1: Value(-0.01, (-0.03, 0.01))}),
        reference=1,
    )
    failed = trained("yolo12n", RunStatus.FAILED, "the GPU had too little memory")
    models = [trained("yolo11n"), trained("yolo11s"), failed, trained("yolo26n")]
    table = tabulate_models(scenario, "parent", [*models, measured])
    rows = [cast(RankedRow, each) for each in table.rows]
    assert [(r.variant, r.rank) for r in rows] == [
        ("yolo11s", 1),
        ("yolo26n", 2),
        ("yolo11n", 3),
        ("yolo12n", None),
    ]
    # the failed one took no place among those that were measured
    assert [r.latency_p50_ms for r in rows] == [9.0, 4.0, 3.0, None]
    told = table.to_markdown()
    assert "yolo11s is ahead, but yolo26n can't be told from it by these images" in told
    assert "The fastest of these: yolo26n." in told
    assert "failed: the GPU had too little memory" in told
    assert "all 2 hold together at 95 %" in told
    assert table.metrics["best.mAP50"] == 0.80
    assert "summary.yolo12n.mAP50" not in table.metrics
    assert table.to_dict()["best"] == "yolo11s"
    # where the measurement itself failed nothing is ranked, and nothing is called the best
    broken = StageResult("side_by_side", "s", RunStatus.FAILED, "e", "n", reason="killed")
    without = tabulate_models(scenario, "parent", [*models, broken])
    assert without.best is None
    assert "nothing is ranked" in without.to_markdown()
