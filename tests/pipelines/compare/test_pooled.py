"""Architectures that were trained several times: the verdict is of seeds and images together."""

from __future__ import annotations

import pytest
from designed import VALUES

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from pipelines.compare.ranked_comparison import tabulate_models
from pipelines.compare.ranked_table import RankedRow, RankedTable, Standing
from pipelines.side_by_side.figures import ModelFigures, SideBySide, Value
from scenario import build_scenario

NARROW = 0.01
"""Half of every interval over images."""


def figures(value: float, **deltas: tuple[int, float]) -> ModelFigures:
    """Args: deltas: place of the other, and the difference from it."""
    around = Value(value, (value - NARROW, value + NARROW))
    against = {o: Value(d, (d - NARROW, d + NARROW)) for o, d in deltas.values()}
    return ModelFigures(around, {"mAP50": around}, Value(3.0), 5.0, deltas=against)


def table(
    values: dict[str, list[float]], reference: str, failed: tuple[str, ...] = ()
) -> RankedTable:
    """Architecture → values by seed; each is held against the reference's training of its seed."""
    repeats = max(map(len, values.values()))
    order = [(name, seed) for seed in range(repeats) for name in values]
    label = {each: each[0] if each[1] == 0 else f"{each[0]} r{each[1] + 1}" for each in order}
    there = [each for each in order if label[each] not in failed]
    made = []
    for name, seed in there:
        value = values[name][seed]
        against = {}
        if name != reference and (reference, seed) in there:
            against = {"to": (there.index((reference, seed)), value - values[reference][seed])}
        made.append(figures(value, **against))
    best = max(
        (values[reference][seed], there.index((n, seed))) for n, seed in there if n == reference
    )[1]
    beside = StageResult(
        "side_by_side",
        "s",
        RunStatus.FINISHED,
        "e",
        "n",
        SideBySide(tuple(made), best).as_metrics(),
    )
    trained = [
        StageResult(
            "train", f"run {label[each]}",
            RunStatus.FAILED if label[each] in failed else RunStatus.FINISHED, "e", "n",
            variant=label[each], reason="no memory" * (label[each] in failed),
        )
        for each in order
    ]  # fmt: skip
    comparison = {"architectures": list(values), "repeats": repeats}
    scenario = build_scenario({**VALUES, "comparison": comparison})
    return tabulate_models(scenario, "parent", [*trained, beside])


def rows_of(made: RankedTable) -> dict[str, RankedRow]:
    return {row.variant: row for row in made.rows}


def test_a_row_is_the_mean_of_its_trainings_and_names_the_best_of_them() -> None:
    made = table({"yolo11n": [0.60, 0.62, 0.61], "yolo11s": [0.78, 0.80, 0.79]}, "yolo11s")
    assert [row.variant for row in made.rows] == ["yolo11s", "yolo11n"]
    row = rows_of(made)["yolo11s"]
    assert row.value == pytest.approx(0.79)
    assert (row.trainings, row.lowest, row.highest) == (3, 0.78, 0.80)
    assert (row.run_id, row.standing) == ("run yolo11s r2", Standing.REFERENCE)
    # Student's t with 2 degrees of freedom: 4.3027 · 0.01 ÷ √3 = 0.02484; with the images' 0.01
    assert row.value_bounds is not None
    assert row.value_bounds[1] - 0.79 == pytest.approx((0.024841**2 + NARROW**2) ** 0.5, abs=1e-5)
    assert rows_of(made)["yolo11n"].standing == Standing.WORSE
    told = made.to_markdown()
    assert "| 3: 0.780 … 0.800 |" in told
    assert "how much other images and other trainings would change" in told
    assert made.best is not None and made.best.run_id == "run yolo11s r2"


def test_what_the_seeds_may_have_done_is_no_difference() -> None:
    """Every image's interval leaves out 0 by far; the seeds turn by as much."""
    made = table({"yolo11n": [0.60, 0.75], "yolo11s": [0.80, 0.79]}, "yolo11s")
    row = rows_of(made)["yolo11n"]
    assert row.delta == pytest.approx(-0.12)
    assert row.standing == Standing.UNDECIDED
    assert "can't be told from it by these trainings or images" in made.to_markdown()


def test_seeds_that_agree_do_not_make_up_for_too_few_images() -> None:
    made = table({"yolo11n": [0.795, 0.795, 0.795], "yolo11s": [0.8, 0.8, 0.8]}, "yolo11s")
    row = rows_of(made)["yolo11n"]
    assert row.delta_bounds == pytest.approx((-0.015, 0.005))
    assert row.standing == Standing.UNDECIDED


def test_one_training_left_says_nothing_of_the_next() -> None:
    values = {"yolo11n": [0.60, 0.61], "yolo11s": [0.80, 0.79]}
    made = table(values, "yolo11s", failed=("yolo11n r2",))
    row = rows_of(made)["yolo11n"]
    assert (row.trainings, row.value, row.value_bounds) == (1, 0.60, None)
    assert row.standing == Standing.TOO_LITTLE
    assert "1 of 2 trainings failed: no memory" in made.to_markdown()
    gone = table(values, "yolo11s", failed=("yolo11n", "yolo11n r2"))
    assert rows_of(gone)["yolo11n"].rank is None
    assert "failed: no memory" in gone.to_markdown()
