"""Successive halving as it goes: which trainings are gone on with.

At each rung (an epoch) a training is compared with all that got there before it, by the best epoch
that each had until then: that epoch's weights are what a training leaves. A share goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.study import StudyDirection

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


class Halving(BasePruner):
    """Decides it from what is reported alone, so a sweep that was killed decides alike.

    Optuna's own SuccessiveHalvingPruner rounds the share down, so that of the first five that
    reach a rung the second is stopped; and it compares single epochs, of which one can be chance.

    Args:
        rungs: epochs, rising.
        reduction: a share of 1/reduction goes on, rounded up.
    """

    def __init__(self, rungs: Sequence[int], reduction: int) -> None:
        self._rungs, self._reduction = rungs, reduction

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether a training that has just reached a rung is not gone on with."""
        rung = next((each for each in self._rungs if _reached(trial, each) == trial.last_step), 0)
        if not rung:
            return False
        sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
        others = [
            sign * _best_until(each, rung, sign)
            for each in study.get_trials(deepcopy=False)
            if each.number != trial.number and _reached(each, rung) is not None
        ]
        own = sign * _best_until(trial, rung, sign)
        go_on = -(-(len(others) + 1) // self._reduction)
        return sum(value > own for value in others) >= go_on


def _reached(trial: FrozenTrial, rung: int) -> int | None:
    """The first epoch reported at a rung or behind it: some report only every few epochs."""
    return min((step for step in trial.intermediate_values if step >= rung), default=None)


def _best_until(trial: FrozenTrial, rung: int, sign: int) -> float:
    """Of a training that got there."""
    last = _reached(trial, rung) or 0
    values = [value for step, value in trial.intermediate_values.items() if step <= last]
    return max(values) if sign > 0 else min(values)
