"""Somebody at a terminal presses Ctrl-C, or closes it, while a pipeline is at work."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil
import pytest
from terminals import CTRL_C, Terminal, until
from workplace import Workplace

from guardianflow.run_tracking.mlflow_store import MlflowStore

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

WITHIN_S = 10.0
"""On a machine of its own; others' work stretches it, see `stretched`."""
EXPERIMENT = "demo-construction/seoul-plant1/full"
TINY = (
    *("-p", "dataset.path=demo://ppe?images=40&size=96", "-p", "model.input_size=96"),
    *("-p", "training.epochs=2", "-p", "benchmark.benchmark_runs=40"),
    *("-p", "benchmark.warmup_runs=2", "-p", "release.max_size_mb=50"),
)


@pytest.fixture
def workplace(tmp_path: Path, repository: Path) -> Workplace:
    return Workplace(tmp_path, tmp_path / "work", repository)


def command_line(workplace: Workplace) -> list[str]:
    """A pipeline of four stages whose only variant is made by NNCF, and a release."""
    path = workplace.write_scenario()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    other = re.compile(r"- \{backend: (?!openvino, precision: int8)")
    path.write_text("".join(line for line in lines if not other.search(line)), encoding="utf-8")
    return ["guardianflow", "pipeline", str(path), *TINY]


def start(workplace: Workplace, words: list[str]) -> Terminal:
    assert words[0] == "guardianflow"
    command = (sys.executable, "-m", "apps.cli.main", *words[1:])
    environment = workplace.full_environment() | {"TERM": "xterm", "COLUMNS": "400"}
    return Terminal(*command, cwd=workplace.root, environment=environment)


def stretched(seconds: float) -> float:
    """More time where the machine has more to do than it has cores."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@cache
def _store(uri: str) -> MlflowStore:
    return MlflowStore(uri)


def store_of(workplace: Workplace) -> MlflowStore:
    """Opened once: it is asked many times."""
    return _store(workplace.tracking_uri)


def at_work(workplace: Workplace, terminal: Terminal, stage: str) -> bool:
    """Whether a run of this stage is RUNNING; for 'check', whether its process is there."""
    if stage == "check":
        with suppress(psutil.Error):  # one that has just ended
            below = psutil.Process(terminal.process.pid).children()
            return any("pipelines.worker" in child.cmdline() for child in below)
        return False
    if not (workplace.root / "mlflow.db").exists():
        return False
    runs = store_of(workplace).find_runs(experiment_name=EXPERIMENT, status="RUNNING")
    return any(run.tags.get("guardianflow.stage") == stage for run in runs)


def resume_of(terminal: Terminal) -> list[str]:
    (printed,) = re.findall(r"^\s+resume: (.*)$", terminal.text, re.MULTILINE)
    return shlex.split(printed)


def running(workplace: Workplace) -> list[str]:
    if not (workplace.root / "mlflow.db").exists():
        return []
    runs = store_of(workplace).find_runs(experiment_name=EXPERIMENT, status="RUNNING")
    return [run.run_name for run in runs]


def test_ctrl_c_in_each_stage_ends_all_of_it_and_the_way_back_leads_on(
    workplace: Workplace,
) -> None:
    command = command_line(workplace)
    for stage in ("check", "train", "quant", "infer", "release"):
        terminal = start(workplace, command)
        try:
            until(lambda: at_work(workplace, terminal, stage), terminal, 600)  # noqa: B023
            terminal.press(CTRL_C)
            assert terminal.wait(stretched(WITHIN_S)) == 130, f"in {stage}:\n{terminal.text}"
        finally:
            terminal.end()
        assert "error: interrupted" in terminal.text
        assert "Traceback" not in terminal.text
        assert running(workplace) == [], stage
        command = resume_of(terminal)
        assert ("--resume" in command) == (stage != "check"), "no run is there yet to go on with"
    parent = command[command.index("--resume") + 1]
    killed = store_of(workplace).get_run(parent)
    assert (killed.status, killed.tags["guardianflow.error"]) == ("KILLED", "interrupted")

    terminal = start(workplace, command)
    try:
        assert terminal.wait(600) == 0, terminal.text
    finally:
        terminal.end()
    assert parent in terminal.text.partition("✓ train")[0], "who loses all else can resume by it"
    finished = store_of(workplace).get_run(parent)
    assert finished.status == "FINISHED"
    assert "guardianflow.error" not in finished.tags
    shutil.rmtree(workplace.work_dir)


@pytest.mark.parametrize(
    ("command", "presses", "within_s"),
    [
        ("pipeline", 1, WITHIN_S),
        ("pipeline", 3, WITHIN_S),
        ("train", 2, 30.0),  # it has to import mlflow first, which a busy machine does slowly
    ],
)
def test_a_worker_deep_in_native_code_is_ended_from_outside(
    workplace: Workplace, command: str, presses: int, within_s: float
) -> None:
    """A call that never returns to Python answers no signal; an impatient person presses again."""
    # In C for hours, with the interpreter's lock held: no handler and no thread gets to run.
    code = workplace.write_trainer("deep", "sum(range(10**14))")
    scenario = command_line(workplace)[2]
    words = ["guardianflow", command, scenario, "-e", str(code), *TINY]
    terminal = start(workplace, words)
    try:
        until(lambda: at_work(workplace, terminal, "train"), terminal, 240)
        for press in range(1, presses + 1):
            terminal.press(CTRL_C)
            until(lambda: terminal.raw.count(b"^C") == press, terminal, 5)  # noqa: B023
        assert terminal.wait(stretched(within_s)) == 130, terminal.text
    finally:
        terminal.end()
    assert "Traceback" not in terminal.text
    runs = store_of(workplace).find_runs(experiment_name=EXPERIMENT)
    assert len(runs) == (2 if command == "pipeline" else 1)
    for run in runs:
        assert (run.status, run.tags["guardianflow.error"]) == ("KILLED", "interrupted")
    assert resume_of(terminal)[:2] == ["guardianflow", command]


def test_a_closed_terminal_ends_the_pipeline_and_its_stage_killed(workplace: Workplace) -> None:
    terminal = start(workplace, command_line(workplace))
    try:
        until(lambda: at_work(workplace, terminal, "train"), terminal, 120)
        terminal.hang_up()
        assert terminal.wait(stretched(WITHIN_S)) == 130
    finally:
        terminal.end()
    runs = store_of(workplace).find_runs(experiment_name=EXPERIMENT)
    assert {run.run_name.split("-")[2]: run.status for run in runs} == {
        "train": "KILLED",
        "pipeline": "KILLED",
    }
