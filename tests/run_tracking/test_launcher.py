"""The launcher's run is read once and no code after that can see it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from guardianflow.run_tracking.launcher import (
    LauncherRun,
    claim_launcher_run,
    environment_manager,
    take_launcher_run,
)


def test_without_a_launcher_there_is_none() -> None:
    assert take_launcher_run() is None


def test_it_is_taken_out_of_the_environment_and_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "abc")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "somebody's")
    monkeypatch.setenv("MLFLOW_ACTIVE_MODEL_ID", "m-1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert take_launcher_run() == LauncherRun("abc", "0")
    for name in (
        "MLFLOW_RUN_ID",
        "MLFLOW_EXPERIMENT_ID",
        "MLFLOW_EXPERIMENT_NAME",
        "MLFLOW_ACTIVE_MODEL_ID",
    ):
        assert name not in os.environ
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert take_launcher_run() == LauncherRun("abc", "0")
    assert claim_launcher_run() == LauncherRun("abc", "0")
    assert claim_launcher_run() is None


def test_a_launcher_that_names_no_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "abc")
    assert take_launcher_run() == LauncherRun("abc", None)


def test_an_environment_says_what_has_built_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ENV_ROOT", str(tmp_path))
    assert environment_manager() == "local"
    venv = tmp_path / "mlflow-1"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    assert environment_manager(venv) == "virtualenv"
    monkeypatch.delenv("MLFLOW_ENV_ROOT")
    assert environment_manager(venv) == "local"  # somebody's own
    conda = tmp_path / "anaconda" / "envs" / "mlflow-2"
    (conda / "conda-meta").mkdir(parents=True)
    assert environment_manager(conda) == "conda"


def test_an_environment_of_uv_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        pytest.skip("uv is not installed")
    monkeypatch.setenv("MLFLOW_ENV_ROOT", str(tmp_path))
    made = tmp_path / "mlflow-1"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(made)], check=True)
    assert environment_manager(made) == "uv"
