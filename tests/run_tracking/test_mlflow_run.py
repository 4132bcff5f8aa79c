"""`mlflow run` for real: its run is adopted or linked, and ends as it should."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guardianflow.run_tracking.mlflow_store import MlflowStore

EXPERIMENT = "donghwa/busan-plant1/welding"
PROJECT = """
name: small
entry_points:
  main:
    parameters:
      backend: {type: string, default: onnx}
      ending: {type: string, default: FINISHED}
    command: "PYTHON go.py {backend} {ending}"
"""
CODE = """
import os, sys
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.launcher import take_launcher_run
from guardianflow.run_tracking.mlflow_store import MlflowStore

assert take_launcher_run() is not None
assert not [name for name in os.environ if "MLFLOW_RUN" in name or "MLFLOW_EXPERIMENT" in name]
store = MlflowStore()
run = store.start_run(
    RunRequest("donghwa/busan-plant1/welding", "ppe-train-v1", params={"backend": sys.argv[1]},
               adopt_launcher=True)
)
store.log_metrics(run, {"a": 1.0})
store.end_run(run, sys.argv[2])
sys.exit(0 if sys.argv[2] == "FINISHED" else 1)
"""


def launch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.run(
        [sys.executable, "-m", "mlflow", "run", "project", "--env-manager", "local", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
    )


@pytest.mark.slow
def test_the_launchers_run_is_linked_or_adopted(tmp_path: Path) -> None:
    folder = tmp_path / "현장 a"
    (folder / "project").mkdir(parents=True)
    (folder / "project" / "MLproject").write_text(PROJECT.replace("PYTHON", sys.executable))
    (folder / "project" / "go.py").write_text(CODE)

    done = launch(folder)
    assert done.returncode == 0, done.stderr
    store = MlflowStore(f"sqlite:///{folder}/mlflow.db")
    (launched,) = store.find_runs(experiment_name="Default")
    (ours,) = store.find_runs(experiment_name=EXPERIMENT)
    assert (launched.status, ours.status) == ("FINISHED", "FINISHED")
    assert launched.tags["guardianflow.run_id"] == ours.run_id
    assert ours.tags["launcher.run_id"] == launched.run_id
    assert launched.metrics == {}
    assert ours.metrics == {"a": 1.0}

    done = launch(folder, "--experiment-name", EXPERIMENT, "-P", "ending=KILLED")
    assert done.returncode != 0
    newest, _ = store.find_runs(experiment_name=EXPERIMENT)
    # mlflow's doing, from the exit code: see launcher.py.
    assert (newest.run_name, newest.status) == ("ppe-train-v1", "FAILED")
    assert newest.params == {"backend": "onnx", "ending": "KILLED"}
    assert newest.metrics == {"a": 1.0}
    assert not (folder / "project" / "mlflow.db").exists()
