"""Data loaders without processes of their own, and memory that a failed training gives back."""

from __future__ import annotations

import functools
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def loading_in_process() -> Iterator[None]:
    """Make every torch DataLoader that is built inside load in this process, whatever it asks for.

    The number of processes stands in the author's code, or in that of their libraries. What else
    only such processes have (prefetching, a timeout) is left out too.
    """
    from torch.utils.data import DataLoader

    original = DataLoader.__init__

    @functools.wraps(original)
    def build(self: Any, *args: Any, **kwargs: Any) -> None:
        if len(args) > _WORKERS_PLACE:
            args = (*args[:_WORKERS_PLACE], 0, *args[_WORKERS_PLACE + 1 :])
            kwargs.pop("num_workers", None)
        else:
            kwargs["num_workers"] = 0
        for name in ("prefetch_factor", "persistent_workers", "multiprocessing_context", "timeout"):
            kwargs.pop(name, None)
        original(self, *args, **kwargs)

    global _in_process
    before, _in_process = _in_process, True
    DataLoader.__init__ = build
    try:
        yield
    finally:
        DataLoader.__init__, _in_process = original, before


def is_loading_in_process() -> bool:
    """Whether this holds now: for whoever trains in processes of its own."""
    return _in_process


_in_process = False
_WORKERS_PLACE = 5
"""Of num_workers among DataLoader's arguments, after `self`."""


@contextmanager
def loader_deaths_told() -> Iterator[None]:
    """Make the death of a data loader's process the block's error, whatever was seen of it first.

    Torch tells of it by a handler of SIGCHLD. The connection to that process may break a moment
    before; the handler then raises in the midst of whoever deals with that.
    """
    try:
        yield
    except (OSError, EOFError) as exc:
        if (death := _loader_death()) is not None:
            raise death from exc
        raise


def _loader_death() -> RuntimeError | None:
    """Torch's own error for a process that has died; None where none has."""
    if "torch" not in sys.modules:
        return None
    from torch.utils.data._utils.signal_handling import _error_if_any_worker_fails

    try:
        for _ in range(10):
            _error_if_any_worker_fails()
            time.sleep(0.05)  # it may be dying
    except RuntimeError as exc:
        return exc
    return None


def give_memory_back() -> None:
    """Free what a failed training has left, on the GPU too, for the one that comes after it."""
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
