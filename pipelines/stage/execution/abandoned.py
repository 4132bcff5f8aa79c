"""Ends the runs of a process that can't do so any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import FailureReason, GuardianFlowError
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.terminal import say

from ...failures.partial import AFTER_FAILURE, AFTER_INTERRUPT, TRAINING_FOLDER, keep_partial
from ..leftovers.logs import OWED_FILE, give_late, give_log
from ..tracked_run import Extra, end_run

if TYPE_CHECKING:
    from ...wiring import Ports


def end_abandoned(
    tracking_uri: str,
    run_id: str | None,
    reason: str,
    log: Path,
    status: RunStatus = RunStatus.FAILED,
    *,
    ports: Ports | None = None,
    failure: FailureReason | None = None,
    work_dir: str = "",
) -> None:
    """End a run, and those below it, whose process can't any more; one that has ended is left.

    What a training has left beside the log is kept in its run.
    """
    if run_id is None or (ports := ports or store_of_work(tracking_uri, work_dir)) is None:
        return
    store = ports.store

    def keep_training() -> None:
        keep_partial(store, run_id, log.parent / TRAINING_FOLDER, limits)

    limits = AFTER_INTERRUPT if status == RunStatus.KILLED else AFTER_FAILURE
    try:
        if store.get_run(run_id).status != RunStatus.RUNNING:
            if log.with_name(OWED_FILE).is_file():  # killed right after its run's end
                give_late(store, log, run_id, say)
            return
    except GuardianFlowError as exc:
        say(f"the run {run_id} could not be marked {status}: {exc}")
        return
    end_run(
        store,
        run_id,
        status,
        reason,
        say,
        [
            Extra("end the runs below", lambda: store.fail_running(run_id, status)),
            Extra("upload the log", lambda: give_log(store, log, run_id)),
            Extra("keep what the training left", keep_training),
        ],
        failure,
    )


def store_of_work(tracking_uri: str, work_dir: str) -> Ports | None:
    """The store that a stage wrote to; None, which is said, where it refuses."""
    from ...wiring import connect_to_work

    try:
        return connect_to_work(tracking_uri, Path(work_dir) if work_dir else None)
    except GuardianFlowError as exc:
        say(f"runs that are left can't be ended: {exc}")
        return None
