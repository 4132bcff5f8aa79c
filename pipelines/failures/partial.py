"""What a training that failed or was stopped has left, kept in its run; nothing is registered.

    results/, plots/, config/   as of a training that went well
    weights/partial/            the last good checkpoint

Within a limit of size and time: the curve first, the checkpoint next, then the rest. Each file is
whole in the run or not there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.ports import RunTracker
from guardianflow.run_tracking.run_records import CHECKPOINT_EPOCH_TAG, CHECKPOINT_TAG

if TYPE_CHECKING:
    from experiments_adapters.failures.checkpoints import Checkpoint

PARTIAL_FOLDER = "weights/partial"
TRAINING_FOLDER = "training"
"""Of an attempt's directory: what the trainer writes."""
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """How much of a training that broke off is kept.

    Args:
        seconds: after which no further file is begun.
        file_bytes: of one file at most.
    """

    seconds: float
    file_bytes: int


AFTER_FAILURE = Limits(seconds=120, file_bytes=1024 * MEBIBYTE)
# Whoever pressed Ctrl-C waits; after pipelines.stage.executor.GRACE_S the process is killed.
AFTER_INTERRUPT = Limits(seconds=2, file_bytes=64 * MEBIBYTE)


def keep_partial(
    store: RunTracker,
    run_id: str,
    folder: Path,
    limits: Limits = AFTER_FAILURE,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Upload what a training that broke off has left.

    Args:
        folder: that the training wrote into; nothing is done where there is none.
        checkpoint: the last good one; None takes the newest that is whole.
    """
    from experiments_adapters.failures.checkpoints import last_good

    if not folder.is_dir():
        return
    until = time.monotonic() + limits.seconds
    kept = checkpoint or last_good(folder)
    for path, place in _in_order(folder, kept, limits):
        if time.monotonic() > until:
            return
        store.log_files(run_id, path, place)
        if kept is not None and path == kept.path:
            tags = {
                CHECKPOINT_TAG: f"{PARTIAL_FOLDER}/{path.name}",
                CHECKPOINT_EPOCH_TAG: kept.epoch,
            }
            store.annotate(run_id, tags=tags)


def _in_order(folder: Path, kept: Checkpoint | None, limits: Limits) -> Iterator[tuple[Path, str]]:
    from experiments_adapters.outputs import collect_outputs

    found = collect_outputs(folder, None, max_file_bytes=limits.file_bytes)
    yield from ((path, "results") for path in found.get("results", []))
    if kept is not None and kept.path.stat().st_size <= limits.file_bytes:
        yield kept.path, PARTIAL_FOLDER
    for kind in ("config", "plots"):
        yield from ((path, kind) for path in found.get(kind, []))
