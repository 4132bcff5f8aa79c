"""Training-on of a detector whose activations were changed, until it answers as the original does.

    images of the train split ──┬── trained on: moved, scaled, mirrored, other colours
                                └── held out (a fifth, whole recordings): unchanged, judge

The original tells what is right, so no labels are read, and pictures without any serve as well:

    loss of a round's steps    head + what every block gives out (squares ÷ the original's spread),
                               scaled and shifted, channel by channel, to the original's at first
    judge of a round           head alone: class scores (Kullback-Leibler divergence, every anchor)
                               and boxes (likewise, or distance), weighted by the original's scores

First batch norms' scales and biases are trained, which can't forget much; then, from the best of
those rounds, all weights in smaller steps. After a round that is no better than the best one it
goes on from that one, in steps a quarter as large. Mean and spread in batch norms stay as they were
measured, so a round is judged as it would be deployed. The network of the round with the lowest
held-out loss stays; where that is not lower than the untrained one's for sure, nothing is kept.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments_adapters.ultralytics_isolation import ultralytics_at_work
from guardianflow.backends.quantisation.confirmation import confirms
from guardianflow.contracts.errors import NonFiniteLossError, TrainerError
from guardianflow.contracts.quantisation import Distillation
from guardianflow.evaluation.images.preprocessing import PADDING_VALUE

from .finetune import (
    LARGEST_GRADIENT,
    EpochListener,
    NoTimeToTrainError,
    cosine,
    device_of,
    seeded,
)

if TYPE_CHECKING:
    import torch

    from guardianflow.contracts.ports import ImageArray

ROUNDS = 10
HELD_OUT_SHARE = 0.2
MOST_HELD_OUT = 64
LEAST_HELD_OUT, LEAST_TRAINED = 8, 16
NORMS_RATE, WEIGHTS_RATE = 1e-3, 5e-5
NORMS_ROUNDS = 6
"""The first ones, in which batch norms' scales and biases alone are trained."""
AFTER_A_WORSE_ROUND = 0.25
"""Times the learning rate. How large a step a detector bears differs: what improved one in each
round made a yolo11n of 80 classes on 102 images worse at once."""
TIMED_STEPS = 3
LEAST_SPREAD = 1e-6
"""Added to the spread of a block's output, so that a dead block divides by no 0."""
SPARE = 0.9
"""Share of the time that is planned for: steps on a shared machine don't take equally long."""


class GainNotConfirmedError(TrainerError):
    """Held-out images do not confirm that training made the network better; nothing was kept."""


def distil(
    network: torch.nn.Module,
    original: torch.nn.Module,
    images: Sequence[ImageArray],
    groups: Sequence[str],
    wanted: Distillation,
    device: str = "auto",
    on_round_end: EpochListener | None = None,
) -> dict[str, str]:
    """Train a network where it is.

    Args:
        network, original: Ultralytics detectors in eval mode, not fused.
        images: letterboxed, uint8 S×S×3, of the train split; read as they are needed.
        groups: the recording of each; its own name where that is not known.
        device: 'auto', 'cpu', 'cuda' or 'cuda:N'.
        on_round_end: called with the round, from 1, and its mean 'loss', 'held_out' (the judge's
            loss) and 'seconds'.

    Returns:
        What was done, for a lineage: 'distillation_images', 'distillation_held_out',
        'distillation_steps', 'distillation_round', 'distillation_rounds',
        'distillation_loss_before', 'distillation_loss_after', 'distillation_seed'.

    Raises:
        ConfigurationError: the device is not there.
        TrainerError: too few images to hold some out; the network is left as it was.
        NoTimeToTrainError: the time does not suffice for ten steps.
        NonFiniteLossError: the loss is no number any more.
        GainNotConfirmedError: the held-out images do not confirm a gain.
        TrainerError: what torch raised, with its words.
    """
    with ultralytics_at_work("training on"), seeded(wanted.seed):
        return _Distilling(
            network, original, images, groups, wanted, device_of(device), on_round_end
        ).run()


