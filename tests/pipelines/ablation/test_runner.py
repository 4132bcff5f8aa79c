"""An ablation of an author's training, on detectors of known quality."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from detectors_of_a_site import Make, experiment, sections
from inprocess import InProcessExecutor

from guardianflow.contracts.errors import ScenarioError
from pipelines.ablation.effects import tabulate
from pipelines.ablation.runner import AblationRunner
from pipelines.compare.ranked_table import Standing
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.plan import RunOptions
from scenario import Scenario, build_scenario


def runner(executor: InProcessExecutor, scenario: Scenario, code: Path) -> AblationRunner:
    options = RunOptions(resumable=True, code_path=str(code))
    return AblationRunner(scenario, options, executor.settings, cast(LocalExecutor, executor))


def test_the_baseline_and_each_change_are_run_and_effects_are_told(
    executor: InProcessExecutor, make: Make, tmp_path: Path
) -> None:
    made = {"adamw-16": make(0.0), "sgd-16": make(0.6), "adamw-8": make(0.0)}
    code = experiment(tmp_path / "code", ("optimizer", "batch_size"), made)
    components = {"optimizer": ["adamw", "sgd"], "batch_size": [16, 8]}
    scenario = build_scenario(sections(ablation={"components": components}))
    done = runner(executor, scenario, code).run(lambda _: executor.ports, metric_key="mAP50")
    assert (done.parent_run_id, done.completed_runs, done.total_runs) == (done.run_id, 3, 3)
    assert (done.best_run_id, done.best_params) == (
        done.stages[0].run_id, {"training.optimizer": "adamw", "training.batch_size": 16},
    )  # fmt: skip
    assert done.best_metric == done.trials[0].values["mAP50"] == 1.0
    rows = {row.variant: row for row in tabulate(scenario, done.run_id, done.stages).rows}
    assert rows["optimizer=sgd"].standing == Standing.WORSE
    # the same detector came out: the effect is nothing, for certain
    assert (rows["batch_size=8"].effect, rows["batch_size=8"].standing) == (0.0, Standing.SAME)
    runs = {run.run_name: run for run in executor.store.find_runs()}
    child = runs["ablation-optimizer_sgd"]
    assert child.tags["comparison.variable"] == "training.optimizer"
    assert child.params["train.optimizer"] == "sgd"
    assert runs["ablation-baseline"].parent_run_id == done.run_id
    parent = executor.store.get_run(done.run_id)
    assert parent.tags["exp.design"] == "ablation"
    assert parent.metrics["effect.training.optimizer.sgd"] == rows["optimizer=sgd"].effect
    folder = executor.store.download(done.run_id, "report", tmp_path / "got")
    assert (folder / "ablation.png").stat().st_size > 5000
    assert "differs: worse" in (folder / "ablation.md").read_text("utf-8")
    assert executor.registry.list_models() == []


def test_a_scenario_without_the_section_is_refused(
    executor: InProcessExecutor, tmp_path: Path
) -> None:
    with pytest.raises(ScenarioError, match="no ablation section"):
        runner(executor, build_scenario(sections()), tmp_path).run(lambda _: executor.ports)


def test_a_quantisation_has_components_too(executor: InProcessExecutor, tmp_path: Path) -> None:
    components = {"calibration_method": ["entropy", "minmax"], "calibration_size": [500, 50]}
    scenario = build_scenario(
        sections(experiment_type="quant", source_run_id="abc", ablation={"components": components})
    )
    options = RunOptions(register=True)
    chain = AblationRunner(scenario, options, executor.settings, cast(LocalExecutor, executor))
    planned = chain.planned()
    assert [(each.stage, each.title) for each in planned] == [
        ("quant", "quant baseline"),
        ("quant", "quant calibration_method=minmax"),
        ("quant", "quant calibration_size=50"),
        ("side_by_side", "side by side"),
    ]
    assert [each.variant["calibration_size"] for each in planned[:3]] == [500, 500, 50]
    assert {each.source for each in planned[:3]} == {"runs:/abc"}
    assert not any(each.register for each in planned[:3]), "they would be one name's versions"
    beside = planned[3].candidates
    assert [each["against"] for each in beside] == ["", "0", "0"]
