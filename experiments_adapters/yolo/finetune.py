"""A short further training of a detector that already works: small steps, mild changes of images.

For quantisation-aware training. The network is any module that gives raw predictions as
Ultralytics' detection head does; the loss, the images and their augmentation are Ultralytics'.

What differs from a training from scratch, and why:

- No mosaic, no mixing of images: a few epochs have no time to forget pictures that are no camera's.
- No batch norm to keep: the network comes folded, as it will be deployed.
- No weight decay: it would pull trained weights towards zero, and ranges towards one.
- End-to-end heads are trained by their own one-to-one assignment, as only that head is deployed.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments_adapters.ultralytics_isolation import ultralytics_at_work
from guardianflow.backends.catalogue import device_for
from guardianflow.contracts.backends import SOURCE
from guardianflow.contracts.errors import ConfigurationError, NonFiniteLossError, TrainerError

if TYPE_CHECKING:
    import torch

LOGGER = logging.getLogger(__name__)

EpochListener = Callable[[int, Mapping[str, float]], None]
LAST_SHARE = 0.01  # of the first learning rate, at the end of the cosine
LARGEST_GRADIENT = 10.0
# Weights move a little, in steps of about the learning rate. A range must be able to move by
# several per cent within an epoch of a few dozen steps; it is given as a logarithm.
RANGE_RATE = 100.0
AUGMENTATION = {
    "mosaic": 0.0, "mixup": 0.0, "cutmix": 0.0, "copy_paste": 0.0,
    "scale": 0.2, "translate": 0.05, "fliplr": 0.5,
    "hsv_h": 0.01, "hsv_s": 0.3, "hsv_v": 0.2,
}  # fmt: skip
# Ultralytics' own numbers for a one-to-one assignment: candidates, and how many of them are kept.
ONE_TO_ONE = {"tal_topk": 7, "tal_topk2": 1}


@dataclass(frozen=True)
class FinetuneSettings:
    """Settings of the training.

    Args:
        epochs: over the train split.
        batch_size: images a step.
        learning_rate: AdamW's at the first step; it falls to a hundredth along a cosine.
        input_size: side of the square images, pixels.
        seed: of the order of images and of what is changed in them.
        device: 'auto', 'cpu', 'cuda' or 'cuda:N'.
        end_to_end: train by one-to-one assignment.
        seconds: how long it may take; None where it may take what it takes.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    input_size: int
    seed: int = 42
    device: str = "auto"
    end_to_end: bool = False
    seconds: float | None = None


class NoTimeToTrainError(TrainerError):
    """The epochs asked for don't fit the time that is left; nothing was kept."""


def finetune(
    network: torch.nn.Module,
    detector: Any,
    data_yaml: Path,
    settings: FinetuneSettings,
    on_epoch_end: EpochListener | None = None,
) -> dict[str, str]:
    """Train a network where it is.

    Args:
        network: images float32 N×3×S×S in 0…1 → {'boxes', 'scores', 'feats'}, as an Ultralytics
            detection head gives while training. Where it has a method `ranges`, the parameters
            that it gives are logarithms of quantisation steps and learn faster.
        detector: the Ultralytics model that it was made of: its head's classes and strides.
        data_yaml: an Ultralytics data.yaml on this machine; its train split is used.
        on_epoch_end: called with the epoch, from 1, and its mean losses, 'learning_rate' and
            'seconds'.

    Returns:
        What was done, for a lineage: 'qat_epochs', 'qat_learning_rate', 'qat_batch_size',
        'qat_images', 'qat_seed'.

    Raises:
        ConfigurationError: the device is not there.
        NoTimeToTrainError: after the first steps: all of it would take longer than `seconds`.
        NonFiniteLossError: the loss is no number any more.
        TrainerError: what Ultralytics raised, with its words.
    """
    with ultralytics_at_work("quantisation-aware training"), seeded(settings.seed):
        return _Finetuning(network, detector, data_yaml, settings, on_epoch_end).run()


