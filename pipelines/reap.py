"""Ends and removes what killed processes left, in a store and on this machine.

    runs      RUNNING ones whose process is gone for certain → KILLED
    models    halves of registrations that a killed process began
    folders   attempts, unfinished files and temporary directories; trainings whose run is over

Runs first: what belongs to one may go once it is over. Nothing that a living process makes, here or
elsewhere, is touched: each thing names its process, or has kept still for a week.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from guardianflow.contracts.errors import GuardianFlowError, Problem, SourceError
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.services.workspaces import with_workspace
from guardianflow.support.secrets.redaction import shown_address

from .settings import Settings
from .stage.leftovers.dead_runs import Fate, RunningRun, end_gone, running_runs
from .stage.leftovers.folders import DAY_S, left_folders
from .train.unfinished import abandoned
from .wiring import Ports, Store

FRESH_S = 300.0
"""A run that was heard of since is not ended on somebody's word."""
Progress = Callable[[int, int], None]


class Outcome(StrEnum):
    """What became of a leftover."""

    REMOVED = "removed"
    TO_REMOVE = "to_remove"
    FAILED = "failed"


@dataclass(frozen=True)
class Leftover:
    """A model, directory or file that nobody will finish.

    Args:
        kind: 'logged_model', 'registered_model', 'attempt', 'unfinished', 'temporary', 'training'.
        name: of a model; a path.
        run_id: the run it belongs to, where one is known.
        age_s: since it was made, or changed last.
        take_away: removes it; False where it is not a leftover any more. Raises GuardianFlowError,
            OSError.
        problem: why it could not be removed; '' else.
    """

    kind: str
    name: str
    age_s: float
    take_away: Callable[[], bool]
    run_id: str | None = None
    outcome: Outcome = Outcome.TO_REMOVE
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "run_id": self.run_id,
            "age_s": round(self.age_s),
            "outcome": self.outcome,
            "problem": self.problem or None,
        }


@dataclass(frozen=True)
class Reaped:
    """What was found, and what became of it.

    Args:
        store: for people.
        runs: every RUNNING run of the store.
    """

    store: str
    dry_run: bool
    runs: tuple[RunningRun, ...]
    leftovers: tuple[Leftover, ...]

    @property
    def failed(self) -> bool:
        return any(run.fate is Fate.FAILED for run in self.runs) or any(
            each.outcome is Outcome.FAILED for each in self.leftovers
        )

    def count(self, fate: Fate) -> int:
        return sum(run.fate is fate for run in self.runs)

    def as_dict(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "dry_run": self.dry_run,
            "runs": [run.as_dict() for run in self.runs],
            "leftovers": [each.as_dict() for each in self.leftovers],
            "counts": {fate.value: self.count(fate) for fate in Fate},
        }


def reap(
    settings: Settings,
    ports: Ports,
    *,
    older_than_s: float = 0.0,
    gone: Sequence[str] = (),
    dry_run: bool = False,
    tell: Callable[[str], None],
    progress: Progress = lambda done, total: None,  # noqa: ARG005
) -> Reaped:
    """End and remove what is left over, or tell what would be.

    Args:
        older_than_s: leave what was heard of, or has changed, since.
        gone: ids of runs whose process is gone by a person's word, though that can't be seen.
        tell: told what failed beside.
        progress: called with how many are done, and how many there are.

    Raises:
        SourceError: a run of `gone` that can't be ended on a word; nothing was done.
        TrackingError: the store can't be read.
    """
    store = ports.store
    found = [*running_runs(store, older_than_s=older_than_s)]
    found = _on_their_word(store, found, gone)
    done, total = 0, sum(run.fate is Fate.TO_END for run in found)
    runs: list[RunningRun] = []
    for run in found:
        if run.fate is Fate.TO_END and not dry_run:
            ended = end_gone(store, run, tell)
            done += 1
            progress(done, total)
            runs += [ended] if ended else []
        else:
            runs.append(run)
    left = [each for each in _leftovers(settings, ports) if each.age_s >= older_than_s]
    leftovers: list[Leftover] = []
    for number, each in enumerate(left, 1):
        after = each if dry_run else _taken_away(each)
        progress(number, len(left))
        leftovers += [after] if after else []
    uri = shown_address(store.tracking_uri)
    return Reaped(uri, dry_run, tuple(runs), tuple(leftovers))


def _on_their_word(store: Store, found: list[RunningRun], gone: Sequence[str]) -> list[RunningRun]:
    """The runs, those that a person says are gone as such; every one that can't be is told."""
    runs = {each.run.run_id: each for each in found}
    problems: list[Problem] = []
    for run_id in dict.fromkeys(gone):
        if run_id not in runs:
            try:
                status = store.get_run(run_id).status
                problems.append(Problem(f"run {run_id} is {status}: there is nothing to end"))
            except SourceError as exc:
                problems.append(Problem(str(exc)))
            continue
        run = runs[run_id]
        if run.fate is Fate.LIVES:
            assert run.owner is not None
            problems.append(Problem(f"run {run_id} lives: it is process {run.owner.pid} here"))
        elif run.fate is not Fate.TO_END and run.silent_s < FRESH_S:
            problems.append(
                Problem(
                    f"run {run_id} was heard of {run.silent_s:.0f} s ago: it seems to live. Try "
                    f"again once it has been silent for {FRESH_S:.0f} s"
                )
            )
        else:
            runs[run_id] = replace(run, fate=Fate.TO_END)
    if problems:
        raise SourceError(problems)
    return list(runs.values())


def _leftovers(settings: Settings, ports: Ports) -> Iterator[Leftover]:
    from guardianflow.run_tracking.leftovers.half_made import HalfMadeModels

    now = time.time()
    for half in HalfMadeModels(ports.store.tracking_uri).find():
        age_s = max(0.0, now - half.made_ms / 1000)
        yield Leftover(half.half, half.name, age_s, half.remove, half.run_id)
    for folder in left_folders(settings.work_dir):
        yield Leftover(folder.kind, str(folder.path), folder.still_s, folder.remove)
    yield from _over_trainings(settings, ports)


def _over_trainings(settings: Settings, ports: Ports) -> Iterator[Leftover]:
    """Trainings that nobody can go on with: their run is FINISHED or deleted."""
    here = with_workspace(shown_address(ports.store.tracking_uri))
    for each in abandoned(settings.work_dir):
        if not each.run_id or each.store != here:
            continue
        run = ports.run_if_there(each.run_id)
        if run is None or run.status == RunStatus.FINISHED:
            yield Leftover("training", str(each.place.folder), DAY_S, each.remove, each.run_id)


def _taken_away(each: Leftover) -> Leftover | None:
    """What came of it; None where it was no leftover any more."""
    try:
        return replace(each, outcome=Outcome.REMOVED) if each.take_away() else None
    except (GuardianFlowError, OSError) as exc:
        return replace(each, outcome=Outcome.FAILED, problem=str(exc))
