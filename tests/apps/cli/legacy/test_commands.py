"""`guardianflow run` of a fleet, `status` and `migrate` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from apps.cli.main import cli

REGISTRY = """
experiments:
  동화 안전모:
    path: ../../old/동화 안전모
    site: {customer: 동화엔텍, region: busan}
    task: {type: ppe}
    entry_points: {train: {default: 학습.py}}
  sampyo:
    path: ../../old/sampyo
    site: {customer: sampyo, region: TODO}
    task: {type: fire}
    entry_points: {train: {default: train.py}, quant: {default: train.py}}
"""
SCRIPT = """
from ultralytics import YOLO
YOLO("yolo11n.yaml").train(data="data.yaml", epochs=3, optimizer="SGD", imgsz=320)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a registry; the store and the cache are in it too."""
    for name, script in (("동화 안전모", "학습.py"), ("sampyo", "train.py")):
        (tmp_path / "old" / name).mkdir(parents=True)
        (tmp_path / "old" / name / script).write_text(SCRIPT, "utf-8")
    (tmp_path / "work/configs").mkdir(parents=True)
    (tmp_path / "work/configs/experiments.yaml").write_text(REGISTRY, "utf-8")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "cache"))
    return tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "but got none"),
        (("동화 안전모", "--all"), "but got NAME, --all or --customer"),
        (("동화 안전모", "--jobs", "2"), "--jobs must not be given for one experiment"),
        (("--all", "--script", "x.py"), "--script must not be given for a fleet"),
        (("--resume", "x", "--type", "quant", "-p", "a=1"), "--type must not be given"),
        (("--resume", "20260101-000000-abcd"), "--resume must be the id of a batch"),
        (("--customer", "동화엔택"), "did you mean '동화엔텍'"),
        (("--all", "--strict"), "site.region of 'sampyo' must be filled in"),
        (("--customer", "sampyo"), "site.region of 'sampyo' must be filled in"),
        (("--all", "-p", "epochs"), "-p must be NAME=VALUE"),
    ],
)
def test_bad_input_is_said_before_anything_starts(
    place: Path, words: tuple[str, ...], said: str
) -> None:
    done = call("run", *words)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert not (place / "cache/batches").exists()


def test_a_fleets_dry_run_shows_each_command_and_starts_nothing(place: Path) -> None:
    done = call("run", "--all", "--type", "train", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "동화 안전모: " in done.output
    assert "학습.py" in done.output
    assert "sampyo: " in done.output
    assert "site.region" in done.output
    assert not (place / "cache").exists()
    assert not (place / "mlflow.db").exists()


def test_status_of_a_fleet_that_never_ran(place: Path) -> None:
    done = call("scan", str(place / "old"), "--update")
    assert done.exit_code == 0, done.output
    (place / "old/sampyo/train.py").write_text("import torch\n")
    done = call("status")
    assert done.exit_code == 0, done.output
    for part in (
        "동화 안전모",
        "never",
        "none",
        "changed: train.py",
        "to be filled in: site.region",
    ):
        assert part in done.output
    done = call("status", "--customer", "sampyo", "--json")
    (row,) = json.loads(done.stdout.splitlines()[-1])
    assert row["name"] == "sampyo"
    assert (row["last_run"], row["mAP50"], row["model"]) == (None, None, None)
    assert row["drift"]["changed"] == ["train.py"]
    done = call("status", "--customer", "sampio")
    assert done.exit_code == 2
    assert "did you mean 'sampyo'" in done.output


def test_migrate_writes_a_draft_says_what_to_do_and_never_writes_twice(place: Path) -> None:
    done = call("migrate", "동화 안전모")
    assert done.exit_code == 0, done.output
    target = place / "work/experiments/동화 안전모"
    assert sorted(each.name for each in target.iterdir()) == ["scenario.yaml", "train.py"]
    assert "TODO (" in done.output
    assert "scenario.yaml:" in done.output
    assert "guardianflow train" in done.output
    done = call("migrate", "동화 안전모", "--json")
    assert done.exit_code == 2
    assert "nothing is overwritten" in json.loads(done.stdout.splitlines()[-1])["error"]["message"]
    done = call("migrate", "동화 안전모", "--to", str(place / "new"), "--json")
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["way"] == "ultralytics"
    assert answer["files"] == ["scenario.yaml", "train.py"]
    done = call("migrate", "sampyo")
    assert done.exit_code == 2
    assert "site.region" in done.output


def test_the_commands_stand_in_the_help() -> None:
    text = call("--help").output
    for name in ("scan", "run", "status", "migrate"):
        assert f"  {name} " in text
