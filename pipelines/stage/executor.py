"""Runs a stage in a process of its own, so that a native crash ends the stage and nothing else.

    StageRequest ──► python -m pipelines.worker ──► StageResult
                          │ output → stage.log
                          └ events → reporter; the last one lies beside the log too

Where a command runs several stages, those that run no code of a user's are forked from a process
that has imported the libraries already: see `fork_server`.

What can go wrong, and what is then left: the worker ends its run itself when Python raises or a
signal can be caught; when it is killed outright (SIGILL, SIGKILL, out of memory) the run is
marked FAILED from here, unless it has ended already. Interrupted, a worker has GRACE_S to end its
run; then it is killed, and its runs are marked KILLED from here.
"""

from __future__ import annotations

import codecs
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import (
    FailureReason,
    GuardianFlowError,
    NativeCrashError,
    StageFailedError,
)
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.child_processes import end_group, join, wait_at_most
from guardianflow.support.secrets.files import (
    PRIVATE_FILE,
    make_private_folder,
    redact_in_place,
    write_private,
)
from guardianflow.support.secrets.redaction import redact_value
from guardianflow.support.stop_signals import StopSignals, held_back, let_through
from guardianflow.support.terminal import say

from ..failures.killed import EndedProcess
from ..failures.partial import AFTER_FAILURE, AFTER_INTERRUPT, TRAINING_FOLDER, keep_partial
from ..settings import BUILTIN_EXPERIMENT, PROJECT_ROOT
from .events import SHOWING_S, Listener, Reporter, Steady, read_outcome
from .execution.stop_request import StopRequest
from .fork_server import ForkedStage, ForkServer, ForkServerError
from .leftovers.folders import mark_owner
from .leftovers.logs import OWED_FILE, give_late, give_log
from .stage import StageRequest
from .tracked_run import Extra, end_run

if TYPE_CHECKING:
    from ..wiring import Ports

Worker = subprocess.Popen[bytes] | ForkedStage
GRACE_S = 4.0
"""From Ctrl-C to the end of a worker that does not end by itself: deep in native code, say. What is
left of ten seconds is for ending its runs from here."""
ALONE_S = 0.5
"""After which we get ready for that: without a store at hand, mlflow must be imported first."""
# Read when Ultralytics is imported: no look-ups, no downloads, no installs by itself.
WORKER_DEFAULTS = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}


