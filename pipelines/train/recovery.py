"""How a training that failed is tried again: values alone.

GPU memory, its libraries   half the batch, at most MOST_HALVINGS times, down to an image a GPU
a data loader's process     once more, loading in the training's own process
all else                    not at all
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from guardianflow.contracts.errors import FailureReason

MOST_HALVINGS = 4
SMALLEST_BATCH = 1
"""Of each GPU."""
HALVED_AFTER = frozenset({FailureReason.OUT_OF_MEMORY, FailureReason.GPU_LIBRARY})
LOADED_IN_PROCESS_AFTER = frozenset({FailureReason.LOADER_KILLED, FailureReason.SHARED_MEMORY})


@dataclass(frozen=True)
class Attempt:
    """How a training is tried.

    Args:
        batch_size: images a step.
        halvings: how often it has been halved here.
        loader_processes: data loaders may start processes.
        ranks: GPUs that share a batch evenly.
    """

    batch_size: int
    halvings: int = 0
    loader_processes: bool = True
    ranks: int = 1


def next_attempt(failed: Attempt, reason: FailureReason | None, used: int) -> Attempt | None:
    """What to try after a failure; None where nothing is left to try.

    Args:
        used: the batch size that it failed with; a library may have lowered it by itself.
    """
    if reason in HALVED_AFTER:
        smallest = SMALLEST_BATCH * failed.ranks
        if failed.halvings >= MOST_HALVINGS or used <= smallest:
            return None
        half = max(used // 2 // failed.ranks * failed.ranks, smallest)
        return replace(failed, batch_size=half, halvings=failed.halvings + 1)
    if reason in LOADED_IN_PROCESS_AFTER and failed.loader_processes:
        return replace(failed, batch_size=used, loader_processes=False)
    return None
