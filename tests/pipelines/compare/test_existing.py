"""Runs and registered versions beside each other, without any training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from detectors_of_a_site import EXPERIMENT, NAME, Make, sections, train_run
from inprocess import InProcessExecutor

from guardianflow.contracts.errors import SourceError, StageFailedError
from guardianflow.contracts.results import RunRequest, StageResult
from guardianflow.contracts.run_status import RunStatus
from pipelines.compare.kinds import runner_of, table_of
from pipelines.compare.ranked_table import RankedRow, RankedTable, Standing
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.plan import RunOptions
from scenario import Scenario, build_scenario


def comparison(**what: Any) -> Scenario:
    return build_scenario(sections(comparison=what))


def compare(executor: InProcessExecutor, scenario: Scenario, **options: Any) -> StageResult:
    chosen = RunOptions(resumable=True, invocation="guardianflow compare s.yaml", **options)
    runner = runner_of(scenario, chosen, executor.settings, cast(LocalExecutor, executor))
    return runner.run(lambda _: executor.ports)


def rows_of(scenario: Scenario, done: StageResult) -> dict[str, RankedRow]:
    table = cast(RankedTable, table_of(scenario, done.run_id, done.stages))
    return {row.run_id: row for row in table.rows}


def test_two_runs_are_measured_again_and_nothing_is_trained(
    executor: InProcessExecutor, make: Make, tmp_path: Path
) -> None:
    worse, better = train_run(executor, make(0.6)), train_run(executor, make(0.0))
    scenario = comparison(run_ids=[worse, better])
    done = compare(executor, scenario)
    assert {request.stage for request in executor.requests} == {"side_by_side"}
    rows = rows_of(scenario, done)
    assert (rows[better].rank, rows[better].standing) == (1, Standing.REFERENCE)
    assert (rows[worse].rank, rows[worse].standing) == (2, Standing.WORSE)
    bounds = rows[worse].delta_bounds
    assert bounds is not None
    assert bounds[0] <= cast(float, rows[worse].delta) <= bounds[1] < 0
    assert rows[better].best
    assert not rows[worse].recorded
    parent = executor.store.get_run(done.run_id)
    assert parent.status == "FINISHED"
    assert parent.tags["comparison.best_run_id"] == parent.tags["best.run_id"] == better
    assert parent.tags["comparison.type"] == "run_id"
    assert parent.metrics["best.mAP50"] == rows[better].mAP50
    folder = executor.store.download(done.run_id, "report", tmp_path)
    told = (folder / "comparison.md").read_text("utf-8")
    assert "differs: worse" in told
    assert "is the best: every other one differs from it" in told
    table = json.loads((folder / "comparison.json").read_text("utf-8"))
    assert table["best_run_id"] == better
    assert len((folder / "comparison.csv").read_text("utf-8-sig").splitlines()) == 3
    for picture in ("comparison.png", "ranks.png"):
        assert (folder / picture).stat().st_size > 5000
    assert executor.registry.list_models() == []


def test_what_can_not_be_told_apart_is_said_so(
    executor: InProcessExecutor, make: Make, tmp_path: Path
) -> None:
    runs = [train_run(executor, make(0.3, seed)) for seed in (1, 2)]
    done = compare(executor, scenario := comparison(run_ids=runs))
    standings = {row.standing for row in rows_of(scenario, done).values()}
    assert standings == {Standing.REFERENCE, Standing.UNDECIDED}
    folder = executor.store.download(done.run_id, "report", tmp_path)
    assert "can't be told from it by these images" in (folder / "comparison.md").read_text("utf-8")


def recorded_run(
    executor: InProcessExecutor, like: dict[str, str], mAP50: float, half: float
) -> str:
    """A run whose model is gone; what it logged is there."""
    run = executor.store.start_run(RunRequest(EXPERIMENT, "old-infer", like))
    bounds = {"det.mAP50_low": mAP50 - half, "det.mAP50_high": mAP50 + half}
    executor.store.log_metrics(run, {"det.mAP50": mAP50, "det.mAP50_95": mAP50 / 2, **bounds})
    executor.store.end_run(run)
    return run


def test_a_run_without_a_model_takes_part_by_what_it_recorded(
    executor: InProcessExecutor, make: Make, tmp_path: Path
) -> None:
    whole = train_run(executor, make(0.0))
    first = compare(executor, comparison(run_ids=[whole, train_run(executor, make(0.3, 1))]))
    tags = executor.store.get_run(first.stages[-1].run_id).tags
    alike = {key: tags[key] for key in ("data.fingerprint", "data.split", "det.evaluator")}
    bad = recorded_run(executor, alike, 0.2, 0.05)
    unsure = recorded_run(executor, alike, 0.9, 0.5)
    elsewhere = recorded_run(executor, {**alike, "data.split": "val"}, 0.99, 0.001)
    scenario = comparison(run_ids=[bad, whole, unsure, elsewhere])
    done = compare(executor, scenario)
    rows = rows_of(scenario, done)
    assert (rows[whole].recorded, rows[whole].best) == (False, True)
    assert all(rows[run].recorded for run in (bad, unsure, elsewhere))
    assert rows[bad].standing == Standing.WORSE
    assert rows[unsure].standing == Standing.UNDECIDED
    # judged on other images: shown, not ranked, however high
    assert (rows[elsewhere].standing, rows[elsewhere].rank) == (Standing.OTHER_IMAGES, None)
    folder = executor.store.download(done.run_id, "report", tmp_path)
    told = (folder / "comparison.md").read_text("utf-8")
    assert told.count("(recorded)") == 3
    assert "not comparable: recorded on other images" in told


def test_runs_that_are_all_recorded_are_ranked_without_any_stage(
    executor: InProcessExecutor,
) -> None:
    alike = {"data.fingerprint": "f", "data.split": "test", "det.evaluator": "e 1"}
    low, high = (recorded_run(executor, alike, value, 0.05) for value in (0.3, 0.8))
    scenario = comparison(run_ids=[low, high])
    done = compare(executor, scenario)
    assert executor.requests == []
    rows = rows_of(scenario, done)
    assert (rows[high].rank, rows[low].rank) == (1, 2)
    assert rows[low].standing == Standing.WORSE
    assert done.status == "FINISHED"


def test_versions_of_a_registered_model(executor: InProcessExecutor, make: Make) -> None:
    versions = []
    for missed in (0.0, 0.6):
        run = train_run(executor, make(missed))
        versions.append(executor.registry.register(run, make(missed), NAME).version)
    scenario = comparison(model_versions=[f"models:/{NAME}/{versions[0]}", f"{NAME}@candidate"])
    done = compare(executor, scenario)
    table = cast(RankedTable, table_of(scenario, done.run_id, done.stages))
    assert [row.variant for row in table.rows] == [f"{NAME} v1", f"{NAME} v2"]
    assert [row.standing for row in table.rows] == [Standing.REFERENCE, Standing.WORSE]
    assert [row.registered_version for row in table.rows] == ["1", "2"]
    same = comparison(model_versions=[f"{NAME}/2", f"{NAME}@candidate"])
    with pytest.raises(SourceError, match="v2 is named twice"):
        compare(executor, same)


def test_all_that_can_not_be_compared_is_said_at_once_and_no_run_is_made(
    executor: InProcessExecutor, make: Make
) -> None:
    running = executor.store.start_run(RunRequest(EXPERIMENT, "still-training"))
    failed = executor.store.start_run(RunRequest(EXPERIMENT, "broken"))
    executor.store.end_run(failed, RunStatus.FAILED)
    bare = executor.store.start_run(RunRequest(EXPERIMENT, "nothing-in-it"))
    executor.store.end_run(bare)
    before = len(executor.store.find_runs())
    named = [running, failed, bare, "0" * 32]
    with pytest.raises(SourceError) as caught:
        compare(executor, comparison(run_ids=named))
    said = str(caught.value)
    assert f"run {running} (still-training) is RUNNING, so it can't be compared; wait" in said
    assert f"run {failed} (broken) is FAILED" in said
    assert f"run {bare} (nothing-in-it) has no model that could be measured again" in said
    assert "0" * 32 in said
    assert caught.value.exit_code == 2
    assert len(executor.store.find_runs()) == before


def test_a_run_of_another_site_is_measured_where_its_classes_are_the_same(
    executor: InProcessExecutor, make: Make
) -> None:
    ours = train_run(executor, make(0.0))
    other = executor.store.start_run(
        RunRequest("other/busan-plant2/full", "fire-train", {"guardianflow.stage": "train"})
    )
    from pipelines.stage.inputs.sources import (
        log_weights,
    )

    log_weights(executor.store, other, make(0.0, 0, ("fire", "smoke", "x", "y")).directory)
    executor.store.end_run(other)
    with pytest.raises(StageFailedError, match="name different classes") as caught:
        compare(executor, comparison(run_ids=[ours, other]))
    assert caught.value.exit_code == 2
    assert {run.run_id for run in executor.store.find_runs()} == {ours, other}
