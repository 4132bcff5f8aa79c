"""What the runs of a sweep keep: their state as tags, and the weights of the best alone.

A run whose weights are gone is not taken for a finished one of the same fingerprint any more: who
asks for that training gets its model. A run of another sweep, or of none, is never touched; where
one stands in for a trial, its tag USED_TAG keeps the sweep that made it from removing its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from guardianflow.contracts.errors import AlreadyRunningError, GuardianFlowError

from ..stage.inputs.sources import (
    GONE,
    WEIGHTS_GONE_TAG,
)
from ..stage.stage import FINGERPRINT_TAG
from ..train.unfinished import all_unfinished
from ..wiring import Store
from .search.combinations import Combination, TrialRun, TrialState, front_of, ranked
from .search.objectives import Objective

STATE_TAG, REASON_TAG, TRIES_TAG = "sweep.state", "sweep.reason", "sweep.tries"
REPLACED_TAG = "sweep.replaced_by"
USED_TAG = "sweep.used_by"
WEIGHTS_FOLDER = "weights"


class KeptWeights:
    """The runs of one sweep in the store.

    Whatever fails here is told and changes nothing of the sweep.

    Args:
        most: combinations whose weights are kept; with several objectives, the Pareto front's are.
    """

    def __init__(
        self,
        store: Store,
        parent_run_id: str,
        work_dir: Path,
        objectives: Sequence[Objective],
        most: int,
        tell: Callable[[str], None],
    ) -> None:
        self._store, self._parent, self._work_dir = store, parent_run_id, work_dir
        self._objectives, self._most, self._tell = objectives, most, tell
        self._gone: set[str] = set()
        self._ours: dict[str, bool] = {}

    def note(self, run: TrialRun) -> None:
        """Say on a run what it came to; a pruned one leaves nothing to go on with."""
        if not run.run_id:
            return
        if not self._is_ours(run.run_id):
            if run.state is TrialState.COMPLETE:
                self._note("who uses run", run.run_id, {USED_TAG: self._parent})
            return
        tags = {
            STATE_TAG: str(run.state),
            TRIES_TAG: str(run.tries),
            **({REASON_TAG: run.reason} if run.reason else {}),
        }
        self._note("the state of run", run.run_id, tags)
        if run.state is TrialState.PRUNED:
            self._forget_training(run.run_id)
            self._remove(run.run_id)

    def note_replaced(self, run_id: str, run: TrialRun) -> None:
        """Say on a crashed run which one has its parameters now."""
        tags = {REPLACED_TAG: run.trial.name, STATE_TAG: str(TrialState.FAILED)}
        self._note("what replaces run", run_id, tags)

    def keep_best(self, combinations: Sequence[Combination]) -> None:
        """Remove the weights of all that ended well and are not among the best."""
        complete = [each for each in combinations if each.values]
        kept = {id(each) for each in self.best_of(complete)}
        for each in complete:
            if id(each) in kept:
                continue
            for run in each.runs:
                if run.run_id not in self._gone and self._is_ours(run.run_id):
                    self._remove(run.run_id)

    def best_of(self, complete: Sequence[Combination]) -> list[Combination]:
        """The combinations whose weights are kept, the best first."""
        if len(self._objectives) > 1:
            return front_of(complete, self._objectives)
        return ranked(complete, self._objectives[0])[: self._most]

    def _is_ours(self, run_id: str) -> bool:
        if run_id not in self._ours:
            try:
                self._ours[run_id] = self._store.get_run(run_id).parent_run_id == self._parent
            except GuardianFlowError as exc:
                self._tell(f"run {run_id} can't be read: {exc}")
                return False
        return self._ours[run_id]

    def _note(self, what: str, run_id: str, tags: dict[str, str]) -> None:
        self._try(f"note {what} {run_id}", lambda: self._store.annotate(run_id, tags=tags))

    def _remove(self, run_id: str) -> None:
        """First the fingerprint: a run without weights must stand in for none."""
        self._gone.add(run_id)

        def remove() -> None:
            run = self._store.get_run(run_id)
            if run.tags.get(WEIGHTS_GONE_TAG) == GONE or USED_TAG in run.tags:
                return
            fingerprint = f"{GONE}:{run.tags.get(FINGERPRINT_TAG, '')}"
            gone = {FINGERPRINT_TAG: fingerprint, WEIGHTS_GONE_TAG: GONE}
            self._store.annotate(run_id, tags=gone)
            self._store.remove_files(run_id, WEIGHTS_FOLDER)

        self._try(f"remove the weights of run {run_id}", remove)

    def _forget_training(self, run_id: str) -> None:
        """Remove what would be needed to go on with a training that nobody goes on with."""
        for place, state in all_unfinished(self._work_dir):
            if state.run_id == run_id:
                with suppress(AlreadyRunningError, OSError), place.hold():
                    place.remove()

    def _try(self, doing: str, do: Callable[[], None]) -> None:
        try:
            do()
        except GuardianFlowError as exc:
            self._tell(f"could not {doing}: {exc}")
