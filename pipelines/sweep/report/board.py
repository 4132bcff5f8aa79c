"""Shows a sweep at work: a live table where somebody watches, a line for what matters elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from guardianflow.support.terminal import make_console

from ..search.combinations import Combination, TrialRun, TrialState
from ..search.objectives import Objective
from .table import shown_value

if TYPE_CHECKING:
    from rich.table import Table

ROWS = 16
"""Of the live table: those at work, then the latest that have ended."""
REDRAW_S = 0.5
COLOURS = {
    TrialState.WAITING: "dim",
    TrialState.RUNNING: "cyan",
    TrialState.COMPLETE: "green",
    TrialState.PRUNED: "yellow",
    TrialState.FAILED: "red",
}
Tell = Callable[[str], None]


class LineBoard:
    """A line for each run that ends."""

    def __init__(self, tell: Tell, objective: Objective, places: int) -> None:
        self._tell, self._objective, self._places = tell, objective, places
        self._combinations: Sequence[Combination] = ()
        self._total = 0

    def moved(self, combinations: Sequence[Combination], total: int) -> None:
        self._combinations, self._total = combinations, total

    def ended(self, run: TrialRun) -> None:
        done = sum(each.state.has_ended for each in self._combinations)
        left = eta_s(self._combinations, self._total, self._places)
        ending = f", about {shown_time(left)} left" if left else ""
        self._tell(f"{line_of(run, self._objective)} ({done} of {self._total} done{ending})")

    def tell(self, text: str) -> None:
        self._tell(text)

    def close(self) -> None: ...


class LiveBoard:
    """A table that is drawn anew on the terminal; what is told stays above it."""

    def __init__(self, objective: Objective, places: int) -> None:
        from rich.live import Live

        self._objective, self._places = objective, places
        self._console = make_console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def moved(self, combinations: Sequence[Combination], total: int) -> None:
        if time.monotonic() - self._drawn < REDRAW_S:
            return
        self._drawn = time.monotonic()
        self._live.start()
        self._live.update(self._table(combinations, total), refresh=True)

    def ended(self, run: TrialRun) -> None:
        self.tell(line_of(run, self._objective))

    def tell(self, text: str) -> None:
        self._console.print(text)

    def close(self) -> None:
        self._live.stop()

    def _table(self, combinations: Sequence[Combination], total: int) -> Table:
        from rich.table import Table
        from rich.text import Text

        left = eta_s(combinations, total, self._places)
        done = sum(each.state.has_ended for each in combinations)
        title = f"{done} of {total} done" + (f", about {shown_time(left)} left" if left else "")
        table = Table(title=title, title_justify="left")
        for heading in ("trial", "parameters", "state", "epoch", self._objective.name, "time"):
            table.add_column(heading, no_wrap=heading != "parameters")
        for combination, run in shown_runs(combinations):
            table.add_row(
                Text(run.trial.name),
                Text(shown_params(combination)),
                Text(run.state, style=COLOURS[run.state]),
                f"{run.epoch}/{run.epochs}" if run.epochs else "",
                "" if run.latest is None else shown_value(run.latest),
                shown_time(run.seconds) if run.seconds else "",
            )
        return table


Board = LineBoard | LiveBoard
"""Told how a sweep goes: `moved` several times a second, `ended` of each run."""


def shown_runs(combinations: Sequence[Combination]) -> list[tuple[Combination, TrialRun]]:
    """The runs that a table of ROWS shows: those at work first, then the latest ended."""
    runs = [(each, run) for each in combinations for run in each.runs]
    working = [pair for pair in runs if not pair[1].state.has_ended]
    ended = [pair for pair in runs if pair[1].state.has_ended]
    return [*working, *reversed(ended)][:ROWS]


def shown_params(combination: Combination) -> str:
    """'learning_rate=0.001 batch_size=8'"""
    short = {name.rpartition(".")[2]: value for name, value in combination.params.items()}
    return " ".join(f"{name}={shown_value(value)}" for name, value in short.items())


def line_of(run: TrialRun, objective: Objective) -> str:
    """'ppe-003 complete in 12 s, mAP50 0.61'"""
    words = f"{run.trial.name} {run.state} in {shown_time(run.seconds)}"
    if run.latest is not None:
        words += f", {objective.name} {shown_value(run.latest)}"
    return f"{words}: {run.reason}" if run.reason else words


def eta_s(combinations: Sequence[Combination], total: int, places: int) -> float:
    """Seconds that are about left, by the mean of those that have ended; 0 where nobody knows."""
    ended = [each for each in combinations if each.state.has_ended]
    if not ended:
        return 0.0
    spent = sum(run.seconds for each in ended for run in each.runs)
    return spent / len(ended) * (total - len(ended)) / max(1, places)


def shown_time(seconds: float) -> str:
    """'12 s', '3 min', '2 h 05 min'"""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
