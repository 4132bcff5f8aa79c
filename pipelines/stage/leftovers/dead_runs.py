"""Ends RUNNING runs whose process is gone for certain; every other one is left alone.

A pipeline does so in its own experiment when it begins; `guardianflow reap` does so everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.results import RunRecord
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.run_records import FAILURE_TAG
from guardianflow.run_tracking.upkeep.ownership import (
    PROCESS_TAG,
    Life,
    last_sign_ms,
    life_of,
    owner_of,
)
from guardianflow.support.process_identity import ProcessIdentity

from ...wiring import Store
from ..tracked_run import Extra, end_run

KILLED_REASON = "killed"
MOST_RUNS = 100_000
Tell = Callable[[str], None]


class Fate(StrEnum):
    """What becomes of a RUNNING run."""

    ENDED = "ended"
    TO_END = "to_end"
    """Its process is gone, and nothing was done yet."""
    RECENT = "recent"
    """Its process is gone, but it was heard of later than was asked for."""
    LIVES = "lives"
    ELSEWHERE = "elsewhere"
    UNMARKED = "unmarked"
    FAILED = "failed"
    """It could not be ended."""


_KEPT = {Life.LIVES: Fate.LIVES, Life.ELSEWHERE: Fate.ELSEWHERE, Life.UNMARKED: Fate.UNMARKED}


@dataclass(frozen=True)
class RunningRun:
    """A run that the store has as RUNNING.

    Args:
        owner: its process; None where it names none.
        problem: why it could not be ended; '' else.
    """

    run: RunRecord
    owner: ProcessIdentity | None
    fate: Fate
    problem: str = ""

    @property
    def silent_s(self) -> float:
        """Since it was last heard of; never below 0, though a clock be set back."""
        return max(0.0, time.time() - last_sign_ms(self.run) / 1000)

    @property
    def reason(self) -> str:
        """Why it is ended, for people."""
        if self.owner is None:
            return "it named no process, and somebody has said that it is gone"
        return f"its process {self.owner.pid} on {self.owner.host} is gone, and could not end it"

    def as_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run.run_id,
            "run": self.run.run_name,
            "experiment": self.run.experiment_name,
            "fate": self.fate,
            "host": self.owner.host if self.owner else None,
            "pid": self.owner.pid if self.owner else None,
            "started_ms": self.run.start_time_ms,
            "last_sign_ms": last_sign_ms(self.run),
            "silent_s": round(self.silent_s),
            "problem": self.problem or None,
        }


def running_runs(
    store: Store, *, experiment_name: str | None = None, older_than_s: float = 0.0
) -> Iterator[RunningRun]:
    """Every RUNNING run and what should become of it; nothing is changed.

    Args:
        older_than_s: a run that was heard of since is left, though its process be gone.
    """
    for run in store.find_runs(
        experiment_name=experiment_name, status=RunStatus.RUNNING, limit=MOST_RUNS
    ):
        life = life_of(run.tags)
        found = RunningRun(run, owner_of(run.tags), _KEPT.get(life, Fate.TO_END))
        recent = found.fate is Fate.TO_END and found.silent_s < older_than_s
        yield replace(found, fate=Fate.RECENT) if recent else found


def end_gone(store: Store, found: RunningRun, tell: Tell) -> RunningRun | None:
    """End a run that is TO_END as KILLED, with the reason.

    Returns:
        What came of it; None where it has ended meanwhile, or another process has taken it up.
    """
    run_id = found.run.run_id
    try:
        now = store.get_run(run_id)
        same = now.tags.get(PROCESS_TAG) == found.run.tags.get(PROCESS_TAG)
        if now.status != RunStatus.RUNNING or not same:
            return None
    except GuardianFlowError as exc:
        return replace(found, fate=Fate.FAILED, problem=str(exc))
    problems: list[str] = []
    tags = {FAILURE_TAG: KILLED_REASON}
    note = Extra("note its cause", lambda: store.annotate(run_id, tags=tags))
    notes = end_run(store, run_id, RunStatus.KILLED, found.reason, problems.append, [note])
    failed = [each for each in problems if each not in notes]
    for each in notes:
        tell(each)
    if failed:
        return replace(found, fate=Fate.FAILED, problem=failed[0])
    return replace(found, fate=Fate.ENDED)


def end_dead_runs(store: Store, experiment_name: str, tell: Tell) -> None:
    """End the dead runs of an experiment; whatever fails is told, and stops nothing."""
    try:
        for found in running_runs(store, experiment_name=experiment_name):
            if found.fate is Fate.TO_END and (ended := end_gone(store, found, tell)):
                left = f"run {found.run.run_id} ({found.run.run_name}) was left RUNNING"
                tell(f"{left}: {ended.problem or f'{found.reason}; now KILLED'}")
    except GuardianFlowError as exc:
        tell(f"runs that were left RUNNING could not be looked for: {exc}")
