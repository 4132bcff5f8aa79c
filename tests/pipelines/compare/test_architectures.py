"""Architectures: each trained by an author's code, then all side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from detectors_of_a_site import NAME, Make, experiment, sections
from inprocess import InProcessExecutor
from workplace import Workplace

from guardianflow.contracts.errors import ComparisonFailedError
from guardianflow.contracts.results import StageResult
from pipelines.chain import Chain
from pipelines.compare.kinds import runner_of, table_of
from pipelines.compare.ranked_table import RankedTable, Standing
from pipelines.console import SilentReporter
from pipelines.design_result import DesignResult
from pipelines.settings import Settings
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.plan import RunOptions
from scenario import Scenario, build_scenario

TRAINED = ["train", "train", "train"]


def comparison(*architectures: str, **more: Any) -> Scenario:
    return build_scenario(sections(comparison={"architectures": list(architectures), **more}))


def runner(executor: InProcessExecutor, scenario: Scenario, **options: Any) -> Chain:
    chosen = RunOptions(resumable=True, invocation="guardianflow compare s.yaml", **options)
    return runner_of(scenario, chosen, executor.settings, cast(LocalExecutor, executor))


def table(scenario: Scenario, done: StageResult) -> RankedTable:
    return cast(RankedTable, table_of(scenario, done.run_id, done.stages))


def test_each_is_trained_the_best_is_found_and_only_that_one_registered(
    executor: InProcessExecutor, make: Make, tmp_path: Path
) -> None:
    made = {"yolo11n": make(0.6), "yolo11s": make(0.0), "yolo26n": make(0.3, 1)}
    code = experiment(tmp_path / "code", ("architecture",), made)
    scenario = comparison(*made)
    chain = runner(executor, scenario, code_path=str(code))
    assert [each.run_name for each in chain.planned()] == [
        "arch-yolo11n",
        "arch-yolo11s",
        "arch-yolo26n",
        "side-by-side",
    ]
    done = chain.run(lambda _: executor.ports)
    stages = [each.stage for each in executor.requests]
    assert stages == [*TRAINED, *TRAINED, "side_by_side"], "checks of all, then the work"
    ranked = table(scenario, done)
    assert isinstance(done, DesignResult)
    assert (done.parent_run_id, done.completed_runs, done.total_runs) == (done.run_id, 3, 3)
    assert (done.best_run_id, done.best_metric) == (ranked.rows[0].run_id, ranked.rows[0].value)
    assert done.best_params["model.architecture"] == "yolo11s"
    assert [each.values["mAP50"] for each in done.trials] == [
        ranked.rows[place].value for place in (2, 0, 1)
    ]
    assert [(row.variant, row.rank) for row in ranked.rows] == [
        ("yolo11s", 1),
        ("yolo26n", 2),
        ("yolo11n", 3),
    ]
    assert ranked.rows[2].standing == Standing.WORSE
    runs = {run.run_name: run for run in executor.store.find_runs()}
    (model,) = executor.registry.list_models()
    assert (model.display_name, model.run_id) == (NAME, runs["arch-yolo11s"].run_id)
    for index, name in enumerate(made):
        child = runs[f"arch-{name}"]
        assert child.parent_run_id == done.run_id
        assert child.params["model.architecture"] == name
        assert child.tags["comparison.variable"] == "architecture"
        assert child.tags["comparison.value"] == name
        assert child.tags["sweep.index"] == str(index)
    assert executor.store.get_run(done.run_id).tags["comparison.best_value"] == "yolo11s"

    again = runner(executor, scenario, code_path=str(code)).run(lambda _: executor.ports)
    assert all(each.reused for each in again.stages if each.stage == "train")
    assert len(executor.registry.list_models()) == 1
    told = runner(executor, scenario, code_path=str(code)).explain(lambda _: executor.ports)
    assert [str(each.state) for each in told] == ["reused"] * 3 + ["unknown"]
    other = comparison(*made, "yolo12n")
    told = runner(executor, other, code_path=str(code)).explain(lambda _: executor.ports)
    assert [str(each.state) for each in told[3:]] == ["changed", "follows"]


def test_a_training_that_fails_ends_its_row_alone(
    executor: InProcessExecutor, make: Make, tmp_path: Path
) -> None:
    made = {"yolo11n": make(0.6), "yolo11s": make(0.0)}
    code = experiment(tmp_path / "code", ("architecture",), made)
    scenario = comparison("yolo11n", "broken", "yolo11s")
    with pytest.raises(ComparisonFailedError) as caught:
        runner(executor, scenario, code_path=str(code)).run(lambda _: executor.ports)
    error = caught.value
    assert "1 of 3 failed:\n  - broken: " in str(error)
    assert "the loss went through the roof" in str(error)
    assert f"--resume {error.run_id}" in str(error)
    shown = cast(RankedTable, error.comparison)
    assert [(row.variant, row.rank) for row in shown.rows] == [
        ("yolo11s", 1),
        ("yolo11n", 2),
        ("broken", None),
    ]
    assert executor.store.get_run(str(error.run_id)).status == "FAILED"


def test_several_trainings_of_each_have_seeds_of_their_own(executor: InProcessExecutor) -> None:
    planned = runner(executor, comparison("yolo11n", "yolo11s", repeats=2)).planned()
    trainings = [each for each in planned if each.stage == "train"]
    assert [each.run_name for each in trainings] == [
        "arch-yolo11n-r1",
        "arch-yolo11s-r1",
        "arch-yolo11n-r2",
        "arch-yolo11s-r2",
    ]
    assert [each.variant_name for each in trainings][2:] == ["yolo11n r2", "yolo11s r2"]
    assert "seed: 43" in trainings[3].scenario_yaml
    assert not any(each.register for each in trainings)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_trainings_run_side_by_side_in_processes_of_their_own(
    workplace: Workplace, make: Make, tmp_path: Path
) -> None:
    made = {"yolo11n": make(0.6), "yolo11s": make(0.0)}
    code = experiment(tmp_path / "code", ("architecture",), made, meets=2)
    scenario = comparison(*made, "broken", parallel=2)
    settings = Settings(work_dir=workplace.work_dir)
    options = RunOptions(tracking_uri=workplace.tracking_uri, code_path=str(code))
    chain = runner_of(scenario, options, settings, LocalExecutor(SilentReporter()))
    with pytest.raises(ComparisonFailedError, match="1 of 3 failed") as caught:
        chain.run()
    shown = cast(RankedTable, caught.value.comparison)
    assert [(row.variant, row.rank) for row in shown.rows] == [
        ("yolo11s", 1),
        ("yolo11n", 2),
        ("broken", None),
    ]
    runs = {run.run_name: run for run in workplace.store.find_runs()}
    # each waited for the other to begin: alone neither would have seen two
    assert runs["arch-yolo11n"].metrics["train.met"] >= 2
    assert {each.status for each in runs.values()} == {"FINISHED", "FAILED"}
