"""Works through a sweep: combinations go to a pool, what comes of them goes to the study.

    study.next() ──► pool.submit ──► epochs ──► pruned, while others are better; may be next again
                        ▲              └──────► ended: its values to the study
                        └── a crash: the same parameters again, a bounded number of times

A training that is tried again goes on in its own run, after its last whole checkpoint. What a
training does not report, its latency, an infer stage measures; the pool runs it alone.
"""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardianflow.contracts.errors import StageFailedError
from guardianflow.contracts.results import StageResult

from ..pools.port import EndedStage, Needs, StagePool
from ..stage.kinds import SWEEP
from ..stage.stage import StageRequest
from .failures import ENDS_ALL, FIRST_FAILURES, is_done_elsewhere, is_tried_again
from .kept_weights import KeptWeights
from .report.board import Board
from .search.combinations import Combination, TrialRun, TrialState
from .search.objectives import Objective, missing_problem
from .search.storage import BEAT_S
from .search.study import Study

POLL_S = 0.2
"""An epoch waits that long at most until it is judged."""
ELSEWHERE_S = 10.0
"""After which a training that another process is at is asked for again."""
RequestOf = Callable[[TrialRun], StageRequest]


@dataclass(eq=False)
class AtWork:
    """A run that is in the pool.

    Args:
        pruned_at: the epoch after which it was stopped; 0 else.
        trained: what its training reported, while it is judged; None before.
    """

    combination: Combination
    run: TrialRun
    began: float = field(default_factory=time.monotonic)
    ticket: int = -1
    pruned_at: int = 0
    trained: StageResult | None = None


