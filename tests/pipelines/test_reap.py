"""Everything that killed processes left goes in one call, or is told and stays."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from databases import copy_database
from mlflow import MlflowClient
from owners import elsewhere, gone, living

from guardianflow.contracts.errors import SourceError
from guardianflow.contracts.results import RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.upkeep.ownership import HEARTBEAT_TAG, PROCESS_TAG, owner_tags
from guardianflow.support.secrets.redaction import shown_address
from pipelines.reap import Outcome, Reaped, reap
from pipelines.settings import Settings
from pipelines.stage.leftovers.dead_runs import Fate
from pipelines.stage.leftovers.folders import DAY_S, OWNER_FILE
from pipelines.train.unfinished import TrainingState, Unfinished
from pipelines.wiring import Ports, connect

HERE = "demo/seoul-plant1/full"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return Settings(work_dir=tmp_path / "work")


@pytest.fixture
def ports(tmp_path: Path, empty_store: Path) -> Ports:
    copy_database(empty_store, tmp_path / "runs.db")
    return connect(f"sqlite:///{tmp_path / 'runs.db'}")


def running(ports: Ports, tags: dict[str, str]) -> str:
    return ports.store.start_run(RunRequest(HERE, "run", tags))


def dead_attempt(settings: Settings) -> Path:
    folder = settings.work_dir / "stages" / "20260105-train-abc"
    folder.mkdir(parents=True)
    (folder / OWNER_FILE).write_text(gone()[PROCESS_TAG])
    then = time.time() - 2 * DAY_S
    for path in (folder / OWNER_FILE, folder):
        os.utime(path, (then, then))
    return folder


def carried_out(settings: Settings, ports: Ports, **more: object) -> Reaped:
    return reap(settings, ports, tell=pytest.fail, **more)  # type: ignore[arg-type]


def test_a_dry_run_tells_all_and_does_nothing_then_all_is_done_and_nothing_is_left(
    settings: Settings, ports: Ports
) -> None:
    client = MlflowClient(ports.store.tracking_uri)
    dead, alive, there = (running(ports, tags()) for tags in (gone, living, elsewhere))
    experiment = client.get_run(dead).info.experiment_id
    owner = {PROCESS_TAG: gone()[PROCESS_TAG]}
    model = client.create_logged_model(
        experiment, name="detector", source_run_id=dead, tags=owner
    ).model_id
    client.create_registered_model("site.full.ppe", tags=owner)
    attempt = dead_attempt(settings)

    told = carried_out(settings, ports, dry_run=True)
    assert {each.run.run_id: each.fate for each in told.runs} == {
        dead: Fate.TO_END,
        alive: Fate.LIVES,
        there: Fate.ELSEWHERE,
    }
    names = {model, "site.full.ppe", str(attempt)}
    assert {each.name for each in told.leftovers} == names
    assert {each.outcome for each in told.leftovers} == {Outcome.TO_REMOVE}
    assert ports.store.get_run(dead).status == "RUNNING"
    assert attempt.is_dir()
    assert len(client.search_registered_models()) == 1

    steps: list[tuple[int, int]] = []
    done = carried_out(settings, ports, progress=lambda now, all_: steps.append((now, all_)))
    assert steps == [(1, 1), (1, 3), (2, 3), (3, 3)]
    assert {each.name for each in done.leftovers} == names
    assert {each.outcome for each in done.leftovers} == {Outcome.REMOVED}
    assert ports.store.get_run(dead).status == "KILLED"
    assert not attempt.exists()
    assert not client.search_registered_models()
    assert not done.failed

    again = carried_out(settings, ports)
    assert {each.fate for each in again.runs} == {Fate.LIVES, Fate.ELSEWHERE}
    assert again.leftovers == ()
    assert again.as_dict()["counts"]["lives"] == 1


def test_what_was_heard_of_since_is_left(settings: Settings, ports: Ports) -> None:
    run_id = running(ports, {**gone(), HEARTBEAT_TAG: owner_tags()[HEARTBEAT_TAG]})
    MlflowClient(ports.store.tracking_uri).create_registered_model(
        "new", tags={PROCESS_TAG: gone()[PROCESS_TAG]}
    )
    dead_attempt(settings)
    left = carried_out(settings, ports, older_than_s=3 * DAY_S)
    assert [each.fate for each in left.runs] == [Fate.RECENT]
    assert left.leftovers == ()
    assert ports.store.get_run(run_id).status == "RUNNING"


def test_on_a_person_s_word_a_run_of_elsewhere_is_ended_and_a_living_one_never(
    settings: Settings, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, silent = running(ports, elsewhere()), running(ports, {})
    MlflowClient(ports.store.tracking_uri).delete_tag(silent, PROCESS_TAG)  # of an older version
    later = time.time() + 400
    beat = datetime.fromtimestamp(later - 60, UTC).isoformat()
    beating = running(ports, {**elsewhere(), HEARTBEAT_TAG: beat})
    alive, over = running(ports, living()), running(ports, gone())
    ports.store.end_run(over, RunStatus.FINISHED)
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(SourceError) as caught:
        carried_out(settings, ports, gone=[there, alive, over, beating, "abc"])
    problems = [str(each) for each in caught.value.problems]
    assert len(problems) == 4
    for run_id, words in (
        (alive, "lives"),
        (over, "FINISHED"),
        (beating, "seems to live"),
        ("abc", "there is no run"),
    ):
        assert any(run_id in each and words in each for each in problems)
    assert ports.store.get_run(there).status == "RUNNING"
    carried_out(settings, ports, gone=[there, silent])
    assert {ports.store.get_run(each).status for each in (there, silent)} == {"KILLED"}
    assert ports.store.get_run(alive).status == "RUNNING"


def test_what_can_not_be_removed_is_told_and_the_rest_goes(
    settings: Settings, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = dead_attempt(settings)
    MlflowClient(ports.store.tracking_uri).create_registered_model(
        "gone", tags={PROCESS_TAG: gone()[PROCESS_TAG]}
    )

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr("shutil.rmtree", refuse)
    done = carried_out(settings, ports)
    assert done.failed
    outcomes = {each.name: (each.outcome, each.problem) for each in done.leftovers}
    assert outcomes == {
        str(attempt): (Outcome.FAILED, "not yours"),
        "gone": (Outcome.REMOVED, ""),
    }


def test_a_training_whose_run_is_over_goes_and_one_that_may_go_on_stays(
    settings: Settings, ports: Ports
) -> None:
    finished, killed, other, held = (running(ports, gone()) for _ in range(4))
    for run_id in (finished, other, held):
        ports.store.end_run(run_id)
    ports.store.end_run(killed, RunStatus.KILLED)
    here = shown_address(ports.store.tracking_uri)

    def training(name: str, run_id: str, store: str = here) -> Unfinished:
        place = Unfinished.of(settings.work_dir, name * 16, store, HERE)
        place.begin(TrainingState(name, store, HERE, "run", {}, {}, "2026-01-05", run_id=run_id))
        return place

    over = [training("a", finished), training("b", "deleted")]
    stay = [
        training("c", killed),
        training("d", other, "http://another-server:5000"),
        training("e", ""),
    ]
    at_work = training("f", held)
    with at_work.hold():
        done = carried_out(settings, ports)
    assert {each.name for each in done.leftovers} == {str(place.folder) for place in over}
    assert not any(place.folder.exists() for place in over)
    assert all(place.state() for place in (*stay, at_work))
