"""A loss that is no number any more stops the training; other metrics don't."""

from __future__ import annotations

import math

import pytest

from experiments_adapters.failures.losses import refuse_broken_loss
from guardianflow.contracts.errors import NonFiniteLossError


@pytest.mark.parametrize(
    "name", ["loss", "box_loss", "train/cls_loss", "det.box_loss", "Total_Loss"]
)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_training_loss_that_is_no_number_is_refused(name: str, value: float) -> None:
    with pytest.raises(NonFiniteLossError, match=rf"in epoch 3: {name} = {value}\. Lower"):
        refuse_broken_loss(3, {"mAP50": 0.1, name: value})


def test_other_metrics_may_be_no_numbers() -> None:
    refuse_broken_loss(
        1, {"val_loss": math.nan, "val/box_loss": math.inf, "mAP50": math.nan, "box_loss": 1e30}
    )
