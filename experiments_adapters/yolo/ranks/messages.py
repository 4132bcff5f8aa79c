"""What a rank tells the process that started it, and which failure of several is the cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guardianflow.contracts.errors import GuardianFlowError, NativeCrashError


@dataclass(frozen=True)
class Epoch:
    """The first rank's report of an epoch; it waits for an answer, whatever that is.

    Args:
        number: counted from 1.
        batch_size: images a step, of all ranks together.
        broken_epochs: whose loss was no number, and which were trained again.
    """

    number: int
    metrics: Mapping[str, float]
    batch_size: int
    broken_epochs: tuple[int, ...]


@dataclass(frozen=True)
class Failed:
    """The training failed in this rank; its traceback is in the log."""

    error: GuardianFlowError


@dataclass(frozen=True)
class Done:
    """This rank has done its share."""


Message = Epoch | Failed | Done


def the_cause(failures: Sequence[GuardianFlowError]) -> GuardianFlowError:
    """The failure that the others follow from, of those noticed within a moment, in that order.

    A rank that is gone breaks the connections of the others, which then fail with words of their
    own, or are aborted by the library that connects them. So an error of a known cause comes
    first, then a rank that did not end by itself, then whatever came first.
    """
    return min(failures, key=_place)  # of equals the first


def _place(failure: GuardianFlowError) -> int:
    if isinstance(failure, NativeCrashError):
        return 1
    return 0 if failure.failure_reason or failure.exit_code == 2 else 2
