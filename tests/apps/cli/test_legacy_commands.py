"""`guardianflow run` on the command line: what would run, and what is refused before it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from apps.cli.main import cli

REGISTRY = """
experiments:
  sampyo-gimhae-bct:
    path: ../동화
    site: {customer: sampyo, region: gimhae}
    task: {type: collision}
    entry_points:
      train:
        default: train_v2.py
        patterns: ["train*.py"]
        args_template: "--epochs {epochs}"
        defaults: {epochs: 100}
    timeout: 24h
"""
SCRIPT = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=30)
raise SystemExit("it was started")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "동화"
    folder.mkdir()
    for version in (2, 3):
        (folder / f"train_v{version}.py").write_text(SCRIPT)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/experiments.yaml").write_text(REGISTRY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


@pytest.mark.parametrize("command", ["run", "wrap"])
def test_a_dry_run_shows_everything_and_starts_nothing(site: Path, command: str) -> None:
    done = run(command, "sampyo-gimhae-bct", "--version", "v3", "-p", "epochs=5", "--dry-run")
    assert done.exit_code == 0
    for part in (
        "train_v3.py --epochs 5",
        str(site),
        "sampyo/gimhae-plant1/full",
        "collision-train_v3-train",
        "86400 s",
        "script.epochs=5",
        "exp.version=v3",
        "exp.options_from=its own code",
    ):
        assert part in done.output
    assert "it was started" not in done.output
    assert not (site.parent / "mlflow.db").exists()


def test_a_dry_run_for_programs(site: Path) -> None:
    done = run("run", "sampyo-gimhae-bct", "--dry-run", "--no-register", "--json")
    plan = json.loads(done.stdout.strip().splitlines()[-1])
    assert plan["command"][1:] == ["train_v2.py", "--epochs", "100"]
    assert plan["registers"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sampyo-gimhae-btc"], "did you mean 'sampyo-gimhae-bct'"),
        (["sampyo-gimhae-bct", "--type", "quant"], "no entry point 'quant'"),
        (["sampyo-gimhae-bct", "--version", "v9"], "train_v2.py, train_v3.py"),
        (["sampyo-gimhae-bct", "--script", "../configs/experiments.yaml"], "must lie inside"),
        (["sampyo-gimhae-bct", "-p", "epoch=3"], "-p epoch has no placeholder"),
        (["sampyo-gimhae-bct", "-p", "epochs"], "-p must be NAME=VALUE"),
        (["sampyo-gimhae-bct", "--experiments", "none.yaml"], "none.yaml"),
    ],
)
def test_bad_input_is_exit_code_2_and_leaves_nothing(
    site: Path, words: list[str], said: str
) -> None:
    done = run("run", *words, "--json")
    assert done.exit_code == 2
    assert said in done.stderr
    assert json.loads(done.stdout.strip().splitlines()[-1])["error"]["exit_code"] == 2
    assert not (site.parent / "mlflow.db").exists()


def test_help_has_examples_and_exit_codes() -> None:
    done = run("run", "--help")
    assert "guardianflow run donghwa-entec-ppe" in done.output
    assert "124" in done.output
