"""Shows people a run: its progress on stderr, its results on stdout.

A stage is a bar where somebody watches, and plain lines elsewhere.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.release.explanation import as_dict
from guardianflow.support.terminal import make_console, print_json, say, write

from .data_notices import warning_texts
from .release.text import decision_lines
from .stage.events import Ended, Reporter
from .tables import VariantTable

if TYPE_CHECKING:
    from .reuse.explain import StageExplanation

PLAIN_LINE_EVERY_S = 10.0
PROGRESS_LINE_EVERY_S = 5.0
HEADLINE_METRICS = (
    ("det.mAP50", "mAP50", ".3f"),
    ("det.mAP50_95", "mAP50-95", ".3f"),
    ("det.quantized.mAP50", "mAP50", ".3f"),
    ("det.quantized.mAP50_95", "mAP50-95", ".3f"),
    ("comparison.accuracy_drop_mAP50_95", "drop mAP50-95", "+.3f"),
    ("comparison.speedup_ratio", "speed-up", ".2f"),
    ("alarm.missed", "missed alarms", ".3f"),
    ("alarm.false_per_camera_day", "false alarms a day", ".1f"),
    ("alarm.quantized.missed", "missed alarms", ".3f"),
    ("alarm.quantized.false_per_camera_day", "false alarms a day", ".1f"),
    ("bench.bs1.latency_p50_ms", "latency p50 ms", ".2f"),
)


@dataclass
class StderrProgress:
    """Call it with what is done and what there is in all; a context, which takes the bar away.

    Args:
        doing: before the bar: 'reading'.
        columns: behind the bar.
        line: (done, in all) → what a log is told.
    """

    _doing: str
    _columns: tuple[ProgressColumn, ...]
    _line: Callable[[int, int], str]
    _bar: Progress | None = None
    _task: Any = None
    _told: float = field(default_factory=time.monotonic)

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self._draw(done, total)
        elif time.monotonic() - self._told >= PROGRESS_LINE_EVERY_S:
            self._told = time.monotonic()
            say(self._line(done, total))

    def _draw(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn(self._doing),
                BarColumn(bar_width=24),
                *self._columns,
                console=make_console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(self._doing, total=total)
            self._bar.start()
        self._bar.update(self._task, completed=done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar is not None:
            self._bar.stop()


WITHOUT_RESULT = {RunStatus.FAILED: "FAILED", RunStatus.KILLED: "INTERRUPTED"}


class SilentReporter:
    """Says nothing: for --json pipelines of other programs and for the Python interface."""

    def opened(self, title: str, run_id: str) -> None: ...

    def started(self, title: str, log: Path) -> None: ...

    def event(self, title: str, event: dict[str, Any]) -> None: ...

    def ended(self, title: str, result: Ended) -> None: ...


class PlainReporter:
    """One line for what matters, at most one every ten seconds for progress: logs, CI."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._noticed: set[str] = set()

    def opened(self, title: str, run_id: str) -> None:
        say(f"[{title}] run {run_id}")

    def started(self, title: str, log: Path) -> None:
        self._began[title] = self._told[title] = time.monotonic()
        say(f"[{title}] started, log {log}")

    def event(self, title: str, event: dict[str, Any]) -> None:
        if event["kind"] == "message":
            say(f"[{title}] {event['text']}")
        elif event["kind"] == "notice" and event["text"] not in self._noticed:
            self._noticed.add(event["text"])
            say(f"[{title}] {event['text']}")
        elif event["kind"] == "run":
            say(f"[{title}] run {event['run_id']}")
        elif event["kind"] == "progress":
            now = time.monotonic()
            if now - self._told[title] >= PLAIN_LINE_EVERY_S or event["done"] == event["total"]:
                self._told[title] = now
                say(f"[{title}] {event['done']}/{event['total']} {event['note']}".rstrip())

    def ended(self, title: str, result: Ended) -> None:
        seconds = time.monotonic() - self._began[title]
        if isinstance(result, RunStatus):
            say(f"[{title}] {WITHOUT_RESULT[result]} after {seconds:.0f} s")
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
        self._noticed: set[str] = set()

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
        elif event["kind"] == "notice":
            if event["text"] not in self._noticed:
                self._noticed.add(event["text"])
                self._console.print(Text(event["text"]))
        elif task is None:  # not of a stage, or of one whose last words come late
            if event["kind"] == "message":
                self._console.print(Text(event["text"]))
        elif event["kind"] == "progress":
            self._progress.update(
                task, completed=event["done"], total=event["total"], note=event["note"]
            )
        elif event["kind"] == "message":
            self._progress.update(task, note=event["text"])

    def ended(self, title: str, result: Ended) -> None:
        self._progress.remove_task(self._tasks.pop(title))
        if not self._tasks:
            self._progress.stop()
        seconds = time.monotonic() - self._began[title]
        failed = isinstance(result, RunStatus)
        line = Text.assemble(
            ("✗", "red") if failed else ("✓", "green"),
            f" {title:<24} {seconds:6.1f} s  ",
            WITHOUT_RESULT[result].lower() if isinstance(result, RunStatus) else outcome(result),
            ("" if isinstance(result, RunStatus) else f"  {headline(result)}", "dim"),
        )
        self._console.print(line)


