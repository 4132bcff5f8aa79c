"""One table of options, two command lines made from it."""

from __future__ import annotations

from dataclasses import fields

import click
import pytest
from command_tree import find_command

from apps.cli.main import cli
from guardianflow.contracts.errors import ScenarioError
from pipelines.command_line import parse_stage
from pipelines.options import (
    ON_COMMANDS,
    ON_MODULES,
    RunCommand,
    WrapCommand,
    options_of,
    overrides_from,
    parse_module,
)
from pipelines.settings import BUILTIN_EXPERIMENT


def test_mlflow_appends_undeclared_parameters_as_name_and_value() -> None:
    assert overrides_from(["--training.epochs", "5", "--tags.site=b"]) == [
        "training.epochs=5",
        "tags.site=b",
    ]


def test_a_value_may_be_negative_or_hold_an_equals_sign() -> None:
    assert overrides_from(["--a.b", "-1", "--c.d=x=y"]) == ["a.b=-1", "c.d=x=y"]


def test_every_stray_word_is_named() -> None:
    with pytest.raises(ScenarioError) as caught:
        overrides_from(["epochs", "--training.epochs"])
    assert len(caught.value.problems) == 2
    assert "'epochs'" in str(caught.value)
    assert "'--training.epochs' has no value" in str(caught.value)


def test_every_option_of_a_run_is_taken_by_a_command() -> None:
    taken = {name for names in ON_COMMANDS.values() for name in names}
    assert taken == {each.name for each in options_of(RunCommand)}
    known = taken | {each.name for each in options_of(WrapCommand)}
    assert {name for names in ON_MODULES.values() for name in names} <= known


def by_click(command: str, *words: str) -> dict[str, object]:
    parsed = find_command(cli, command).make_context(command, list(words))
    return dict(parsed.params)


@pytest.mark.parametrize(
    ("command", "words", "same"),
    [
        ("train", ["--force", "--code-path", "mine"], ["--force", "true", "--code-path=mine"]),
        ("quant", ["-s", "abc", "--backend", "onnx"], ["--source-run-id=abc", "--backend=onnx"]),
        ("infer", ["--source-run", "abc", "--verbose"], ["--source-run-id", "abc", "--verbose"]),
        ("pipeline", ["--resume", "r", "--fail-on-gate"], ["--resume=r", "--fail-on-gate=yes"]),
        ("compare", ["--quant-variants", "[]"], ["--quant-variants=[]", "--json", "false"]),
        (
            "release",
            ["-s", "a", "-s", "b", "--run", "c", "--dry-run"],
            ["--source-run-id", "a", "b", "--run=c", "--dry-run"],
        ),
    ],
)
def test_both_command_lines_give_the_same_value(
    command: str, words: list[str], same: list[str]
) -> None:
    stage = {"pipeline": "full_pipeline"}.get(command, command)
    asked = RunCommand(stage, **by_click(command, "s.yaml", *words))  # type: ignore[arg-type]
    other, rest = parse_stage(stage, ["--scenario", "s.yaml", *same])
    assert rest == []
    for each in fields(RunCommand):
        if each.name != "code_path" or asked.code_path:
            assert getattr(asked, each.name) == getattr(other, each.name), each.name
    assert other.code_path == asked.code_path or other.code_path == BUILTIN_EXPERIMENT


def test_a_wrapped_script_is_asked_for_alike_on_both() -> None:
    words = ["ppe", "--type", "quant", "--version", "v3", "--trust-weights"]
    module = ["--name=ppe", "--type=quant", "--script-version=v3", "--trust-weights", "true"]
    asked = WrapCommand(**by_click("run", *words))  # type: ignore[arg-type]
    assert (asked, ["--epochs", "5"]) == parse_module(
        WrapCommand, "wrap", "", [*module, "--epochs", "5"]
    )


def test_flags_set_fields_of_the_scenario_and_nothing_where_none_is_given() -> None:
    asked = RunCommand("infer", batch_sizes="1,4", runs=0, data="demo://ppe", model="runs:/a")
    assert asked.field_overrides() == [
        "dataset.path=demo://ppe",
        "benchmark.benchmark_runs=0",
        "benchmark.batch_sizes=[1,4]",
    ]
    assert asked.start == "runs:/a"
    assert RunCommand("train", model="yolo11n").start == ""


def test_a_switch_takes_no_other_word(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_stage("train", ["--scenario", "s.yaml", "--no-register", "perhaps"])
    assert caught.value.code == 2
    assert "expected true or false but got 'perhaps'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "scenario", "forced"),
    [
        (["s.yaml", "--force"], "s.yaml", "all"),
        (["--force", "s.yaml"], "s.yaml", "all"),  # a word that is no stage is the scenario
        (["--force", "--json", "s.yaml"], "s.yaml", "all"),
        (["--force", "quant", "s.yaml"], "s.yaml", "quant"),
        (["s.yaml", "--force", "openvino_int8"], "s.yaml", "openvino_int8"),
        (["--force=quont", "s.yaml"], "s.yaml", "quont"),  # refused later, by what is planned
        (["s.yaml"], "s.yaml", ""),
        ([], "", ""),
    ],
)
def test_force_stands_alone_or_names_a_stage_or_variant(
    words: list[str], scenario: str, forced: str
) -> None:
    found = by_click("pipeline", *words)
    assert (found["scenario"], found["force"]) == (scenario, forced)


@pytest.mark.parametrize(
    ("words", "forced"),
    [
        (["--force"], "all"),
        (["--force", "true"], "all"),  # as mlflow run -P force=true
        (["--force", "false"], ""),
        (["--force", "quant"], "quant"),
        ([], ""),
    ],
)
def test_force_of_python_m_takes_what_mlflow_run_passes(words: list[str], forced: str) -> None:
    assert parse_stage("full_pipeline", ["--scenario", "s.yaml", *words])[0].force == forced


def test_a_number_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(click.BadParameter, match="'many' is not a valid integer"):
        by_click("train", "s.yaml", "--epochs", "many")
