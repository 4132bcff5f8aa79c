"""Whether a reported loss is a number still."""

from __future__ import annotations

import math
from collections.abc import Mapping

from guardianflow.contracts.errors import FailureReason, NonFiniteLossError

from .known import KNOWN

CURE = next(each.cure for each in KNOWN if each.reason == FailureReason.NAN_LOSS)


def refuse_broken_loss(epoch: int, metrics: Mapping[str, float]) -> None:
    """Stop a training whose loss is NaN or infinite: its weights are no good from here on.

    Losses of the validation don't count: they are NaN for a split without boxes, too.

    Raises:
        NonFiniteLossError: names the epoch and every such loss.
    """
    broken = {
        name: value
        for name, value in metrics.items()
        if is_training_loss(name) and not math.isfinite(value)
    }
    if broken:
        named = ", ".join(f"{name} = {value:g}" for name, value in broken.items())
        raise broke_down(epoch, named)


def broke_down(epoch: int, found: str) -> NonFiniteLossError:
    """The error for an epoch in which something was found to be no number any more."""
    return NonFiniteLossError(f"the training broke down in epoch {epoch}: {found}. {CURE}")


def is_training_loss(name: str) -> bool:
    """'loss', 'box_loss', 'train/cls_loss'; not 'val_loss', 'val/box_loss'."""
    bare = name.lower().removeprefix("det.").removeprefix("train.").removeprefix("train/")
    return bare.endswith("loss") and not bare.startswith(("val", "test", "eval"))