def make_reporter() -> Reporter:
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


def print_table(table: VariantTable) -> None:
    """The table at the end of a pipeline or a comparison, on stdout.

    Widths count a Hangul syllable as two.
    """
    console = make_console(width=table.WIDTH)
    shown = Table(title=f"{table.scenario} {table.version} · {table.experiment_name}")
    for place, heading in enumerate(table.columns):
        text = place in (0, len(table.columns) - 1)
        shown.add_column(
            heading, justify="left" if text else "right", overflow="fold", no_wrap=place == 0
        )
    for row in table.rows:
        # text, not markup: '[…]' is an interval here
        shown.add_row(*(Text(cell) for cell in table.cells(row)))
    console.print(shown)
    for note in (*table.notes(), *table.data_notes()):
        console.print(Text(note), style="dim")


def print_result(result: StageResult) -> None:
    """Print what a single stage made, on stdout."""
    console = make_console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("run", f"{result.run_name}  ({result.run_id}){' reused' * result.reused}")
    table.add_row("experiment", result.experiment_name)
    for name, text in result.own_rows().items():
        table.add_row(name, Text(text))
    for model in result.models:
        aliases = ", ".join("@" + alias for alias in model.aliases)
        table.add_row("model", f"{model.display_name or model.name} v{model.version} {aliases}")
    if headline(result):
        table.add_row("metrics", headline(result))
    for stage in result.stages:
        table.add_row(f"  {stage.variant or stage.stage}", f"{stage.run_id}  {headline(stage)}")
    for note in result.notes:
        table.add_row("note", Text(note))
    for text in warning_texts(result.data_warnings):
        table.add_row("data", Text(text))
    console.print(table, highlight=False)


def print_run_table(table: VariantTable) -> None:
    """Print the table of a comparison or a pipeline, and where its run is."""
    print_table(table)
    write(f"\nrun {table.run_id} in experiment {table.experiment_name}")


def print_everything(result: StageResult, table: VariantTable | None, where: str) -> None:
    """Print what came of a command, on stdout.

    Args:
        table: of a comparison or a full pipeline.
        where: how to look at the store.
    """
    if table is not None:
        print_run_table(table)
    else:
        print_result(result)
    if result.decision:
        write("\n" + "\n".join(decision_lines(result.decision)))
    write(where)


def print_explained(told: Sequence[StageExplanation], *, as_json: bool) -> None:
    """What would become of each stage, and what differs from its last finished run."""
    from .reuse.explain import difference_in_words, in_words

    if not as_json:
        for each in told:
            for line in in_words(each):
                write(line)
        return
    stages = []
    for each in told:
        values = each.to_dict()
        for shown, difference in zip(values["differences"], each.differences, strict=True):
            shown["text"] = difference_in_words(difference)
        stages.append(values)
    print_json({"stages": stages})


def print_plan(plan: dict[str, Any]) -> None:
    write(plan["scenario"])
    write("# planned stages")
    for stage in plan["stages"]:
        source = f"  from {stage['source']}" if stage["source"] else ""
        code = f"  by {stage['code']}" if stage["code"] else ""
        where = f"{stage['experiment_name']} · {stage['run_name']}"
        write(f"#   {stage['stage']:<24} {where}{source}{code}")
    if plan["missing"]:
        write("# missing on this machine, so that it would fail")
    for line in plan["missing"]:
        write(f"#   {line}")


def result_as_dict(result: StageResult) -> dict[str, Any]:
    """The object that --json ends stdout with."""
    return {
        "run_id": result.run_id,
        "status": result.status,
        **({"reason": result.reason} if result.reason else {}),
        **({"notes": list(result.notes)} if result.notes else {}),
        **(
            {"data_warnings": [each.to_dict() for each in result.data_warnings]}
            if result.data_warnings
            else {}
        ),
        **({"release": as_dict(result.decision)} if result.decision else {}),
        "stage": result.stage,
        "variant": result.variant,
        **({"author": result.author} if result.author else {}),
        "reused": result.reused,
        "experiment_name": result.experiment_name,
        "run_name": result.run_name,
        "metrics": dict(result.metrics),
        "models": [{**vars(model), "uri": model.uri} for model in result.models],
        "stages": [result_as_dict(stage) for stage in result.stages],
        **result.own_values(),
    }
