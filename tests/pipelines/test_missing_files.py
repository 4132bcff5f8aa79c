"""--dry-run tells what the scenario names and this machine lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from apps.cli.main import cli

SCENARIO = """
name: x
version: v1
experiment_type: train
site: {customer: a, region: b}
task: {type: ppe}
model: {architecture: yolo11n, weights_path: start.pt}
dataset: {path: data/d.yaml}
"""


def plan(file: Path) -> tuple[str, list[str]]:
    result = CliRunner().invoke(cli, ["train", str(file), "--dry-run"])
    assert result.exit_code == 0, result.output
    as_json = CliRunner().invoke(cli, ["train", str(file), "--dry-run", "--json"])
    found: list[str] = json.loads(as_json.stdout.splitlines()[-1])["missing"]
    return result.output, found


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file = tmp_path / "s.yaml"
    file.write_text(SCENARIO)
    return file


def test_a_missing_data_set_and_missing_weights_are_told(scenario: Path) -> None:
    text, missing = plan(scenario)
    assert missing == [
        f"dataset.path: there is no {scenario.parent / 'data/d.yaml'}",
        f"model.weights_path: there is no {scenario.parent / 'start.pt'}",
    ]
    assert "# missing on this machine, so that it would fail" in text
    assert all(line in text for line in missing)


def test_what_is_there_or_can_be_fetched_is_not_missing(scenario: Path) -> None:
    (scenario.parent / "data").mkdir()
    (scenario.parent / "data/d.yaml.dvc").touch()
    (scenario.parent / "elsewhere/start.pt").touch()
    text, missing = plan(scenario)
    assert missing == []
    assert "missing" not in text
    scenario.write_text(SCENARIO.replace("data/d.yaml", "demo://ppe"))
    assert plan(scenario)[1] == []
