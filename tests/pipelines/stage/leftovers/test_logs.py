"""A log that a process was killed before it could upload still gets to its run, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from contexts import EXPERIMENT, RememberingSink, context_of, request_of
from owners import elsewhere, gone, living

from guardianflow.contracts.errors import SourceError, TrackingError
from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.fakes.store import InMemoryStore
from guardianflow.run_tracking.upkeep.ownership import PROCESS_TAG
from pipelines.stage.execution.abandoned import end_abandoned
from pipelines.stage.execution.finished_runs import stand_in
from pipelines.stage.leftovers.folders import OWNER_FILE
from pipelines.stage.leftovers.logs import OWED_FILE, bring_logs, give_log, owe_log
from pipelines.stage.stage import FINGERPRINT_TAG, StageIdentity
from pipelines.wiring import Ports, in_memory
from scenario import load_scenario


class Refusing(InMemoryStore):
    def log_files(self, run_id: str, source: Path, folder: str = "") -> None:
        raise TrackingError("no room there")


def attempt(
    work_dir: Path, run_id: str, owner: dict[str, str], number: int = 1, text: str = "epoch 1"
) -> Path:
    """The log of an attempt whose run has not got it."""
    folder = work_dir / "stages" / f"{number}-train"
    folder.mkdir(parents=True)
    (folder / OWNER_FILE).write_text(owner[PROCESS_TAG], encoding="utf-8")
    log = folder / "stage.log"
    log.write_text(text, encoding="utf-8")
    owe_log(log, run_id, number)
    return log


def logs(store: InMemoryStore, run_id: str, place: Path) -> dict[str, str]:
    got = store.download(run_id, "logs", place)
    return {each.name: each.read_text(encoding="utf-8") for each in sorted(got.iterdir())}


def test_dead_attempts_give_their_run_what_they_owe_it_and_each_keeps_its_name(
    tmp_path: Path,
) -> None:
    store, told = InMemoryStore(), []
    run_id = store.start_run(RunRequest(EXPERIMENT, "run"))
    owing = [attempt(tmp_path, run_id, gone(), number, f"attempt {number}") for number in (1, 2)]
    bring_logs(store, tmp_path, run_id, told.append)
    assert logs(store, run_id, tmp_path / "got") == {
        "stage.log": "attempt 1",
        "stage-2.log": "attempt 2",
    }
    assert not any(log.with_name(OWED_FILE).exists() for log in owing)
    assert told == []


def test_a_living_process_an_unseen_one_and_another_run_keep_theirs(tmp_path: Path) -> None:
    store, told = InMemoryStore(), []
    run_id, other = (store.start_run(RunRequest(EXPERIMENT, name)) for name in ("a", "b"))
    kept = [
        attempt(tmp_path, run_id, living(), 1),
        attempt(tmp_path, run_id, elsewhere(), 2),
        attempt(tmp_path, other, gone(), 3),
    ]
    bring_logs(store, tmp_path, run_id, told.append)
    assert all(log.with_name(OWED_FILE).exists() for log in kept)
    with pytest.raises(SourceError):
        store.download(run_id, "logs", tmp_path / "got")
    assert told == []


def test_a_store_that_refuses_is_told_and_the_log_stays_owed(tmp_path: Path) -> None:
    store, told = Refusing(), []
    run_id = store.start_run(RunRequest(EXPERIMENT, "run"))
    log = attempt(tmp_path, run_id, gone())
    bring_logs(store, tmp_path, run_id, told.append)
    assert told == [
        f"the log of run {run_id} could not be uploaded; it lies at {log}: no room there"
    ]
    assert log.with_name(OWED_FILE).exists()
    with pytest.raises(TrackingError, match="no room"):
        give_log(store, log, run_id)


def test_a_late_log_is_waited_for_and_one_that_stays_here_is_told(tmp_path: Path) -> None:
    """No run's end comes after it, which else waits until all is sent."""

    class Slow(InMemoryStore):
        def settle(self, patience_s: float = 10.0) -> str:
            return "1 file could not be sent yet"

    store, told = Slow(), []
    run_id = store.start_run(RunRequest(EXPERIMENT, "run"))
    attempt(tmp_path, run_id, gone())
    bring_logs(store, tmp_path, run_id, told.append)
    assert told == ["1 file could not be sent yet"]


def test_a_run_that_stands_in_for_new_work_has_its_log_then(
    tmp_path: Path, repository: Path
) -> None:
    ports = in_memory()
    identity = StageIdentity({"epochs": 2})
    run_id = ports.store.start_run(
        RunRequest(EXPERIMENT, "run", tags={FINGERPRINT_TAG: identity.fingerprint})
    )
    ports.store.end_run(run_id, "FINISHED")
    attempt(tmp_path, run_id, gone())
    request = request_of("infer", tmp_path, tmp_path)
    scenario = load_scenario(repository / "configs/scenarios/demo.yaml")
    context = context_of(request, scenario, tmp_path, ports, RememberingSink())
    found = stand_in(identity, context)
    assert found is not None
    assert found.run_id == run_id
    assert logs(memory(ports), run_id, tmp_path / "got") == {"stage.log": "epoch 1"}


def test_a_worker_that_is_killed_after_its_run_s_end_leaves_its_log_to_the_command(
    tmp_path: Path,
) -> None:
    ports = in_memory()
    run_id = ports.store.start_run(RunRequest(EXPERIMENT, "run"))
    ports.store.end_run(run_id, "FINISHED")
    log = attempt(tmp_path, run_id, living(), 2, "attempt 2")
    end_abandoned("memory:", run_id, "it was killed", log, ports=ports)
    assert ports.store.get_run(run_id).status == "FINISHED"
    assert logs(memory(ports), run_id, tmp_path / "got") == {"stage-2.log": "attempt 2"}


def test_without_a_note_a_later_attempt_s_log_takes_no_earlier_one_s_name(tmp_path: Path) -> None:
    store = InMemoryStore()
    run_id = store.start_run(RunRequest(EXPERIMENT, "run"))
    for number in (1, 2):
        log = attempt(tmp_path, run_id, living(), number, f"attempt {number}")
        log.with_name(OWED_FILE).unlink()  # the disk was too full to write it
        give_log(store, log, run_id, number)
    assert logs(store, run_id, tmp_path / "got") == {
        "stage.log": "attempt 1",
        "stage-2.log": "attempt 2",
    }


def test_a_log_that_is_refused_is_told_as_that_and_where_it_lies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = in_memory()
    store = Refusing()
    run_id = store.start_run(RunRequest(EXPERIMENT, "run"))
    store.end_run(run_id, "FINISHED")
    log = attempt(tmp_path, run_id, living())
    end_abandoned("memory:", run_id, "it was killed", log, ports=replace(ports, store=store))
    told = capsys.readouterr().err
    assert f"the log of run {run_id} could not be uploaded; it lies at {log}: no room" in told
    assert "could not be marked" not in told


def memory(ports: Ports) -> InMemoryStore:
    assert isinstance(ports.store, InMemoryStore)
    return ports.store
