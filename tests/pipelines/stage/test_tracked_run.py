"""A run has its status before anything else, and whatever else fails leaves it so."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from guardianflow.backends.catalogue import runtime_of
from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import RegisteredModel, RunRequest
from guardianflow.run_tracking.fakes.store import InMemoryStore
from guardianflow.run_tracking.spool.store import SpooledStore
from guardianflow.run_tracking.upkeep import ownership
from pipelines.stage.execution.finished_runs import pending_notes
from pipelines.stage.tracked_run import ERROR_TAG, Extra, end_run, tracked_run

REQUEST = RunRequest("demo/seoul-plant1/full", "run")


class Refusing(InMemoryStore):
    """A store that refuses some things."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self.refused = refused

    def _check(self, what: str) -> None:
        if what in self.refused:
            raise TrackingError(f"no {what}")

    def end_run(self, run_id: str, status: str = "FINISHED") -> None:
        self._check("end")
        super().end_run(run_id, status)

    def log_files(self, run_id: str, source: Path, folder: str = "") -> None:
        self._check("upload")
        super().log_files(run_id, source, folder)

    def annotate(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
    ) -> None:
        self._check("tags" if ERROR_TAG in (tags or {}) else "")
        super().annotate(run_id, params=params, tags=tags)


def started(store: InMemoryStore) -> str:
    return store.start_run(REQUEST)


def test_work_that_is_done_stays_finished_when_its_log_can_not_be_uploaded(tmp_path: Path) -> None:
    store, told = Refusing("upload"), []
    with tracked_run(store, lambda: started(store), told.append) as run:
        upload = Extra("upload the log", lambda: store.log_files(run.run_id, tmp_path, "logs"))
        run.extras.append(upload)
    assert store.get_run(run.run_id).status == "FINISHED"
    assert list(run.notes) == told
    assert "could not upload the log" in told[0]
    assert "no upload" in told[0]


def test_the_status_is_set_before_anything_else_is_tried() -> None:
    store, seen = InMemoryStore(), []
    with tracked_run(store, lambda: started(store), print) as run:
        look = Extra("look", lambda: seen.append(store.get_run(run.run_id).status))
        run.extras.append(look)
    assert seen == ["FINISHED"]


def test_each_extra_has_its_try_and_the_work_s_own_error_is_the_one_raised(tmp_path: Path) -> None:
    store, told = Refusing("tags"), []
    (tmp_path / "stage.log").write_text("loss is NaN")
    with (
        pytest.raises(ZeroDivisionError),
        tracked_run(store, lambda: started(store), told.append) as run,
    ):
        run.extras.append(Extra("break", lambda: 1 // 0))
        run.extras.append(Extra("upload", lambda: store.log_files(run.run_id, tmp_path, "logs")))
        raise ZeroDivisionError("the work's own")
    assert store.get_run(run.run_id).status == "FAILED"
    assert [line.partition(" of run")[0] for line in told] == [
        "could not note the reason",
        "could not break",
    ]
    assert store.download(run.run_id, "logs/stage.log", tmp_path / "got").is_file()


def test_a_status_that_can_not_be_set_is_told_and_only_success_needs_it() -> None:
    store, told = Refusing("end"), []
    with (
        pytest.raises(ZeroDivisionError),
        tracked_run(store, lambda: started(store), told.append) as run,
    ):
        raise ZeroDivisionError
    assert "could not be marked FAILED: no end" in told[0]
    assert store.get_run(run.run_id).tags[ERROR_TAG] == "ZeroDivisionError: "
    with (
        pytest.raises(TrackingError, match="no end"),
        tracked_run(store, lambda: started(store), told.append),
    ):
        pass


def test_a_second_ctrl_c_does_not_cut_the_end_in_two() -> None:
    class Impatient(InMemoryStore):
        def end_run(self, run_id: str, status: str = "FINISHED") -> None:
            os.kill(os.getpid(), signal.SIGINT)
            super().end_run(run_id, status)

    store = Impatient()
    with (
        pytest.raises(KeyboardInterrupt),
        tracked_run(store, lambda: started(store), print) as run,
    ):
        os.kill(os.getpid(), signal.SIGINT)
    ended = store.get_run(run.run_id)
    assert (ended.status, ended.tags[ERROR_TAG]) == ("KILLED", "interrupted")


def test_ctrl_c_while_a_run_is_made_leaves_none_running() -> None:
    class Slow(InMemoryStore):
        def start_run(self, request: RunRequest) -> str:
            run_id = super().start_run(request)
            os.kill(os.getpid(), signal.SIGINT)  # the store has it, nobody else knows it yet
            return run_id

    store = Slow()
    with pytest.raises(KeyboardInterrupt), tracked_run(store, lambda: started(store), print):
        pytest.fail("work must not begin")
    (run,) = store.find_runs()
    assert run.status == "KILLED"


def test_a_reason_is_cut_to_what_a_tag_holds() -> None:
    store = InMemoryStore()
    run_id = started(store)
    end_run(store, run_id, "FAILED", "x" * 9000, print)
    assert store.get_run(run_id).tags[ERROR_TAG] == "x" * 4000


def test_what_could_not_be_sent_yet_is_told_and_noted_and_ends_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    nobody = "http://127.0.0.1:9"
    store = SpooledStore(tmp_path / "spool", nobody, runtime_of, lambda _text: None)
    with tracked_run(store, lambda: store.start_run(REQUEST), said.append) as run:
        store.log_metrics(run.run_id, {"a": 1.0, "b": 2.0}, step=1)
    assert store.get_run(run.run_id).status == "FINISHED"
    store.close()
    assert list(run.notes) == said
    (note,) = said
    assert note.startswith("2 points and 2 other records of what was logged could not be sent yet")
    assert nobody in note and "`guardianflow sync` sends it" in note
    (journal,) = (tmp_path / "spool").glob("2*")
    assert str(journal) in note


def test_a_registration_that_waits_is_no_model_yet_but_a_note() -> None:
    registered = RegisteredModel("c.r.z.ppe", "3", display_name="c/r/z/ppe")
    waiting = RegisteredModel("c.r.z.ppe", "", display_name="c/r/z/ppe")
    (note,) = pending_notes([registered, waiting])
    assert "c/r/z/ppe is not registered yet" in note and "`guardianflow sync`" in note


def test_a_run_is_heard_of_while_its_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "BEAT_EVERY_S", 0.02)
    store, beaten = InMemoryStore(), threading.Event()
    annotate = store.annotate

    def seen(run_id: str, *, tags: Mapping[str, object]) -> None:
        annotate(run_id, tags=tags)
        beaten.set()

    with tracked_run(store, lambda: started(store), print):
        monkeypatch.setattr(store, "annotate", seen)
        assert beaten.wait(60)
