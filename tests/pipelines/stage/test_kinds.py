"""The one table of what can be asked for."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from pathlib import Path

import pytest
from inprocess import InProcessExecutor

from guardianflow.contracts.errors import StageFailedError
from pipelines.stage.kinds import KINDS, MAKERS
from pipelines.stage.plan import Planner, RunOptions
from scenario import build_scenario
from scenario.schema import EXPERIMENT_TYPES

SECTIONS = {
    "name": "demo",
    "site": {"customer": "demo", "region": "seoul"},
    "task": {"type": "ppe"},
    "model": {"architecture": "yolo11n"},
    "dataset": {"path": "demo://ppe"},
}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_a_command_and_a_type_of_scenario(name: str, repository: Path) -> None:
    kind = KINDS[name]
    command = repository / "pipelines" / name / "__main__.py"
    assert command.is_file() == kind.is_command
    assert kind.scenario_type is None or kind.scenario_type in EXPERIMENT_TYPES
    chain = not kind.class_name
    assert kind.resumable == chain


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.class_name])
def test_each_stage_has_its_class_where_the_table_says(name: str) -> None:
    stage = getattr(import_module(KINDS[name].module), KINDS[name].class_name)
    assert callable(stage.prepare)
    assert callable(stage.work)


def test_the_makers_are_those_whose_models_a_release_judges() -> None:
    assert MAKERS == ("train", "quant")


def test_an_unknown_stage_is_named(executor: InProcessExecutor) -> None:
    planner = Planner(build_scenario(SECTIONS), executor.settings, RunOptions(), "")
    for name in ("sweep", "full_pipeline"):
        request = dataclasses.replace(planner.train(), stage=name)
        with pytest.raises(StageFailedError, match=f"unknown stage '{name}'"):
            executor.run(request)
