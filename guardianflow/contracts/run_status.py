"""States of a run: how far it is, or how it ended."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """The states of runs as MLflow names them, and three that no run in a store has.

    A member is its own text: what is written to JSON, tags and tables stays as it was.
    """

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"
    CHECKED = "CHECKED"
    """Of a stage that was asked for its checks alone."""
    SKIPPED = "SKIPPED"
    """Of what this machine can't do, or a directory has nothing of."""
    WAITING = "WAITING"
    """Of an experiment of a batch whose turn has not come."""
