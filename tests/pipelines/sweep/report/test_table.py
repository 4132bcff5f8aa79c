"""The table of a sweep as files, and its pictures."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from accessibility import barriers
from chromium import Page, find_chromium
from pyarrow import parquet

from pipelines.sweep.report.pictures import _figures, write_pictures
from pipelines.sweep.report.table import SweepTable
from pipelines.sweep.search.combinations import Combination, TrialRun, TrialState
from pipelines.sweep.search.objectives import Objective
from pipelines.sweep.search.storage import StudyPlace
from pipelines.sweep.search.strategies import distribution_of
from pipelines.sweep.search.study import Rules, Study
from scenario.designs.trials import Trial, Value

RATE, NET = "training.learning_rate", "model.architecture"
ACCURACY, LATENCY = Objective("det.mAP50"), Objective("sys.inference_time_p50_ms", "minimize")
GIVEN: list[dict[str, Value]] = [
    {RATE: rate, NET: net} for net in ("yolo11n", "yolo11s") for rate in (0.001, 0.01, 0.1)
]


def swept(
    folder: Path, outcomes: list[tuple[float, ...] | str], objectives: list[Objective]
) -> tuple[SweepTable, Study]:
    place = StudyPlace(folder, "sqlite:///runs.db", "parent")
    space = {RATE: (0.001, 0.01, 0.1), NET: ("yolo11n", "yolo11s")}
    rules = Rules(
        objectives=objectives,
        space={name: distribution_of(values) for name, values in space.items()},
        most=len(outcomes),
        seed=1,
        given=GIVEN[: len(outcomes)],
    )
    study = Study(
        place.open(make=True), place.name, rules,
        lambda index, params: [Trial(index, f"=ppe-{index:03d}", params)],
    )  # fmt: skip
    for outcome in outcomes:
        combination = study.next()
        assert combination is not None
        (run,) = combination.runs
        run.run_id, run.tries = f"run{combination.index}", 1
        if isinstance(outcome, str):
            run.state, run.reason = TrialState(outcome), "it crashed"
            study.ended(combination)
        else:
            run.state, run.values = TrialState.COMPLETE, outcome
            study.complete(combination)
    return SweepTable("ppe v1", "parent", objectives, study.combinations()), study


def test_every_run_has_a_row_in_each_file(tmp_path: Path) -> None:
    table, _ = swept(tmp_path, [(0.5,), "failed", (0.7,), "pruned"], [ACCURACY])
    table.write(tmp_path)
    with (tmp_path / "sweep.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["state"] for row in rows] == ["complete", "failed", "complete", "pruned"]
    assert [row["mAP50"] for row in rows] == ["0.5", "", "0.7", ""]
    assert rows[0]["name"] == "'=ppe-000" and rows[1]["reason"] == "it crashed"
    read = parquet.read_table(tmp_path / "sweep.parquet").to_pylist()
    assert [row["mAP50"] for row in read] == [0.5, None, 0.7, None]
    assert [row[RATE] for row in read] == [0.001, 0.01, 0.1, 0.001]
    whole = json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))
    assert whole["best"]["best.run_id"] == "run2" and len(whole["trials"]) == 4
    assert "| 1 | 0.1 | yolo11n | 0.7 | run2 |" in (tmp_path / "sweep.md").read_text("utf-8")


def test_the_parent_says_what_is_best_and_how_many_there_were(tmp_path: Path) -> None:
    table, _ = swept(tmp_path, [(0.5,), "failed", (0.7,), "pruned"], [ACCURACY])
    assert table.metrics == {
        "sweep.total": 4, "sweep.completed": 2, "sweep.failed": 1, "sweep.pruned": 1,
        "sweep.epochs": 0, "best.mAP50": 0.7,
    }  # fmt: skip
    assert table.tags["best.run_id"] == "run2"
    assert json.loads(table.tags["best.params"]) == GIVEN[2]
    assert table.summary() == "4 runs: 2 complete, 1 pruned, 1 failed"


def test_a_sweep_in_which_nothing_went_well_has_no_best(tmp_path: Path) -> None:
    table, study = swept(tmp_path, ["failed", "failed"], [ACCURACY])
    assert table.best is None and table.tags == {}
    table.write(tmp_path)
    assert write_pictures(table, study.optuna, tmp_path) == [
        "no picture was drawn: no trial has ended well"
    ]


def test_less_is_better_where_the_objective_says_so(tmp_path: Path) -> None:
    table, _ = swept(tmp_path, [(9.0,), (7.0,), (8.0,)], [LATENCY])
    assert [each.index for each in table.ranked] == [1, 2, 0]


def test_of_two_objectives_those_are_the_front_that_no_other_beats(tmp_path: Path) -> None:
    outcomes: list[tuple[float, ...] | str] = [(0.5, 5.0), (0.7, 9.0), (0.6, 9.5), (0.5, 6.0)]
    table, study = swept(tmp_path, outcomes, [ACCURACY, LATENCY])
    assert [each.index for each in table.front] == [1, 0]
    assert table.tags["best.front_run_ids"] == "run1 run0"
    assert write_pictures(table, study.optuna, tmp_path) == []
    assert (tmp_path / "pareto.png").stat().st_size > 10_000


def test_the_page_of_pictures_asks_nothing_of_the_network(tmp_path: Path) -> None:
    table, study = swept(tmp_path, [(0.5,), (0.6,), (0.7,), (0.4,), (0.3,)], [ACCURACY])
    assert write_pictures(table, study.optuna, tmp_path) == []
    page = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[^>]*>", page) == []
    assert page.count("Plotly.newPlot(") == 4 and len(page) > 3_000_000
    for name in ("history", "parallel_coordinates", "importance"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_page_of_pictures_bars_nobody(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if (program := find_chromium()) is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    outcomes: list[tuple[float, ...] | str] = [(0.5, 5.0), (0.7, 9.0), (0.6, 9.5), (0.5, 6.0)]
    table, study = swept(tmp_path, outcomes, [ACCURACY, LATENCY])
    write_pictures(table, study.optuna, tmp_path)
    with Page(program, tmp_path_factory.mktemp("chromium")) as page:
        for width in (1280, 390):
            page.resize(width)
            page.open(tmp_path / "sweep.html")
            assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("objectives", [[ACCURACY], [ACCURACY, LATENCY], [LATENCY]])
def test_the_better_trials_are_drawn_the_darker_ones(
    tmp_path: Path, objectives: list[Objective]
) -> None:
    outcomes: list[tuple[float, ...] | str] = [(v, 1.0)[: len(objectives)] for v in (0.5, 0.9)]
    table, study = swept(tmp_path, outcomes, objectives)
    parallel = _figures(table, study.optuna, with_importance=False)[1]
    (bar,) = [each.marker for each in parallel.data if each.marker.colorbar.title.text]
    assert bar.colorscale[0][1] == "rgb(247,251,255)"  # white for the least, unless reversed
    assert bool(bar.reversescale) == (objectives[0].direction == "minimize")


def test_what_can_not_be_told_of_one_trial_is_said(tmp_path: Path) -> None:
    table, study = swept(tmp_path, [(0.5,)], [ACCURACY])
    (said,) = write_pictures(table, study.optuna, tmp_path)
    assert said == "the importance of parameters takes two trials that differ and ended well"
    assert not (tmp_path / "importance.png").exists()


def test_several_seeds_are_shown_as_mean_and_interval(tmp_path: Path) -> None:
    runs = [
        TrialRun(Trial(place, f"ppe-{place:03d}", GIVEN[0], repeat=place), TrialState.COMPLETE,
                 f"run{place}", values=(value,))
        for place, value in enumerate((0.4, 0.5, 0.6))
    ]  # fmt: skip
    table = SweepTable("ppe v1", "parent", [ACCURACY], [Combination(0, 0, GIVEN[0], runs)])
    row = table.rows()[0]
    assert (row["mAP50"], row["mAP50_mean"]) == (0.4, pytest.approx(0.5))
    assert table.metrics["best.mAP50_low"] == pytest.approx(0.2516, abs=1e-4)
    assert r"0.5 \[0.2516, 0.7484\]" in table.markdown()