@dataclass(frozen=True)
class LocalExecutor:
    """Stages as processes of this machine.

    Args:
        reporter: told what happens, from a thread of its own while the stage works.
        verbose: show the worker's own output on stderr as well.
        fork_server: starts stages within `with executor.fork_server:`.
    """

    reporter: Reporter
    verbose: bool = False
    fork_server: ForkServer = field(
        default_factory=ForkServer, init=False, repr=False, compare=False
    )

    @cached_property
    def _steady(self) -> Steady:
        return Steady(self.reporter)

    def tell(self, text: str) -> None:
        """A line for people, beside what stages say."""
        self._steady.event("run", {"kind": "message", "text": text})

    def opened(self, title: str, run_id: str) -> None:
        """Tell that a run which holds several stages has begun."""
        self._steady.opened(title, run_id)

    def event(self, title: str, event: dict[str, Any]) -> None:
        """Tell what a stage says that was looked at here, without a process of its own."""
        self._steady.event(title, event)

    def run(
        self,
        request: StageRequest,
        share: Mapping[str, str] | None = None,
        stop: StopRequest | None = None,
    ) -> StageResult:
        """Carry out one stage.

        Args:
            share: variables that keep it to a part of the machine.
            stop: by which another thread may end it.

        Raises:
            StageFailedError: it failed; names run and log. exit_code 2 for the caller's mistakes.
            KeyboardInterrupt: Ctrl-C came, or `stop` was asked for; the worker was asked to stop
                and its run is KILLED.
        """
        scratch = make_scratch(request)
        log = scratch / "stage.log"
        self._steady.started(request.title, log)
        listener = Listener(self._steady, request.title)
        result: StageResult | None = None
        watched = EndedProcess()
        try:
            code = self._run_worker(request, scratch, listener, share or {}, stop or StopRequest())
            result = self._conclude(request, listener, code, log, watched)
        except BaseException:
            keep_without_secrets(scratch)
            raise
        finally:
            self._steady.ended(request.title, result)
        shutil.rmtree(scratch, ignore_errors=True)  # uploaded; a failed attempt is kept to look at
        return result

    def _run_worker(
        self,
        request: StageRequest,
        scratch: Path,
        listener: Listener,
        share: Mapping[str, str],
        stop: StopRequest,
    ) -> int:
        log, environment = scratch / "stage.log", {**worker_environment(), **share}
        forks, refused = self._fork_server_for(request, environment)
        with held_back() as signals:
            process = self._start(request, scratch, environment, listener, forks, refused)
            follower = LogFollower(log) if self.verbose else None
            try:
                with let_through():
                    hand_over(request.to_json(), process)
                    code = stop.wait_for(process)
            except BaseException:  # Ctrl-C, SIGTERM, SIGHUP: the worker may end its run itself
                self._stop(request, process, listener, log, (signals, stop))
                raise
            finally:
                end_group(process.pid)  # data-loader processes the worker may have left
                listener.finish()
                if follower:
                    follower.finish()
        return code

    def _fork_server_for(
        self, request: StageRequest, environment: dict[str, str]
    ) -> tuple[ForkServer | None, str]:
        """The server that this stage can be forked from, or why it can't, where it should."""
        runs_own_code = request.stage == "train" or request.code_path != BUILTIN_EXPERIMENT
        if not self.fork_server.open or runs_own_code:  # a user's: see fork_server
            return None, ""
        try:
            self.fork_server.get_ready(environment)
        except ForkServerError as exc:
            return None, str(exc)
        return self.fork_server, ""

    @staticmethod
    def _start(
        request: StageRequest,
        scratch: Path,
        environment: dict[str, str],
        listener: Listener,
        forks: ForkServer | None = None,
        refused: str = "",
    ) -> Worker:
        process: Worker | None = None
        reading, writing = os.pipe()
        log = scratch / "stage.log"
        try:
            log.touch(PRIVATE_FILE)
            with log.open("wb") as output:
                if forks is not None:
                    try:
                        process = forks.fork([str(scratch)], output.fileno(), writing)
                    except ForkServerError as exc:
                        refused = str(exc)
                if refused:
                    output.write(f"started without the fork server: {refused}\n".encode())
                    output.flush()
                starter = f"pid:{os.getpid()}"
                process = process or subprocess.Popen(
                    [sys.executable, "-m", "pipelines.worker", str(scratch), str(writing), starter],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    pass_fds=[writing],
                    start_new_session=True,
                )
        except OSError as exc:
            os.close(reading)
            raise cannot_start(request, exc) from exc
        finally:
            os.close(writing)
        listener.start(reading)
        return process

    def _stop(
        self,
        request: StageRequest,
        process: Worker,
        listener: Listener,
        log: Path,
        impatient: Sequence[StopSignals | StopRequest],
    ) -> None:
        """Ask the worker to end its run; kill it, and end its runs, where it can't in time."""
        killing = threading.Timer(GRACE_S, end_group, (process.pid,))
        killing.daemon = True  # it strikes in time, also while mlflow is imported below
        killing.start()
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGINT)
        asked, ports, may_leave_a_run = time.monotonic(), None, not request.check_only
        while wait_at_most(process, 0.05) is None:
            if any(each.hurry for each in impatient):
                end_group(process.pid)
            if ports is None and may_leave_a_run and time.monotonic() - asked > ALONE_S:
                ports = _connected(request.tracking_uri, request.work_dir)
                may_leave_a_run = ports is not None  # a store that refuses is asked once
        killing.cancel()
        listener.finish()
        if last_words(listener, log.parent) is None:  # it ended before it could end its run
            end_abandoned(
                request.tracking_uri,
                listener.run_id,
                "interrupted",
                log,
                RunStatus.KILLED,
                ports=ports,
                failure=FailureReason.INTERRUPTED,
                work_dir=request.work_dir,
            )

    def _conclude(
        self,
        request: StageRequest,
        listener: Listener,
        code: int,
        log: Path,
        watched: EndedProcess,
    ) -> StageResult:
        last_words(listener, log.parent)
        if listener.result is not None:
            if code != 0:  # the run had ended well before: a library broke while it was unloaded
                self.tell(f"{NativeCrashError(request.title, code)} Its work was done by then.")
            return StageResult.from_dict(listener.result)
        if listener.error is not None:
            reason, exit_code = listener.error["message"], listener.error["exit_code"]
            failure = FailureReason.named(listener.error.get("failure_reason"))
            if exit_code == 130:
                raise KeyboardInterrupt
        else:
            crash, exit_code = watched.error(request.title, code), 1
            reason, failure = str(crash), crash.failure_reason
            end_abandoned(
                request.tracking_uri,
                listener.run_id,
                reason,
                log,
                failure=failure,
                work_dir=request.work_dir,
            )
        raise StageFailedError(
            request.title,
            reason,
            run_id=listener.run_id,
            log=str(log),
            exit_code=exit_code,
            failure_reason=failure,
        )


