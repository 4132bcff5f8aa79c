"""Successive halving as it goes: which trainings are gone on with, and when.

At each rung (an epoch) a training is compared with all that ever got there, by the best epoch that
each had until then: that epoch's weights are what a training leaves. Who is not in the best share
is stopped, and gone on with as soon as it is: the share grows with every training that gets there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.study import StudyDirection

from .combinations import latest_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


class Halving(BasePruner):
    """Decides it from what is reported alone, so a sweep that was killed decides alike.

    Optuna's own SuccessiveHalvingPruner never goes on with what it has stopped, and compares single
    epochs, of which one can be chance.

    Args:
        rungs: epochs, rising.
        reduction: a share of 1/reduction goes on, rounded down.
    """

    def __init__(self, rungs: Sequence[int], reduction: int) -> None:
        self._rungs, self._reduction = rungs, reduction

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether a training that has just reached a rung is stopped for now."""
        rung = next((each for each in self._rungs if _reached(trial, each) == trial.last_step), 0)
        if not rung:
            return False
        return trial.number not in self._share(self._ranked(study, rung))

    def next_of(self, study: Study, stopped: Collection[int]) -> int | None:
        """The training to go on with, of the highest rung the best; None where there is none.

        Args:
            stopped: numbers of the trials to choose from, none of which is at work.
        """
        for rung in reversed(self._rungs):
            for number in self._share(self._ranked(study, rung)):
                if number in stopped and self._is_at(study, number, rung):
                    return number
        return None

    def best_of(self, study: Study, stopped: Collection[int]) -> int | None:
        """Of the highest rung the best, in the share or not."""
        for rung in reversed(self._rungs):
            for number in self._ranked(study, rung):
                if number in stopped:
                    return number
        return None

    def hopeful(self, study: Study, stopped: Collection[int], total: int) -> set[int]:
        """Those that the share may reach yet, if all of `total` trainings come to their rung."""
        return {
            number
            for rung in self._rungs
            for number in self._ranked(study, rung)[: total // self._reduction]
            if number in stopped and self._is_at(study, number, rung)
        }

    def _share(self, ranked: Sequence[int]) -> Sequence[int]:
        return ranked[: len(ranked) // self._reduction]

    def _ranked(self, study: Study, rung: int) -> list[int]:
        """Numbers of those that got there, the best first; of equal ones the earlier."""
        sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
        trials = latest_of(study.get_trials(deepcopy=False)).values()
        there = [each for each in trials if _reached(each, rung) is not None]
        there.sort(key=lambda each: (-sign * _best_until(each, rung, sign), each.number))
        return [each.number for each in there]

    def _is_at(self, study: Study, number: int, rung: int) -> bool:
        """Whether a training got to a rung and to none behind it."""
        higher = next((each for each in self._rungs if each > rung), None)
        trial = study.get_trials(deepcopy=False)[number]
        return higher is None or _reached(trial, higher) is None


def _reached(trial: FrozenTrial, rung: int) -> int | None:
    """The first epoch reported at a rung or behind it: some report only every few epochs."""
    return min((step for step in trial.intermediate_values if step >= rung), default=None)


def _best_until(trial: FrozenTrial, rung: int, sign: int) -> float:
    """Of a training that got there."""
    last = _reached(trial, rung) or 0
    values = [value for step, value in trial.intermediate_values.items() if step <= last]
    return max(values) if sign > 0 else min(values)