class Engine:
    """One sweep at work; the thread that runs it is the only one that uses study and pool.

    Args:
        request_of: the stage of a run.
        weights, board: told how it goes, for the store and for people.
        judge_of: the stage that measures a trained run; None where the run's own reports are all.
        retries: how often a run that crashed is tried again.
        fail_fast: the first combination that fails ends the sweep.
        joins: another machine has begun the sweep, and ends it: work until nothing is left to ask.
    """

    def __init__(
        self,
        study: Study,
        pool: StagePool,
        objectives: Sequence[Objective],
        request_of: RequestOf,
        weights: KeptWeights,
        board: Board,
        *,
        judge_of: RequestOf | None = None,
        needs: Needs | None = None,
        retries: int = 2,
        fail_fast: bool = False,
        joins: bool = False,
    ) -> None:
        self._study, self._pool, self._objectives = study, pool, objectives
        self._request_of, self._judge_of = request_of, judge_of
        self._weights, self._board = weights, board
        self._needs, self._retries, self._fail_fast = needs or Needs(), retries, fail_fast
        self._joins, self._looked, self._elsewhere = joins, 0.0, False
        self._at_work: dict[int, AtWork] = {}
        self._heard: queue.SimpleQueue[tuple[AtWork, dict[str, Any]]] = queue.SimpleQueue()
        self._all: dict[int, Combination] = {}
        self._later: list[tuple[float, Combination, TrialRun]] = []
        self._told: set[str] = set()
        self._given_up: set[int] = set()

    @property
    def combinations(self) -> list[Combination]:
        return [self._all[index] for index in sorted(self._all)]

    def run(self) -> list[Combination]:
        """Work until nothing is left to try; every combination, those of earlier processes too.

        Raises:
            StageFailedError: every trial fails, one did with fail_fast, or no trial can go well.
            ConfigurationError: no machine of the pool has what a trial needs.
        """
        if not self._joins:
            self._study.try_failed_again()
        while self._goes_on():
            ended = self._pool.next_ended(POLL_S)
            if not self._at_work and ended is None:  # all that is left is done elsewhere
                time.sleep(POLL_S)
            self._hear()
            if ended is not None:
                self._end(ended)
            self._board.moved(self.combinations, self._study.total)
        if self._study.is_shared and not self._joins:  # those of other machines too
            self._all |= {each.index: each for each in self._study.combinations()}
        self._give_up(self._study.given_up(ends=True, own=self._joins))
        self._weights.keep_best(self.combinations)
        self._board.moved(self.combinations, self._study.total)
        return self.combinations

    def _goes_on(self) -> bool:
        """Take up what there is to do; whether anything is at work, here or elsewhere."""
        shared = self._study.is_shared
        if not self._looked or (shared and time.monotonic() - self._looked > BEAT_S):
            self._look_around()
        if self._fill() or self._elsewhere:
            return True
        if shared:  # somebody may have begun since
            self._look_around()
        return bool(self._at_work or self._elsewhere)

    def _look_around(self) -> None:
        """Take what nobody is at, and see what other machines do."""
        self._looked = time.monotonic()
        mine = {id(work.combination): work.combination for work in self._at_work.values()}
        mine |= {id(waiting): waiting for _, waiting, _ in self._later}
        self._study.beat(list(mine.values()))
        kept = {each.index for each in mine.values()}
        seen = {each.index: each for each in self._study.combinations()}
        self._all |= {index: each for index, each in seen.items() if index not in kept}
        for each in self._study.take_over():
            if each.index not in kept:
                self._all[each.index] = each
                kept.add(each.index)
                for run in each.runs:
                    run.tries = 0
                self._begin(each)
        left = {each.index for each in self._study.unfinished()} - kept
        self._elsewhere = bool(left) and not self._joins

    # --- to work ------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Ask for more where there is room; whether anything is at work, or waited for."""
        due = [each for each in self._later if each[0] <= time.monotonic()]
        self._later = [each for each in self._later if each not in due]
        for _, waiting, run in due:
            if not (run.state.has_ended or self._begin_run(waiting, run)):
                self._conclude(waiting)
        while len(self._at_work) < self._pool.places:
            combination = self._study.next()
            if combination is None:
                break
            self._all[combination.index] = combination
            self._given_up.discard(combination.index)
            for run in combination.runs:
                if run.epoch and not run.state.has_ended:
                    text = f"{run.trial.name} goes on after epoch {run.epoch}: it is among the best"
                    self._board.tell(text)
            self._begin(combination)
        return bool(self._at_work or self._later)

    def _begin(self, combination: Combination) -> None:
        for run in combination.runs:
            if not run.state.has_ended:
                self._begin_run(combination, run)
        self._conclude(combination)  # an earlier process ended before it could

    def _begin_run(self, combination: Combination, run: TrialRun) -> bool:
        """Submit a run, unless another repeat was pruned meanwhile; whether it was."""
        pruned = next((r for r in combination.runs if r.state is TrialState.PRUNED), None)
        if pruned is None:
            self._submit(combination, run)
        else:
            run.state, run.reason = TrialState.PRUNED, pruned.reason
        return pruned is None

    def _submit(
        self, combination: Combination, run: TrialRun, trained: StageResult | None = None
    ) -> None:
        work = AtWork(combination, run, trained=trained)
        run.tries, run.state, run.reason = run.tries + 1, TrialState.WAITING, ""
        judge_of = self._judge_of if trained else None
        request = (judge_of or self._request_of)(run)
        work.ticket = self._pool.submit(
            request, self._needs, lambda event: self._heard.put((work, event))
        )
        self._at_work[work.ticket] = work

    # --- on the way ---------------------------------------------------------------------------

    def _hear(self) -> None:
        while True:
            try:
                work, event = self._heard.get_nowait()
            except queue.Empty:
                return
            self._take(work, event)

    def _take(self, work: AtWork, event: dict[str, Any]) -> None:
        run = work.run
        if not run.state.has_ended:
            run.state = TrialState.RUNNING
        if event["kind"] == "run" and work.trained is None:
            if run.run_id not in ("", event["run_id"]):
                self._weights.note_replaced(run.run_id, run)
            run.run_id = event["run_id"]
            self._study.keep(work.combination)
        elif event["kind"] == "progress" and "metrics" in event:
            self._judge_epoch(work, event)
        elif (
            event["kind"] == "notice" and not work.pruned_at
        ):  # how to go on with it is no question
            self._tell_once(f"{run.trial.name}: {event['text']}", event["text"])

    def _tell_once(self, text: str, key: str = "") -> None:
        """Args: key: what makes two texts the same."""
        if (key or text) not in self._told:
            self._told.add(key or text)
            self._board.tell(text)

    def _judge_epoch(self, work: AtWork, event: dict[str, Any]) -> None:
        run, epoch = work.run, int(event["done"])
        run.epoch, run.epochs = epoch, int(event["total"])
        value = self._objectives[0].value_in(event["metrics"])
        if value is None or not math.isfinite(value):
            return
        run.latest = value
        # One run of several stands for all: Optuna takes one value a step.
        if run.trial.repeat or work.pruned_at or run.state.has_ended:
            return
        hopeless = self._study.report(work.combination, epoch, value)
        if hopeless and epoch < run.epochs:
            for other in list(self._at_work.values()):
                if other.combination is work.combination:
                    other.pruned_at = epoch
                    self._pool.stop(other.ticket, f"pruned after epoch {epoch}")

    # --- ended --------------------------------------------------------------------------------

    def _end(self, ended: EndedStage) -> None:
        work = self._at_work.pop(ended.ticket)
        run, combination = work.run, work.combination
        run.seconds += time.monotonic() - work.began
        if ended.result is not None:
            if self._is_to_be_judged(work, ended.result):
                run.run_id, run.tries = ended.result.run_id, 0
                self._submit(combination, run, ended.result)
                return
            self._take_result(work, ended.result)
        elif ended.stopped:
            run.state = TrialState.PRUNED if work.pruned_at else TrialState.FAILED
            run.reason = ended.stopped
        elif ended.failure is not None and self._again(work, ended.failure):
            return
        if run.state is not TrialState.PRUNED:  # it may be gone on with
            self._weights.note(run)
        self._board.ended(run)
        if run.state is TrialState.FAILED:
            reason = "another repeat of the same parameters failed"
            for other in self._at_work.values():
                if other.combination is combination:
                    self._pool.stop(other.ticket, reason)
            for _, same, waiting in self._later:
                if same is combination:
                    waiting.state, waiting.reason = TrialState.FAILED, reason
        self._conclude(combination)

    def _is_to_be_judged(self, work: AtWork, result: StageResult) -> bool:
        """Whether a run has been trained, and an objective is left to be measured."""
        lacks = any(each.value_in(result.metrics) is None for each in self._objectives)
        return self._judge_of is not None and work.trained is None and lacks

    def _take_result(self, work: AtWork, result: StageResult) -> None:
        run, own = work.run, work.trained or result
        run.run_id, run.reused = own.run_id, own.reused
        metrics = {**result.metrics, **own.metrics}
        if problem := missing_problem(self._objectives, metrics):
            raise StageFailedError(SWEEP, problem, run_id=result.run_id, exit_code=2)
        found = (each.value_in(metrics) for each in self._objectives)
        run.values = tuple(value for value in found if value is not None)
        run.state, run.latest = TrialState.COMPLETE, run.values[0]
        if not all(map(math.isfinite, run.values)):
            named = zip(self._objectives, run.values, strict=True)
            run.reason = ", ".join(f"{each.name} is {value}" for each, value in named)
            run.state, run.values = TrialState.FAILED, ()

    def _again(self, work: AtWork, failure: StageFailedError) -> bool:
        """Try a crashed run again, or note that it has failed."""
        run = work.run
        if work.trained is None:
            run.run_id = failure.run_id or run.run_id
        if is_done_elsewhere(failure):
            self._tell_once(
                f"{run.trial.name}: another process is at the same training; it is waited for"
            )
            run.tries, run.state = run.tries - 1, TrialState.WAITING
            again = time.monotonic() + ELSEWHERE_S
            self._later.append((again, work.combination, run))
            return True
        if work.pruned_at:  # it crashed while it was being stopped
            run.state, run.reason = TrialState.PRUNED, f"pruned after epoch {work.pruned_at}"
            return False
        if failure.failure_reason in ENDS_ALL:
            raise StageFailedError(
                SWEEP,
                f"{run.trial.name}: {failure.reason}. The other trials would fail by it as well",
                run_id=run.run_id or None,
                log=failure.log,
                failure_reason=failure.failure_reason,
            )
        if is_tried_again(failure) and run.tries <= self._retries:
            self._board.tell(
                f"{run.trial.name} crashed ({failure.reason}): its parameters are tried again, "
                f"try {run.tries + 1}"
            )
            self._submit(work.combination, run, work.trained)
            return True
        run.state, run.reason = TrialState.FAILED, failure.reason
        return False

    def _conclude(self, combination: Combination) -> None:
        """Tell the study once all runs of a combination have ended."""
        if not all(run.state.has_ended for run in combination.runs):
            self._study.keep(combination)
            return
        if combination.values:
            self._study.complete(combination)
        else:
            self._study.ended(combination)
        self._weights.keep_best(self.combinations)
        self._give_up(self._study.given_up(ends=False, own=True))
        if combination.state is TrialState.FAILED:
            self._give_up({combination.index})
            self._stop_where_all_fail(combination)

    def _give_up(self, indexes: Collection[int]) -> None:
        """Tell which pruned runs leave nothing to go on with."""
        for index in indexes:
            if index in self._all and index not in self._given_up:
                self._given_up.add(index)
                for run in self._all[index].runs:
                    if run.state is TrialState.PRUNED:
                        self._weights.note(run)

    def _stop_where_all_fail(self, last: Combination) -> None:
        ended = [each for each in self._all.values() if each.state.has_ended]
        all_fail = len(ended) >= min(FIRST_FAILURES, self._study.total) and all(
            each.state is TrialState.FAILED for each in ended
        )
        if not (self._fail_fast or all_fail):
            return
        failed = f"the first {len(ended)} trials have all failed" if all_fail else "a trial failed"
        if len(ended) == 1:
            failed = "the first trial has failed"
        raise StageFailedError(
            SWEEP,
            f"{failed}; {last.runs[0].trial.name}: {last.reason}",
            run_id=next((run.run_id for run in last.runs if run.run_id), None),
        )
