"""Processes that runs belong to: gone, elsewhere, or this one, as tags of a run."""

from __future__ import annotations

from dataclasses import replace

from guardianflow.run_tracking.upkeep.ownership import HEARTBEAT_TAG, PROCESS_TAG
from guardianflow.support.process_identity import ProcessIdentity

NO_PID = 2**22 + 7
"""Above the largest number that a process can have."""
LONG_AGO = "2026-01-05T03:00:00+00:00"


def gone() -> dict[str, str]:
    """Of a process of this machine that has ended."""
    return _tags(replace(ProcessIdentity.of_this_process(), pid=NO_PID))


def elsewhere(host: str = "gate-3") -> dict[str, str]:
    """Of a process of another machine, which may live or not."""
    mine = ProcessIdentity.of_this_process()
    return _tags(replace(mine, host=host, machine="boot namespace", hardware="other", pid=NO_PID))


def living() -> dict[str, str]:
    """Of this process."""
    return _tags(ProcessIdentity.of_this_process())


def _tags(process: ProcessIdentity) -> dict[str, str]:
    return {PROCESS_TAG: process.to_json(), HEARTBEAT_TAG: LONG_AGO}
