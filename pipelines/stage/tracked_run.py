"""The one way a run is opened and ended: its status first, all else after.

    start      held back from signals: no run is made that nobody knows of
    the work   FINISHED, or FAILED with what was raised, or KILLED where it was interrupted
    its end    the status; then each extra (the reason, the log, notes), whose failure is told

An extra that fails changes no status: a model that is registered belongs to a run that is FINISHED,
also where its log could not be uploaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.ports import RunTracker
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.run_records import ERROR_TAG
from guardianflow.support.stop_signals import held_back, let_through

ERROR_LIMIT = 4000
Tell = Callable[[str], None]


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
        notes: extras that failed, once it has ended.
    """

    run_id: str
    status: RunStatus = RunStatus.FINISHED
    reason: str = ""
    interruption: str = "interrupted"
    extras: list[Extra] = field(default_factory=list)
    notes: tuple[str, ...] = ()


@contextmanager
def tracked_run(store: RunTracker, start: Callable[[], str], tell: Tell) -> Iterator[TrackedRun]:
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
        status, reason = RunStatus.FAILED, ""
        try:
            with let_through():
                yield run
            status, reason = run.status, run.reason
        except KeyboardInterrupt:
            status, reason = RunStatus.KILLED, run.interruption
            raise
        except BaseException as exc:
            reason = run.reason or f"{type(exc).__name__}: {exc}"
            raise
        finally:
            run.notes = end_run(store, run.run_id, status, reason, tell, run.extras)


def end_run(
    store: RunTracker,
    run_id: str,
    status: RunStatus,
    reason: str,
    tell: Tell,
    extras: Sequence[Extra] = (),
) -> tuple[str, ...]:
    """Give a run its status, then say why and do the extras.

    Returns:
        What failed of the extras, as it was told.

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
        tags = {ERROR_TAG: reason[:ERROR_LIMIT]}
        said = [Extra("note the reason", lambda: store.annotate(run_id, tags=tags))]
        failed = [_carry_out(each, run_id, tell) for each in [*(said if reason else []), *extras]]
    return tuple(filter(None, failed))


def _carry_out(extra: Extra, run_id: str, tell: Tell) -> str:
    try:
        extra.do()
    except Exception as exc:
        note = f"could not {extra.what} of run {run_id}; its end is not touched by that: {exc}"
        tell(note)
        return note
    return ""
