"""What is done stays done, whatever happens around it: terminals, disks, crashes after the work."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from workplace import Workplace, last_json

from guardianflow.contracts.errors import StageFailedError
from guardianflow.contracts.results import RunRecord, RunRequest, StageResult
from guardianflow.support.secrets.redaction import MARK, learn
from pipelines.console import SilentReporter
from pipelines.failures.killed import EndedProcess
from pipelines.stage.events import Listener, write_outcome
from pipelines.stage.execution.abandoned import end_abandoned
from pipelines.stage.execution.worker import keep_without_secrets
from pipelines.stage.executor import LocalExecutor
from pipelines.stage.stage import StageRequest
from pipelines.wiring import in_memory

EXPERIMENT = "demo-construction/seoul-plant1/full"
SMALL = ("-p", "dataset.path=demo://ppe?images=40&size=96", "-p", "model.input_size=96")
REQUEST = StageRequest(
    stage="train",
    title="train",
    run_name="x",
    experiment_name=EXPERIMENT,
    scenario_yaml="",
    base_dir="/",
    tracking_uri="sqlite:////nowhere/mlflow.db",
    work_dir="/nowhere",
)
DONE = StageResult("train", "abc", "FINISHED", EXPERIMENT, "x")


def train_command(workplace: Workplace, code: Path, *words: str) -> str:
    scenario = str(workplace.write_scenario())
    command = (sys.executable, "-m", "apps.cli.main", "train", scenario, "-e", str(code))
    return shlex.join([*command, *SMALL, "-p", "training.epochs=3", *words])


def only_run(workplace: Workplace) -> RunRecord:
    (run,) = workplace.store.find_runs(experiment_name=EXPERIMENT)
    return cast(RunRecord, run)


@pytest.mark.slow
@pytest.mark.parametrize("pipe", ["2>&1 | head -1", ">&- 2>&-", "> /dev/full 2>&1"])
def test_training_into_a_pipe_that_breaks_is_a_training_that_is_done(
    workplace: Workplace, pipe: str
) -> None:
    workplace.environment["PYTHONIOENCODING"] = "ascii"
    command = train_command(workplace, workplace.write_trainer("quick"))
    done = workplace.run("bash", "-c", f"{command} {pipe}; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr
    run = only_run(workplace)
    assert run.status == "FINISHED"
    assert run.tags["registered_model_version"] == "1"
    assert "guardianflow.error" not in run.tags


@pytest.mark.slow
def test_a_library_that_breaks_while_it_is_unloaded_takes_no_result_away(
    workplace: Workplace,
) -> None:
    code = workplace.write_trainer("late", "import atexit, os; atexit.register(os.abort)")
    done = workplace.run("bash", "-c", train_command(workplace, code, "--json"))
    assert done.returncode == 0, done.stderr
    assert last_json(done.stdout)["status"] == "FINISHED"
    assert "train was ended by SIGABRT. Its work was done by then." in done.stderr
    assert only_run(workplace).status == "FINISHED"


FILL = "open(r'{disk}/filling', 'wb', buffering=0).write(bytes(4_000_000))"


@pytest.mark.slow
def test_on_a_full_disk_the_error_arrives_and_what_is_printed_ends_nothing(
    workplace: Workplace, small_disk: Path
) -> None:
    """The trainer's prints go to a log that can't grow; then its own write fails, and is told."""
    prints = "[print('x' * 1000, flush=True) for _ in range(100)]"
    names = "self.on_epoch_end(1, {'mAP50': 0.1})"  # after the prints: they have ended nothing
    writes = "(self.work_dir / 'w').write_text('w' * 9999)"
    before = f"{FILL.format(disk=small_disk)}; {prints}; {names}; {writes}"
    command = train_command(workplace, workplace.write_trainer("full", before), "--json")
    workplace.environment["GUARDIANFLOW_WORK_DIR"] = str(small_disk)
    done = workplace.run("bash", "-c", command)
    assert done.returncode == 1
    error = last_json(done.stdout)["error"]
    assert "No space left on device" in error["message"], done.stderr
    assert error["failure_reason"] == "disk_full"
    run = only_run(workplace)
    assert run.status == "FAILED"
    assert run.tags["failure.reason"] == "disk_full"
    assert "No space left on device" in run.tags["guardianflow.error"]
    assert run.metrics["det.mAP50"] == 0.1


def test_a_work_directory_that_takes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "stages").write_text("a file in the way")
    request = replace(REQUEST, work_dir=str(tmp_path))
    with pytest.raises(StageFailedError, match="GUARDIANFLOW_WORK_DIR") as caught:
        LocalExecutor(SilentReporter()).run(request)
    assert (caught.value.exit_code, caught.value.run_id) == (1, None)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("code", [0, -6])
def test_a_result_whose_event_was_lost_is_read_from_its_file(tmp_path: Path, code: int) -> None:
    write_outcome(tmp_path, {"kind": "result", "result": DONE.to_dict()})
    executor = LocalExecutor(SilentReporter())
    listener = Listener(SilentReporter(), "train")
    log, watched = tmp_path / "stage.log", EndedProcess()
    assert executor._conclude(REQUEST, listener, code, log, watched) == DONE


def test_an_error_whose_event_was_lost_is_read_too(tmp_path: Path) -> None:
    error = {"kind": "error", "type": "X", "message": "no such class", "exit_code": 2}
    write_outcome(tmp_path, error)
    listener = Listener(SilentReporter(), "train")
    with pytest.raises(StageFailedError, match="no such class") as caught:
        log, watched = tmp_path / "stage.log", EndedProcess()
        LocalExecutor(SilentReporter())._conclude(REQUEST, listener, 2, log, watched)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("ended", ["FINISHED", "FAILED", "KILLED", ""])
def test_a_run_that_has_ended_is_left_as_it_is(tmp_path: Path, ended: str) -> None:
    ports = in_memory()
    store = ports.store
    run_id = store.start_run(RunRequest(EXPERIMENT, "search"))
    below = store.start_run(RunRequest(EXPERIMENT, "try", parent_run_id=run_id))
    if ended:
        store.end_run(below, "FINISHED")
        store.end_run(run_id, ended)
    end_abandoned("memory:", run_id, "it was killed", tmp_path / "no.log", "FAILED", ports=ports)
    run = store.get_run(run_id)
    assert run.status == (ended or "FAILED")
    assert run.tags.get("guardianflow.error") == (None if ended else "it was killed")
    assert store.get_run(below).status == ("FINISHED" if ended else "FAILED")


def test_what_a_failed_training_leaves_is_cleaned_where_it_lies(
    tmp_path: Path, secrets_forgotten: None
) -> None:
    learn("pa55-w0rd-of-the-plant")
    scratch, training = tmp_path / "stages/1", tmp_path / "trainings/a/training"
    for folder in (scratch, training):
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_text("with pa55-w0rd-of-the-plant", encoding="utf-8")
    (scratch / "training").symlink_to(training)
    keep_without_secrets(scratch)
    for folder in (scratch, training):
        assert (folder / "notes.txt").read_text(encoding="utf-8") == f"with {MARK}"
