"""Sweeps, comparisons and ablations from the command line: flags compile to a scenario."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from shlex import split

import pytest
from click.testing import CliRunner
from command_tree import find_command
from designed import VALUES
from ruamel.yaml import YAML

from apps.cli.main import cli
from apps.cli.run_scenario import make_scenario
from guardianflow.contracts.errors import ScenarioError
from pipelines import create_runner
from pipelines.command_line import (
    flag_overrides,
    given_overrides,
    invocation,
    load_asked,
    parse_stage,
)
from pipelines.options import RunCommand, overrides_from
from pipelines.runner import stage_of
from scenario import (
    Scenario,
    ablation_trials,
    build_scenario,
    comparison_trials,
    dump_scenario,
    grid,
    load_scenario,
    scenario_of,
)

EXAMPLES = {
    "demo_sweep": ("sweep", 12),
    "demo_architectures": ("compare", 4),
    "demo_cross_site": ("compare", 3),
    "demo_ablation": ("ablation", 9),
}


def by_flags(command: str, *words: str) -> Scenario:
    found = find_command(cli, command).make_context(command, list(words)).params
    return make_scenario(RunCommand(command, **found))


def by_module(stage: str, *words: str) -> Scenario:
    asked, rest = parse_stage(stage, list(words))
    return load_asked(replace(asked, overrides=tuple(overrides_from(rest))))


def test_the_flags_of_a_sweep_are_a_scenario() -> None:
    made = by_flags(
        "sweep", "-d", "data.yaml", "-m", "yolo11s.pt", "--epochs", "50",
        "-p", "learning_rate=[0.001,0.005,0.01]", "-p", "batch_size=[8,16]", "-p", "imgsz=320",
        "--strategy", "random", "--max-runs", "4", "--parallel", "2", "--metric", "mAP50,latency",
        "--repeats", "2",
    )  # fmt: skip
    assert (made.design, made.experiment_type) == ("sweep", None)
    assert (made.model.architecture, made.model.weights_path) == ("yolo11s", "yolo11s.pt")
    assert (made.model.input_size, made.training.epochs) == (320, 50)
    sweep = made.sweep
    assert sweep is not None
    assert sweep.parameters == {
        "training.learning_rate": (0.001, 0.005, 0.01),
        "training.batch_size": (8, 16),
    }
    assert (sweep.strategy, sweep.max_runs, sweep.parallel, sweep.repeats) == ("random", 4, 2, 2)
    assert sweep.metric == ("det.mAP50", "sys.inference_time_p50_ms")


def test_a_file_and_both_command_lines_say_the_same(tmp_path: Path, repository: Path) -> None:
    demo = str(repository / "configs/scenarios/demo.yaml")
    lists = ["lr=[0.001, 0.01]", "options.scale={low: 0, high: 1, step: 0.5}"]
    flags = ["--metric", "my_loss", "--minimize", "--strategy=grid"]
    clicked = by_flags("sweep", demo, *(word for each in lists for word in ("-p", each)), *flags)
    appended = [f"--{each}" for each in lists]  # as mlflow run -P does
    assert by_module("sweep", "--scenario", demo, *flags, *appended) == clicked
    written = tmp_path / "written.yaml"
    written.write_text(dump_scenario(clicked), encoding="utf-8")
    assert load_scenario(written) == clicked
    assert clicked.sweep is not None
    assert clicked.sweep.directions == ("minimize",)
    assert len(grid(clicked.sweep, clicked)) == 6


def test_a_flag_of_a_comparison_goes_before_all_that_the_file_names(repository: Path) -> None:
    cross = str(repository / "configs/scenarios/demo_cross_site.yaml")
    made = by_flags("compare", cross, "--architectures", "yolo11n,yolo26n", "--parallel", "2")
    assert made.comparison is not None
    assert (made.comparison.of, made.comparison.datasets) == ("architectures", ())
    assert made.comparison.parallel == 2
    with pytest.raises(ScenarioError, match="names architectures and run_ids; keep one of them"):
        by_flags("compare", cross, "--architectures", "yolo11n,yolo26n", "--run-ids", "a1,b2")
    kept = by_flags("compare", cross, "-m", "models:/a.b.c.ppe@champion")
    assert kept.comparison is not None
    assert kept.comparison.of == "datasets"


def test_run_ids_and_versions_stay_text() -> None:
    asked = RunCommand("compare", run_ids="12345e10,0012")
    made = build_scenario(VALUES, overrides=flag_overrides(asked))
    assert made.comparison is not None
    assert made.comparison.run_ids == ("12345e10", "0012")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_loads_and_each_of_its_runs_is_a_scenario(name: str, repository: Path) -> None:
    made = load_scenario(repository / f"configs/scenarios/{name}.yaml")
    stage, count = EXAMPLES[name]
    assert stage_of(made) == stage
    assert made.sweep is None or made.design == "sweep"
    trials = (
        grid(made.sweep, made)
        if made.sweep
        else comparison_trials(made)
        if made.comparison
        else ablation_trials(made)
    )
    assert len(trials) == count
    assert {scenario_of(made, each).design for each in trials} == {"single"}
    assert len({each.name for each in trials}) == count


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sweep", "DEMO"], "or give `guardianflow sweep` -p 'learning_rate=[0.001,0.01]'"),
        (["sweep", "DEMO", "-p", "bacth=[8, 16]"], "unknown parameter 'bacth'; did you mean 'bat"),
        (["sweep", "DEMO", "-p", "lr=[0.1, 0]"], "training.learning_rate must be a number > 0"),
        (["sweep", "DEMO", "-p", "lr=[1, 2]", "--strategy", "gird"], "did you mean 'grid'?"),
        (["sweep", "DEMO", "-p", "lr=[1, 2]", "--metric", "mAP5"], "did you mean 'mAP50'?"),
        (["sweep", "DEMO", "-p", "lr=[1, 2]", "--parallel", "0"], "0 is not in the range"),
        (["compare", "DEMO", "--architectures", "yolo11n"], "name at least two to compare"),
        (["compare", "DEMO"], "--architectures, --datasets, --run-ids or --model-versions"),
        (["compare", "--architectures", "a,b"], "needs a scenario file, or at least --data"),
        (["ablation", "DEMO"], "there is no section ablation; write ablation: {components"),
        (["train", "SWEEP"], "is a sweep but 'train' was asked of it; run `guardianflow sweep`"),
        (["pipeline", "SWEEP"], "give -p design=single to leave out its section"),
        (["run-scenario", "DEMO", "--parallel", "2"], "--parallel: scenario 'demo' is run as `fu"),
    ],
)
def test_bad_input_ends_with_2_before_anything_runs(
    words: list[str], said: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = repository / "configs/scenarios"
    files = {"DEMO": str(folder / "demo.yaml"), "SWEEP": str(folder / "demo_sweep.yaml")}
    done = CliRunner().invoke(cli, [files.get(word, word) for word in words])
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_a_design_runs_once_where_that_is_asked(repository: Path) -> None:
    example = str(repository / "configs/scenarios/demo_sweep.yaml")
    done = CliRunner().invoke(cli, ["train", example, "-p", "design=single", "--dry-run", "--json"])
    assert done.exit_code == 0, done.output
    plan = json.loads(done.output.splitlines()[-1])
    assert [each["stage"] for each in plan["stages"]] == ["train"]


def test_create_runner_needs_the_section_of_the_design_that_is_asked_for(repository: Path) -> None:
    demo = load_scenario(repository / "configs/scenarios/demo.yaml")
    for stage in ("sweep", "ablation"):
        with pytest.raises(ScenarioError, match=f"has no section '{stage}'"):
            create_runner(demo, stage=stage)


@pytest.mark.parametrize("launched", [False, True])
def test_the_command_to_write_again_asks_for_the_same(
    launched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    words = [
        "--scenario", "s.yaml", "--strategy", "random", "--max-runs", "3", "--minimize",
        "--metric", "latency", "--executor", "ray://h:1", "--source-run-id", "abc", "--lr=[1, 2]",
    ]  # fmt: skip
    asked, rest = parse_stage("sweep", words)
    whole = replace(asked, overrides=tuple(overrides_from(rest)))
    if launched:
        monkeypatch.setenv("MLFLOW_RUN_ID", "r")
        again = split(invocation(whole))
        given = [word for word in again[7:] if word != "-P"]
        names = {"scenario_path": "scenario", "source_run_id": "source-run-id"}
        again = []
        for name, _, value in (each.partition("=") for each in given):
            again += [f"--{names.get(name, name)}", value]
    else:
        again = split(invocation(whole))[3:]
    other, rest = parse_stage("sweep", again)
    assert replace(other, overrides=tuple(overrides_from(rest))) == whole
    assert given_overrides(whole) == ["sweep.parameters.training.learning_rate=[1, 2]"]


@pytest.mark.parametrize("stage", ["sweep", "compare", "ablation"])
def test_mlprojects_entry_point_is_a_command_line_that_is_read(
    stage: str, repository: Path
) -> None:
    project = YAML(typ="safe").load(repository / "MLproject")
    entry = project["entry_points"][stage]
    assert entry["parameters"]["source_run_id"]["default"] == ""
    words = split(entry["command"])
    assert words[:3] == ["python", "-m", f"pipelines.{stage}"]
    filled = [
        word.format(scenario_path="s.yaml", experiment_code_path="mine", source_run_id="abc")
        for word in words[3:]
    ]
    asked, rest = parse_stage(stage, filled)
    assert rest == []
    assert (asked.scenario, asked.code_path, asked.source) == ("s.yaml", "mine", "abc")
