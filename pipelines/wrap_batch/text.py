"""A batch in words: the live table, the plain lines of a log, and what came of it."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table
from rich.text import Text

from guardianflow.support.terminal import make_console, say, write

from ..wrap.outcome import OF_ITS_END
from ..wrap.plan import WrapPlan
from .batch import FAILED, FINISHED, KILLED, RUNNING, SKIPPED, WAITING, Batch, Entry

DRAW_EVERY_S = 0.5
PLAIN_LINE_EVERY_S = 30.0
PREFERRED = ("det.mAP50", "det.mAP50_95", "det.box_loss")
STYLES: dict[str, str] = {FINISHED: "green", FAILED: "red", KILLED: "yellow", RUNNING: "cyan"}
FRAME_LINES = 7
WIDTH_OF_LOGS = 120


class LiveTable:
    """One row an experiment, drawn anew while it runs; on stderr, gone at the end."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._drawn = 0.0

    def show(self, batch: Batch) -> None:
        if time.monotonic() - self._drawn < DRAW_EVERY_S:
            return
        self._drawn = time.monotonic()
        rows = self._live.console.height - FRAME_LINES
        self._live.update(live_table(batch, rows), refresh=True)


class PlainLines:
    """A line for every change, and now and then one for what runs: logs, CI."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._told: dict[str, float] = {}

    def show(self, batch: Batch) -> None:
        for each in batch.entries:
            before, self._states[each.name] = self._states.get(each.name, WAITING), each.state
            changed = each.state not in (before, SKIPPED)
            silent_s = time.monotonic() - self._told.get(each.name, 0.0)
            if changed or (each.state == RUNNING and silent_s >= PLAIN_LINE_EVERY_S):
                self._tell(each)

    def _tell(self, entry: Entry) -> None:
        self._told[entry.name] = time.monotonic()
        parts = [entry.state, elapsed(entry.seconds) if entry.seconds else ""]
        parts += [last_metric(entry.metrics), entry.reason]
        say(f"[{entry.name}] {'  '.join(filter(None, parts))}")


@contextmanager
def make_view() -> Iterator[LiveTable | PlainLines]:
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    with Live(console=make_console(stderr=True), auto_refresh=False, transient=True) as live:
        yield LiveTable(live)


def live_table(batch: Batch, rows: int) -> Table:
    """The rows that fit on the screen: those at work, then what needs a look, then the rest."""
    order = {RUNNING: 0, FAILED: 1, KILLED: 1, WAITING: 2, FINISHED: 3, SKIPPED: 4}
    chosen = sorted(batch.entries, key=lambda each: order[each.state])[: max(rows, 3)]
    kept = [each for each in batch.entries if each in chosen]
    table = _table(batch, kept)
    if left := len(batch.entries) - len(kept):
        table.caption = f"… and {left} more"
    return table


def counts(batch: Batch) -> str:
    """'3 finished, 1 failed, 2 running'."""
    words = [
        f"{number} {state.lower()}"
        for state in (FINISHED, FAILED, KILLED, RUNNING, WAITING, SKIPPED)
        if (number := batch.count(state))
    ]
    return ", ".join(words)


def print_batch(batch: Batch) -> None:
    """The table at the end, on stdout."""
    console = make_console(width=WIDTH_OF_LOGS)
    console.print(_table(batch, batch.entries, at_its_end=True))


def print_plans(batch: Batch, plans: Mapping[str, WrapPlan]) -> None:
    """For --dry-run, on stdout: nothing has been started."""
    for each in batch.entries:
        plan = plans.get(each.name)
        write(f"{each.name}: {shlex.join(plan.arguments) if plan else each.reason}")
        if plan and plan.to_fill_in:
            write(f"  to be filled in before it runs: {', '.join(plan.to_fill_in)}")
        for finding in plan.warnings if plan else ():
            write(f"  warning: {finding.text}")


def tell_skipped(batch: Batch) -> None:
    """Say which experiments can't run and why, before anything starts."""
    skipped = batch.in_state(SKIPPED)
    if skipped:
        say(f"{len(skipped)} of {len(batch.entries)} experiments are skipped:")
        for each in skipped:
            say(f"  {each.name}: {each.reason}")


def tell_failed(batch: Batch, resume: str) -> None:
    """The failures by name, each with its run and log, and how to go on."""
    wrong = batch.in_state(FAILED, KILLED)
    if batch.in_state(FAILED):
        names = ", ".join(each.name for each in batch.in_state(FAILED))
        say(f"error: {batch.count(FAILED)} of {len(batch.entries)} failed: {names}")
    for each in wrong:
        say(f"  {each.name}: {each.reason}")
        say(f"    run {each.run_id or 'none'}, log {each.log}")
    say(f"  resume: {resume}")


def elapsed(seconds: float) -> str:
    """'0:07', '12:41', '3:05:10'."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def last_metric(metrics: Mapping[str, float]) -> str:
    """The number people look for, else the one that came last; '' without any."""
    names = [name for name in PREFERRED if name in metrics]
    names += [
        name
        for name in reversed(list(metrics))
        if not name.startswith("sys.") and name not in OF_ITS_END
    ]
    return f"{names[0].removeprefix('det.')} {metrics[names[0]]:.4g}" if names else ""


def _table(batch: Batch, entries: Iterable[Entry], *, at_its_end: bool = False) -> Table:
    """Text, not markup: '[…]' in a name is a name."""
    table = Table(title=f"batch {batch.batch_id}: {counts(batch)}", title_justify="left")
    table.add_column("experiment", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("elapsed", justify="right", no_wrap=True)
    table.add_column("last metric", overflow="fold")
    if at_its_end:
        table.add_column("model, or why not", overflow="fold")
    for each in entries:
        table.add_row(
            Text(each.name),
            Text(each.state.lower(), style=STYLES.get(each.state, "")),
            Text(elapsed(each.seconds) if each.seconds else ""),
            Text(last_metric(each.metrics)),
            *([Text(each.model or each.reason)] if at_its_end else []),
        )
    return table
