"""The built-in trainer: Ultralytics trains, its own callbacks report every epoch as it ends."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments_adapters.base import BaseTrainer
from experiments_adapters.metrics import DETECTION_NAMES
from experiments_adapters.ultralytics_isolation import ultralytics_at_work, ultralytics_isolated
from experiments_adapters.yolo.arguments import DETECTION_HEADS, plan_training
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
# Where one is installed, plots show Hangul class names; matplotlib's own font has none.
_HANGUL_FONTS = ("NanumGothic", "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic", "AppleGothic")


class Trainer(BaseTrainer):
    """Trains a YOLO detector from scratch or from given weights.

    Args:
        environment_config: device and seed; None means auto and 42.
        work_dir: receives weights/, results.csv, args.yaml and plots; None makes a temporary one.
        resume_from: the last.pt of an unfinished training, which then goes on as it was begun.

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
        """
        threads = training_threads(_THREADS_ASKED)
        with ultralytics_at_work("Ultralytics", threads=threads), _plots_in_any_script():
            self._run_ultralytics()

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

    def _run_ultralytics(self) -> None:
        from ultralytics import YOLO

        self.work_dir.mkdir(parents=True, exist_ok=True)
        arguments = self._arguments
        if self.resume_from:
            arguments = self._resume_arguments(self.resume_from)
        model = YOLO(str(self.resume_from or self._source))
        _check_is_detector(model, self._source)
        reports = _EpochReports(self)
        for event in ("pretrain_routine_end", "train_epoch_end", "val_end", "fit_epoch_end"):
            model.add_callback(f"on_{event}", getattr(reports, f"on_{event}"))
        model.train(**arguments)

    def _resume_arguments(self, last: Path) -> dict[str, Any]:
        """A resumed training keeps the settings it began with; only place and device may differ.

        The best weights so far come along: no later epoch may beat them.
        """
        weights = self.work_dir / "weights"
        weights.mkdir(parents=True, exist_ok=True)
        best = last.with_name("best.pt")
        if best.is_file() and not (weights / "best.pt").exists():
            shutil.copyfile(best, weights / "best.pt")
        kept = ("data", "device", "batch", "imgsz", "patience", "plots", "save_dir")
        return {"resume": str(last), **{name: self._arguments[name] for name in kept}}


class _EpochReports:
    """Turns Ultralytics' events into one report per trained epoch."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._trained: int | None = None
        self._validated = False

    def on_pretrain_routine_end(self, engine: Any) -> None:
        wanted = self._trainer.model_config.input_size
        if engine.args.imgsz != wanted:
            raise ScenarioError(
                f"model.input_size must be a multiple of this model's stride ({engine.stride}) but "
                f"is {wanted}; Ultralytics would train at {engine.args.imgsz}"
            )

    def on_train_epoch_end(self, engine: Any) -> None:
        self._trained, self._validated = engine.epoch, False

    def on_val_end(self, _: Any) -> None:
        self._validated = True

    def on_fit_epoch_end(self, engine: Any) -> None:
        # After the last epoch Ultralytics judges best.pt once more and fires this event again,
        # for an epoch that was never trained.
        if self._trained != engine.epoch:
            return
        self._trained = None
        metrics = {name: float(value) for name, value in (engine.tloss or {}).items()}
        if self._validated:  # else engine.metrics holds zeros or an earlier epoch's numbers
            for name, value in engine.metrics.items():
                if name.startswith("metrics/") and name in DETECTION_NAMES:
                    metrics[DETECTION_NAMES[name]] = float(value)
                elif name.startswith("val/"):
                    metrics["val_" + name.removeprefix("val/")] = float(value)
        metrics["lr"] = _learning_rate(engine.optimizer)
        self._trainer.on_epoch_end(engine.epoch + 1, metrics)


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


@contextmanager
def _plots_in_any_script() -> Iterator[None]:
    """Let plots fall back to a font with Hangul; without one, draw boxes and don't warn of each."""
    import matplotlib
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in _HANGUL_FONTS if name in installed)]
    with warnings.catch_warnings(), matplotlib.rc_context({"font.family": families}):
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield


def _learning_rate(optimizer: Any) -> float:
    """Of the weights; biases warm up from a rate of their own."""
    groups = optimizer.param_groups
    rates = [group["lr"] for group in groups if group.get("param_group") != "bias"]
    return float(min(rates, default=math.nan))


def _check_is_detector(model: Any, source: str) -> None:
    head = type(model.model.model[-1]).__name__
    if model.task != "detect" or head not in DETECTION_HEADS:
        raise ScenarioError(
            f"'{source}' holds a model for '{model.task}' with the head {head}; GuardianFlow "
            f"trains detectors with the head {' or '.join(DETECTION_HEADS)}"
        )
