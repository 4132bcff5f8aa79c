"""The class an experiment author implements. Subclassing is welcome, not required.

A class of any ancestry with the same constructor and methods is accepted by `code_path`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .metrics import checked_count, checked_metrics, to_metric_keys

if TYPE_CHECKING:
    from scenario import DatasetConfig, ModelConfig, TrainingParams

__all__ = ["BaseTrainer", "to_metric_keys"]


class BaseTrainer(ABC):
    """One training: built with three configurations, run once, asked for its best model.

    A constructor that also names `environment_config`, `work_dir` or `resume_from` (each with a
    default) is given them. Files that should be kept belong under `work_dir`.

    Args:
        model_config: architecture, input_size (pixels, square), weights_path, num_classes.
        training_config: epochs, batch_size, learning_rate, optimizer, scheduler,
            early_stopping (epochs without gain, 0 = off), options (yours, handed on as they are).
        dataset_config: `path` is the absolute path of an Ultralytics data.yaml on this machine.
    """

    def __init__(
        self,
        model_config: ModelConfig,
        training_config: TrainingParams,
        dataset_config: DatasetConfig,
    ) -> None:
        self.model_config = model_config
        self.training_config = training_config
        self.dataset_config = dataset_config

    @abstractmethod
    def train(self) -> None:
        """Train to the end. Call `on_epoch_end` after every epoch; raise when it fails."""

    @abstractmethod
    def get_best_model_path(self) -> str:
        """Path of the file to keep: an Ultralytics `.pt` or an `.onnx`. Called after `train`."""

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Report a finished epoch; GuardianFlow listens here.

        Call it as `self.on_epoch_end(...)` while training. Overriding it is fine: the override
        runs first, then the listener.

        Args:
            epoch: of the whole training, counted from 1; a resumed training goes on counting.
            metrics: what was measured in this epoch, nothing else: `mAP50`, `mAP50_95`,
                `precision`, `recall`, `f1` (each 0…1), `box_loss`, `cls_loss`, `dfl_loss`, and
                whatever names you like.

        Raises:
            TrainerError: the epoch is no integer, or a metric no number.
        """
        checked_count("epoch", epoch)
        checked_metrics(metrics)

    def on_batch_end(self, step: int, metrics: Mapping[str, float]) -> None:
        """Report a finished batch, where that is wanted.

        Args:
            step: batches since the start of the training, counted from 1.
            metrics: as in `on_epoch_end`.
        """
        checked_count("step", step)
        checked_metrics(metrics)
