"""A stage's processes import what they need when they need it, and end at once."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.stage.stage import StageRequest

HEAVY = (
    *("mlflow", "sqlalchemy", "pandas", "torch", "ultralytics", "openvino", "onnx", "onnxruntime"),
    *("nncf", "numpy", "scipy", "cv2", "PIL", "matplotlib", "trackeval", "optuna", "jinja2"),
)
STARTER = "apps.cli.main, apps.cli.run_scenario, pipelines.console, pipelines.runner"
WORKER = "pipelines.worker, scenario, " + ", ".join(
    f"pipelines.{stage}.stage" for stage in ("train", "quant", "infer", "release")
)
REQUEST = StageRequest(
    stage="quant",
    title="quant",
    run_name="x",
    experiment_name="a/b-c/d",
    scenario_yaml="no scenario",
    base_dir="/",
    tracking_uri="sqlite:////nowhere/mlflow.db",
    work_dir="/nowhere",
)
ENDING = """
import os, sys
from pipelines.worker import main

class LeftByAUser:
    def __del__(self):
        os.write(1, b"written at the very end")

left = LeftByAUser()
main([sys.argv[1], str(os.open(os.devnull, os.O_WRONLY))])
"""


@pytest.mark.parametrize("modules", [STARTER, WORKER], ids=["starter", "worker"])
def test_no_large_library_is_loaded_before_there_is_work_for_it(modules: str) -> None:
    code = f"import sys, {modules}\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("stage", "taken_apart"), [("quant", False), ("train", True)])
def test_only_a_process_that_ran_a_users_code_is_taken_apart(
    tmp_path: Path, stage: str, taken_apart: bool
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING, str(tmp_path)],
        input=replace(REQUEST, stage=stage).to_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "ScenarioError" in done.stderr, "the log holds what was said last"
    assert ("written at the very end" in done.stdout) is taken_apart


def test_a_worker_whose_starter_was_killed_before_it_could_look_ends(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with Path(os.devnull).open("wb") as events:
        number = events.fileno()
        worker = subprocess.Popen(
            [
                *(sys.executable, "-m", "pipelines.worker"),
                *(str(tmp_path), str(number), f"pid:{gone.pid}"),
            ],
            stdin=subprocess.PIPE,  # nothing comes by it, and it stays open
            stderr=subprocess.PIPE,
            pass_fds=[number],
        )
    try:
        assert worker.wait(60) == 130
    finally:
        worker.kill()
        worker.communicate()
