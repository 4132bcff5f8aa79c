"""Real exceptions of the libraries, and their own words, lead to the cause and to what helps."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mounts import mounted

from experiments_adapters.failures.known import KNOWN, known_failure, reason_of
from experiments_adapters.failures.translated import translated
from guardianflow.contracts.errors import (
    DatasetError,
    DiskFullError,
    FailureReason,
    GpuError,
    LoaderKilledError,
    NonFiniteLossError,
    OutOfMemoryError,
    SystemLimitError,
    TrackingError,
    TrainerError,
)

# As the libraries write them: torch 2.14 and the CUDA 13 runtime that comes with it (read out of
# their binaries), torch's MPSAllocator.mm, Ultralytics' trainer.py.
WORDS = {
    "DataLoader worker (pid 4711) is killed by signal: Killed. ": "loader_killed",
    "DataLoader worker (pid(s) 4711, 4712) exited unexpectedly": "loader_killed",
    "DataLoader worker (pid 4711) exited unexpectedly with exit code 1. Details are lost due to "
    "multiprocessing. Rerunning with num_workers=0 may give better error trace.": "loader_killed",
    "DataLoader worker (pid 4711) is killed by signal: Bus error. It is possible that dataloader's "
    "workers are out of shared memory. Please try to raise your shared memory limit.": (
        "shared_memory"
    ),
    "unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left on device (28)": (
        "shared_memory"
    ),
    "unable to write to file </torch_31911_952036340_6686>: No space left on device (28)": (
        "shared_memory"
    ),
    "unable to mmap 29764 bytes from file </torch_1_2_3>: Cannot allocate memory (12)": (
        "shared_memory"
    ),
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB": (
        "out_of_memory"
    ),
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported": (
        "out_of_memory"
    ),
    "MPS backend out of memory (MPS allocated: 17.36 GB, other allocations: 613.56 MB, max allowed:"
    " 18.13 GB). Tried to allocate 192.00 MB on private pool.": "out_of_memory",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`": "out_of_memory",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR": "gpu_library",
    "GET was unable to find an engine to execute this computation": "gpu_library",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`": "gpu_library",
    "CUDA error: no kernel image is available for execution on the device": "gpu_unsupported",
    "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously": (
        "gpu_assert"
    ),
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU "
    "driver": "gpu_driver",
    "Unexpected error from cudaGetDeviceCount(). Error 35: CUDA driver version is insufficient for "
    "CUDA runtime version": "gpu_driver",
    "CUDA error: unspecified launch failure": "gpu_lost",
    "CUDA error: uncorrectable ECC error encountered": "gpu_lost",
    "CUDA error: CUDA-capable device(s) is/are busy or unavailable": "gpu_lost",
    "Training failed: NaN persisted for 4 epochs": "nan_loss",
    "Loss NaN/Inf detected but no valid last.pt is available for recovery": "nan_loss",
    "Checkpoint /w/weights/last.pt is corrupted with NaN/Inf weights": "nan_loss",
    "Caught OSError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
    "OSError: [Errno 24] Too many open files: '/data/1.jpg'": "too_many_files",
    "received 0 items of ancdata": "too_many_files",
    "Dataset 'data.yaml' error ❌ [Errno 13] Permission denied: '/data/images'": "no_permission",
}


@pytest.mark.parametrize(("words", "reason"), WORDS.items())
def test_the_libraries_words_lead_to_the_cause(words: str, reason: str) -> None:
    assert reason_of(RuntimeError(words)) == reason


@pytest.mark.parametrize(
    "words",
    [
        "shape mismatch: expected 3 channels",
        "the plan for memory is out of date",
        "expected 'worker' to be killed",
        "loss is NaN",
    ],
)
def test_other_words_lead_nowhere(words: str) -> None:
    assert known_failure(RuntimeError(words)) is None
    error = translated(RuntimeError(words), "training stopped")
    assert (type(error), str(error), error.failure_reason) == (
        TrainerError,
        "training stopped",
        None,
    )


def test_the_words_of_the_installed_libraries_are_still_theirs() -> None:
    """They are looked up there, so that a new version that says it otherwise is noticed."""
    import torch.utils.data.dataloader as loader
    import ultralytics.engine.trainer as trainer

    said = Path(loader.__file__).read_text() + Path(trainer.__file__).read_text()
    for words in (
        ") exited unexpectedly",
        "Training failed: NaN persisted for",
        "detected but no valid last.pt is available for recovery",
        "is corrupted with NaN/Inf weights",
        "unable to find an engine",
    ):
        assert words in said
    library = (Path(torch.__file__).parent / "lib/libtorch_python.so").read_bytes()
    for binary in (b"is killed by signal: ", b"are out of shared memory"):
        assert binary in library


def raised(work: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        work()
    return caught.value


def test_memory_that_can_not_be_had() -> None:
    of_torch = raised(lambda: torch.zeros(10**14))
    of_numpy = raised(lambda: np.zeros(10**14))
    assert reason_of(of_torch) == reason_of(of_numpy) == "host_out_of_memory"
    assert isinstance(translated(of_numpy, "it stopped"), OutOfMemoryError)
    assert reason_of(torch.OutOfMemoryError("whatever it says")) == "out_of_memory"


def test_a_full_disk_as_files_torch_and_sqlite_tell_it(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "1m") as disk:

        def fill_database() -> None:
            with sqlite3.connect(disk / "x.db") as database:
                database.execute("create table t(a)")
                database.execute("insert into t values (zeroblob(3000000))")

        works: list[Callable[[], object]] = [
            lambda: (disk / "file").write_bytes(bytes(3_000_000)),
            fill_database,
            lambda: torch.save({"a": torch.zeros(1_000_000)}, disk / "x.pt"),
        ]
        for work in works:
            error = raised(work)
            assert reason_of(error) == "disk_full", repr(error)
            assert isinstance(translated(error, "it stopped"), DiskFullError)


def test_open_files_and_permissions_are_known_by_their_number(tmp_path: Path) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        error = raised(lambda: open(tmp_path / "x", "w"))  # noqa: SIM115
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert reason_of(error) == "too_many_files"
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data/labels.cache")
    assert isinstance(translated(denied, "it stopped"), SystemLimitError)
    assert translated(denied, "it stopped").failure_reason == "no_permission"


def test_the_cause_is_found_behind_what_authors_raise() -> None:
    def author() -> None:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        except RuntimeError as exc:
            raise ValueError("training failed") from exc

    error = raised(author)
    assert reason_of(error) == "out_of_memory"
    told = translated(error, "train() raised ValueError: training failed")
    assert isinstance(told, OutOfMemoryError)
    assert "OutOfMemoryError: CUDA out of memory" in str(told)
    assert "Lower the batch size" in str(told)


def test_our_own_errors_say_their_reason_themselves() -> None:
    assert reason_of(NonFiniteLossError("x")) == "nan_loss"
    assert reason_of(TrackingError("away")) == "tracker"
    assert reason_of(DatasetError("CUDA out of memory")) is None, "our sentences are not parsed"
    assert reason_of(KeyboardInterrupt()) == "interrupted"
    full = TrackingError("the store refuses")
    full.__cause__ = sqlite3.OperationalError("database or disk is full")
    assert reason_of(full) == "disk_full"


def test_each_entry_can_be_met_and_has_a_class_and_a_cure() -> None:
    met = {*WORDS.values(), "host_out_of_memory", "disk_full"}
    assert {each.reason.value for each in KNOWN} == met
    classes = {
        "loader_killed": LoaderKilledError,
        "shared_memory": LoaderKilledError,
        "gpu_lost": GpuError,
        "gpu_driver": GpuError,
        "nan_loss": NonFiniteLossError,
    }
    for words, reason in WORDS.items():
        error = translated(RuntimeError(words), "it stopped.")
        assert error.failure_reason == FailureReason(reason)
        assert isinstance(error, classes.get(reason, TrainerError))
        assert len(str(error)) > len("it stopped. ") + 40


def test_dev_shm_is_named_where_it_is_too_small() -> None:
    bus = RuntimeError(next(words for words in WORDS if "Bus error" in words))
    assert "/dev/shm is too small" in str(translated(bus, "it stopped"))
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/dev/shm/psm_1")
    assert reason_of(full) == "shared_memory"