def held_out(groups: Sequence[str], seed: int) -> tuple[list[int], list[int]]:
    """Places of the images to train on, and of those that judge; no recording is on both sides.

    Raises:
        TrainerError: too few on one side.
    """
    places: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    names = sorted(places)
    chosen: list[int] = []
    for index in np.random.default_rng(seed).permutation(len(names)):
        if len(chosen) >= HELD_OUT_SHARE * len(groups):
            break
        chosen += places[names[index]]
    trained = sorted(set(range(len(groups))) - set(chosen))
    if len(chosen) < LEAST_HELD_OUT or len(trained) < LEAST_TRAINED:
        raise TrainerError(
            f"training on needs at least {LEAST_HELD_OUT} train images to hold out and "
            f"{LEAST_TRAINED} others, of other recordings, but there are {len(chosen)} and "
            f"{len(trained)} ({len(names)} recordings or single images in all); take more into "
            "the train split, or do without training"
        )
    return trained, sorted(chosen)


class _Distilling:
    def __init__(
        self,
        network: torch.nn.Module,
        original: torch.nn.Module,
        images: Sequence[ImageArray],
        groups: Sequence[str],
        wanted: Distillation,
        device: torch.device,
        listener: EpochListener | None,
    ) -> None:
        self._began = time.monotonic()
        self._images, self._wanted, self._device = images, wanted, device
        self._trained, judging = held_out(groups, wanted.seed)
        few = np.linspace(0, len(judging) - 1, min(MOST_HELD_OUT, len(judging)))
        self._judging = [judging[round(place)] for place in few]
        self._judging_groups = [groups[place] for place in self._judging]
        self._network: Any = network.to(device).eval()
        self._original = original.to(device).eval()
        self._listener = listener
        self._changed_picture = _augmentation()
        self._order: list[int] = []
        self._alike: list[tuple[torch.Tensor, torch.Tensor]] = []

    def run(self) -> dict[str, str]:
        self._judge(self._judging[:1])  # the first call sets up, which is no part of its time
        self._alike = self._likened()
        judging_began = time.monotonic()
        before = self._judge(self._judging)
        judging_s = time.monotonic() - judging_began
        best, best_state, best_round = before, copy.deepcopy(self._network.state_dict()), 0
        steps = self._steps_a_round(self._time_of_step(), judging_s)
        worse = False
        for number in range(1, ROUNDS + 1):
            began = time.monotonic()
            if number in (1, NORMS_ROUNDS + 1):
                self._network.load_state_dict(best_state)
                optimizer, rate = self._optimizer(norms=number == 1)
            elif worse:
                self._network.load_state_dict(best_state)
                optimizer, _ = self._optimizer(norms=number <= NORMS_ROUNDS)
                rate *= AFTER_A_WORSE_ROUND
            losses = []
            for step in range(steps):
                _set_rate(optimizer, rate * cosine(done_of_phase(number - 1 + step / steps)))
                losses.append(self._step(optimizer, number))
            judged = self._judge(self._judging)
            worse = not np.mean(judged) < np.mean(best)
            if not worse:
                best, best_round = judged, number
                best_state = copy.deepcopy(self._network.state_dict())
            if self._listener is not None:
                told = {"loss": float(np.mean(losses)), "held_out": float(np.mean(judged))}
                self._listener(number, {**told, "seconds": time.monotonic() - began})
        self._network.load_state_dict(best_state)
        self._network.cpu().requires_grad_(False)
        if not confirms(before, best, self._judging_groups):
            raise GainNotConfirmedError(
                f"training on is not confirmed by the {len(self._judging)} held-out train images: "
                f"their loss was {np.mean(before):.4f} before and {np.mean(best):.4f} in the best "
                "round, which may be chance. Nothing was kept; more train images would help"
            )
        return {
            "distillation_images": str(len(self._trained)),
            "distillation_held_out": f"{len(self._judging)} of "
            f"{len(set(self._judging_groups))} recordings or single images",
            "distillation_steps": str(best_round * steps),
            "distillation_round": str(best_round),
            "distillation_rounds": str(ROUNDS),
            "distillation_loss_before": f"{np.mean(before):.5g}",
            "distillation_loss_after": f"{np.mean(best):.5g}",
            "distillation_seed": str(self._wanted.seed),
        }

    # --- time ----------------------------------------------------------------------------------

    def _time_of_step(self) -> float:
        """Of the steps that are the longest, with every weight trained; the first sets up."""
        optimizer, _ = self._optimizer(norms=False)
        self._step(optimizer, 0)
        began = time.monotonic()
        for _ in range(TIMED_STEPS):
            self._step(optimizer, 0)
        return (time.monotonic() - began) / TIMED_STEPS

    def _steps_a_round(self, step_s: float, judging_s: float) -> int:
        left = self._wanted.minutes * 60 - (time.monotonic() - self._began) - ROUNDS * judging_s
        fit = int(SPARE * left / step_s) // ROUNDS
        if fit < 1:
            need = (time.monotonic() - self._began) + ROUNDS * (judging_s + step_s / SPARE)
            raise NoTimeToTrainError(
                f"training on would take at least {need / 60:.1f} minutes here, but "
                f"{self._wanted.minutes:.1f} are allowed for it"
            )
        batches = -(-len(self._trained) // self._wanted.batch_size)
        return min(fit, -(-self._wanted.epochs * batches // ROUNDS))

    # --- a step --------------------------------------------------------------------------------

    def _optimizer(self, *, norms: bool) -> tuple[torch.optim.Optimizer, float]:
        """For batch norms and biases alone, or for everything; its learning rate."""
        import torch

        small = _scales_and_biases(self._network)
        known = {id(parameter) for parameter in small}
        for parameter in self._network.parameters():
            parameter.requires_grad_(not norms or id(parameter) in known)
        # The weights that make a distribution's mean are the numbers 0, 1, 2 …
        self._network.model[-1].dfl.requires_grad_(False)
        rate = NORMS_RATE if norms else WEIGHTS_RATE
        trained = [p for p in self._network.parameters() if p.requires_grad]
        return torch.optim.AdamW(trained, lr=rate, weight_decay=0.0), rate

    def _step(self, optimizer: torch.optim.Optimizer, number: int) -> float:
        import torch

        images = self._changed_batch()
        with torch.no_grad(), _blocks(self._original) as there:
            wanted = raw_predictions(self._original, images)
        with _blocks(self._network) as here:
            given = raw_predictions(self._network, images)
        blocks = [
            ((scale * h + shift - t) ** 2).mean() / (t.var() + LEAST_SPREAD)
            for (scale, shift), h, t in zip(self._alike, here, there, strict=True)
        ]
        head = head_loss(given, wanted, _bins(self._original)).mean()
        loss = torch.stack(blocks).mean() + head
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NonFiniteLossError(
                f"training on broke down: in round {number} the loss became {value}; nothing was "
                "kept"
            )
        self._network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        return value

    def _likened(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """What makes each block's channels most like the original's: a factor and an addition.

        Layers that were fitted anew give scaled and shifted values, which those behind them undo.
        """
        import torch

        few = self._trained[: self._wanted.batch_size]
        images = torch.stack([_picture(self._images[place]) for place in few]).to(self._device)
        with torch.no_grad(), _blocks(self._original) as there:
            raw_predictions(self._original, images)
        with torch.no_grad(), _blocks(self._network) as here:
            raw_predictions(self._network, images)
        return [_line_between(h, t) for h, t in zip(here, there, strict=True)]

    def _changed_batch(self) -> torch.Tensor:
        import torch

        size = min(self._wanted.batch_size, len(self._trained))
        if len(self._order) < size:
            self._order += list(np.random.permutation(self._trained))
        places, self._order = self._order[:size], self._order[size:]
        pictures = [self._changed_picture(_picture(self._images[place])) for place in places]
        return torch.stack(pictures).to(self._device)

    def _judge(self, held: Sequence[int]) -> list[float]:
        """The head's loss on each of these images, unchanged."""
        import torch

        losses: list[float] = []
        size = self._wanted.batch_size
        with torch.no_grad():
            for start in range(0, len(held), size):
                places = held[start : start + size]
                images = torch.stack([_picture(self._images[p]) for p in places]).to(self._device)
                given = raw_predictions(self._network, images)
                wanted = raw_predictions(self._original, images)
                losses += head_loss(given, wanted, _bins(self._original)).tolist()
        if not np.isfinite(losses).all():
            raise NonFiniteLossError(
                "training on broke down: the loss on held-out images is no number; nothing was kept"
            )
        return losses


def done_of_phase(rounds: float) -> float:
    """How much of its phase is done after so many rounds: the learning rate falls in each."""
    if rounds < NORMS_ROUNDS:
        return rounds / NORMS_ROUNDS
    return (rounds - NORMS_ROUNDS) / (ROUNDS - NORMS_ROUNDS)


def raw_predictions(network: Any, images: torch.Tensor) -> Mapping[str, torch.Tensor]:
    """{'boxes': N×(4·reg_max)×A, 'scores': N×classes×A (logits)} of the head that is deployed."""
    _, given = network(images)
    if "one2one" in given:
        given = given["one2one" if network.model[-1].end2end else "one2many"]
    raw: Mapping[str, torch.Tensor] = given
    return raw


def head_loss(
    given: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], bins: int
) -> torch.Tensor:
    """Loss of each image, 0 where both answer alike.

    Anchors count for boxes as much as the original's best class score there; the sum of those
    scores is what both parts are divided by, so an image of many objects counts like any other.

    Args:
        bins: of a side's distribution; 1 where heads give a plain distance.
    """
    from torch.nn import functional

    likely = wanted["scores"].sigmoid()
    weight = likely.amax(1)
    whole = weight.sum(1).clamp_min(1.0)
    cross = functional.binary_cross_entropy_with_logits(given["scores"], likely, reduction="none")
    least = functional.binary_cross_entropy_with_logits(wanted["scores"], likely, reduction="none")
    scores = (cross - least).sum((1, 2)) / whole
    ours, theirs = (each["boxes"].unflatten(1, (4, bins)) for each in (given, wanted))
    if bins > 1:
        ours, theirs = ours.log_softmax(2), theirs.log_softmax(2)
        apart = (theirs.exp() * (theirs - ours)).sum(2).mean(1)
    else:
        apart = functional.smooth_l1_loss(ours, theirs, reduction="none").mean((1, 2))
    return scores + (apart * weight).sum(1) / whole


def _bins(network: Any) -> int:
    return int(network.model[-1].reg_max)


def _line_between(ours: torch.Tensor, theirs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """By least squares for each channel; both N×C×H×W, the result 1×C×1×1 twice."""
    keep: dict[str, Any] = {"dim": (0, 2, 3), "keepdim": True}
    mean, wanted = ours.mean(**keep), theirs.mean(**keep)
    spread = ours - mean
    scale = (spread * (theirs - wanted)).sum(**keep) / (spread.square().sum(**keep) + LEAST_SPREAD)
    return scale, wanted - scale * mean


@contextmanager
def _blocks(network: Any) -> Iterator[list[torch.Tensor]]:
    """What each block with parameters gives out, the head left out, in order."""
    found: list[torch.Tensor] = []
    hooks = [
        block.register_forward_hook(lambda _, __, output: found.append(output))
        for block in list(network.model)[:-1]
        if any(True for _ in block.parameters())
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _scales_and_biases(network: Any) -> list[torch.nn.Parameter]:
    """Of batch norms, and biases of convolutions."""
    return [p for p in network.parameters() if p.ndim == 1]


def _augmentation() -> Any:
    from torchvision.transforms import v2

    return v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(
                0,
                translate=(0.1, 0.1),
                scale=(0.6, 1.4),
                interpolation=v2.InterpolationMode.BILINEAR,
                fill=PADDING_VALUE / 255,
            ),
            v2.ColorJitter(brightness=0.3, contrast=0.2, saturation=0.3, hue=0.02),
        ]
    )


def _picture(image: ImageArray) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
