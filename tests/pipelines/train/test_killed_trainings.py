"""Real trainings by the command line, killed at moments nobody chose, and started again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unfinished_trainings import RESUMING
from workplace import QUICK_TRAINER, Workplace, last_json

from demo_scenes.scene import CLASS_NAMES
from experiments_adapters.yolo.arguments import CPU_RANKS_VARIABLE
from pipelines.train.unfinished import all_unfinished

pytestmark = pytest.mark.slow

SMALL = ("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=96")
EXPERIMENT = "demo-construction/seoul-plant1/full"
EPOCHS = 6


def command(workplace: Workplace, *words: str) -> list[str]:
    scenario = workplace.root / "scenario.yaml"
    if not scenario.exists():
        workplace.write_scenario()
    given = ("train", str(scenario), *SMALL, "-p", f"training.epochs={EPOCHS}", *words)
    return [sys.executable, "-m", "apps.cli.main", *given]


def kill_after(
    process: subprocess.Popen[str], reached: Callable[[], bool], delay_s: float, *, whole: bool
) -> None:
    """SIGKILL, a moment after something was reached.

    Args:
        whole: all of it, as a power cut does; else the command alone, whose worker sees to itself.
    """
    end = time.monotonic() + 200
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(delay_s)
    if whole:
        for child in children(process.pid):
            os.kill(child, signal.SIGKILL)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def written_down(workplace: Workplace) -> int:
    """Epochs in the journal of this workplace's training."""
    for place, state in all_unfinished(workplace.work_dir):
        if str(workplace.root) in state.store and place.journal.exists():
            return place.journal.read_bytes().count(b"\n")
    return 0


def reported(workplace: Workplace, more: int) -> Callable[[], bool]:
    """Whether this many epochs more are written down by now."""
    wanted = written_down(workplace) + more
    return lambda: written_down(workplace) >= wanted


def history(workplace: Workplace, run_id: str, key: str) -> list[Any]:
    from mlflow import MlflowClient

    return list(MlflowClient(workplace.tracking_uri).get_metric_history(run_id, key))


def check_one_curve(workplace: Workplace, run_id: str) -> None:
    (run,) = workplace.store.find_runs(experiment_name=EXPERIMENT)
    assert (run.run_id, run.status) == (run_id, "FINISHED")
    for key in run.metrics:
        steps = [point.step for point in history(workplace, run_id, key)]
        assert len(steps) == len(set(steps)), f"{key} {steps}"
        if key.startswith("det."):
            assert sorted(steps) == list(range(1, EPOCHS + 1)), f"{key} {steps}"
    for _, state in all_unfinished(workplace.work_dir):
        assert str(workplace.root) not in state.store


@pytest.mark.timeout(900)
def test_the_built_in_training_killed_at_random_is_one_run_and_one_curve(
    workplace: Workplace,
) -> None:
    rng = random.Random(14)
    for whole in (True, False):
        reached = reported(workplace, 1)
        process = workplace.start(*command(workplace))
        kill_after(process, reached, rng.uniform(0, 1.5), whole=whole)
    done = workplace.run(*command(workplace, "--json"))
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    check_one_curve(workplace, result["run_id"])
    (model,) = result["models"]
    assert model["run_id"] == result["run_id"]
    run = workplace.store.get_run(result["run_id"])
    assert run.tags["resumed.times"] == "2"
    assert "resumed.repeated_epochs" not in run.tags
    table = workplace.store.download(run.run_id, "results/results.csv", workplace.root / "got")
    rows = table.read_text(encoding="utf-8").splitlines()[1:]
    assert [int(row.partition(",")[0]) for row in rows] == list(range(1, EPOCHS + 1))


