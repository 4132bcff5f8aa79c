"""Which failures of a trial are tried again, and which end a sweep."""

from __future__ import annotations

from guardianflow.contracts.errors import FailureReason, StageFailedError

FIRST_FAILURES = 3
"""Combinations that fail before any has ended well: then the sweep ends, as the next would too."""
TRIED_AGAIN = frozenset(
    {
        FailureReason.KILLED,
        FailureReason.NATIVE_CRASH,
        FailureReason.INTERRUPTED,
        FailureReason.LOADER_KILLED,
        FailureReason.HOST_OUT_OF_MEMORY,
        FailureReason.SHARED_MEMORY,
        FailureReason.TOO_MANY_FILES,
        FailureReason.GPU_DRIVER,
        FailureReason.GPU_LOST,
        FailureReason.TRACKER,
    }
)
"""Causes that lie beside the trial: the same parameters may go well the next time."""
ENDS_ALL = frozenset({FailureReason.DISK_FULL, FailureReason.NO_PERMISSION})
"""Causes that every other trial meets as well, until somebody mends them."""


def is_done_elsewhere(failure: StageFailedError) -> bool:
    """Whether another process, of another sweep say, is at the same training: it is waited for."""
    return failure.failure_reason is FailureReason.ALREADY_RUNNING


def is_tried_again(failure: StageFailedError) -> bool:
    """Whether it was a crash, after which a run is tried again with its parameters."""
    return failure.failure_reason in TRIED_AGAIN
