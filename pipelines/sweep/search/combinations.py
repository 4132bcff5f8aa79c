"""What a sweep tries: combinations of parameters' values, each run once or several times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.estimates import Estimate
from scenario.designs.trials import Trial, Value

from ...side_by_side.seeds import half_width
from .objectives import Objective, is_dominated

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

INDEX = "index"
"""Attribute of a study's trial: its combination. One without was proposed in vain."""


class TrialState(StrEnum):
    """What has become of a run of a sweep, or of all runs of a combination."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"

    @property
    def has_ended(self) -> bool:
        return self not in (TrialState.WAITING, TrialState.RUNNING)


@dataclass
class TrialRun:
    """One run of a combination.

    Args:
        tries: processes that have worked on it.
        values: of the objectives, once it has ended well.
        epoch, epochs: how far it is.
        latest: the first objective's value of the last epoch.
        reused: a finished run of the same parameters stands in.
    """

    trial: Trial
    state: TrialState = TrialState.WAITING
    run_id: str = ""
    tries: int = 0
    values: tuple[float, ...] = ()
    epoch: int = 0
    epochs: int = 0
    latest: float | None = None
    seconds: float = 0.0
    reason: str = ""
    reused: bool = False

    def to_dict(self) -> dict[str, Any]:
        """What is kept of it beside the study, JSON-able."""
        return {key: value for key, value in asdict(self).items() if key != "trial"}

    @classmethod
    def from_dict(cls, trial: Trial, values: Mapping[str, Any]) -> TrialRun:
        state, numbers = TrialState(values["state"]), tuple(values["values"])
        return cls(trial, **{**values, "state": state, "values": numbers})


@dataclass
class Combination:
    """Values of the parameters, and their runs.

    Args:
        index: from 0, in the order of asking.
        number: of the study's trial.
        params: path in the scenario → value.
    """

    index: int
    number: int
    params: Mapping[str, Value]
    runs: list[TrialRun] = field(default_factory=list)

    @property
    def state(self) -> TrialState:
        """COMPLETE where all runs are; else the worst that has become of one."""
        states = {run.state for run in self.runs}
        for state in (TrialState.RUNNING, TrialState.FAILED, TrialState.PRUNED):
            if state in states:
                return state
        return TrialState.COMPLETE if states == {TrialState.COMPLETE} else TrialState.WAITING

    @property
    def values(self) -> tuple[float, ...]:
        """Means over the runs; () unless every run has ended well."""
        if self.state is not TrialState.COMPLETE:
            return ()
        return tuple(fmean(of_one) for of_one in zip(*(r.values for r in self.runs), strict=True))

    def estimate(self, objective: int = 0) -> Estimate | None:
        """The mean over the seeds with its interval (Student's t); None with fewer than two."""
        numbers = [run.values[objective] for run in self.runs if run.values]
        if len(numbers) < 2 or not self.values:
            return None
        half, mean = half_width(numbers), fmean(numbers)
        return Estimate(mean, mean - half, mean + half)

    def best_run(self, objective: Objective) -> TrialRun:
        """The run with the best value among those that ended well."""
        sign = 1 if objective.direction == "maximize" else -1
        return max((run for run in self.runs if run.values), key=lambda run: sign * run.values[0])

    @property
    def reason(self) -> str:
        return next((run.reason for run in self.runs if run.reason), "")


def latest_of(trials: Sequence[FrozenTrial]) -> dict[int, FrozenTrial]:
    """Index of a combination → its trial; of one that was taken up again the last trial."""
    return {int(each.user_attrs[INDEX]): each for each in trials if INDEX in each.user_attrs}


def ranked(combinations: Sequence[Combination], objective: Objective) -> list[Combination]:
    """Those that ended well, the best of the first objective first; equal ones by their index."""
    sign = -1 if objective.direction == "maximize" else 1
    complete = [each for each in combinations if each.values]
    return sorted(complete, key=lambda each: (sign * each.values[0], each.index))


def front_of(complete: Sequence[Combination], objectives: Sequence[Objective]) -> list[Combination]:
    """Those of the ones that ended well that no other beats in every objective."""
    values = [each.values for each in complete]
    return [each for each in complete if not is_dominated(each.values, values, objectives)]