@pytest.mark.timeout(900)
def test_a_training_of_several_ranks_leaves_none_when_it_is_killed_or_stopped_and_goes_on(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    monkeypatch.setenv(CPU_RANKS_VARIABLE, "2")
    for stop in (signal.SIGKILL, signal.SIGINT):
        reached = reported(workplace, 1)
        process = workplace.start(*command(workplace))
        while not reached():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        below = psutil.Process(process.pid).children(recursive=True)
        named = {" ".join(each.cmdline()): each for each in below}
        assert sum("yolo.ranks.rank" in each for each in named) == 2
        if stop == signal.SIGKILL:  # of the stage alone
            (worker,) = (named[each] for each in named if "pipelines.worker" in each)
            worker.kill()
        else:
            process.send_signal(stop)
        process.communicate(timeout=120)
        assert process.returncode == (1 if stop == signal.SIGKILL else 130)
        assert psutil.wait_procs(below, timeout=60)[1] == []
    (run,) = workplace.store.find_runs(experiment_name=EXPERIMENT)
    assert run.status == "KILLED"
    done = workplace.run(*command(workplace, "--json"))
    assert done.returncode == 0, done.stderr
    check_one_curve(workplace, last_json(done.stdout)["run_id"])


@pytest.fixture
def code(workplace: Workplace) -> Path:
    """An author's trainer that resumes; epoch 5 takes as long as there is a file `hold`."""
    folder = workplace.root / "code"
    folder.mkdir()
    text = f"NAMES = {list(CLASS_NAMES)!r}\nimport json\n{QUICK_TRAINER}"
    start, end = text.index("    def __init__"), text.index("    def before")
    text = text[:start] + RESUMING + text[end:]
    text += f"""
TOLD, HOLD = [], Path({str(workplace.root / "hold")!r})

def HOOK(epoch):
    time.sleep(0.5)
    while epoch == 5 and HOLD.exists():
        time.sleep(0.05)

def AFTER(): ...
"""
    (folder / "train.py").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.timeout(600)
def test_a_command_that_is_interrupted_or_resumed_by_its_id_goes_on(
    workplace: Workplace, code: Path
) -> None:
    process = workplace.start(*command(workplace, "-e", str(code)))
    kill_after(process, reported(workplace, 2), 0.1, whole=True)
    (run,) = workplace.store.find_runs(experiment_name=EXPERIMENT)
    assert run.status == "RUNNING"

    (workplace.root / "hold").touch()
    process = workplace.start(*command(workplace, "-e", str(code)))
    reached = reported(workplace, 1)
    while not reached():
        assert process.poll() is None
        time.sleep(0.05)
    second = workplace.run(*command(workplace, "-e", str(code), "--json"))
    assert second.returncode == 1
    assert "is at work on this very training" in last_json(second.stdout)["error"]["message"]
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"guardianflow resume {run.run_id}" in stderr
    assert workplace.store.get_run(run.run_id).status == "KILLED"

    (workplace.root / "hold").unlink()
    elsewhere = workplace.root / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "apps.cli.main", "resume", run.run_id, "--json"],
        cwd=elsewhere,
        env=workplace.full_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert last_json(done.stdout)["run_id"] == run.run_id
    check_one_curve(workplace, run.run_id)
    logs = workplace.store.download(run.run_id, "logs", workplace.root / "got")
    assert {path.name for path in logs.iterdir()} >= {"stage-2.log", "stage-3.log"}

    again = workplace.guardianflow("resume", run.run_id, "--json")
    assert again.returncode == 0
    assert last_json(again.stdout) == {
        "run_id": run.run_id, "status": "FINISHED", "resumed": False,
    }  # fmt: skip


@pytest.mark.timeout(600)
def test_mlflow_run_again_goes_on_in_the_first_run(workplace: Workplace, code: Path) -> None:
    scenario = workplace.write_scenario()
    words = [
        *("mlflow", "run", str(workplace.repository), "-e", "train", "--env-manager", "local"),
        *("-P", f"scenario_path={scenario}", "-P", f"experiment_code_path={code}"),
        *("-P", SMALL[1], "-P", SMALL[3], "-P", f"training.epochs={EPOCHS}"),
    ]
    process = workplace.start(*words)
    kill_after(process, reported(workplace, 3), 0.2, whole=True)
    done = workplace.run(*words)
    assert done.returncode == 0, done.stderr
    (run,) = workplace.store.find_runs(experiment_name=EXPERIMENT)
    check_one_curve(workplace, run.run_id)
    launchers = workplace.store.find_runs(experiment_name="Default", status="FINISHED")
    assert [each.tags["guardianflow.run_id"] for each in launchers] == [run.run_id]


@pytest.mark.timeout(900)
def test_a_pipeline_goes_on_with_the_training_below_it(workplace: Workplace) -> None:
    scenario = workplace.write_scenario()
    lines = scenario.read_text(encoding="utf-8").splitlines(keepends=True)
    scenario.write_text(
        "".join(
            line for line in lines if "- {backend:" not in line or "onnx, precision: fp32" in line
        ),
        "utf-8",
    )
    words = (
        *("pipeline", str(scenario), *SMALL, "-p", "training.epochs=3"),
        *("-p", "benchmark.benchmark_runs=5", "-p", "benchmark.warmup_runs=1", "--json"),
    )
    process = workplace.start(sys.executable, "-m", "apps.cli.main", *words)
    kill_after(process, reported(workplace, 1), 0.2, whole=True)
    runs = workplace.store.find_runs(experiment_name=EXPERIMENT)
    (parent,) = [run for run in runs if run.parent_run_id is None]
    (training,) = [run for run in runs if run.parent_run_id == parent.run_id]
    done = workplace.guardianflow("resume", parent.run_id, "--json", timeout=600)
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert result["run_id"] == parent.run_id
    assert result["stages"][0]["run_id"] == training.run_id
    trained = workplace.store.get_run(training.run_id)
    assert (trained.status, trained.parent_run_id) == ("FINISHED", parent.run_id)
    steps = [point.step for point in history(workplace, training.run_id, "det.mAP50")]
    assert steps == [1, 2, 3]
    statuses = {run.status for run in workplace.store.find_runs(experiment_name=EXPERIMENT)}
    assert statuses == {"FINISHED"}
