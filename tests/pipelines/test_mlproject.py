"""`mlflow run`, as users start it: from a checkout and from a Git URL."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from workplace import Workplace

pytestmark = pytest.mark.slow

EXPERIMENT = "demo-construction/seoul-plant1/full"
SMALL = (
    *("-P", "dataset.path=demo://ppe?images=14&size=96"),
    *("-P", "model.input_size=96", "-P", "training.epochs=2"),
)


def mlflow_run(workplace: Workplace, uri: str, code: Path) -> subprocess.CompletedProcess[str]:
    return workplace.run(
        *(sys.executable, "-m", "mlflow", "run", uri, "-e", "train", "--env-manager", "local"),
        *("-P", "scenario_path=configs/scenarios/demo.yaml", "-P", f"experiment_code_path={code}"),
        *SMALL,
    )


def check_linked(workplace: Workplace) -> None:
    """The run stands in the site's experiment, and MLflow's own run points to it."""
    (run,) = workplace.store.find_runs(experiment_name=EXPERIMENT)
    assert run.status == "FINISHED"
    assert run.params["train.epochs"] == "2"
    (launcher,) = workplace.store.find_runs(experiment_name="Default")
    assert launcher.tags["guardianflow.run_id"] == run.run_id
    assert run.tags["launcher.run_id"] == launcher.run_id
    assert launcher.status == "FINISHED"


def test_a_checkout_runs_with_overrides(workplace: Workplace, repository: Path) -> None:
    done = mlflow_run(workplace, str(repository), workplace.write_trainer("mine"))
    assert done.returncode == 0, done.stdout + done.stderr
    check_linked(workplace)


def test_the_sites_own_experiment_is_adopted(workplace: Workplace, repository: Path) -> None:
    done = workplace.run(
        *(sys.executable, "-m", "mlflow", "run", str(repository), "-e", "train"),
        *("--env-manager", "local", "--experiment-name", EXPERIMENT),
        *("-P", "scenario_path=configs/scenarios/demo.yaml"),
        *("-P", f"experiment_code_path={workplace.write_trainer('mine')}"),
        *SMALL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = workplace.store.find_runs(experiment_name=EXPERIMENT)
    assert run.run_name == "ppe-yolo11n-train-v1"
    assert run.status == "FINISHED"


@pytest.fixture
def git_url(repository: Path, tmp_path: Path) -> Iterator[str]:
    """The working tree's tracked files as a repository, served on loopback."""
    served = tmp_path / "served"
    project = served / "guardianflow"
    project.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (repository / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / name, project / name)
    author = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*author, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=project, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    daemon = subprocess.Popen(
        [
            *("git", "daemon", "--listen=127.0.0.1", f"--port={port}", "--export-all"),
            *(f"--base-path={served}", str(served)),
        ]
    )
    try:
        wait_for_port(port)
        yield f"git://127.0.0.1:{port}/guardianflow"
    finally:
        daemon.terminate()
        daemon.wait(10)


def wait_for_port(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"git daemon does not answer on {port}")


def test_a_git_url_runs(workplace: Workplace, git_url: str) -> None:
    done = mlflow_run(workplace, git_url, workplace.write_trainer("mine"))
    assert done.returncode == 0, done.stdout + done.stderr
    check_linked(workplace)
