"""What a worker is given, its directory, environment and order, and what it leaves."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from guardianflow.contracts.errors import StageFailedError
from guardianflow.support.child_processes import join
from guardianflow.support.secrets.files import make_private_folder, redact_in_place, write_private
from guardianflow.support.secrets.redaction import redact_value
from guardianflow.support.terminal import say

from ...settings import PROJECT_ROOT
from ..events import SHOWING_S
from ..fork_server import ForkedStage
from ..leftovers.folders import mark_owner
from ..stage import StageRequest

Worker = subprocess.Popen[bytes] | ForkedStage
# Read when Ultralytics is imported: no look-ups, no downloads, no installs by itself.
WORKER_DEFAULTS = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}


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
