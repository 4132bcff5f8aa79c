"""How a run looks on a terminal: a bar a stage where somebody watches, plain lines elsewhere.

All of it goes to stderr; stdout is for results.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.terminal import make_console
from guardianflow.support.terminal import say as say

from .compare import table as comparison_table
from .compare.table import ComparisonTable
from .full_pipeline.summary import HEADINGS, Summary, cells, notes
from .stage.events import Reporter

PLAIN_LINE_EVERY_S = 10.0
HEADLINE_METRICS = (
    ("det.mAP50", "mAP50", ".3f"),
    ("det.mAP50_95", "mAP50-95", ".3f"),
    ("det.quantized.mAP50", "mAP50", ".3f"),
    ("det.quantized.mAP50_95", "mAP50-95", ".3f"),
    ("comparison.accuracy_drop_mAP50_95", "drop mAP50-95", "+.3f"),
    ("comparison.speedup_ratio", "speed-up", ".2f"),
    ("bench.bs1.latency_p50_ms", "latency p50 ms", ".2f"),
)


class SilentReporter:
    """Says nothing: for --json pipelines of other programs and for the Python interface."""

    def opened(self, title: str, run_id: str) -> None: ...

    def started(self, title: str, log: Path) -> None: ...

    def event(self, title: str, event: dict[str, Any]) -> None: ...

    def ended(self, title: str, result: StageResult | None) -> None: ...


class PlainReporter:
    """One line for what matters, at most one every ten seconds for progress: logs, CI."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def opened(self, title: str, run_id: str) -> None:
        say(f"[{title}] run {run_id}")

    def started(self, title: str, log: Path) -> None:
        self._began[title] = self._told[title] = time.monotonic()
        say(f"[{title}] started, log {log}")

    def event(self, title: str, event: dict[str, Any]) -> None:
        if event["kind"] == "message":
            say(f"[{title}] {event['text']}")
        elif event["kind"] == "run":
            say(f"[{title}] run {event['run_id']}")
        elif event["kind"] == "progress":
            now = time.monotonic()
            if now - self._told[title] >= PLAIN_LINE_EVERY_S or event["done"] == event["total"]:
                self._told[title] = now
                say(f"[{title}] {event['done']}/{event['total']} {event['note']}".rstrip())

    def ended(self, title: str, result: StageResult | None) -> None:
        seconds = time.monotonic() - self._began[title]
        if result is None:
            say(f"[{title}] FAILED after {seconds:.0f} s")
        else:
            say(f"[{title}] {outcome(result)} in {seconds:.0f} s  {headline(result)}".rstrip())


class RichReporter:
    """A live bar for the stage at work; finished stages stay above it as lines."""

    def __init__(self) -> None:
        self._console = make_console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._whole = ""

    def opened(self, title: str, run_id: str) -> None:
        self._whole = run_id
        self._console.print(Text.assemble(("run ", "dim"), run_id, (f"  {title}", "dim")))

    def started(self, title: str, log: Path) -> None:
        self._began[title] = time.monotonic()
        self._tasks[title] = self._progress.add_task(title, total=None, note=f"log {log}")
        self._progress.start()

    def event(self, title: str, event: dict[str, Any]) -> None:
        task = self._tasks.get(title)
        if event["kind"] == "run" and not self._whole:  # of a stage that stands alone
            self._console.print(Text.assemble(("run ", "dim"), event["run_id"]))
        elif task is None:  # not of a stage, or of one whose last words come late
            if event["kind"] == "message":
                self._console.print(Text(event["text"]))
        elif event["kind"] == "progress":
            self._progress.update(
                task, completed=event["done"], total=event["total"], note=event["note"]
            )
        elif event["kind"] == "message":
            self._progress.update(task, note=event["text"])

    def ended(self, title: str, result: StageResult | None) -> None:
        self._progress.remove_task(self._tasks.pop(title))
        if not self._tasks:
            self._progress.stop()
        seconds = time.monotonic() - self._began[title]
        failed = result is None
        line = Text.assemble(
            ("✗", "red") if failed else ("✓", "green"),
            f" {title:<24} {seconds:6.1f} s  ",
            "failed" if result is None else outcome(result),
            ("" if result is None else f"  {headline(result)}", "dim"),
        )
        self._console.print(line)

    def __enter__(self) -> RichReporter:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._progress.stop()


def make_reporter(*, silent: bool = False) -> Reporter:
    if silent:
        return SilentReporter()
    return RichReporter() if sys.stderr.isatty() else PlainReporter()


def outcome(result: StageResult) -> str:
    if result.status == RunStatus.CHECKED:
        return "checked"
    return "reused" if result.reused else "done"


def headline(result: StageResult) -> str:
    """The two or three numbers of a stage that people look for."""
    return "  ".join(
        f"{label} {result.metrics[key]:{form}}"
        for key, label, form in HEADLINE_METRICS
        if key in result.metrics
    )


def print_summary(summary: Summary) -> None:
    """The table at the end of a full pipeline, on stdout."""
    console = make_console(width=160)
    table = Table(title=f"{summary.scenario} {summary.version} · {summary.experiment_name}")
    for place, heading in enumerate(HEADINGS):
        text = place in (0, len(HEADINGS) - 1)
        table.add_column(
            heading, justify="left" if text else "right", overflow="fold", no_wrap=place == 0
        )
    for row in summary.rows:
        table.add_row(*cells(row))
    console.print(table)
    for note in notes(summary):
        console.print(note, style="dim")


def print_comparison(table: ComparisonTable) -> None:
    """The table at the end of a comparison, on stdout. Widths count a Hangul syllable as two."""
    console = make_console(width=180)
    title = f"{table.scenario} {table.version} · {table.experiment_name}"
    shown = Table(title=title)
    for place, heading in enumerate(comparison_table.HEADINGS):
        text = place in (0, len(comparison_table.HEADINGS) - 1)
        shown.add_column(
            heading, justify="left" if text else "right", overflow="fold", no_wrap=place == 0
        )
    for row in table.rows:
        # text, not markup: '[…]' is an interval here
        shown.add_row(*(Text(cell) for cell in comparison_table.cells(row)))
    console.print(shown)
    for note in comparison_table.notes(table):
        console.print(Text(note), style="dim")


def print_result(result: StageResult) -> None:
    """What a single stage made, on stdout."""
    console = make_console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("run", f"{result.run_name}  ({result.run_id}){' reused' * result.reused}")
    table.add_row("experiment", result.experiment_name)
    for model in result.models:
        aliases = ", ".join("@" + alias for alias in model.aliases)
        table.add_row("model", f"{model.display_name or model.name} v{model.version} {aliases}")
    if headline(result):
        table.add_row("metrics", headline(result))
    for stage in result.stages:
        table.add_row(f"  {stage.variant or stage.stage}", f"{stage.run_id}  {headline(stage)}")
    for note in result.notes:
        table.add_row("note", Text(note))
    console.print(table, highlight=False)
