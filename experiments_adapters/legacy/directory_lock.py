"""One script at a time in a directory: two would take each other's files for their own.

The lock is a file in the user's cache, named by the directory's real path: nothing is written
into the directory. The system gives it free when its holder ends, however it ends; a script that
outlived its wrapper is found by its process number and start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from guardianflow.contracts.errors import ConcurrentChangeError, ConfigurationError
from guardianflow.support.locks import take_lock

from .process import is_alive


class DirectoryLock:
    """A held lock; `note` writes down who holds it, for those who come meanwhile.

    Args:
        abandoned_run: run of a wrapper that was killed with the lock in its hands; '' for none.
    """

    def __init__(self, file: Path, directory: Path, abandoned_run: str = "") -> None:
        self._file = file
        self.abandoned_run = abandoned_run
        self._facts: dict[str, Any] = {
            "directory": str(directory),
            "pid": os.getpid(),
            "since": time.time(),
        }
        self.note()

    def note(self, **facts: object) -> None:
        """Add facts: run='…', script_pid=…."""
        self._facts |= facts
        if pid := facts.get("script_pid"):
            with contextlib.suppress(psutil.Error):
                self._facts["script_started"] = psutil.Process(int(str(pid))).create_time()
        self._file.write_text(json.dumps(self._facts), encoding="utf-8")


@contextmanager
def locked(directory: Path, locks: Path) -> Iterator[DirectoryLock]:
    """Hold the directory's lock during the block.

    Args:
        locks: where lock files are kept; made where it is missing.

    Raises:
        ConcurrentChangeError: another run is at work there: its process, its start, its run.
        ConfigurationError: the lock can't be written.
    """
    real = directory.resolve()
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:24]
    file = locks / f"{name}.json"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        lock = take_lock(file)
    except TimeoutError as exc:
        raise ConcurrentChangeError(_refusal(real, _facts(file), "pid")) from exc
    except OSError as exc:
        raise ConfigurationError(
            f"{locks} must be a directory to write locks into: {exc.strerror}. Name another one "
            "in GUARDIANFLOW_WORK_DIR"
        ) from exc
    with lock:
        left = _facts(file)
        if _outlived(left):
            raise ConcurrentChangeError(_refusal(real, left, "script_pid"))
        try:
            yield DirectoryLock(file, real, str(left.get("run", "")))
        finally:
            file.write_text("", encoding="utf-8")


def _facts(file: Path) -> dict[str, Any]:
    """The holder of the lock, or one that died with it; {} where nothing readable stands there."""
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _outlived(facts: dict[str, Any]) -> bool:
    """Whether the script of a wrapper that died still runs."""
    pid, started = facts.get("script_pid"), facts.get("script_started")
    if not isinstance(pid, int) or not isinstance(started, float):
        return False
    try:
        process = psutil.Process(pid)
        # The system's idea of when it was started moves a little when its clock is set.
        return abs(process.create_time() - started) < 2.0 and is_alive(process)
    except psutil.Error:
        return False


def _refusal(directory: Path, facts: dict[str, Any], who: str) -> str:
    since = facts.get("since")
    when = f" since {datetime.fromtimestamp(since):%Y-%m-%d %H:%M:%S}" if since else ""
    run = f", run {facts['run']}" if facts.get("run") else ""
    pid = facts.get(who, "unknown")
    place = f"in {directory}: process {pid}{when}{run}."
    if who == "script_pid":
        cure = f"Its wrapper was ended without it. Wait for it, or end it: kill {pid}"
        return f"a script still runs {place} {cure}"
    cure = "Files of two runs can't be told apart: wait for it, or end it"
    return f"another run is at work {place} {cure}"
