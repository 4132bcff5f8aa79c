"""`guardianflow reap`: ends runs whose process is gone, and removes what was left half-made."""

from __future__ import annotations

import re

from rich.progress import MofNCompleteColumn

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.run_tracking.upkeep.ownership import last_sign_ms
from guardianflow.support.terminal import print_json, say, write
from pipelines.console import StderrProgress
from pipelines.reap import Leftover, Outcome, Reaped, reap
from pipelines.settings import load_settings
from pipelines.stage.leftovers.dead_runs import Fate, RunningRun
from pipelines.wiring import connect, connect_to_work

from ..listing import Row, print_rows, when
from ..options import ReapCommand

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
OUTCOMES = {
    Fate.ENDED: "KILLED",
    Fate.TO_END: "would be KILLED",
    Fate.RECENT: "left: too recent",
    Fate.ELSEWHERE: "left",
    Fate.FAILED: "FAILED",
    Outcome.REMOVED: "removed",
    Outcome.TO_REMOVE: "would be removed",
}
KINDS = {
    "logged_model": ("logged model", "never registered: its process is gone"),
    "registered_model": ("registered model", "without a version: its process is gone"),
    "attempt": ("directory", "of a stage whose process is gone"),
    "unfinished": ("file", "never finished, still for a week"),
    "temporary": ("directory", "temporary, still for a week"),
    "training": ("training", "its run is over"),
}


def show_reaped(asked: ReapCommand) -> int:
    """Reap, and print what was found.

    Raises:
        ConfigurationError: an age that is none; a run that can't be ended on a word.
    """
    age_s = seconds_of(asked.older_than)
    settings = load_settings()
    connect(settings.tracking_uri)  # raises where the store is away: nothing is known then
    # Through the spool: a run whose end waits there to be sent has ended.
    ports = connect_to_work(settings.tracking_uri)
    columns = (MofNCompleteColumn(),)
    with StderrProgress("reaping", columns, lambda done, all_: f"{done}/{all_} done") as progress:
        reaped = reap(
            settings,
            ports,
            older_than_s=age_s,
            gone=asked.gone,
            dry_run=asked.dry_run,
            tell=lambda text: say(f"note: {text}"),
            progress=progress,
        )
    if asked.as_json:
        print_json(reaped.as_dict())
    else:
        if rows := rows_of(reaped):
            print_rows(rows)
        write(summary(reaped))
    return int(reaped.failed)


def seconds_of(age: str) -> float:
    """Seconds of '90s', '30m', '1h' or '2d'; 0 of ''."""
    if not age:
        return 0.0
    read = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", age.strip())
    if read is None:
        raise ConfigurationError(
            f"--older-than must be a number with s, m, h or d, like 90s, 30m, 1h or 2d, but got "
            f"'{age}'"
        )
    return float(read[1]) * UNITS[read[2]]


def rows_of(reaped: Reaped) -> list[Row]:
    """A row for all but the runs that live, and those that name no process."""
    shown = [run for run in reaped.runs if run.fate not in (Fate.LIVES, Fate.UNMARKED)]
    return [*map(_run_row, shown), *map(_leftover_row, reaped.leftovers)]


def _run_row(run: RunningRun) -> Row:
    return {
        "what": "run",
        "name": f"{run.run.run_id} {run.run.run_name}",
        "in": run.run.experiment_name,
        "last heard of": f"{when(last_sign_ms(run.run))}, {age_of(run.silent_s)} ago",
        "host": run.owner.host if run.owner else None,
        "outcome": OUTCOMES[run.fate],
        "why": why(run),
    }


def why(run: RunningRun) -> str:
    if run.problem:
        return run.problem
    if run.fate is Fate.ELSEWHERE:
        return "can't be seen from here; run `guardianflow reap` there"
    if run.owner is None:
        return "by your word"
    return f"its process {run.owner.pid} is gone"


def _leftover_row(each: Leftover) -> Row:
    what, reason = KINDS[each.kind]
    return {
        "what": what,
        "name": each.name,
        "in": f"run {each.run_id}" if each.run_id else None,
        "last heard of": f"{age_of(each.age_s)} ago",
        "host": None,
        "outcome": "FAILED" if each.outcome is Outcome.FAILED else OUTCOMES[each.outcome],
        "why": each.problem or reason,
    }


def age_of(seconds: float) -> str:
    """In the largest unit of which there are two at least: '3 h', '45 m', '5 s'."""
    unit = next((u for u in "dhm" if seconds >= 2 * UNITS[u]), "s")
    return f"{seconds / UNITS[unit]:.0f} {unit}"


def summary(reaped: Reaped) -> str:
    ended, left = reaped.count(Fate.ENDED), reaped.count(Fate.TO_END)
    removed = sum(each.outcome is Outcome.REMOVED for each in reaped.leftovers)
    waiting = sum(each.outcome is Outcome.TO_REMOVE for each in reaped.leftovers)
    did = f"{left} runs would be ended, {waiting} leftovers removed (--dry-run: nothing was done)"
    if not reaped.dry_run:
        did = f"{ended} runs ended, {removed} leftovers removed"
    kept = [
        f"{reaped.count(fate)} {words}"
        for fate, words in (
            (Fate.LIVES, "live"),
            (Fate.ELSEWHERE, "are of another machine or container"),
            (Fate.UNMARKED, "name no process: others made them, or an older GuardianFlow"),
        )
        if reaped.count(fate)
    ]
    also = f". Left RUNNING: {'; '.join(kept)}" if kept else ""
    return f"{reaped.store}: {did}{also}"
