"""Sweeps of small trainings as processes, as tests start and kill them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from unfinished_trainings import RESUMING
from workplace import QUICK_TRAINER, Workplace

from demo_scenes.scene import CLASS_NAMES
from guardianflow.run_tracking.run_records import PARENT_TAG
from pipelines.train.epoch_journal import EpochJournal
from pipelines.train.unfinished import all_unfinished

EXPERIMENT = "local/here-plant1/full"
SCENARIO = """
name: ppe-sweep
site: {{customer: local, region: here}}
task: {{type: ppe}}
model: {{architecture: yolo11n, input_size: 96}}
dataset: {{path: "demo://ppe?images=14&size=96"}}
{more}
"""
TRAINING = """
training: {{epochs: 4, learning_rate: 0.001, options: {{seconds: 0.4}}}}
sweep:
  parameters: {{learning_rate: {rates}, batch_size: [4, 8]}}
  parallel: 2
"""


def write_code(workplace: Workplace) -> Path:
    """An author's trainer that resumes; mAP50 grows with the epochs and the learning rate."""
    folder = workplace.root / "code"
    folder.mkdir()
    text = f"NAMES = {list(CLASS_NAMES)!r}\nimport json\n{QUICK_TRAINER}"
    start, end = text.index("    def __init__"), text.index("    def before")
    text = text[:start] + RESUMING + text[end:]
    text = text.replace('"mAP50": epoch / 10', '"mAP50": epoch * self.training.learning_rate')
    text = text.replace("HOOK(epoch)", 'time.sleep(self.training.options["seconds"])')
    text = text.replace("        AFTER()\n", "").replace("TOLD.append", "print")
    (folder / "train.py").write_text(text, encoding="utf-8")
    return folder


def write_scenario(workplace: Workplace, more: str) -> Path:
    path = workplace.root / "s.yaml"
    path.write_text(SCENARIO.format(more=more), encoding="utf-8")
    return path


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "apps.cli.main", "sweep", *map(str, words)]


def wait_until(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes of trials, not those that they have started."""
    found = []
    for each in psutil.Process(process.pid).children():
        with suppress(psutil.Error):  # it has ended meanwhile
            if "pipelines.worker" in " ".join(each.cmdline()):
                found.append(each)
    return found


def training_now(workplace: Workplace) -> list[int]:
    """The processes of trials that have reported an epoch and still train."""
    return [
        int(state.owner["pid"])
        for place, state in all_unfinished(workplace.work_dir)
        if not (state.best or state.is_ending) and EpochJournal(place.journal).reports
    ]


def runs_of(workplace: Workplace) -> tuple[Any, list[Any]]:
    """The parent run, and those below it."""
    runs = workplace.store.find_runs(experiment_name=EXPERIMENT, limit=1000)
    (parent,) = [each for each in runs if each.parent_run_id is None]
    return parent, [each for each in runs if each.tags.get(PARENT_TAG) == parent.run_id]


def at_work(workplace: Workplace) -> bool:
    """Whether a trial has begun: before, the worker is one that checks."""
    try:
        return any(each.status == "RUNNING" for each in runs_of(workplace)[1])
    except ValueError:  # the parent is not there yet
        return False


def ended_well(workplace: Workplace) -> int:
    try:
        return sum(each.status == "FINISHED" for each in runs_of(workplace)[1])
    except ValueError:  # the parent is not there yet
        return 0
