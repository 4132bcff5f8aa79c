"""Runs a stage in a process of its own, so that a native crash ends the stage and nothing else.

    StageRequest ──► python -m pipelines.worker ──► StageResult
                          │ output → stage.log
                          └ events → reporter

What can go wrong, and what is then left: the worker ends its run itself when Python raises or a
signal can be caught; when it is killed outright (SIGILL, SIGKILL, out of memory) the run is
marked FAILED from here.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from guardianflow.contracts.errors import (
    GuardianFlowError,
    NativeCrashError,
    StageFailedError,
    signal_name,
)
from guardianflow.contracts.results import StageResult
from guardianflow.support.redacted_files import (
    PRIVATE_FILE,
    make_private_folder,
    redact_in_place,
    write_private,
)
from guardianflow.support.redaction import redact_value

from .events import read_events
from .settings import PROJECT_ROOT
from .stages import StageRequest

GRACE_S = 20.0
# Read when Ultralytics is imported: no look-ups, no downloads, no installs by itself.
WORKER_DEFAULTS = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}


class Reporter(Protocol):
    """Shows how a stage goes; see pipelines.console."""

    def started(self, title: str, log: Path) -> None: ...

    def event(self, title: str, event: dict[str, Any]) -> None: ...

    def ended(self, title: str, result: StageResult | None) -> None: ...


@dataclass(frozen=True)
class LocalExecutor:
    """Stages as processes of this machine.

    Args:
        reporter: told what happens, from a thread of its own while the stage works.
        environment: added to the worker's environment, e.g. an ISA cap.
        verbose: show the worker's own output on stderr as well.
    """

    reporter: Reporter
    verbose: bool = False

    def run(self, request: StageRequest, environment: dict[str, str] | None = None) -> StageResult:
        """Carry out one stage.

        Raises:
            StageFailedError: it failed; names run and log. exit_code 2 for the caller's mistakes.
            KeyboardInterrupt: Ctrl-C came; the worker was asked to stop and its run is KILLED.
        """
        attempt = f"{time.strftime('%Y%m%d-%H%M%S')}-{request.stage}-{uuid.uuid4().hex[:6]}"
        scratch = Path(request.work_dir) / "stages" / attempt
        make_private_folder(scratch)
        log = scratch / "stage.log"
        shown = json.dumps(redact_value("", asdict(request)), ensure_ascii=False, indent=2)
        write_private(scratch / "request.json", shown)  # to look at; the worker's comes by a pipe
        self.reporter.started(request.title, log)
        listener = Listener(self.reporter, request.title)
        result: StageResult | None = None
        try:
            code = self._run_worker(request, scratch, environment or {}, listener)
            result = self._conclude(request, listener, code, log)
        except BaseException:
            keep_without_secrets(scratch)
            raise
        finally:
            self.reporter.ended(request.title, result)
        shutil.rmtree(scratch, ignore_errors=True)  # uploaded; a failed attempt is kept to look at
        return result

    def _run_worker(
        self,
        request: StageRequest,
        scratch: Path,
        environment: dict[str, str],
        listener: Listener,
    ) -> int:
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "pipelines.worker", str(scratch)]
        log = scratch / "stage.log"
        log.touch(PRIVATE_FILE)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, str(writing)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=worker_environment(environment),
                pass_fds=[writing],
                start_new_session=True,
            )
        os.close(writing)
        listener.start(reading)
        follower = LogFollower(log) if self.verbose else None
        try:
            hand_over(request.to_json(), process)
            code = process.wait()
        except BaseException:  # Ctrl-C, SIGTERM: the worker gets the time to end its run
            self._stop(process)
            end_if_killed(request, listener, process, log)
            raise
        finally:
            end_group(process.pid)  # data-loader processes the worker may have left
            listener.join()
            if follower:
                follower.finish()
        return code

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGINT)
        try:
            process.wait(GRACE_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            end_group(process.pid)
            process.wait()

    def _conclude(
        self, request: StageRequest, listener: Listener, code: int, log: Path
    ) -> StageResult:
        if listener.result is not None and code == 0:
            return StageResult.from_dict(listener.result)
        if listener.error is not None:
            reason, exit_code = listener.error["message"], listener.error["exit_code"]
            if exit_code == 130:
                raise KeyboardInterrupt
        else:
            reason, exit_code = str(NativeCrashError(request.title, code, cure_for(code))), 1
            end_abandoned(request.tracking_uri, listener.run_id, reason, log)
        raise StageFailedError(
            request.title,
            reason,
            run_id=listener.run_id,
            log=str(log),
            exit_code=exit_code,
        )


class Listener:
    """Reads a worker's events in a thread and keeps the last words."""

    def __init__(self, reporter: Reporter, title: str) -> None:
        self._reporter, self._title = reporter, title
        self._thread: threading.Thread | None = None
        self.run_id: str | None = None
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None

    def start(self, descriptor: int) -> None:
        self._thread = threading.Thread(target=self._read, args=(descriptor,), daemon=True)
        self._thread.start()

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, encoding="utf-8") as stream:
            for event in read_events(stream):
                if event["kind"] == "run":
                    self.run_id = event["run_id"]
                elif event["kind"] == "result":
                    self.result = event["result"]
                elif event["kind"] == "error":
                    self.error = event
                self._reporter.event(self._title, event)

    def join(self) -> None:
        if self._thread:
            self._thread.join()


