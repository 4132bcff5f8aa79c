"""Failures of libraries and of the system that are known, as one table: what is said → cause, cure.

A failure is known by its class or its errno where it has one that says enough, else by the
library's words; the first entry that fits counts. The words are those of the libraries that are
installed with us: torch 2.14, CUDA 13, Ultralytics 8.4, SQLite; MPS of torch's sources.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass

from guardianflow.contracts.errors import FailureReason, GuardianFlowError


@dataclass(frozen=True)
class KnownFailure:
    """An entry of the table.

    Args:
        cure: what the reader can do; a sentence or more.
        words: regular expressions, one of which is found in the exception's message.
        types: 'module.Class' of the exception or of one that it derives from.
        errnos: of an OSError.
    """

    reason: FailureReason
    cure: str
    words: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    errnos: tuple[int, ...] = ()

    def fits(self, exc: BaseException) -> bool:
        """Whether the exception is of this kind; what it was raised from is not looked at."""
        if isinstance(exc, OSError) and exc.errno in self.errnos:
            return True
        names = {f"{each.__module__}.{each.__name__}" for each in type(exc).__mro__}
        return bool(names.intersection(self.types)) or any(
            re.search(pattern, str(exc)) for pattern in self.words
        )


LESS_GPU_MEMORY = (
    "Lower the batch size or the input size, or end what else uses the GPU (see nvidia-smi)"
)
MORE_SHARED_MEMORY = (
    "/dev/shm is too small for the processes that load data: start the container "  # nosec B108
    "with a larger one (docker run --shm-size=8g), or load without such processes "
    "(training.options.workers: 0)"
)
KNOWN = (
    KnownFailure(
        FailureReason.SHARED_MEMORY,
        MORE_SHARED_MEMORY,
        words=(
            r"out of shared memory",
            r"insufficient shared memory \(shm\)",
            r"unable to (allocate|open) shared memory",
            r"unable to (write to|mmap \d+ bytes from|resize) file </torch_",
            r"DataLoader worker \(pid \d+\) is killed by signal: Bus error",
            r"No space left on device: '/dev/shm",
        ),
    ),
    KnownFailure(
        FailureReason.LOADER_KILLED,
        "Most often the kernel ended it for lack of memory (see dmesg): load with fewer processes "
        "(training.options.workers), or give the machine more memory",
        words=(
            r"DataLoader worker \(pid \d+\) is killed by signal",
            r"DataLoader worker \(pid\(?s?\)? [\d, ]+\) exited unexpectedly",
        ),
    ),
    KnownFailure(
        FailureReason.OUT_OF_MEMORY,
        LESS_GPU_MEMORY,
        types=("torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError"),
        words=(
            r"(CUDA|HIP|XPU) out of memory",
            r"CUDA (driver )?error: out of memory",
            r"MPS backend out of memory",
            r"CUDA ran out of memory outside PyTorch's allocator",
            r"CU(BLAS|DNN)_STATUS_ALLOC_FAILED",
        ),
    ),
    KnownFailure(
        FailureReason.HOST_OUT_OF_MEMORY,
        "The machine has too little free memory: lower the batch size, the number of processes "
        "that load data (training.options.workers) or what is cached (training.options.cache), or "
        "end other programs",
        types=("builtins.MemoryError",),
        words=(
            r"DefaultCPUAllocator: (can't allocate|not enough) memory",
            r"Cannot allocate memory",
        ),
        errnos=(errno.ENOMEM,),
    ),
    KnownFailure(
        FailureReason.NAN_LOSS,
        "Lower training.learning_rate, train with training.options.amp: false, and look for boxes "
        "without area among the labels",
        words=(
            r"Training failed: NaN persisted for \d+ epochs",
            r"(Loss|Fitness) NaN/Inf detected but no valid last\.pt",
            r"Checkpoint .+ is corrupted with NaN/Inf weights",
        ),
    ),
    KnownFailure(
        FailureReason.DISK_FULL,
        "Make room there, or name another place in GUARDIANFLOW_WORK_DIR, and run the same command "
        "again",
        words=(
            r"No space left on device",
            r"Disk quota exceeded",
            r"database or disk is full",
            r"PytorchStreamWriter failed writing file",
            r"enforce fail at inline_container\.cc:\d+\] \. unexpected pos",
        ),
        errnos=(errno.ENOSPC, errno.EDQUOT),
    ),
    KnownFailure(
        FailureReason.TOO_MANY_FILES,
        "Raise the limit of open files before the command (ulimit -n 65536; LimitNOFILE of a "
        "service), or load data with fewer processes (training.options.workers)",
        words=(r"Too many open files", r"received \d+ items of ancdata"),
        errnos=(errno.EMFILE, errno.ENFILE),
    ),
    KnownFailure(
        FailureReason.NO_PERMISSION,
        "The user of this process must be able to read and write there: change the owner or the "
        "mode of that place, or copy the data set to one of your own",
        words=(r"\[Errno (1|13|30)\]",),
        errnos=(errno.EACCES, errno.EPERM, errno.EROFS),
    ),
    KnownFailure(
        FailureReason.GPU_UNSUPPORTED,
        "This build of torch has no code for this GPU's generation: install one that lists it "
        "(torch.cuda.get_arch_list()), or set environment.device to cpu",
        words=(r"no kernel image is available for execution on the device",),
    ),
    KnownFailure(
        FailureReason.GPU_ASSERT,
        "Most often a class id of a label is outside the model's classes, or an index is negative: "
        "compare the labels with the names in data.yaml. With CUDA_LAUNCH_BLOCKING=1 in the "
        "environment the trace names the place",
        words=(r"device-side assert triggered",),
    ),
    KnownFailure(
        FailureReason.GPU_DRIVER,
        "The GPU's driver does not fit this build of torch: update the driver, or install the "
        "build for the driver that is there (nvidia-smi shows its CUDA version)",
        words=(
            r"The NVIDIA driver on your system is too old",
            r"CUDA driver version is insufficient for CUDA runtime version",
            r"Found no NVIDIA driver on your system",
            r"CUDA driver initialization failed",
            r"forward compatibility was attempted on non supported HW",
            r"system has unsupported display driver / cuda driver combination",
        ),
    ),
    KnownFailure(
        FailureReason.GPU_LOST,
        "The GPU broke off: see dmesg for lines with NVRM and Xid, look at heat and power supply, "
        "restart the machine, then run the same command again",
        words=(
            r"(GPU is lost|GPU has fallen off the bus)",
            r"uncorrectable ECC error encountered",
            r"CUDA-capable device\(s\) is/are busy or unavailable",
            r"CUDA error: (unspecified launch failure|hardware stack error|unknown error)",
            r"Unable to determine the device handle for [Gg][Pp][Uu]",
        ),
    ),
    KnownFailure(
        FailureReason.GPU_LIBRARY,
        "cuDNN or cuBLAS failed, most often for lack of GPU memory, else because another version "
        "of it is found first (LD_LIBRARY_PATH). " + LESS_GPU_MEMORY,
        words=(
            r"cuDNN error: ",
            r"CUDNN_STATUS_\w+",
            r"CUBLAS_STATUS_\w+",
            r"unable to find an engine to execute this computation",
        ),
    ),
)


def known_failure(exc: BaseException) -> tuple[KnownFailure, BaseException] | None:
    """The entry for an exception, or for what it was raised from; with the one that is known."""
    for each in _chain(exc):
        for entry in KNOWN:
            if not isinstance(each, GuardianFlowError) and entry.fits(each):
                return entry, each
    return None


def cure_of(exc: BaseException) -> str:
    """What to do about a failure of a library, where it is known and not said already."""
    found = known_failure(exc)
    return found[0].cure if found and found[0].cure not in str(exc) else ""


def reason_of(exc: BaseException) -> FailureReason | None:
    """The cause of a failure, where it has a name.

    A store that fails because the disk is full is a full disk: what is known of the exception
    behind an error of the tracker counts first.
    """
    if isinstance(exc, KeyboardInterrupt):
        return FailureReason.INTERRUPTED
    named = (e.failure_reason for e in _chain(exc) if isinstance(e, GuardianFlowError))
    own = next(filter(None, named), None)
    if own is not None and own != FailureReason.TRACKER:
        return own
    found = known_failure(exc)
    return found[0].reason if found else own


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """An exception, what it was raised from or while handling, and so on."""
    seen: set[int] = set()
    following: BaseException | None = exc
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)
