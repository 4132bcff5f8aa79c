"""Runs the scripts of many directories, each wrapped in a process of its own.

N at a time; one that fails ends no other; Ctrl-C ends them all, cleanly. The batch's
experiments were found before, by pipelines/wrap_batch/batch.py.

    batch ──► python -m pipelines.wrap_batch.child ──► its run in MLflow
                  │ what its wrapper says → NAME.log
                  └ events → the table

A wrapper that is killed outright can't end its run or its script any more: that is done from here.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments_adapters.legacy.process import end_marked
from guardianflow.contracts.errors import NativeCrashError
from guardianflow.support.child_processes import wait_for
from guardianflow.support.secrets.files import PRIVATE_FILE
from guardianflow.support.stop_signals import NotedSignals
from guardianflow.support.terminal import say

from ..console import SilentReporter
from ..failures.killed import cure_for
from ..settings import PROJECT_ROOT
from ..stage.events import Listener
from ..stage.execution.abandoned import end_abandoned
from ..stage.execution.worker import hand_over
from ..wrap.plan import WrapPlan
from .batch import FAILED, FINISHED, KILLED, RUNNING, WAITING, Batch, Entry, request_of

LOOK_EVERY_S = 0.1
PATIENCE_S = 60.0
"""For a wrapper that was told twice to stop; then it is killed."""
MARK = "GUARDIANFLOW_BATCH"
"""Variable of all that a batch starts: how a script is found whose wrapper was killed."""


@dataclass
class _Child:
    """One wrapper at work."""

    entry: Entry
    process: subprocess.Popen[bytes]
    listener: Listener
    directory: Path
    mark: str
    log: Path
    began: float


class _Progress(SilentReporter):
    """Takes a child's events into its entry; in a thread of the child's own."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def event(self, title: str, event: dict[str, Any]) -> None:  # noqa: ARG002 - of Reporter
        if event["kind"] == "run":
            self._entry.run_id = event["run_id"]
        elif event["kind"] == "metrics":
            # Newly made, not changed: the table may be reading it in another thread.
            self._entry.metrics = {**self._entry.metrics, **event["metrics"]}


def run_batch(
    batch: Batch,
    plans: Mapping[str, WrapPlan],
    *,
    jobs: int,
    environment: Mapping[str, str],
    show: Callable[[Batch], None],
) -> bool:
    """Run what is WAITING; the batch's entries and its file say how it went.

    Interrupted, all wrappers are told to stop, each ends its script and its run, and what has not
    been started stays WAITING.

    Args:
        plans: of everything that is WAITING.
        jobs: how many at the same time.
        environment: the user's variables, as they were before any settings were read.
        show: called now and then; see pipelines.wrap_batch.text.

    Returns:
        Whether it came to its end; False when it was interrupted.
    """
    work = _Work(batch, plans, environment)
    batch.save()
    try:
        with NotedSignals() as signals:
            while True:
                for _ in signals.take():
                    work.interrupt()
                if not signals.first:
                    work.start_waiting(jobs)
                work.look(give_up=work.gave_up)
                show(batch)
                if not work.children:
                    break
                time.sleep(LOOK_EVERY_S)
            return not signals.first
    finally:
        work.abandon()
        work.save()


class _Work:
    """The children of a batch."""

    def __init__(
        self, batch: Batch, plans: Mapping[str, WrapPlan], environment: Mapping[str, str]
    ) -> None:
        self._batch, self._plans, self._environment = batch, plans, environment
        self.children: list[_Child] = []
        self._asked_at: list[float] = []
        self._unsaved = False

    @property
    def gave_up(self) -> bool:
        """Tell whether they were asked twice to stop, and have had their time since."""
        return len(self._asked_at) > 1 and time.monotonic() - self._asked_at[1] > PATIENCE_S

    def save(self) -> None:
        """Write down how far it is; a disk that is full meanwhile ends no script."""
        try:
            self._batch.save()
        except OSError as exc:
            if not self._unsaved:
                say(f"how far the batch is can't be written down, it goes on: {exc}")
            self._unsaved = True

    def start_waiting(self, jobs: int) -> None:
        """Fill the free places. Directories that hold one another are never at work together."""
        for entry in self._batch.in_state(WAITING):
            if len(self.children) >= jobs:
                return
            directory = self._plans[entry.name].experiment.directory.resolve()
            if not any(_overlap(directory, each.directory) for each in self.children):
                self.children.append(self._start(entry, directory))
                self.save()

    def _start(self, entry: Entry, directory: Path) -> _Child:
        log = self._batch.log_of(entry.name)
        log.touch(PRIVATE_FILE)
        order = asdict(request_of(self._batch, entry.name))
        order["tracking_uri"] = self._batch.order.tracking_uri
        mark = f"{self._batch.batch_id}/{entry.name}"
        reading, writing = os.pipe()
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*_PYTHON, str(writing)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self._environment, MARK: mark, "PYTHONUNBUFFERED": "1"},
                pass_fds=[writing],
                start_new_session=True,  # the terminal's Ctrl-C reaches it through us, once
            )
        os.close(writing)
        hand_over(json.dumps(order, ensure_ascii=False, default=str), process)
        entry.state, entry.log, entry.run_id, entry.metrics = RUNNING, str(log), "", {}
        listener = Listener(_Progress(entry), entry.name)
        listener.start(reading)
        return _Child(entry, process, listener, directory, mark, log, time.monotonic())

    def look(self, *, give_up: bool) -> None:
        """Take down who ended."""
        for child in list(self.children):
            child.entry.seconds = time.monotonic() - child.began
            if give_up and child.process.poll() is None:
                child.process.kill()
                wait_for(child.process)
            if child.process.poll() is not None:
                self.children.remove(child)
                self._conclude(child)
                self.save()

    def interrupt(self) -> None:
        self._asked_at.append(time.monotonic())
        for child in self.children:
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGINT)

    def abandon(self) -> None:
        """Something of ours broke: leave no wrapper behind."""
        self.interrupt()
        deadline = time.monotonic() + PATIENCE_S
        while self.children:
            self.look(give_up=time.monotonic() > deadline)
            time.sleep(LOOK_EVERY_S)

    def _conclude(self, child: _Child) -> None:
        entry, code = child.entry, child.process.returncode
        if code < 0:  # nobody is left to end what it had started
            end_marked(MARK, child.mark, grace_s=5.0)
        child.listener.finish()
        result, error = child.listener.result, child.listener.error
        if code == 0 and result is not None:
            entry.state, entry.reason = FINISHED, ""
            entry.metrics = result["metrics"]
            entry.model = next(
                (f"{m['display_name']} version {m['version']}" for m in result["models"]), ""
            )
            return
        if error is not None:
            entry.reason = error["message"]
        elif code in (130, -signal.SIGINT):
            entry.reason = "interrupted"
        else:
            entry.reason = str(NativeCrashError("its wrapper", code, cure_for(code)))
        entry.state = KILLED if code in (130, -signal.SIGINT) else FAILED
        if code < 0 or error is None:
            uri = self._batch.order.tracking_uri
            end_abandoned(uri, entry.run_id or None, entry.reason, child.log, entry.state)


# A checkout is put on the path in the child alone, in place of the working directory: by PYTHONPATH
# its packages would stand before modules that a script imports.
_CHECKOUT = [str(PROJECT_ROOT)] if (PROJECT_ROOT / "MLproject").is_file() else []
_PYTHON = (
    sys.executable,
    "-c",
    f"import sys; sys.path[:1] = {_CHECKOUT!r}; "
    "from pipelines.wrap_batch.child import main; sys.exit(main(sys.argv[1:]))",
)


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
