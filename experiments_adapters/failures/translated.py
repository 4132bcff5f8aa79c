"""A foreign exception as the error class of its cause, with its words and what to do."""

from __future__ import annotations

from guardianflow.contracts.errors import (
    DiskFullError,
    FailureReason,
    GpuError,
    LoaderKilledError,
    NonFiniteLossError,
    OutOfMemoryError,
    SystemLimitError,
    TrainerError,
)

from .known import known_failure

WORDS_LIMIT = 600
_CLASSES: dict[FailureReason, type[TrainerError]] = {
    FailureReason.OUT_OF_MEMORY: OutOfMemoryError,
    FailureReason.HOST_OUT_OF_MEMORY: OutOfMemoryError,
    FailureReason.SHARED_MEMORY: LoaderKilledError,
    FailureReason.LOADER_KILLED: LoaderKilledError,
    FailureReason.NAN_LOSS: NonFiniteLossError,
    FailureReason.DISK_FULL: DiskFullError,
    FailureReason.TOO_MANY_FILES: SystemLimitError,
    FailureReason.NO_PERMISSION: SystemLimitError,
}


def translated(exc: BaseException, said: str) -> TrainerError:
    """The error to raise `from exc`.

    Args:
        exc: what others' code raised.
        said: what happened, in words, with the exception's own: it begins the message.

    Returns:
        The class of its cause, with the cure; a TrainerError with `said` alone where none is known.
    """
    found = known_failure(exc)
    if found is None:
        return TrainerError(said)
    entry, origin = found
    if origin is not exc:
        said = f"{said}; raised from {type(origin).__name__}: {words_of(origin)}"
    kind = _CLASSES.get(entry.reason, GpuError)
    return kind(f"{said.rstrip('. ')}. {entry.cure}", entry.reason)


def words_of(exc: BaseException) -> str:
    """An exception's message on one line, cut where it is long."""
    words = " ".join(str(exc).split()) or "no message"
    return words if len(words) <= WORDS_LIMIT else f"{words[:WORDS_LIMIT]} …"
