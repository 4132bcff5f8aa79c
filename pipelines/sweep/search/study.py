"""The study of a sweep, on Optuna: which values are tried next, and what came of them.

    next()       the next combination, on the medium before it is told; None where none is left.
                 One that was stopped comes before a new one, as soon as it is worth going on with
    report()     an epoch's value; answers whether the combination is worth going on with
    complete(), ended()
                 what came of it: a sweep that goes on does not try it again
    take_over()  those that were at work when their process ended

Where the study is in PostgreSQL several machines ask it, one after the other; whoever is at a trial
says so from time to time, and a trial that nobody speaks for any more goes to who asks next.

Each question is answered from what is on the medium and the seed alone, so a sweep that was killed
and goes on asks as if it had not been. A combination is tried once: Optuna may propose one again.
"""

from __future__ import annotations

import random
import socket
import uuid
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import GuardianFlowError
from scenario.designs.trials import Trial as PlannedTrial
from scenario.designs.trials import Value

from .combinations import INDEX, Combination, TrialRun, TrialState, latest_of
from .objectives import Objective
from .space import Key, Space, plain_value

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial

RUNS, OWNER = "runs", "owner"
"""Attributes of a study's trial."""
PROPOSALS = 20
"""Times that Optuna may propose what was tried already, where combinations are too many to list."""
Turn = Callable[[], AbstractContextManager[Any]]
MakeTrials = Callable[[int, Mapping[str, Value]], Sequence[PlannedTrial]]
"""The runs of a combination, by its index and values."""


@dataclass(frozen=True)
class Rules:
    """How a study asks.

    Args:
        objectives: one, or several for a Pareto front.
        sampler: seed → Optuna's sampler; None goes through `given` in order.
        pruner: None stops no run early.
        space: path in the scenario → what is tried of it.
        given: the combinations of a grid, in order.
        most: combinations in all.
    """

    objectives: Sequence[Objective]
    space: Mapping[str, BaseDistribution]
    most: int
    seed: int
    sampler: Callable[[int], BaseSampler] | None = None
    pruner: BasePruner | None = None
    given: Sequence[Mapping[str, Value]] = ()


