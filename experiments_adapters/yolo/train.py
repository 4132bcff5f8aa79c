"""The built-in trainer: Ultralytics trains, its own callbacks report every epoch as it ends.

On one device it trains in this process; on several GPUs in one process each: see `ranks`.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments_adapters.base import BaseTrainer
from experiments_adapters.ultralytics_isolation import ultralytics_isolated
from experiments_adapters.yolo.activation import described_with
from experiments_adapters.yolo.arguments import plan_training, ranks_of
from experiments_adapters.yolo.checkpoints import (
    LeftTraining,
    is_over,
    read_checkpoint,
    write_results,
)
from experiments_adapters.yolo.engine import Order, engine_at_work, train_here
from experiments_adapters.yolo.ranks.launch import train_on_ranks
from guardianflow.contracts.errors import (
    MissingDependencyError,
    ScenarioError,
    TrainerError,
)

if TYPE_CHECKING:
    from scenario import DatasetConfig, EnvironmentConfig, ModelConfig, TrainingParams

logger = logging.getLogger(__name__)

# What the user has set. Ultralytics, once imported, writes 1 where nobody has said anything.
_THREADS_ASKED = "" if "ultralytics" in sys.modules else os.environ.get("OMP_NUM_THREADS", "")


class Trainer(BaseTrainer):
    """Trains a YOLO detector from scratch or from given weights.

    Args:
        environment_config: device and seed; None means auto and 42.
        work_dir: receives weights/, results.csv, args.yaml and plots; None makes a temporary one.
        resume_from: the last.pt of an unfinished training, which then goes on as it was begun.

    Attributes:
        batch_size_used: less than was asked for where Ultralytics met too little GPU memory.
        broken_epochs: whose loss became NaN or infinite, and which were trained again.

    Raises:
        ScenarioError: what Ultralytics can't do or does not know, all at once.
        MissingDependencyError: Ultralytics is not installed.
    """

    def __init__(
        self,
        model_config: ModelConfig,
        training_config: TrainingParams,
        dataset_config: DatasetConfig,
        environment_config: EnvironmentConfig | None = None,
        work_dir: Path | None = None,
        resume_from: Path | None = None,
    ) -> None:
        super().__init__(model_config, training_config, dataset_config)
        folder = work_dir or Path(tempfile.mkdtemp(prefix="guardianflow-training-"))
        self.work_dir = Path(folder).absolute()
        self.resume_from = Path(resume_from).absolute() if resume_from else None
        self.batch_size_used = training_config.batch_size
        self.broken_epochs: list[int] = []
        try:
            with ultralytics_isolated(offline=True):
                self._source, self._arguments = plan_training(
                    model_config, training_config, dataset_config, environment_config, self.work_dir
                )
        except ModuleNotFoundError as exc:
            raise MissingDependencyError(
                str(exc.name), "the built-in YOLO experiment", "pip install ultralytics"
            ) from exc
        if self.resume_from and not self.resume_from.is_file():
            raise ScenarioError(
                f"resume_from must be the last.pt of an unfinished training but "
                f"'{self.resume_from}' does not exist"
            )

    def train(self) -> None:
        """Train to the last epoch or until early stopping.

        Raises:
            TrainerError: what Ultralytics raised, with its words.
            NativeCrashError: one of several processes was ended from outside, or crashed.
        """
        threads = training_threads(_THREADS_ASKED)
        with engine_at_work(threads):
            ranks, left = ranks_of(self._arguments["device"]), self._get_ready()
            arguments = self._arguments
            if self.resume_from:
                arguments = self._resume_arguments()
            if left and is_over(left):  # one process alone judges what is trained
                ranks, arguments = ranks[:1], {**arguments, "device": ranks[0]}
            source, activation = self._source, self.model_config.activation
            if activation:
                source = described_with(activation, source, self.work_dir / "model")
            size = self.model_config.input_size
            order = Order(source, arguments, size, self.resume_from, threads, activation)
            if len(ranks) == 1:
                train_here(order, self)
            else:
                train_on_ranks(order, ranks, self)

    def get_best_model_path(self) -> str:
        """weights/best.pt; last.pt only where no epoch was ever judged the best, with a warning.

        Raises:
            TrainerError: neither was written.
        """
        best, last = (self.work_dir / "weights" / name for name in ("best.pt", "last.pt"))
        if best.is_file():
            return str(best)
        if last.is_file():
            logger.warning("no epoch was judged the best: %s is kept instead of best.pt", last)
            return str(last)
        raise TrainerError(f"no weights in {best.parent}: train() has not finished an epoch")

    def get_last_checkpoint_path(self) -> Path:
        """weights/last.pt: written before an epoch is reported, with all that goes on from it."""
        return self.work_dir / "weights" / "last.pt"

    def _get_ready(self) -> LeftTraining | None:
        """Make results.csv what the checkpoint knows of; what is left to do of a training."""
        self.work_dir.mkdir(parents=True, exist_ok=True)
        if self.resume_from is None:
            (self.work_dir / "results.csv").unlink(missing_ok=True)  # or each process would try
            return None
        left = read_checkpoint(self.resume_from)
        write_results(self.work_dir / "results.csv", left)
        return left

    def _resume_arguments(self) -> dict[str, Any]:
        """A resumed training keeps the settings it began with; only place and device may differ.

        The best weights so far come along: no later epoch may beat them.
        """
        last = self.resume_from
        assert last is not None
        weights = self.work_dir / "weights"
        weights.mkdir(parents=True, exist_ok=True)
        best = last.with_name("best.pt")
        if best.is_file() and not (weights / "best.pt").exists():
            shutil.copyfile(best, weights / "best.pt")
        kept = ("data", "device", "batch", "imgsz", "patience", "plots", "save_dir")
        return {"resume": str(last), **{name: self._arguments[name] for name in kept}}


def training_threads(asked: str) -> int | None:
    """Threads to train with on a CPU: those asked for; None leaves it to Ultralytics.

    Ultralytics leaves one core to the loading of images. Taking that one too gained nothing on two
    cores (five epochs of the demo: 33.4 s against 32.2) and made what watches the training slow it
    down by a sixth.

    Args:
        asked: OMP_NUM_THREADS; '' where it is not set.
    """
    first = asked.partition(",")[0].strip()  # it may name one number for each level of nesting
    return int(first) if first.isdecimal() and int(first) else None
