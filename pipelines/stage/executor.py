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

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import (
    FailureReason,
    NativeCrashError,
    StageFailedError,
)
from guardianflow.contracts.results import StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.child_processes import end_group, wait_at_most
from guardianflow.support.secrets.files import PRIVATE_FILE
from guardianflow.support.stop_signals import StopSignals, held_back, let_through

from ..failures.killed import EndedProcess
from ..settings import BUILTIN_EXPERIMENT
from .events import Ended, Listener, Reporter, Steady, read_outcome
from .execution.abandoned import end_abandoned, store_of_work
from .execution.stop_request import StopRequest
from .execution.worker import (
    LogFollower,
    Worker,
    cannot_start,
    hand_over,
    keep_without_secrets,
    make_scratch,
    worker_environment,
)
from .fork_server import ForkServer, ForkServerError
from .stage import StageRequest

GRACE_S = 4.0
"""From Ctrl-C to the end of a worker that does not end by itself: deep in native code, say. What is
left of ten seconds is for ending its runs from here."""
ALONE_S = 0.5
"""After which we get ready for that: without a store at hand, mlflow must be imported first."""


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
        ended: Ended = RunStatus.FAILED
        watched = EndedProcess()
        try:
            code = self._run_worker(request, scratch, listener, share or {}, stop or StopRequest())
            ended = result = self._conclude(request, listener, code, log, watched)
        except BaseException as exc:
            if isinstance(exc, KeyboardInterrupt):
                ended = RunStatus.KILLED
            keep_without_secrets(scratch)
            raise
        finally:
            self._steady.ended(request.title, ended)
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
                ports = store_of_work(request.tracking_uri, request.work_dir)
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


def last_words(listener: Listener, scratch: Path) -> dict[str, Any] | None:
    """A worker's result or error; from its file where the event did not arrive."""
    if listener.result is None and listener.error is None and (left := read_outcome(scratch)):
        listener.take(left)
    return listener.result or listener.error
