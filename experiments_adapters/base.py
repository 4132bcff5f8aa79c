"""The classes an experiment author implements. Subclassing is welcome, not required.

    BaseTrainer     train.py       trains
    BaseBenchmark   benchmark.py   finds boxes, for GuardianFlow to judge and to time
    BaseQuantizer   quantize.py    makes a variant's files

A class of any ancestry with the same constructor and methods is accepted by `code_path`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .metrics import checked_count, checked_metrics, to_metric_keys

if TYPE_CHECKING:
    from guardianflow.contracts.ports import ImageArray
    from scenario import (
        DatasetConfig,
        InferenceBenchmarkParams,
        ModelConfig,
        QuantizationParams,
        TrainingParams,
    )

__all__ = ["BaseBenchmark", "BaseQuantizer", "BaseTrainer", "to_metric_keys"]


class BaseTrainer(ABC):
    """One training: built with three configurations, run once, asked for its best model.

    A constructor that also names `environment_config`, `work_dir` or `resume_from` (each with a
    default) is given them. Files that should be kept belong under `work_dir`.

    Args:
        model_config: architecture, input_size (pixels, square), weights_path, num_classes,
            activation ('silu', 'hardswish', 'relu', 'relu6'; None: that of the architecture).
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


class BaseBenchmark:
    """A measurement of a model by the author's own code: tiles, an own runtime, a tracker.

    Built with three configurations. A constructor that also names `environment_config`,
    `work_dir`, `class_names` (index = class id) or `detector` (the model, opened by GuardianFlow:
    `detector.predict(images, confidence=0.001)`), each with a default, is given them.

    It has at least one of these; the boxes that they give are judged by GuardianFlow's evaluator:

        predict(images)            list of uint8 H×W×3 RGB → for each image boxes, scores, classes.
                                   Its time is measured, from decoded images to boxes
        predict_split(image_paths) the split's image files → the same; no time is measured

    For each image they give `(boxes_xyxy, scores, class_ids)`: K×4 pixels of the original image,
    K scores in 0…1, K class ids; all from score 0.001 upwards, since mAP counts what is not given
    as missed.

    It may have `track(frames, frame_rate)`: for each frame `(boxes_xyxy, scores, class_ids, ids)`,
    judged where the scenario asks for tracking. Without it GuardianFlow's tracker follows what
    `predict` finds.

    Args:
        model_config: `weights_path` is the model's file on this machine; architecture, input_size
            (pixels, square), num_classes.
        benchmark_config: batch_sizes, warmup_runs, benchmark_runs, conf_threshold, iou_threshold,
            use_tracking.
        dataset_config: `path` is the absolute path of an Ultralytics data.yaml on this machine;
            `split` the one that is judged.
    """

    def __init__(
        self,
        model_config: ModelConfig,
        benchmark_config: InferenceBenchmarkParams,
        dataset_config: DatasetConfig,
    ) -> None:
        self.model_config = model_config
        self.benchmark_config = benchmark_config
        self.dataset_config = dataset_config

    def extra_metrics(self) -> Mapping[str, float]:
        """Measurements of your own, asked for last; they are logged under `bench.*`."""
        return {}

    def close(self) -> None:
        """Free what is held."""


class BaseQuantizer(ABC):
    """Makes the files of a variant from trained weights; GuardianFlow judges and registers them.

    Built with three configurations. A constructor that also names `environment_config`, `work_dir`
    or `class_names`, each with a default, is given them.

    Args:
        model_config: weights_path (also given to `quantize`), architecture, input_size,
            num_classes.
        quantization_config: backend, precision, method, calibration_size, calibration_method.
        dataset_config: `path` is the absolute path of a data.yaml that names images of the train
            split alone, as `train` and as `val`: nothing can be calibrated on what is judged.
    """

    makes: str | Sequence[str] = ()
    """The variants that it makes, by backend and precision: 'openvino_int8', or several."""

    def __init__(
        self,
        model_config: ModelConfig,
        quantization_config: QuantizationParams,
        dataset_config: DatasetConfig,
    ) -> None:
        self.model_config = model_config
        self.quantization_config = quantization_config
        self.dataset_config = dataset_config

    @abstractmethod
    def quantize(
        self, weights: Path, calibration_images: Sequence[ImageArray], out_dir: Path
    ) -> str | Path | Sequence[str | Path]:
        """Make the files.

        Args:
            weights: the trained model, an Ultralytics .pt.
            calibration_images: letterboxed images of the train split, uint8 S×S×3 RGB, read as
                they are asked for; empty where nothing is to be calibrated (fp32, fp16, dynamic).
            out_dir: an empty directory; where the files belong.

        Returns:
            The file that the backend opens (.xml, .onnx, .engine), its directory, or all files.
        """
