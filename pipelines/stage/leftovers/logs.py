"""Logs that runs have yet to get from their attempts.

A run gets its status first and its log after that, and a process may be killed between the two. So
an attempt's directory says whose its log is, until the run has it. Where that run stands in for new
work, the log is brought: by the same command, which alone knows what secrets may be in it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.contracts.ports import RunTracker
from guardianflow.support.secrets.files import write_private

from .folders import owner_is_dead

OWED_FILE = "log-of.json"


def owe_log(log: Path, run_id: str, attempt: int) -> None:
    """Note beside a log whose it is. Raises OSError.

    Args:
        attempt: 1 for a new run; a later one's log gets a name of its own.
    """
    note = {"run_id": run_id, "attempt": attempt}
    write_private(log.with_name(OWED_FILE), json.dumps(note))


def give_log(store: RunTracker, log: Path, run_id: str, attempt: int | None = None) -> None:
    """Upload an attempt's log to its run; it owes none afterwards.

    Args:
        attempt: None takes what is noted beside the log, else 1.

    Raises:
        TrackingError, OSError: it could not be uploaded.
    """
    if not log.is_file():
        return
    owed = log.with_name(OWED_FILE)
    named, attempt = log, attempt or _owed(owed)[1]
    if attempt > 1:  # the run may have one of an earlier attempt
        named = log.with_name(f"{log.stem}-{attempt}{log.suffix}")
        shutil.copyfile(log, named)
    store.log_files(run_id, named, "logs")
    owed.unlink(missing_ok=True)


def bring_logs(
    store: RunTracker, work_dir: Path, run_id: str, tell: Callable[[str], object]
) -> None:
    """Upload what dead attempts owe a run; whatever fails is told, and stops nothing."""
    for owed in sorted((work_dir / "stages").glob(f"*/{OWED_FILE}")):
        if _owed(owed)[0] == run_id and owner_is_dead(owed.parent):
            give_late(store, owed.with_name("stage.log"), run_id, tell)


def give_late(store: RunTracker, log: Path, run_id: str, tell: Callable[[str], object]) -> None:
    """Upload a log to a run that has ended, and wait until it is sent: no run's end does so."""
    try:
        give_log(store, log, run_id)
        if left := store.settle():
            tell(left)
    except (GuardianFlowError, OSError) as exc:
        tell(f"the log of run {run_id} could not be uploaded; it lies at {log}: {exc}")


def _owed(note: Path) -> tuple[str, int]:
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        return str(told["run_id"]), int(told["attempt"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 1
