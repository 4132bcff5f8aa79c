"""The one way a run is opened and ended: its status first, all else after.

    start      held back from signals: no run is made that nobody knows of
    the work   FINISHED, or FAILED with what was raised, or KILLED where it was interrupted; the run
               is told to be alive meanwhile
    its end    the status; then each extra (the reason, the log, notes), whose failure is told; of
               a FINISHED run the row of the metrics store at last

An extra that fails changes no status: a model that is registered belongs to a run that is FINISHED,
also where its log could not be uploaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from experiments_adapters.failures.known import reason_of
from guardianflow.contracts.errors import FailureReason, GuardianFlowError
from guardianflow.contracts.results import RunRequest
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.run_records import ERROR_TAG, FAILURE_TAG
from guardianflow.run_tracking.upkeep.ownership import signs_of_life
from guardianflow.support.stop_signals import held_back, let_through

from ..metrics.recording import record_run
from ..wiring import Store

ERROR_LIMIT = 4000
SETTLE_S, HURRIED_SETTLE_S = 10.0, 2.0
"""For what is on its way to the store; where the user interrupted, less."""
Tell = Callable[[str], None]


class Opening(Protocol):
    """How the run of a stage is opened: anew, or the one of an attempt that did not end well.

    Attributes:
        attempt: 1 for a new run.
    """

    attempt: int

    def open_run(self, request: RunRequest) -> str:
        """Make the run, or open it again; returns its id."""
        ...

    def finished(self) -> None:
        """The run is FINISHED: nothing of it need be kept on this machine."""
        ...


@dataclass
class NewRun:
    """Opens a new run, always."""

    store: Store
    attempt: int = 1

    def open_run(self, request: RunRequest) -> str:
        return self.store.start_run(request)

    def finished(self) -> None: ...


@dataclass(frozen=True)
class Extra:
    """Something that is done once a run has its status.

    Args:
        what: for people, after 'could not': 'upload the log'.
        do: does it; whatever it raises is told.
    """

    what: str
    do: Callable[[], object]


@dataclass
class TrackedRun:
    """A run at work.

    Args:
        status: what it ends with where the work raises nothing.
        reason: why it is not FINISHED; '' where the work's error says it.
        interruption: the reason of a KILLED run.
        extras: done after the status is set, in order.
        notes: extras that failed and what is not sent yet, once it has ended.
    """

    run_id: str
    status: RunStatus = RunStatus.FINISHED
    reason: str = ""
    interruption: str = "interrupted"
    extras: list[Extra] = field(default_factory=list)
    notes: tuple[str, ...] = ()


@contextmanager
def tracked_run(store: Store, start: Callable[[], str], tell: Tell) -> Iterator[TrackedRun]:
    """A run around work, ended whatever happens inside.

    Args:
        start: makes the run, or opens it again; returns its id.
        tell: told what failed besides the work.

    Raises:
        TrackingError: work that went well could not be marked FINISHED.
        whatever the work raised; it stays the error that is raised, whatever fails after it.
    """
    with held_back():
        run = TrackedRun(start())
        status, reason, failure = RunStatus.FAILED, "", None
        try:
            with signs_of_life(store, run.run_id), let_through():
                yield run
            status, reason = run.status, run.reason
        except KeyboardInterrupt as exc:
            status, reason, failure = RunStatus.KILLED, run.interruption, reason_of(exc)
            raise
        except BaseException as exc:
            reason, failure = run.reason or f"{type(exc).__name__}: {exc}", reason_of(exc)
            raise
        finally:
            run.notes = end_run(store, run.run_id, status, reason, tell, run.extras, failure)


def end_run(
    store: Store,
    run_id: str,
    status: RunStatus,
    reason: str,
    tell: Tell,
    extras: Sequence[Extra] = (),
    failure: FailureReason | None = None,
) -> tuple[str, ...]:
    """Give a run its status, then say why and do the extras.

    Args:
        reason, failure: why it is not FINISHED, for people and for programs.

    Returns:
        What failed of the extras, and what could not be sent yet, as it was told.

    Raises:
        TrackingError: the run could not be marked FINISHED; every other failure is told alone,
            because an error is under way already.
    """
    with held_back():
        try:
            store.end_run(run_id, status)
        except GuardianFlowError as exc:
            if status == RunStatus.FINISHED:
                raise
            tell(f"the run {run_id} could not be marked {status}: {exc}")
        tags = {ERROR_TAG: reason[:ERROR_LIMIT], FAILURE_TAG: failure}
        said = [Extra("note the reason", lambda: store.annotate(run_id, tags=tags))]
        failed = [_carry_out(each, run_id, tell) for each in [*(said if reason else []), *extras]]
        left = store.settle(HURRIED_SETTLE_S if status == RunStatus.KILLED else SETTLE_S)
        if left:
            tell(left)
            failed.append(left)
        if status == RunStatus.FINISHED:  # once the store has all of it
            row = Extra("write the row of the metrics store", lambda: record_run(store, run_id))
            failed.append(_carry_out(row, run_id, tell))
    return tuple(filter(None, failed))


def _carry_out(extra: Extra, run_id: str, tell: Tell) -> str:
    try:
        extra.do()
    except Exception as exc:
        note = f"could not {extra.what} of run {run_id}; its end is not touched by that: {exc}"
        tell(note)
        return note
    return ""
