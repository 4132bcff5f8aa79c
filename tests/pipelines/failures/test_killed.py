"""Processes that were ended from outside: why, and what their run keeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from workplace import Workplace, last_json

from pipelines.failures.killed import EndedProcess

GROUPS = Path("/sys/fs/cgroup")
EXPERIMENT = "demo-construction/seoul-plant1/full"
SMALL = ("-p", "dataset.path=demo://ppe?images=14&size=96", "-p", "model.input_size=96")
LEAVES = "(self.work_dir / 'results.csv').write_text('epoch,loss')"


def test_an_end_by_a_signal_is_told_with_its_reason_and_cure() -> None:
    watched = EndedProcess()
    reasons = {
        number: watched.error("train", -number).failure_reason
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGILL)
    }
    assert list(reasons.values()) == ["killed", "killed", "native_crash", "native_crash"]
    assert "ONEDNN_MAX_CPU_ISA" in str(watched.error("train", -signal.SIGILL))
    assert "/dev/shm" in str(watched.error("train", -signal.SIGBUS))


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """A control group of 200 MB."""
    first = GROUPS / "memory" if (GROUPS / "memory").is_dir() else GROUPS
    limit = "memory.limit_in_bytes" if first.name == "memory" else "memory.max"
    group = first / f"guardianflow-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text("200000000")
    except OSError:
        pytest.skip("no right to limit a process's memory")
    yield group
    group.rmdir()


TAKES_ALL = """
import os, subprocess, sys
from pathlib import Path
Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
from pipelines.failures.killed import EndedProcess
watched = EndedProcess()
done = subprocess.run([sys.executable, "-c", "x = b'1' * 400_000_000"])
print(watched.error("train", done.returncode).failure_reason)
quiet = EndedProcess()
done = subprocess.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
print(quiet.error("train", done.returncode).failure_reason)
"""


def test_the_kernels_own_kill_for_lack_of_memory_is_told_from_anybody_elses(
    small_memory: Path, repository: Path
) -> None:
    command = [sys.executable, "-c", TAKES_ALL, str(small_memory)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["host_out_of_memory", "killed"], done.stderr


def start(workplace: Workplace, code: Path) -> Any:
    return workplace.start(
        *(sys.executable, "-m", "apps.cli.main", "train", str(workplace.write_scenario())),
        *("-e", str(code), *SMALL, "--json"),
        *("-p", "training.epochs=60", "-p", "training.options.seconds_per_epoch=0.5"),
    )


def wait_for_a_point(workplace: Workplace, process: Any) -> str:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        for run in workplace.store.find_runs(experiment_name=EXPERIMENT, status="RUNNING"):
            if "det.mAP50" in run.metrics:
                return str(run.run_id)
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.3)
    raise AssertionError("no epoch was reported")


def interrupt(process: Any) -> None:
    process.send_signal(signal.SIGINT)


def kill_the_worker(process: Any) -> None:
    found = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "pipelines.worker"],
        capture_output=True,
        text=True,
        check=True,
    )
    os.kill(int(found.stdout.split()[0]), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "status", "reason"),
    [(interrupt, "KILLED", "interrupted"), (kill_the_worker, "FAILED", "killed")],
)
def test_a_training_that_is_stopped_leaves_its_curve_in_its_run(
    workplace: Workplace, end: Callable[[Any], None], status: str, reason: str
) -> None:
    process = start(workplace, workplace.write_trainer("slow", LEAVES))
    try:
        run_id = wait_for_a_point(workplace, process)
    finally:
        end(process)
        stdout, stderr = process.communicate(timeout=60)
    run = workplace.store.get_run(run_id)
    assert (run.status, run.tags["failure.reason"]) == (status, reason), stderr
    got = workplace.store.download(run_id, "results/results.csv", workplace.root / "got")
    assert got.read_text() == "epoch,loss"
    if reason == "killed":
        assert last_json(stdout)["error"]["failure_reason"] == "killed"
