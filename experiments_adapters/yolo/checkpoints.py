"""Reads what a last.pt of Ultralytics says of its training, and does what is left to do of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import TrainerError
from guardianflow.support.files import replace_file


@dataclass(frozen=True)
class LeftTraining:
    """A training as its last checkpoint has it.

    Args:
        epoch: the last one that was trained, counted from 1.
        epochs: how many were planned.
        best_epoch: the one after which nothing got better; 0 where none was judged.
        patience: epochs without gain after which it stops; 0 for never.
        results: the columns of results.csv, by name.
    """

    epoch: int
    epochs: int
    best_epoch: int
    patience: float
    results: Mapping[str, Sequence[float | None]]

    @property
    def seconds(self) -> float:
        """How long it had trained."""
        return max(filter(None, self.results.get("time", ())), default=0.0)


def read_checkpoint(path: Path) -> LeftTraining:
    """Read a last.pt that this project's training wrote: it is unpickled.

    Raises:
        TrainerError: it is none that a training can go on from.
    """
    from ultralytics.nn.tasks import torch_safe_load

    content, _ = torch_safe_load(path)
    epoch = content.get("epoch", -1)
    if epoch < 0 or content.get("optimizer") is None:
        raise TrainerError(
            f"resume_from must be the last.pt of an unfinished training but '{path}' is that of a "
            "training which has ended: there is nothing to resume"
        )
    arguments, stopper = content["train_args"], content.get("stopper") or {}
    return LeftTraining(
        epoch=epoch + 1,
        epochs=arguments["epochs"],
        best_epoch=stopper.get("best_epoch", 0),
        patience=arguments.get("patience") or 0,
        results=content.get("train_results") or {},
    )


def is_over(left: LeftTraining) -> bool:
    """Whether no epoch is left: its last was trained, or it had stopped early."""
    waited = left.epoch - left.best_epoch
    return left.epoch >= left.epochs or bool(0 < left.patience <= waited and left.best_epoch)


def write_results(path: Path, left: LeftTraining) -> None:
    """Write results.csv as it was at the checkpoint: no row of an epoch that is trained again.

    Ultralytics adds a row before it writes the checkpoint, and never removes one. Nothing is done
    where the checkpoint has no rows.
    """
    names = list(left.results)
    if not names:
        return
    rows = zip(*(left.results[name] for name in names), strict=True)
    lines = [",".join(names), *(",".join(map(_written, row)) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path.parent, path.name, "\n".join(lines) + "\n", f".{path.name}.")


def _written(value: float | None) -> str:
    """As Ultralytics writes it."""
    return "" if value is None else f"{value:.6g}"


@cache
def last_evaluation() -> type[Any]:
    """Ultralytics' trainer for a training of which nothing but the last evaluation is left.

    That strips the optimizer from the weights, judges best.pt and draws the plots.
    """
    from ultralytics.models.yolo.detect import DetectionTrainer

    class LastEvaluation(DetectionTrainer):  # type: ignore[misc]
        def resume_training(self, ckpt: Any) -> None:
            """There is nothing to go on with, which the original takes for a mistake."""
            self._load_checkpoint_state(ckpt)
            self.start_epoch = ckpt["epoch"] + 1

        def _do_train(self) -> None:
            self._setup_train()
            self.epoch = self.start_epoch - 1
            self.final_eval()
            if self.args.plots:
                self.plot_metrics()
            self.run_callbacks("on_train_end")

    return LastEvaluation