class LogFollower:
    """Copies a growing log to stderr, for --verbose."""

    def __init__(self, log: Path) -> None:
        self._log, self._done = log, threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with self._log.open("rb") as stream:
            while True:
                ended = self._done.is_set()
                if block := stream.read():
                    sys.stderr.buffer.write(block)
                    sys.stderr.flush()
                if ended:
                    return
                self._done.wait(0.2)

    def finish(self) -> None:
        self._done.set()
        self._thread.join()


def worker_environment(added: dict[str, str]) -> dict[str, str]:
    """Ours, with the project importable where it is run from a checkout without installation."""
    environment = {**WORKER_DEFAULTS, **os.environ, "PYTHONUNBUFFERED": "1", "MPLBACKEND": "Agg"}
    environment |= added
    if (PROJECT_ROOT / "MLproject").is_file():
        paths = [str(PROJECT_ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
    return environment


def end_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def hand_over(order: str, process: subprocess.Popen[bytes]) -> None:
    """Give a process its order by its stdin: what is secret in it lies in no file."""
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stream:  # it died: its exit code says why
        stream.write(order.encode())


def keep_without_secrets(scratch: Path) -> None:
    """A failed attempt is kept to look at; what its code and its libraries wrote is cleaned."""
    try:
        redact_in_place(scratch, lambda text: print(f"warning: {text}", file=sys.stderr))  # noqa: T201
    except OSError as exc:  # a full disk, say: the stage's own error is what is told
        print(f"warning: {scratch} may hold secrets: {exc}", file=sys.stderr)  # noqa: T201


def end_if_killed(
    request: StageRequest, listener: Listener, process: subprocess.Popen[bytes], log: Path
) -> None:
    """After an interruption: a worker that could not end its run any more gets it ended."""
    if process.returncode is not None and process.returncode < 0:
        end_abandoned(request.tracking_uri, listener.run_id, "interrupted", log, "KILLED")


def end_abandoned(
    tracking_uri: str, run_id: str | None, reason: str, log: Path, status: str = "FAILED"
) -> None:
    """End a run whose process can't any more."""
    if run_id is None:
        return
    from .wiring import connect

    try:
        store = connect(tracking_uri).store
        store.log_files(run_id, log, "logs")
        store.annotate(run_id, tags={"guardianflow.error": reason[:4000]})
        store.end_run(run_id, status)
    except GuardianFlowError as exc:
        print(f"the run {run_id} could not be marked {status}: {exc}", file=sys.stderr)  # noqa: T201


def cure_for(returncode: int) -> str:
    """What a reader can do about a process that was ended from outside."""
    name = signal_name(returncode)
    if name == "SIGILL":
        return (
            "This processor advertises an instruction it can't run: set ONEDNN_MAX_CPU_ISA to "
            "AVX512_CORE_VNNI or AVX2 and run the command again."
        )
    if name == "SIGKILL":
        return (
            "Most often the kernel ended it for lack of memory: see `dmesg`, lower the batch "
            "size or the number of data-loader workers."
        )
    if name in ("SIGSEGV", "SIGABRT"):
        return "A native library crashed; its last words are at the end of the log."
    return "Its last words are at the end of the log."
