"""A training, tried again where its failure has a way out, all within one run.

A new attempt goes on from the last checkpoint where the trainer can, else from the start. What has
been logged of an epoch stays; the same epoch of a later attempt is not logged a second time. The
tag `train.recovery` lists what was tried; `train.batch_size_used` is told where it is not what was
asked for.
"""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments_adapters.failures.known import reason_of
from guardianflow.contracts.errors import FailureReason, GuardianFlowError, NonFiniteLossError
from guardianflow.contracts.system import gpu_list

from ..failures.disk_space import DiskWatch
from ..failures.partial import (
    AFTER_FAILURE,
    AFTER_INTERRUPT,
    PARTIAL_FOLDER,
    keep_partial,
)
from ..stage.stage import StageContext
from ..stage.tracked_run import Extra
from .recovery import Attempt, next_attempt

if TYPE_CHECKING:
    from experiments_adapters.failures.checkpoints import Checkpoint
    from experiments_adapters.trainers import EpochListener

RECOVERY_TAG = "train.recovery"
BATCH_SIZE_TAG = "train.batch_size_used"
Build = Callable[[int, Path | None], Any]
"""Batch size, and the checkpoint to go on from → the author's trainer."""


class Attempts:
    """The attempts of one training.

    Args:
        output: where the trainer writes.
        resumes: the author's class takes `resume_from`.

    Attributes:
        notes: for people, what differs from what was asked for.
        good: the last good checkpoint of a training whose loss broke down.
        last_epoch, last_metrics: what was reported last.
    """

    def __init__(self, context: StageContext, run_id: str, output: Path, *, resumes: bool) -> None:
        self._context, self._run_id, self._output = context, run_id, output
        self._resumes = resumes
        self._asked = context.scenario.training.batch_size
        self._logged: set[int] = set()
        self._last_step = 0
        self._broken: NonFiniteLossError | None = None
        self._disk = DiskWatch(output, context.events.notice)
        self._tried: list[dict[str, object]] = []
        self.notes: list[str] = []
        self.good: Checkpoint | None = None
        self.last_epoch, self.last_metrics = 0, dict[str, float]()

    @contextmanager
    def kept_where_it_fails(self) -> Iterator[None]:
        """Let what the training has left be kept in its run where the block raises."""
        try:
            yield
        except BaseException as exc:
            limits = AFTER_INTERRUPT if isinstance(exc, KeyboardInterrupt) else AFTER_FAILURE
            store = self._context.ports.store
            keep = partial(keep_partial, store, self._run_id, self._output, limits, self.good)
            self._context.extras.append(Extra("keep what the training left", keep))
            raise

    def epochs_once(self, listener: EpochListener) -> EpochListener:
        """The listener, given each epoch once, and only while the loss is a number."""
        from experiments_adapters.failures.losses import refuse_broken_loss

        def on_epoch_end(epoch: int, metrics: Mapping[str, float]) -> None:
            try:
                refuse_broken_loss(epoch, metrics)
            except NonFiniteLossError as exc:  # which the author's code may catch, and go on
                self._broken = self._broken or exc
            if self._broken is not None:
                raise self._broken
            self._disk.look()
            self.last_epoch, self.last_metrics = epoch, dict(metrics)
            if epoch not in self._logged:
                self._logged.add(epoch)
                listener(epoch, metrics)
            else:
                epochs = self._context.scenario.training.epochs
                self._context.events.progress(epoch, epochs, "again")

        return on_epoch_end

    def batches_once(self, listener: EpochListener) -> EpochListener:
        """The listener, given no step that it has passed already."""

        def on_batch_end(step: int, metrics: Mapping[str, float]) -> None:
            if step > self._last_step:
                self._last_step = step
                listener(step, metrics)

        return on_batch_end

    def train(self, build: Build, checkpoint: Path | None = None) -> Any:
        """Train to the end; returns the trainer that got there.

        Args:
            checkpoint: that the first attempt goes on from.

        Raises:
            GuardianFlowError: it failed and nothing is left to try.
        """
        from experiments_adapters.failures.loading import give_memory_back, loading_in_process

        ranks = len(gpu_list(self._context.scenario.environment.device)) or 1
        attempt = Attempt(self._asked, ranks=ranks)
        while True:
            trainer: Any = None
            try:
                with nullcontext() if attempt.loader_processes else loading_in_process():
                    trainer = build(attempt.batch_size, checkpoint)
                    self._call(trainer)
                self._conclude(trainer, attempt)
                return trainer
            except NonFiniteLossError as exc:
                raise self._with_checkpoint(exc) from exc
            except GuardianFlowError as exc:
                reason, used = reason_of(exc), _batch_size_of(trainer, attempt)
                following = next_attempt(attempt, reason, used)
                if reason is None or following is None:
                    raise
            del trainer  # with the exception, which is gone by now, it holds the GPU's memory
            give_memory_back()
            checkpoint = self._checkpoint()
            if checkpoint is None:
                self._empty_output()
            self._tell(reason, used, following, checkpoint)
            attempt = following

    def _call(self, trainer: Any) -> None:
        try:
            call_trainer(trainer)
        except GuardianFlowError:
            if self._broken is None:
                raise
        if self._broken is not None:
            raise self._broken

    def _with_checkpoint(self, exc: NonFiniteLossError) -> NonFiniteLossError:
        """The same error, naming the last good epoch and the checkpoint to go on from."""
        from experiments_adapters.failures.checkpoints import last_good

        self.good = last_good(self._output, only_numbers=True)
        if self.good is None:
            return NonFiniteLossError(f"{exc}. No good checkpoint was written before")
        of_epoch = f" of epoch {self.good.epoch}" if self.good.epoch else ""
        return NonFiniteLossError(
            f"{exc}. The last good epoch was {max(self._logged, default=0)}; the last good "
            f"checkpoint{of_epoch} is {self.good.path}, kept in the run's {PARTIAL_FOLDER}/"
        )

    def _checkpoint(self) -> Path | None:
        """The checkpoint to go on from; None where the training begins anew."""
        from experiments_adapters.failures.checkpoints import last_good

        if not self._resumes or not self._logged:
            return None
        found = last_good(self._output, only_numbers=True)
        return found.path if found and found.resumable else None

    def _empty_output(self) -> None:
        """For a new start: the code may take what lies there for its own."""
        shutil.rmtree(self._output)
        self._output.mkdir()

    def _conclude(self, trainer: Any, attempt: Attempt) -> None:
        """Say what differs from what was asked for."""
        used = _batch_size_of(trainer, attempt)
        if used != self._asked:
            self._context.ports.store.annotate(self._run_id, tags={BATCH_SIZE_TAG: used})
            if used != attempt.batch_size:
                self._note(
                    f"trained with a batch of {used}, not {self._asked}: the training library "
                    "lowered it, because the GPU has too little free memory for more"
                )
        if self.last_epoch < max(self._logged, default=0):
            self._note(
                f"the model was trained to epoch {self.last_epoch}; the run's points after it are "
                "those of an attempt that failed"
            )
        if broken := getattr(trainer, "broken_epochs", None):
            again = ", ".join(str(epoch) for epoch in broken)
            self._note(
                f"the loss became NaN or infinite in epoch {again}: trained again from the "
                "last checkpoint"
            )

    def _tell(
        self, reason: FailureReason, used: int, following: Attempt, checkpoint: Path | None
    ) -> None:
        done = max(self._logged, default=0)
        self._tried.append(
            {
                "reason": reason.value,
                "epoch": done + 1,
                "batch_size": following.batch_size,
                "loader_processes": following.loader_processes,
                "from": checkpoint.name if checkpoint else "start",
            }
        )
        tags = {RECOVERY_TAG: json.dumps(self._tried)}
        if following.batch_size != self._asked:
            tags[BATCH_SIZE_TAG] = str(following.batch_size)
        self._context.ports.store.annotate(self._run_id, tags=tags)
        how = (
            f"a batch of {following.batch_size} instead of {used}"
            if following.batch_size != used
            else "data loaded in the training's own process, which is slower"
        )
        start = "its last checkpoint" if checkpoint else "the start"
        self._note(
            f"failed in epoch {done + 1} ({reason.value}): trained on from {start} with {how}"
        )

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._context.events.notice(text)


def call_trainer(trainer: Any) -> None:
    """The one place where the author's training runs; what it raises keeps its traceback."""
    from experiments_adapters.failures.loading import loader_deaths_told

    try:
        with loader_deaths_told():
            trainer.train()
    except GuardianFlowError:
        raise
    except Exception as exc:
        from experiments_adapters.failures.translated import translated, words_of

        place = traceback.extract_tb(exc.__traceback__)[-1]
        raise translated(
            exc,
            f"the experiment's train() raised {type(exc).__name__}: {words_of(exc)} "
            f"({Path(place.filename).name}:{place.lineno})",
        ) from exc


def _batch_size_of(trainer: Any, attempt: Attempt) -> int:
    """What it trained with: a trainer may tell in `batch_size_used` that it took less."""
    used = getattr(trainer, "batch_size_used", None)
    return used if isinstance(used, int) and used > 0 else attempt.batch_size
