"""Stages for pools: a train stage that says where it works, and waits until it is let go on."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workplace import Workplace

from guardianflow.run_tracking.upkeep.ownership import STARTER_TAG
from guardianflow.support.process_identity import ProcessIdentity
from pipelines import create_runner
from pipelines.settings import Settings
from pipelines.stage.stage import StageRequest
from scenario import load_scenario

SAYS = """
import json, os, pathlib, time
options = trainer.training.options
there = pathlib.Path(options["says"])
cpus = sorted(os.sched_getaffinity(0))
said = {"pid": os.getpid(), "starter": os.getppid(), "folder": str(trainer.work_dir), "cpus": cpus}
said["threads"] = os.environ.get("OMP_NUM_THREADS")
said["gpus"] = os.environ.get("CUDA_VISIBLE_DEVICES")
there.with_suffix(".new").write_text(json.dumps(said))
there.with_suffix(".new").rename(there)
while not all(map(os.path.exists, options.get("waits_for", []))):
    time.sleep(0.02)
if "fails" in options:
    raise RuntimeError(options["fails"])
"""
BEFORE = "exec(Path(__file__).with_name('says.py').read_text(), {'trainer': self})"
LONGEST_S = 120.0


def wait_until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


@dataclass
class PooledStages:
    """Makes requests of one scenario, each with its own seed, and reads what their stages say."""

    workplace: Workplace
    code: Path
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def at(cls, workplace: Workplace) -> PooledStages:
        code = workplace.write_trainer("trainer", BEFORE)
        (code / "says.py").write_text(SAYS, encoding="utf-8")
        workplace.write_scenario()
        return cls(workplace, code)

    def request(
        self, name: str, *, waits_for: tuple[str, ...] = (), fails: str = "", **changes: object
    ) -> StageRequest:
        """A train stage that says where it works, then waits for what is named."""
        options: dict[str, object] = {"says": str(self._file(name))}
        options |= {"waits_for": [str(self._file(each)) for each in waits_for]} if waits_for else {}
        options |= {"fails": fails} if fails else {}
        fields: dict[str, object] = {
            "name": name,
            "dataset.path": "demo://ppe?images=40&size=96",
            "model.input_size": 96,
            "training.epochs": 2,
            "training.options": options,
            **changes,
        }
        scenario = load_scenario(self.workplace.root / "scenario.yaml", overrides=fields)
        runner = create_runner(
            scenario,
            self.workplace.tracking_uri,
            experiment_code_path=str(self.code),
            register=False,
            stage="train",
            settings=Settings(work_dir=self.workplace.work_dir),
        )
        (request,) = runner.planned()
        return request

    def _file(self, name: str) -> Path:
        return self.workplace.root / f"{name}.json"

    def let_go(self, name: str) -> None:
        self._file(name).touch()

    def listen(self, name: str) -> Callable[[dict[str, Any]], None]:
        return self.events.setdefault(name, []).append

    def kinds(self, name: str) -> list[str]:
        return [event["kind"] for event in self.events.get(name, [])]

    def run_id(self, name: str) -> str:
        return next(e["run_id"] for e in self.events[name] if e["kind"] == "run")

    def said(self, name: str) -> dict[str, Any]:
        """What the stage says of where it works; waits until it does."""
        wait_until(self._file(name).exists)
        value: dict[str, Any] = json.loads(self._file(name).read_text())
        return value

    def kill(self, name: str) -> None:
        os.kill(self.said(name)["pid"], signal.SIGKILL)

    def has_ended(self, name: str) -> bool:
        return not Path(f"/proc/{self.said(name)['pid']}").exists()

    def starter(self, name: str) -> int:
        """The process that the run says would end it."""
        tags = self.workplace.store.get_run(self.run_id(name)).tags
        return ProcessIdentity.from_json(tags[STARTER_TAG]).pid

    def status(self, name: str) -> str:
        return str(self.workplace.store.get_run(self.run_id(name)).status)