def make_scratch(request: StageRequest) -> Path:
    """This attempt's own directory, with its request.

    Raises:
        StageFailedError: it can't be written; nothing was started.
    """
    attempt = f"{time.strftime('%Y%m%d-%H%M%S')}-{request.stage}-{uuid.uuid4().hex[:6]}"
    scratch = Path(request.work_dir) / "stages" / attempt
    shown = json.dumps(redact_value("", asdict(request)), ensure_ascii=False, indent=2)
    try:
        make_private_folder(scratch)
        mark_owner(scratch)
        write_private(scratch / "request.json", shown)  # to look at; the worker's comes by a pipe
    except OSError as exc:
        raise cannot_start(request, exc) from exc
    return scratch


def cannot_start(request: StageRequest, exc: OSError) -> StageFailedError:
    """Say what must be done where the work directory is full or closed to us."""
    return StageFailedError(
        request.title,
        f"the work directory {request.work_dir} must be writable but got: {exc}. Make room in it, "
        "or name another one in GUARDIANFLOW_WORK_DIR",
    )


def last_words(listener: Listener, scratch: Path) -> dict[str, Any] | None:
    """A worker's result or error; from its file where the event did not arrive."""
    if listener.result is None and listener.error is None and (left := read_outcome(scratch)):
        listener.take(left)
    return listener.result or listener.error


class LogFollower:
    """Copies a growing log to stderr, for --verbose."""

    def __init__(self, log: Path) -> None:
        self._log, self._done = log, threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with suppress(OSError, ValueError), self._log.open("rb") as stream:  # nobody reads any more
            while True:
                ended = self._done.is_set()
                if text := decoder.decode(stream.read(), final=ended):
                    sys.stderr.write(text)
                    sys.stderr.flush()
                if ended:
                    return
                self._done.wait(0.2)

    def finish(self) -> None:
        self._done.set()
        join(self._thread, SHOWING_S)


def worker_environment() -> dict[str, str]:
    """Ours, with the project importable where it is run from a checkout without installation."""
    environment = {**WORKER_DEFAULTS, **os.environ, "PYTHONUNBUFFERED": "1", "MPLBACKEND": "Agg"}
    if (PROJECT_ROOT / "MLproject").is_file():
        paths = [str(PROJECT_ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
    return environment


def hand_over(order: str, process: Worker) -> None:
    """Give a process its order by its stdin: what is secret in it lies in no file."""
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stream:  # it died: its exit code says why
        stream.write(order.encode())


def keep_without_secrets(scratch: Path) -> None:
    """A failed attempt is kept to look at; what its code and its libraries wrote is cleaned."""
    try:
        # What a training wrote lies elsewhere, to be gone on with; the attempt leads to it.
        for folder in (scratch, (scratch / "training").resolve()):
            redact_in_place(folder, lambda text: say(f"warning: {text}"))
    except OSError as exc:  # a full disk, say: the stage's own error is what is told
        say(f"warning: {scratch} may hold secrets: {exc}")


def end_abandoned(
    tracking_uri: str,
    run_id: str | None,
    reason: str,
    log: Path,
    status: RunStatus = RunStatus.FAILED,
    *,
    ports: Ports | None = None,
    failure: FailureReason | None = None,
    work_dir: str = "",
) -> None:
    """End a run, and those below it, whose process can't any more; one that has ended is left.

    What a training has left beside the log is kept in its run.
    """
    if run_id is None or (ports := ports or _connected(tracking_uri, work_dir)) is None:
        return
    store = ports.store

    def keep_training() -> None:
        keep_partial(store, run_id, log.parent / TRAINING_FOLDER, limits)

    limits = AFTER_INTERRUPT if status == RunStatus.KILLED else AFTER_FAILURE
    try:
        if store.get_run(run_id).status != RunStatus.RUNNING:
            if log.with_name(OWED_FILE).is_file():  # killed right after its run's end
                give_late(store, log, run_id, say)
            return
    except GuardianFlowError as exc:
        say(f"the run {run_id} could not be marked {status}: {exc}")
        return
    end_run(
        store,
        run_id,
        status,
        reason,
        say,
        [
            Extra("end the runs below", lambda: store.fail_running(run_id, status)),
            Extra("upload the log", lambda: give_log(store, log, run_id)),
            Extra("keep what the training left", keep_training),
        ],
        failure,
    )


def _connected(tracking_uri: str, work_dir: str) -> Ports | None:
    from ..wiring import connect_to_work

    try:
        return connect_to_work(tracking_uri, Path(work_dir) if work_dir else None)
    except GuardianFlowError as exc:
        say(f"runs that are left can't be ended: {exc}")
        return None
