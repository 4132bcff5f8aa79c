"""Successive halving as it goes: which trainings are gone on with, and when.

At each rung (an epoch) a training is compared with all that ever got there, by the best epoch that
each had until then: that epoch's weights are what a training leaves. Who is not in the best share
is stopped, and gone on with as soon as it is: the share grows with every training that gets there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.study import StudyDirection

from .combinations import INDEX, latest_of

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
        ranked = _ranked(_trials_of(study), rung, study.direction)
        return trial.number not in self._share(ranked)

    def next_of(self, study: Study, stopped: Collection[int]) -> int | None:
        """The training to go on with, of the highest rung the best; None where there is none.

        Args:
            stopped: numbers of the trials to choose from, none of which is at work.
        """
        for ranked, here in self._standing(study, stopped):
            for each in self._share(ranked):
                if each in here:
                    return each
        return None

    def best_of(self, study: Study, stopped: Collection[int]) -> int | None:
        """Of the highest rung the best, in the share or not."""
        standing = self._standing(study, stopped)
        return next((each for ranked, here in standing for each in ranked if each in here), None)

    def hopeful(self, study: Study, stopped: Collection[int], total: int) -> set[int]:
        """Those that the share may reach yet, if all of `total` trainings come to their rung."""
        most = total // self._reduction
        standing = self._standing(study, stopped)
        return {each for ranked, here in standing for each in ranked[:most] if each in here}

    def _share(self, ranked: Sequence[int]) -> Sequence[int]:
        return ranked[: len(ranked) // self._reduction]

    def _standing(
        self, study: Study, stopped: Collection[int]
    ) -> Iterator[tuple[list[int], set[int]]]:
        """Of each rung, the highest first: who got there, in order, and who was stopped there."""
        trials, higher = _trials_of(study), set[int]()
        for rung in reversed(self._rungs):
            ranked = _ranked(trials, rung, study.direction)
            yield ranked, {each for each in ranked if each in stopped} - higher
            higher |= set(ranked)


def _trials_of(study: Study) -> list[FrozenTrial]:
    return list(latest_of(study.get_trials(deepcopy=False)).values())


def _ranked(trials: Sequence[FrozenTrial], rung: int, direction: StudyDirection) -> list[int]:
    """Numbers of those that got there, the best first; of equal ones who was asked for earlier."""
    sign = 1 if direction == StudyDirection.MAXIMIZE else -1
    there = [each for each in trials if _reached(each, rung) is not None]
    there.sort(key=lambda each: (-sign * _best_until(each, rung, sign), each.user_attrs[INDEX]))
    return [each.number for each in there]


def _reached(trial: FrozenTrial, rung: int) -> int | None:
    """The first epoch reported at a rung or behind it: some report only every few epochs."""
    return min((step for step in trial.intermediate_values if step >= rung), default=None)


def _best_until(trial: FrozenTrial, rung: int, sign: int) -> float:
    """Of a training that got there."""
    last = _reached(trial, rung) or 0
    values = [value for step, value in trial.intermediate_values.items() if step <= last]
    return max(values) if sign > 0 else min(values)