class Study:
    """The study of one sweep; one thread uses it.

    Args:
        storage, name: where it is kept; it is made where it is missing.
        turn: held while something is asked, where others may ask at the same time.
    """

    def __init__(
        self,
        storage: RDBStorage,
        name: str,
        rules: Rules,
        runs_of: MakeTrials,
        turn: Turn = nullcontext,
    ) -> None:
        import optuna

        from .halving import Halving

        self._rules, self._runs_of, self._turn = rules, runs_of, turn
        self._storage = storage
        self._owner = f"{socket.gethostname()} {uuid.uuid4().hex}"
        self._study: OptunaStudy = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=[each.direction for each in rules.objectives],
            pruner=rules.pruner or optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
        self._space = Space(rules.space)
        self._halving = rules.pruner if isinstance(rules.pruner, Halving) else None
        self._tried: set[Key] = set()
        with self._turn():
            self._look()
            for trial in self._study.get_trials(deepcopy=False):
                if INDEX not in trial.user_attrs and not trial.state.is_finished():
                    # its process ended while it was proposed
                    self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def close(self) -> None:
        """Close the connections to where it is kept."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    @property
    def optuna(self) -> OptunaStudy:
        """For pictures."""
        return self._study

    def describe(self, values: Mapping[str, Any]) -> None:
        """Note what belongs to the study as a whole: its parent run, what was asked for."""
        for key, value in values.items():
            self._study.set_user_attr(key, value)

    @property
    def described(self) -> Mapping[str, Any]:
        return self._study.user_attrs

    @property
    def asked(self) -> int:
        """Combinations so far."""
        return len(self._tried)

    @property
    def total(self) -> int:
        """Combinations that there will be, unless it ends early."""
        possible = self._space.size if self._rules.sampler else len(self._rules.given)
        return max(self.asked, min(self._rules.most, possible or self._rules.most))

    # --- asking -------------------------------------------------------------------------------

    def next(self) -> Combination | None:
        if self.asked >= self.total and self._to_take_up(own=False) is None:
            return None
        with self._turn():
            self._look()
            trial = self._to_take_up(own=True)
            if trial is None and self.asked < self.total:
                new = self._next_given() if self._rules.sampler is None else self._propose()
                if new is not None:
                    return self._taken(new)
            trial = trial or self._to_take_up(own=False)
            return None if trial is None else self._taken(self._taken_up(trial))

    def _look(self) -> None:
        """See what others have asked for meanwhile."""
        for trial in self._study.get_trials(deepcopy=False):
            if INDEX in trial.user_attrs:
                self._tried.add(self._space.key(trial.params))

    # --- going on with what was stopped -------------------------------------------------------

    @property
    def _has_completed(self) -> bool:
        return any(t.state.name == "COMPLETE" for t in self._study.get_trials(deepcopy=False))

    def _stopped(self, *, own: bool = False) -> dict[int, FrozenTrial]:
        """Combinations that were stopped, by the numbers of their trials.

        Args:
            own: by this machine alone.
        """
        here = socket.gethostname()
        latest = latest_of(self._study.get_trials(deepcopy=False)).values()
        return {
            each.number: each
            for each in latest
            if each.state.name == "PRUNED"
            and (not own or each.user_attrs.get(OWNER, here).split()[0] == here)
        }

    def given_up(self, *, ends: bool, own: bool) -> set[int]:
        """Indexes of the stopped combinations that are not gone on with.

        Args:
            ends: nothing is gone on with any more.
            own: those that this machine has stopped alone.
        """
        stopped = self._stopped(own=own)
        if ends or self._halving is None:
            hopeful: Collection[int] = ()
        elif self._has_completed:
            hopeful = self._halving.hopeful(self._study, stopped, self.total)
        else:  # if the best ones fail, each may be needed
            hopeful = stopped
        return {t.user_attrs[INDEX] for number, t in stopped.items() if number not in hopeful}

    def _to_take_up(self, *, own: bool) -> FrozenTrial | None:
        """The stopped one to go on with, if there is one.

        Args:
            own: of this machine alone, where its checkpoints are; else, if nobody is at work and
                none was trained to its end, the best one, in the share or not.
        """
        if self._halving is None or not (stopped := self._stopped(own=own)):
            return None
        number = self._halving.next_of(self._study, stopped)
        if number is None and not (own or self._has_completed or self.unfinished()):
            number = self._halving.best_of(self._study, stopped)
        return None if number is None else stopped[number]

    def _taken_up(self, stopped: FrozenTrial) -> FrozenTrial:
        """A trial that goes on with a stopped one, and knows what was reported of it."""
        fresh = {"state": TrialState.WAITING, "reason": "", "tries": 0}
        runs = [
            run | (fresh if run["state"] == TrialState.PRUNED else {})
            for run in stopped.user_attrs[RUNS]
        ]
        index, values = stopped.user_attrs[INDEX], stopped.intermediate_values
        return self._add(stopped.params, index, {RUNS: runs}, values)

    def _next_given(self) -> FrozenTrial:
        params = next(
            each for each in self._rules.given if self._space.key(each) not in self._tried
        )
        return self._add(params)

    def try_failed_again(self) -> None:
        """Ask for what has failed once more: a sweep that goes on may find its cause mended."""
        with self._turn():
            for each in self.combinations():
                if each.state is TrialState.FAILED:
                    self._add(each.params, each.index)

    def _add(
        self,
        params: Mapping[str, Value],
        index: int | None = None,
        attributes: Mapping[str, Any] | None = None,
        reported: Mapping[int, float] | None = None,
    ) -> FrozenTrial:
        """A trial of values that are known, written down in one go."""
        import optuna

        self._study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params=dict(params),
                distributions=dict(self._rules.space),
                user_attrs={INDEX: self.asked if index is None else index, **(attributes or {})},
                intermediate_values=dict(reported or {}),
            )
        )
        return self._study.get_trials(deepcopy=False)[-1]

    def _propose(self) -> FrozenTrial | None:
        """What Optuna proposes; where that was tried already, the untried one that is nearest.

        TPE asks for the best of a list again and again; what is beside it was not asked for yet.
        """
        import optuna

        assert self._rules.sampler is not None
        for _ in range(PROPOSALS):
            number = len(self._study.get_trials(deepcopy=False))
            seed = (self._rules.seed * 1_000_003 + number) % 2**32
            self._study.sampler = self._rules.sampler(seed)
            with warnings.catch_warnings():
                # that its beat is not Study.optimize's: it is ours
                warnings.filterwarnings("ignore", message="Heartbeat of storage")
                trial = self._study.ask(fixed_distributions=dict(self._rules.space))
            if self._space.key(trial.params) not in self._tried:
                trial.set_user_attr(INDEX, self.asked)
                return self._frozen(trial.number)
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            by_chance = isinstance(self._study.sampler, optuna.samplers.RandomSampler)
            if left := self._space.untried(self._tried):
                chance = random.Random(self._rules.seed + self.asked)
                chance.shuffle(left)  # of those equally near any one
                near = left[0] if by_chance else self._space.nearest(left, trial.params)
                return self._add(near)
        return None

    def _taken(self, trial: FrozenTrial) -> Combination:
        self._tried.add(self._space.key(trial.params))
        self._own(trial)
        return self._combination(trial)

    # --- whose a combination is -----------------------------------------------------------------

    @property
    def is_shared(self) -> bool:
        """Whether other machines may ask it too."""
        return self._storage.get_heartbeat_interval() is not None

    def _own(self, trial: FrozenTrial) -> None:
        if self.is_shared:
            self._storage.set_trial_user_attr(trial._trial_id, OWNER, self._owner)
            self._storage.record_heartbeat(trial._trial_id)

    def beat(self, combinations: Sequence[Combination]) -> None:
        """Say that somebody is at these."""
        if self.is_shared:
            for each in combinations:
                self._storage.record_heartbeat(self._frozen(each.number)._trial_id)

    def take_over(self) -> list[Combination]:
        """Those that have not ended and that nobody is at: they are ours now."""
        with self._turn():
            open_ones = {each.number: each for each in self.unfinished()}
            if self.is_shared:
                stale = set(self._storage._get_stale_trial_ids(self._study._study_id))
                for number in list(open_ones):
                    frozen = self._frozen(number)
                    if OWNER in frozen.user_attrs and frozen._trial_id not in stale:
                        del open_ones[number]
                for number in open_ones:
                    self._own(self._frozen(number))
            return list(open_ones.values())

    # --- what is there ------------------------------------------------------------------------

    def combinations(self) -> list[Combination]:
        """All that were asked for, in order, with what came of them; of several, the latest."""
        latest = latest_of(self._study.get_trials(deepcopy=False))
        return [self._combination(latest[index]) for index in sorted(latest)]

    def unfinished(self) -> list[Combination]:
        open_ones = {
            trial.number
            for trial in self._study.get_trials(deepcopy=False)
            if not trial.state.is_finished()
        }
        return [each for each in self.combinations() if each.number in open_ones]

    def _combination(self, trial: FrozenTrial) -> Combination:
        index = int(trial.user_attrs[INDEX])
        params = {name: plain_value(trial.params[name]) for name in self._rules.space}
        kept = trial.user_attrs.get(RUNS) or []
        runs = [
            TrialRun.from_dict(planned, kept[place]) if place < len(kept) else TrialRun(planned)
            for place, planned in enumerate(self._runs_of(index, params))
        ]
        return Combination(index, trial.number, params, runs)

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _open(self, frozen: FrozenTrial) -> Trial:
        """The trial as Optuna's ask gives it, also where an earlier process asked."""
        import optuna

        return optuna.Trial(self._study, frozen._trial_id)

    # --- telling ------------------------------------------------------------------------------

    def keep(self, combination: Combination) -> None:
        """Write down how its runs stand."""
        runs = [run.to_dict() for run in combination.runs]
        self._open(self._frozen(combination.number)).set_user_attr(RUNS, runs)

    def report(self, combination: Combination, step: int, value: float) -> bool:
        """Take an epoch's value; True where the combination is not worth going on with.

        What was reported before stays: a training that goes on repeats an epoch.
        """
        if self._rules.pruner is None:
            return False
        frozen = self._frozen(combination.number)
        if step in frozen.intermediate_values or frozen.state.is_finished():
            return False
        trial = self._open(frozen)
        trial.report(value, step)
        return trial.should_prune()

    def complete(self, combination: Combination) -> None:
        """Its values count. Raises GuardianFlowError: a value is not finite."""
        self.keep(combination)
        try:
            self._study.tell(combination.number, list(combination.values))
        except ValueError as exc:
            raise GuardianFlowError(f"trial {combination.index}: {exc}") from exc

    def ended(self, combination: Combination) -> None:
        """Note that it was pruned or has failed."""
        import optuna

        self.keep(combination)
        states = optuna.trial.TrialState
        pruned = combination.state is TrialState.PRUNED
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            self._study.tell(combination.number, state=states.PRUNED if pruned else states.FAIL)
