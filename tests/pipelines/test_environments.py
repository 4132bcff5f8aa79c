"""`mlflow run` in an environment that it builds: ours is understood, and stages stay in it.

The whole lock takes minutes to install: these environments get one package of it, and find the
others where the tests do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from workplace import Workplace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="conda.yaml names Python 3.11"),
]

EXPERIMENT = "demo-construction/seoul-plant1/full"
SMALL = (
    *("-P", "dataset.path=demo://ppe?images=14&size=96"),
    *("-P", "model.input_size=96", "-P", "training.epochs=1"),
)
NOTES = """
import os, sys
from pathlib import Path
with Path(os.environ["PROCESSES"]).open("a") as file:
    file.write(f"{sys.prefix} {' '.join(sys.orig_argv)}\\n")
if sys.orig_argv[1:3] != ["-m", "pip"]:  # which would find nothing missing
    sys.path.append(os.environ["OTHERS"])
"""


@pytest.fixture
def place(workplace: Workplace, repository: Path) -> Workplace:
    """A project with our MLproject and environment file, and processes that say who they are."""
    project = workplace.root / "project"
    project.mkdir()
    for name in ("MLproject", "conda.yaml"):
        shutil.copy(repository / name, project)
    lock = (repository / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (package,) = [line for line in lock if line.startswith("packaging==")]
    (project / "requirements.txt").write_text(f"{package}\n")
    (workplace.root / "notes").mkdir()
    (workplace.root / "notes/sitecustomize.py").write_text(NOTES)
    found = [workplace.root / "notes", repository]
    workplace.environment |= {
        "MLFLOW_ENV_ROOT": str(workplace.root / "environments"),
        "PYTHONPATH": os.pathsep.join(map(str, found)),
        "OTHERS": sysconfig.get_path("purelib"),
        "PROCESSES": str(workplace.root / "processes"),
    }
    return workplace


def run_in(place: Workplace, manager: str, entry_point: str, *words: str) -> str:
    """Run it; gives the environment that was built."""
    done = place.run(
        *(sys.executable, "-m", "mlflow", "run", "project", "-e", entry_point),
        *("--env-manager", manager, "-P", "scenario_path=configs/scenarios/demo.yaml"),
        *(*SMALL, *words),
        timeout=800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (place.root / "environments").iterdir()
    assert list(built.glob("lib/python3.11/site-packages/packaging-*.dist-info"))
    return str(built)


def processes(place: Workplace) -> list[tuple[str, str]]:
    """The environment and command line of every process of ours."""
    lines = (place.root / "processes").read_text().splitlines()
    split = [tuple(line.split(" ", 1)) for line in lines]
    return [(prefix, words) for prefix, words in split if " -m pipelines." in words]


def test_virtualenv(place: Workplace) -> None:
    if shutil.which("pyenv") is None:
        pytest.skip("pyenv is not installed")
    listed = subprocess.run(["pyenv", "install", "--list"], capture_output=True, text=True)
    known = [line.strip() for line in listed.stdout.splitlines()]
    numbers = [int(each[5:]) for each in known if each.startswith("3.11.") and each[5:].isdigit()]
    # It would compile the newest: here that is the interpreter of the tests.
    versions = place.root / "pyenv/versions"
    versions.mkdir(parents=True)
    (versions / f"3.11.{max(numbers)}").symlink_to(sys.base_prefix)
    place.environment["PYENV_ROOT"] = str(versions.parent)
    code = place.write_trainer("mine")
    built = run_in(place, "virtualenv", "train", "-P", f"experiment_code_path={code}")
    assert {prefix for prefix, _ in processes(place)} == {built}
    (run,) = place.store.find_runs(experiment_name=EXPERIMENT)
    assert run.status == "FINISHED"


def test_uv_and_every_stage_of_a_pipeline_stays_in_it(place: Workplace, repository: Path) -> None:
    if shutil.which("uv", path=place.full_environment()["PATH"]) is None:
        pytest.skip("uv is not installed")
    built = run_in(
        *(place, "uv", "full_pipeline"),
        *("-P", "quantization.variants=[{backend: onnx, precision: fp32}]", "-P", "alarms=null"),
    )
    at_work = processes(place)
    assert len(at_work) >= 2  # the entry point's, and what it starts
    assert {prefix for prefix, _ in at_work} == {built}
    (launcher,) = place.store.find_runs(experiment_name="Default")
    assert (launcher.status, launcher.tags["mlflow.project.env"]) == ("FINISHED", "uv")
    # The whole lock can be had for it.
    asked = ("pip", "install", "--dry-run", "--python", built, "-r", "requirements.txt")
    done = subprocess.run(
        ["uv", *asked], cwd=repository, env=place.full_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Would install" in done.stderr