class _Finetuning:
    def __init__(
        self,
        network: torch.nn.Module,
        detector: Any,
        data_yaml: Path,
        settings: FinetuneSettings,
        on_epoch_end: EpochListener | None,
    ) -> None:
        import torch

        self._settings, self._listener = settings, on_epoch_end
        self._device = device_of(settings.device)
        self._network = network.to(self._device)
        self._criterion = _criterion(detector.to(self._device), settings)
        self._head = detector.model[-1]
        self._loader = _loader(data_yaml, detector, settings)
        self._optimizer = torch.optim.AdamW(
            _parameter_groups(network, settings.learning_rate),
            lr=settings.learning_rate,
            weight_decay=0.0,
        )
        steps = settings.epochs * len(self._loader)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: cosine(step / max(1, steps))
        )
        self._steps, self._done = steps, 0
        self._timed_from = 0.0

    def run(self) -> dict[str, str]:
        settings = self._settings
        self._network.train()
        for epoch in range(1, settings.epochs + 1):
            began = time.monotonic()
            rate = float(self._optimizer.param_groups[0]["lr"])
            losses = self._epoch(epoch)
            if self._listener is not None:
                seconds = time.monotonic() - began
                self._listener(epoch, {**losses, "learning_rate": rate, "seconds": seconds})
        self._network.eval().cpu()
        return {
            "qat_epochs": str(settings.epochs),
            "qat_learning_rate": f"{settings.learning_rate:g}",
            "qat_batch_size": str(settings.batch_size),
            "qat_images": str(len(self._loader.dataset)),
            "qat_seed": str(settings.seed),
        }

    def _epoch(self, epoch: int) -> dict[str, float]:
        sums: dict[str, float] = {}
        for batch in self._loader:
            for name, value in self._step(batch, epoch).items():
                sums[name] = sums.get(name, 0.0) + value
        return {name: value / len(self._loader) for name, value in sums.items()}

    def _step(self, batch: dict[str, Any], epoch: int) -> dict[str, float]:
        import torch

        images = batch["img"].to(self._device).float() / 255
        predictions = self._network(images)
        self._check_shapes(predictions)
        total, parts = self._criterion(predictions, batch)
        loss = total.sum()
        value = float(loss.detach()) / len(images)
        if not math.isfinite(value):
            raise NonFiniteLossError(
                f"quantisation-aware training broke down: in epoch {epoch} the loss became "
                f"{value}. Lower quantization.qat.learning_rate "
                f"(it is {self._settings.learning_rate:g}); nothing was kept"
            )
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), LARGEST_GRADIENT)
        self._optimizer.step()
        self._schedule.step()
        self._check_time()
        return {"loss": value, **{name: float(part) for name, part in parts.items()}}

    def _check_shapes(self, predictions: Mapping[str, Any]) -> None:
        if self._done:
            return
        found = (predictions["boxes"].shape[1], predictions["scores"].shape[1])
        wanted = (4 * self._head.reg_max, self._head.nc)
        if found != wanted:
            raise TrainerError(
                f"the quantised network must give {wanted[0]} box and {wanted[1]} class channels, "
                f"as the detector does, but gives {found[0]} and {found[1]}"
            )

    def _check_time(self) -> None:
        """The second and third step tell how long all of them take; the first one sets up."""
        self._done += 1
        if self._done == 1:
            self._timed_from = time.monotonic()
        allowed = self._settings.seconds
        if allowed is None or self._done != 3:
            return
        whole = (time.monotonic() - self._timed_from) / 2 * self._steps
        if whole > allowed:
            raise NoTimeToTrainError(
                f"training {self._settings.epochs} epochs would take about {whole / 60:.1f} "
                f"minutes, but {max(0.0, allowed) / 60:.1f} are left"
            )


def _parameter_groups(network: Any, rate: float) -> list[dict[str, Any]]:
    """Weights at the learning rate asked for, ranges at theirs."""
    ranges = list(network.ranges()) if hasattr(network, "ranges") else []
    known = {id(parameter) for parameter in ranges}
    weights = [p for p in network.parameters() if p.requires_grad and id(p) not in known]
    groups = [{"params": weights, "lr": rate}, {"params": ranges, "lr": RANGE_RATE * rate}]
    return [group for group in groups if group["params"]]


def _criterion(detector: Any, settings: FinetuneSettings) -> Any:
    from ultralytics.cfg import get_cfg
    from ultralytics.utils.loss import v8DetectionLoss

    detector.args = get_cfg()  # the gains of box, class and distribution losses
    return v8DetectionLoss(detector, **(ONE_TO_ONE if settings.end_to_end else {}))


def _loader(data_yaml: Path, detector: Any, settings: FinetuneSettings) -> Any:
    from ultralytics.cfg import get_cfg
    from ultralytics.data.build import build_dataloader, build_yolo_dataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(data_yaml), autodownload=False)
    options = {
        **AUGMENTATION,
        "task": "detect",
        "imgsz": settings.input_size,
        "batch": settings.batch_size,
    }
    dataset = build_yolo_dataset(
        get_cfg(overrides=options),
        data["train"],
        settings.batch_size,
        data,
        mode="train",
        stride=int(max(detector.stride)),
    )
    return build_dataloader(
        dataset, settings.batch_size, workers=0, shuffle=True, pin_memory=False, device="cpu"
    )


def cosine(done: float) -> float:
    return LAST_SHARE + (1 - LAST_SHARE) * (1 + math.cos(math.pi * min(1.0, done))) / 2


def device_of(name: str) -> torch.device:
    import torch

    there = torch.cuda.is_available()
    if device_for(name, SOURCE) == "auto":
        return torch.device("cuda:0" if there else "cpu")
    text = f"cuda:{name}" if name.isdigit() else name
    if text.startswith("cuda") and not there:
        raise ConfigurationError(
            f"environment.device is '{name}', but this machine has no GPU that torch can use; "
            "use auto"
        )
    return torch.device(text)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Fixed randomness inside, the caller's own afterwards."""
    import numpy as np
    import torch

    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])
