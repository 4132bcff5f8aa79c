"""The directory of one round: a user's files, a work directory, and the command given in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults.workloads import AUTHOR, Workload

PROJECT = Path(__file__).resolve().parents[2]
MARK = "FAULTS_ROUND"
"""In the environment of every process of a round, by which it is found."""
LONGEST_COMMAND_S = 900
SITE = "site"


@dataclass
class Place:
    """A round's own directory.

    Args:
        root: is made.
        data: a data set, to be copied.
        tracking_uri: that the commands are given.
        shared: for caches of libraries.
        work_dir: of GuardianFlow.

    Attributes:
        given: how often the command was given.
    """

    root: Path
    workload: Workload
    data: Path
    tracking_uri: str
    shared: Path
    work_dir: Path
    environment: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    given: int = 0

    def __post_init__(self) -> None:
        site = self.root / SITE
        site.mkdir(parents=True)
        shutil.copytree(self.data, site / "data")
        shutil.copytree(AUTHOR, site / "code", ignore=shutil.ignore_patterns("__*"))
        (site / "scenario.yaml").write_text(self.workload.scenario(self.customer), "utf-8")
        self.users_files = hashes_of(site)

    @property
    def customer(self) -> str:
        return f"round-{self.mark[:8]}"

    @property
    def experiment(self) -> str:
        return f"{self.customer}/here-plant1/full"

    @property
    def site(self) -> Path:
        return self.root / SITE

    # --- commands -----------------------------------------------------------------------------

    def start(self, *words: str, more: Mapping[str, str] | None = None) -> Command:
        """Start a guardianflow command, the workload's where no words are given."""
        self.given += 1
        outputs = [self.root / f"{name}-{self.given}.txt" for name in ("stdout", "stderr")]
        with outputs[0].open("wb") as stdout, outputs[1].open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "apps.cli.main", *(words or self.workload.words)],
                cwd=self.root,
                env=self._environment() | dict(more or {}),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        return Command(process, *outputs)

    def run(self, *words: str, more: Mapping[str, str] | None = None) -> Command:
        command = self.start(*words, more=more)
        command.wait()
        return command

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")])
            ),
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GUARDIANFLOW_WORK_DIR": str(self.work_dir),
            "GUARDIANFLOW_QUIET_WAIT_S": "0",
            "GIT_PYTHON_REFRESH": "quiet",
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "passive",
            "YOLO_CONFIG_DIR": str(self.shared / "ultralytics"),
            "MPLCONFIGDIR": str(self.shared / "matplotlib"),
            MARK: self.mark,
            "FAULTS_TRAINED": str(self._told),
            **self.environment,
        }

    # --- how far it is ------------------------------------------------------------------------

    @property
    def _told(self) -> Path:
        return self.root / "trained.jsonl"

    def told(self, what: str) -> list[int]:
        """Epochs that the author's trainer has 'begun' or 'trained', in order."""
        text = self._told.read_text() if self._told.exists() else ""
        entries = [json.loads(line) for line in text.splitlines()]
        return [each["epoch"] for each in entries if each["what"] == what]

    def epochs_seen(self) -> int:
        """Epochs that are done, as far as can be seen from outside."""
        if self.workload.counted:
            return max(self.told("trained"), default=0)
        lines = 0
        for journal in self.trainings.glob("*/epochs.jsonl"):
            with suppress(OSError):
                lines = max(lines, journal.read_bytes().count(b"\n"))
        return lines

    @property
    def trainings(self) -> Path:
        return self.work_dir / "trainings"

    def attempts_at(self, stage: str) -> set[str]:
        """Directories of the attempts at a stage; one that ended well is removed again."""
        return {path.name for path in (self.work_dir / "stages").glob(f"*-{stage}-*")}

    def versions(self) -> int:
        """Registered versions of this round's models; 0 while the store does not answer."""
        from mlflow import MlflowClient

        wanted = f"name LIKE '{self.customer}.%'"
        with suppress(Exception):
            return len(MlflowClient(self.tracking_uri).search_model_versions(wanted))
        return 0

    # --- processes ----------------------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Process number → command line of every process of this round."""
        mark, found = f"{MARK}={self.mark}".encode(), {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if line:  # a zombie has none, and is gone
                        found[int(folder.name)] = line
        return found

    def kill_all(self) -> None:
        """As a power cut does: no process gets to see another one's end."""
        for _ in range(20):
            left = self.processes()
            if not left:
                return
            for each in left:
                with suppress(OSError):
                    os.kill(each, signal.SIGSTOP)
            for each in left:
                with suppress(OSError):
                    os.kill(each, signal.SIGKILL)
            time.sleep(0.05)


@dataclass
class Command:
    """A command that was given."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self) -> int:
        """Its exit code; one that hangs is killed, and has none that is well."""
        try:
            return self.process.wait(LONGEST_COMMAND_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    @property
    def code(self) -> int | None:
        return self.process.returncode

    @property
    def answer(self) -> dict[str, Any]:
        """The object that --json ends stdout with; {} where there is none."""
        lines = self.stdout.read_text("utf-8", "replace").strip().splitlines()
        with suppress(ValueError, IndexError):
            answer = json.loads(lines[-1])
            return answer if isinstance(answer, dict) else {}
        return {}

    @property
    def last_words(self) -> str:
        return self.stderr.read_text("utf-8", "replace")[-3000:]


def hashes_of(folder: Path) -> dict[str, str]:
    """Path → sha256 of every file below."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
