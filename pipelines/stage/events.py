"""Events that a stage's process sends to the one that started it, one JSON object a line.

{"kind": "run", "run_id": …, "run_name": …}      the run exists now
{"kind": "progress", "done": 3, "total": 30, "note": "mAP50 0.63"}
                                                 with "metrics" after an epoch: {"det.mAP50": 0.63}
{"kind": "message", "text": …}                   worth a line on the terminal
{"kind": "notice", "text": …}                    stays there; once, though several stages say it
{"kind": "result", "result": {…}}                the last one, when all went well
{"kind": "error", "type": …, "message": …, "exit_code": 2, "failure_reason": …}   or not

The last one lies in the stage's directory too, written before it is sent: the line may break.
Whoever listens goes on reading whatever the one does who shows it. No secret is in them: what is
said ends in tables, tags and batch files.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.child_processes import join
from guardianflow.support.files import copy, whole_file
from guardianflow.support.secrets.redaction import redact_value
from guardianflow.support.terminal import write

OUTCOME_FILE = "outcome.json"
LAST_EVENTS_S = 5.0
"""After a process's end its events are read at once; a copy of the pipe may outlive it."""
SHOWING_S = 2.0
"""For a terminal that is stopped: nobody waits longer until the last events are shown."""

Ended = StageResult | Literal[RunStatus.FAILED, RunStatus.KILLED]
"""What became of a stage: its result, or that it failed or was interrupted."""


class Reporter(Protocol):
    """Shows how a stage goes; see pipelines.console."""

    def opened(self, title: str, run_id: str) -> None:
        """A run that holds several stages has begun."""
        ...

    def started(self, title: str, log: Path) -> None: ...

    def event(self, title: str, event: dict[str, Any]) -> None: ...

    def ended(self, title: str, result: Ended) -> None: ...


class EventSink:
    """Writes events to a file descriptor; a reader that went away is no reason to stop working."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._cut = False

    def emit(self, kind: str, **values: Any) -> None:
        if self._descriptor is None:
            return
        event = redact_value("", {"kind": kind, **values})
        line = json.dumps(event, ensure_ascii=False) + "\n"
        # Half a line that Ctrl-C left must not swallow the one that tells of it.
        data = ("\n" * self._cut + line).encode(errors="replace")
        self._cut = True
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            self._descriptor = None
        self._cut = False

    def progress(self, done: int, total: int, note: str = "") -> None:
        self.emit("progress", done=done, total=total, note=note)

    def epoch(self, done: int, total: int, note: str, metrics: Mapping[str, float]) -> None:
        """As progress, with what the epoch came to, for whoever decides by it."""
        self.emit("progress", done=done, total=total, note=note, metrics=dict(metrics))

    def message(self, text: str) -> None:
        self.emit("message", text=text)

    def notice(self, text: str) -> None:
        self.emit("notice", text=text)


def read_events(stream: IO[str]) -> Iterator[dict[str, Any]]:
    """Events as they come; a line cut off by the writer's death is left out."""
    for line in stream:
        with suppress(ValueError):
            event = json.loads(line) if line.endswith("\n") else None
            if isinstance(event, dict) and "kind" in event:
                yield event


def write_outcome(folder: Path, outcome: dict[str, Any]) -> None:
    """Leave a process's last event as a file, whole or not at all.

    Raises:
        OSError: it can't be written; the event still goes its way.
    """
    text = json.dumps(outcome, ensure_ascii=False).encode(errors="replace")
    with whole_file(folder / OUTCOME_FILE) as unfinished:
        for _ in copy(text, unfinished):
            pass


def read_outcome(folder: Path) -> dict[str, Any] | None:
    """The last event that a process left as a file; None where it left none."""
    try:
        outcome = json.loads((folder / OUTCOME_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return outcome if isinstance(outcome, dict) and "kind" in outcome else None


class Listener:
    """Reads a process's events in a thread and keeps the last words; another thread shows them."""

    def __init__(self, reporter: Reporter, title: str) -> None:
        self._reporter, self._title = Steady(reporter), title
        self._shown: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.run_id: str | None = None
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None

    def start(self, descriptor: int) -> None:
        self._threads = [
            threading.Thread(target=self._read, args=(descriptor,), daemon=True),
            threading.Thread(target=self._show, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def take(self, event: dict[str, Any]) -> None:
        """Note what an event says."""
        if event["kind"] == "run":
            self.run_id = event["run_id"]
        elif event["kind"] == "result":
            self.result = event["result"]
        elif event["kind"] == "error":
            self.error = event

    def _read(self, descriptor: int) -> None:
        try:
            with os.fdopen(descriptor, encoding="utf-8", errors="replace") as stream:
                for event in read_events(stream):
                    self.take(event)
                    self._shown.put(event)
        finally:
            self._shown.put(None)

    def _show(self) -> None:
        while (event := self._shown.get()) is not None:
            self._reporter.event(self._title, event)

    def finish(self) -> None:
        """Wait until what was sent is read, and, unless the terminal is stopped, shown."""
        for thread, patience_s in zip(self._threads, (LAST_EVENTS_S, SHOWING_S), strict=False):
            join(thread, patience_s)


class Steady:
    """A reporter that can't fail: one that raises is told of once, and not called again."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter: Reporter | None = reporter

    def opened(self, title: str, run_id: str) -> None:
        self._call(lambda reporter: reporter.opened(title, run_id))

    def started(self, title: str, log: Path) -> None:
        self._call(lambda reporter: reporter.started(title, log))

    def event(self, title: str, event: dict[str, Any]) -> None:
        self._call(lambda reporter: reporter.event(title, event))

    def ended(self, title: str, result: Ended) -> None:
        self._call(lambda reporter: reporter.ended(title, result))

    def _call(self, show: Callable[[Reporter], None]) -> None:
        reporter = self._reporter
        if reporter is None:
            return
        try:
            show(reporter)
        except Exception as exc:
            self._reporter = None
            with suppress(Exception):
                kind = type(exc).__name__
                write(f"progress is shown no more ({kind}: {exc}); the work goes on", error=True)
