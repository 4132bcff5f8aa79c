"""One process of Ultralytics at work: it trains, and its callbacks report each epoch as it ends.

    Order ──► train_here ──► an EpochListener, once an epoch

The only process of a training, or one of several; then the first alone reports.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from experiments_adapters.failures.losses import broke_down
from experiments_adapters.metrics import DETECTION_NAMES
from experiments_adapters.ultralytics_isolation import ultralytics_at_work
from guardianflow.contracts.errors import ScenarioError

from .activation import ACTIVATIONS
from .arguments import DETECTION_HEADS
from .checkpoints import LeftTraining, is_over, last_evaluation, read_checkpoint

# Where one is installed, plots show Hangul class names; matplotlib's own font has none.
_HANGUL_FONTS = ("NanumGothic", "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic", "AppleGothic")


@dataclass(frozen=True)
class Order:
    """A training as Ultralytics is to carry it out.

    Args:
        source: a .pt to fine-tune or a .yaml to start from scratch.
        arguments: of Ultralytics' `train`.
        input_size: which Ultralytics must not round.
        resume_from: the last.pt to go on from.
        threads: that torch works with on a CPU; None leaves it to Ultralytics.
        activation: another than the network has; see `activation`.
    """

    source: str
    arguments: Mapping[str, Any]
    input_size: int
    resume_from: Path | None = None
    threads: int | None = None
    activation: str | None = None


class EpochListener(Protocol):
    """Is told of each trained epoch.

    Attributes:
        batch_size_used: less than was asked for where Ultralytics met too little GPU memory.
        broken_epochs: whose loss became NaN or infinite, and which were trained again.
    """

    batch_size_used: int
    broken_epochs: list[int]

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Called once its checkpoint is written; what it raises ends the training."""


@contextmanager
def engine_at_work(threads: int | None) -> Iterator[None]:
    """Ultralytics isolated and offline, its errors ours, its plots with what fonts there are."""
    with ultralytics_at_work("Ultralytics", threads=threads), _plots_in_any_script():
        yield


def train_here(
    order: Order, listener: EpochListener | None, trainer: type[Any] | None = None
) -> None:
    """Train in this process, within `engine_at_work`.

    Args:
        listener: None in a process that reports nothing.
        trainer: Ultralytics' class; None takes its own choice.
    """
    from ultralytics import YOLO

    left = read_checkpoint(order.resume_from) if order.resume_from else None
    model = YOLO(str(order.resume_from or order.source))
    _check_is_detector(model, order.source)
    if order.activation:
        model.model.yaml["activation"] = ACTIVATIONS[order.activation]
    if listener is not None:
        reports = _EpochReports(order.input_size, listener, left)
        for event in (
            "pretrain_routine_end", "train_start", "train_epoch_end", "val_end", "fit_epoch_end",
        ):  # fmt: skip
            model.add_callback(f"on_{event}", getattr(reports, f"on_{event}"))
    if left and is_over(left):
        trainer = last_evaluation()
    model.train(trainer=trainer, **order.arguments)


class _EpochReports:
    """Turns Ultralytics' events into one report per trained epoch."""

    def __init__(
        self, input_size: int, listener: EpochListener, left: LeftTraining | None = None
    ) -> None:
        self._input_size, self._listener, self._left = input_size, listener, left
        self._trained: int | None = None
        self._validated = False

    def on_pretrain_routine_end(self, engine: Any) -> None:
        wanted = self._input_size
        if engine.args.imgsz != wanted:
            raise ScenarioError(
                f"model.input_size must be a multiple of this model's stride ({engine.stride}) but "
                f"is {wanted}; Ultralytics would train at {engine.args.imgsz}"
            )

    def on_train_start(self, engine: Any) -> None:
        # results.csv counts the seconds of the whole training. Where Ultralytics plans by them, it
        # must see its own.
        if self._left and not engine.args.time:
            engine.train_time_start -= self._left.seconds

    def on_train_epoch_end(self, engine: Any) -> None:
        """Stop where Ultralytics would go on with weights that are no numbers, saved as zeros.

        It looks at the loss of the last batch alone. Where that is no number it trains the epoch
        again from last.pt, three times; but not in the first epoch.
        """
        self._listener.batch_size_used = engine.batch_size
        self._trained, self._validated = engine.epoch, False
        epoch, loss = engine.epoch + 1, float(engine.loss.detach())
        if not math.isfinite(loss) and engine.epoch > engine.start_epoch:
            self._listener.broken_epochs.append(epoch)
        elif not _holds_numbers(engine.model):
            raise broke_down(epoch, f"weights became NaN or infinite; loss = {loss:g}")
        elif not math.isfinite(loss) and not engine.amp:  # with it, such a step is left out
            raise broke_down(epoch, f"loss = {loss:g}")

    def on_val_end(self, _: Any) -> None:
        self._validated = True

    def on_fit_epoch_end(self, engine: Any) -> None:
        # After the last epoch Ultralytics judges best.pt once more and fires this event again,
        # for an epoch that was never trained.
        if self._trained != engine.epoch:
            return
        self._trained = None
        # A batch that overflowed in half precision, whose step was left out, spoils the mean alone.
        means = {name: float(value) for name, value in (engine.tloss or {}).items()}
        metrics = {name: value for name, value in means.items() if math.isfinite(value)}
        if self._validated:  # else engine.metrics holds zeros or an earlier epoch's numbers
            for name, value in engine.metrics.items():
                if name.startswith("metrics/") and name in DETECTION_NAMES:
                    metrics[DETECTION_NAMES[name]] = float(value)
                elif name.startswith("val/"):
                    metrics["val_" + name.removeprefix("val/")] = float(value)
        metrics["lr"] = _learning_rate(engine.optimizer)
        self._listener.on_epoch_end(engine.epoch + 1, metrics)


def _holds_numbers(model: Any) -> bool:
    """Whether every weight is finite."""
    values = (value for value in model.state_dict().values() if value.is_floating_point())
    return all(bool(value.isfinite().all()) for value in values)


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
