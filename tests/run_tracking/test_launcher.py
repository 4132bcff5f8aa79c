"""The launcher's run is read once and no code after that can see it."""

from __future__ import annotations

import os

import pytest

from guardianflow.run_tracking.launcher import LauncherRun, claim_launcher_run, take_launcher_run


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
