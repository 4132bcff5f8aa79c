"""A process that was ended from outside: why, as far as its exit code and the kernel tell."""

from __future__ import annotations

from guardianflow.contracts.errors import FailureReason, NativeCrashError, signal_name

from .memory_kills import memory_kills

CRASHED = "A native library crashed; its last words are at the end of the log."
CURES = {
    "SIGILL": "This processor advertises an instruction it can't run: set ONEDNN_MAX_CPU_ISA to "
    "AVX512_CORE_VNNI or AVX2 and run the command again.",
    "SIGKILL": "Most often the kernel ended it for lack of memory: see `dmesg`, lower the batch "
    "size or the number of data-loader workers.",
    "SIGSEGV": CRASHED,
    "SIGABRT": CRASHED,
    "SIGBUS": "Most often /dev/shm, or a disk that a file is mapped from, is full: see `df -h`.",
}
NO_MEMORY = (
    "The kernel ended it, because there was no memory left: lower the batch size, the number of "
    "data-loader workers (training.options.workers) or what is cached, or give the machine or "
    "the container more memory."
)


class EndedProcess:
    """Watches from a process's start, so that its end can be explained."""

    def __init__(self) -> None:
        self._kills_before = memory_kills()

    def error(self, doing: str, returncode: int) -> NativeCrashError:
        """The error for a process that left no result."""
        now = memory_kills()
        more = now is not None and self._kills_before is not None and now > self._kills_before
        if more and signal_name(returncode) == "SIGKILL":
            return NativeCrashError(doing, returncode, NO_MEMORY, FailureReason.HOST_OUT_OF_MEMORY)
        return NativeCrashError(doing, returncode, cure_for(returncode))


def cure_for(returncode: int) -> str:
    """Advice on a process that was ended from outside."""
    return CURES.get(signal_name(returncode), "Its last words are at the end of the log.")
