"""What a user sees before any work is done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import click
import pytest
from click.testing import CliRunner
from command_tree import find_command, leaves

from apps.cli.data.commands import DATA_COMMANDS
from apps.cli.flags import Command
from apps.cli.legacy_commands import LEGACY_COMMANDS
from apps.cli.main import COMMANDS as COMMANDS_OF_MAIN
from apps.cli.main import cli
from apps.cli.model_commands import MODEL_COMMANDS

COMMANDS = list(leaves(cli))


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"


def call(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(words))
    return result.exit_code, result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(command: str) -> None:
    code, text = call(*command.split(), "--help")
    assert code == 0
    assert "Examples:" in text
    assert f"guardianflow {command}" in text or command == "wrap"  # the other name of run


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_bad_input(command: str) -> None:
    code, text = call(*command.split(), "--no-such-option")
    assert code == 2
    assert "No such option" in text
    assert "--no-such-option" in text


# The dashboard and the watch work until they are stopped.
IN_TESTS_OF_THEIR_OWN = (
    *("doctor", "reap", "config check", "bundle-wheels", "dashboard", "optimize watch"),
    "keys make",
)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in IN_TESTS_OF_THEIR_OWN])
def test_every_command_answers_programs_with_json_on_its_last_line(
    command: str, empty_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What must be given is given, and is not there: a list, or the error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("GUARDIANFLOW_TRACKING_URI", empty_store)
    words = [*command.split(), "--json"]
    for each in find_command(cli, command).params:
        if each.required:
            words += [] if isinstance(each, click.Argument) else [each.opts[0]]
            words.append("not-there")
    result = CliRunner().invoke(cli, words)
    value = json.loads(result.stdout.strip().splitlines()[-1])
    if result.exit_code == 0:
        whole = command.startswith(("metrics ", "alerts ", "optimize ")) or (
            command == "sync" and value["left"] == []
        )
        assert isinstance(value, list) or whole
    else:
        assert value["error"]["exit_code"] == result.exit_code == 2
        assert f"error: {value['error']['message']}" in result.stderr


@pytest.mark.parametrize(
    "each", [*COMMANDS_OF_MAIN, *DATA_COMMANDS, *MODEL_COMMANDS, *LEGACY_COMMANDS]
)
def test_what_does_a_command_s_work_takes_its_options(each: Command) -> None:
    hints = get_type_hints(each.find_work())
    assert hints.pop("return") is int
    assert list(hints.values()) == [each.kind]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, apps.cli.main as m\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(m.cli, ['--help']).exit_code == 0\n"
        "heavy = {'mlflow', 'torch', 'ultralytics', 'pydantic', 'numpy', 'rich', 'cv2'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_is_in_both_readmes(repository: Path) -> None:
    for name in ("README.md", "README.ko.md"):
        text = (repository / name).read_text(encoding="utf-8")
        for command in set(COMMANDS) - {"wrap"}:  # the other name of run
            assert f"guardianflow {command}" in text


def test_dry_run_shows_scenario_and_plan_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    demo = str(repository / "configs/scenarios/demo.yaml")
    code, text = call("pipeline", demo, "-p", "training.epochs=7", "--dry-run")
    assert code == 0, text
    assert "epochs: 7" in text
    assert "quant openvino_int8" in text
    assert "infer onnx_int8" in text
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_names_the_class_that_will_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    demo = str(repository / "configs/scenarios/demo.yaml")
    code = tmp_path / "mine"
    code.mkdir()
    stop = "raise SystemExit('a dry run runs nothing')\n"
    (code / "quantize.py").write_text(stop + "class Quantizer: ...\n", encoding="utf-8")
    done, text = call("pipeline", demo, "-e", str(code), "--dry-run")
    assert done == 0, text
    assert text.count(f"by Quantizer of {code / 'quantize.py'}") == 4
    assert "train.py is not there" in text
    assert "the built-in way (benchmark.py is not there)" in text
    done, text = call("infer", demo, "-m", "best.pt", "-e", "git+https://host/x.git", "--dry-run")
    assert "by Benchmark of git+https://host/x.git, if benchmark.py is there" in text
    done, text = call("quant", demo, "-s", "0" * 32, "-e", "mien", "--dry-run")
    assert done == 2
    assert f"Did you mean '{code}'" in text
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine", "quantize.py"]


def test_flags_and_a_file_are_two_spellings_of_one_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = (
        *("--data", "data.yaml", "--model", "yolo11s.pt", "--epochs", "100", "--batch", "16"),
        *("--imgsz", "640", "--lr", "0.01", "--device", "0", "--name", "첫시도"),
        *("--customer", "donghwa-entec", "--task", "ppe"),
    )
    code, text = call("train", *flags, "--dry-run", "--json")
    assert code == 0, text
    plan = json.loads(text.splitlines()[-1])
    (tmp_path / "same.yaml").write_text(plan["scenario"], "utf-8")
    code, again = call("train", "same.yaml", "--dry-run", "--json")
    assert code == 0, again
    assert json.loads(again.splitlines()[-1]) == plan
    assert "weights_path: yolo11s.pt" in plan["scenario"]


def test_a_file_of_ones_own_is_shown_in_the_plain_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "sites").mkdir(parents=True)
    site = "customer: donghwa-entec\nregion: busan\nzone: welding\n"
    (tmp_path / "configs" / "sites" / "welding.yaml").write_text(site)
    start = "name: own\nexperiment_type: quant\ntask: {type: ppe}\n"
    (tmp_path / "own.yaml").write_text(
        f"{start}site: welding\nmodel: {{architecture: yolov8s.pt}}\nbackend: onnx\n"
        "precision: int8\ncalibration_size: 32\nbatch_sizes: [1, 4]\nwarmup_runs: 3\n"
        "benchmark_runs: 30\ndataset: {name: gate, path: demo://ppe, split_ratio: [8, 1, 1]}\n"
        "preprocess: {image_size: 320, augmentations: {mosaic: 0.5}}\n"
    )
    (tmp_path / "plain.yaml").write_text(
        f"{start}site: {{customer: donghwa-entec, region: busan, zone: welding}}\n"
        "model: {architecture: yolov8s, weights_path: yolov8s.pt, input_size: 320}\n"
        "dataset: {name: gate, path: demo://ppe, "
        "split_ratio: {train: 0.8, val: 0.1, test: 0.1}}\n"
        "training: {options: {mosaic: 0.5}}\n"
        "benchmark: {batch_sizes: [1, 4], warmup_runs: 3, benchmark_runs: 30}\n"
        "quantization: {backend: onnx, precision: int8, calibration_size: 32}\n"
    )
    plans = []
    for name in ("own.yaml", "plain.yaml"):
        code, text = call("quant", name, "--dry-run", "--json")
        assert code == 0, text
        plans.append(json.loads(text.splitlines()[-1]))
    assert plans[0] == plans[1]
    assert "weights_path: yolov8s.pt" in plans[0]["scenario"]
    code, text = call("quant", "own.yaml", "--dry-run")
    assert code == 0 and "calibration_size: 32" in text


@pytest.mark.parametrize(
    ("section", "command", "stages"),
    [
        ("experiment_type: infer", "infer", ["infer"]),
        ("experiment_type: train", "train", ["train"]),
        (
            "design: comparison\ncomparison: {quantization_variants: "
            "[{backend: native, precision: fp32}, {backend: onnx, precision: fp32}]}",
            "compare",
            ["infer pytorch_fp32", "quant onnx_fp32"],
        ),
        ("tags: {}", "pipeline", None),
    ],
)
def test_a_scenario_is_run_as_it_says_itself(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    section: str,
    command: str,
    stages: list[str] | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (
        "name: own\nsite: {customer: a, region: b}\ntask: {type: ppe}\n"
        "model: {architecture: yolov8s}\ndataset: {path: demo://ppe}\nsource_run_id: abc\n"
    )
    (tmp_path / "own.yaml").write_text(text + section + "\n")
    code, shown = call("run-scenario", "own.yaml", "--dry-run", "--json")
    assert code == 0, shown
    plan = json.loads(shown.splitlines()[-1])
    code, same = call(command, "own.yaml", "--dry-run", "--json")
    assert code == 0 and json.loads(same.splitlines()[-1]) == plan
    assert stages is None or [each["stage"] for each in plan["stages"]] == stages


def test_a_flag_that_the_scenario_has_no_use_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    demo = str(repository / "configs/scenarios/demo.yaml")
    words = ("-p", "experiment_type=train", "--resume", "abc", "--backend", "onnx", "--dry-run")
    code, shown = call("run-scenario", demo, *words)
    assert code == 2
    assert "--backend and --resume: scenario 'demo' is run as `train`, which does not" in shown


def test_every_problem_is_told_at_once_with_its_place(tmp_path: Path, repository: Path) -> None:
    text = (repository / "configs/scenarios/demo.yaml").read_text("utf-8")
    scenario = tmp_path / "wrong.yaml"
    scenario.write_text(text + "\nbenchmrk:\n  runs: many\n", "utf-8")
    code, shown = call("train", str(scenario), "-p", "training.epochs=many")
    assert code == 2
    assert f"wrong.yaml:{len(text.splitlines()) + 2}:1" in shown
    assert "did you mean 'benchmark'?" in shown
    assert "training.epochs" in shown


def test_nothing_to_do_says_what_is_needed() -> None:
    code, text = call("train")
    assert code == 2
    assert "needs a scenario file, or at least --data" in text


def test_help_lists_every_command_under_the_work_it_belongs_to() -> None:
    from apps.cli.sections import SECTIONS

    text = CliRunner().invoke(cli, ["--help"]).output
    for title, names in SECTIONS.items():
        assert f"{title}:" in text
        assert not set(names) - set(cli.commands), "a heading names a command that is not there"
    assert "Others:" not in text
