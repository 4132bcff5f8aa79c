"""Decides how a training begins: anew, or in the run of an attempt that did not end well.

    ANEW     a new run; what an earlier attempt left is removed
    AGAIN    the same run from its first epoch: none had been reported
    GOES_ON  the same run, from the newest whole checkpoint
    TRAINED  the same run; what is left is to package and to register the model

Where an earlier attempt can't be gone on with, its run is ended, and the new one's tags say why.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import (
    AlreadyRunningError,
    GuardianFlowError,
    SourceError,
    TrackingError,
)
from guardianflow.contracts.results import RunRecord, RunRequest, sha256_of
from guardianflow.contracts.run_status import RunStatus
from guardianflow.run_tracking.connection import resolve_tracking_uri
from guardianflow.run_tracking.run_records import PARENT_TAG
from guardianflow.run_tracking.services.workspaces import with_workspace
from guardianflow.support.secrets.redaction import redact_value, shown_address

from ..stage.stage import StageContext, StagePlan
from ..stage.tracked_run import end_run
from .curve import Curve
from .epoch_journal import EpochJournal
from .snapshots import Snapshot, Snapshots
from .unfinished import TrainingState, Unfinished, all_unfinished, owned_now

TRAINING_TAG = "guardianflow.training"
"""On the run: the training's own id, by which it is found where its run id was not noted."""
TIMES_TAG, FROM_EPOCH_TAG = "resumed.times", "resumed.from_epoch"
REPEATED_TAG = "resumed.repeated_epochs"
NOT_TAG, OLD_RUN_TAG = "resumed.not", "resumed.old_run"
MEGABYTE = 1_000_000


class Beginning(StrEnum):
    ANEW = "anew"
    AGAIN = "again"
    GOES_ON = "goes_on"
    TRAINED = "trained"


class NotResumed(StrEnum):
    """Why an attempt that is there is not gone on with."""

    FORCED = "forced"
    TRAINER_CANT = "trainer_cannot_resume"
    NO_CHECKPOINT = "no_whole_checkpoint"
    RUN_GONE = "run_gone"


TEXTS = {
    NotResumed.FORCED: "--force asks for a new one",
    NotResumed.TRAINER_CANT: "its Trainer's constructor does not name resume_from",
    NotResumed.NO_CHECKPOINT: "there is no whole checkpoint of it",
    NotResumed.RUN_GONE: "its run is gone from the store",
}


def _place_of(context: StageContext, fingerprint: str) -> Unfinished:
    request = context.request
    uri = with_workspace(resolve_tracking_uri(request.tracking_uri))
    return Unfinished.of(context.settings.work_dir, fingerprint, uri, request.experiment_name)


def forget_training(context: StageContext, fingerprint: str, run_id: str) -> None:
    """Remove what was left between the end of this run, which is FINISHED, and its process's."""
    place = _place_of(context, fingerprint)
    state = place.state()
    if state is not None and state.run_id == run_id:
        with suppress(AlreadyRunningError, OSError), place.hold():
            place.remove()


class TrainOpening:
    """How one training is begun, while its lock is held.

    Args:
        can_resume: whether the trainer takes `resume_from`.

    Attributes:
        attempt: 1 for a new run.
        checkpoint: what the trainer shall go on from; None from the start.
        best: the model of a training that was done already.
    """

    def __init__(self, context: StageContext, plan: StagePlan, *, can_resume: bool) -> None:
        self._context, self._plan, self._can_resume = context, plan, can_resume
        self.place = _place_of(context, plan.fingerprint)
        self.snapshots = Snapshots(self.place.checkpoints, self.place.training)
        self.attempt = 1
        self.checkpoint: Path | None = None
        self.best: Path | None = None
        self._state: TrainingState | None = None
        self._old: RunRecord | None = None
        self._snapshot: Snapshot | None = None
        self._begins, self._not = Beginning.ANEW, ""
        self._journal = EpochJournal(self.place.journal)

    @property
    def output(self) -> Path:
        """The directory that the trainer writes into."""
        return self.place.training

    @contextmanager
    def held(self) -> Iterator[TrainOpening]:
        """Look at what is there, with the lock held.

        Raises:
            AlreadyRunningError: another process is at this training.
            SourceError: the request's run can't be gone on with.
        """
        with ExitStack() as stack:
            with self._writable():
                stack.enter_context(self.place.hold(self._tell))
                self._look()
            try:
                yield self
            except BaseException:
                self._tell_what_is_kept()
                raise

    def check_free(self) -> None:
        with suppress(OSError), self.place.hold(self._tell):
            pass

    def open_run(self, request: RunRequest) -> str:
        with self._writable():
            if self._begins == Beginning.ANEW:
                return self._open_new(request)
            return self._open_again(request)

    def curve(self, run_id: str) -> Curve:
        """The run's curve, with all that earlier attempts reported.

        Raises:
            TrackingError: the store can't be asked, or refuses.
        """
        went_on = self._begins != Beginning.ANEW
        curve = Curve(
            self._context.ports.store, run_id, self._journal, went_on=went_on, tell=self._tell
        )
        if self._snapshot and self._snapshot.report not in self._journal.reports:
            curve.write(self._snapshot.report)  # trained and copied, but not reported any more
        if went_on:
            curve.catch_up()
        return curve

    def trained(self, best: Path) -> None:
        """Note that the training is done: whatever happens from here on, it is not done again."""
        assert self._state is not None
        files = {str(path): sha256_of(path) for path in _files(best)}
        try:
            self._state = self.place.note(replace(self._state, best=str(best), best_files=files))
        except OSError as exc:
            self._tell(f"that the training is done could not be noted: {exc}")

    def finished(self) -> None:
        try:
            self.place.remove()
        except OSError as exc:
            self._tell(f"{self.place.folder} is left behind: {exc}")

    # --- what is there ------------------------------------------------------------------------

    def _look(self) -> None:
        self._state = state = self.place.state()
        self._journal = EpochJournal(self.place.journal)
        if state is not None:
            self._old = self._run_of(state)
            self._decide(state)
        wanted = self._context.request.resume
        found = self._old.run_id if self._old else ""
        if wanted and (self._begins == Beginning.ANEW or found != wanted):
            raise SourceError(self._refusal(wanted))
        if state is None:
            self._tell_of_others()

    def _decide(self, state: TrainingState) -> None:
        if self._old is None:
            self._not = NotResumed.RUN_GONE if state.run_id else ""
            return
        if self._old.status == RunStatus.FINISHED:
            return
        snapshot, damaged = self.snapshots.newest_whole()
        if self._context.request.force:
            self._not = NotResumed.FORCED
        elif state.best and _are_whole(state.best_files):
            self._begins, self.best = Beginning.TRAINED, Path(state.best)
        elif snapshot is not None and self._can_resume:
            self._begins, self._snapshot = Beginning.GOES_ON, snapshot
        elif not self._journal.reports:
            self._begins = Beginning.AGAIN
        else:
            cant = not self._can_resume
            self._not = NotResumed.TRAINER_CANT if cant else NotResumed.NO_CHECKPOINT
        if damaged and not self._not:
            self._tell(f"{damaged} checkpoints are damaged: an earlier one is taken")
        if self._journal.damaged:
            self._tell(f"{self._journal.damaged} lines of {self.place.journal} are damaged")

    def _run_of(self, state: TrainingState) -> RunRecord | None:
        store = self._context.ports.store
        if not state.run_id:  # the process ended between the making of the run and its noting
            tags = {TRAINING_TAG: state.training_id}
            return next(
                iter(store.find_runs(experiment_name=state.experiment_name, tags=tags)), None
            )
        return self._context.ports.run_if_there(state.run_id)

    def _refusal(self, wanted: str) -> str:
        if self._not:
            return f"run {wanted} can't be gone on with: {TEXTS[NotResumed(self._not)]}"
        for place, state in all_unfinished(self._context.settings.work_dir):
            if state.run_id == wanted and place != self.place:
                return (
                    f"run {wanted} can't be gone on with, because what it was made of has changed: "
                    f"{self._changes(state)}. Change it back, or train anew"
                )
        return f"run {wanted} can't be gone on with: nothing of it is on this machine any more"

    def _tell_of_others(self) -> None:
        """An unfinished training of this name that is another one by now."""
        request, store = (
            self._context.request,
            with_workspace(shown_address(self._context.ports.store.tracking_uri)),
        )
        for place, state in all_unfinished(self._context.settings.work_dir):
            same = (state.store, state.experiment_name, state.run_name) == (
                store, request.experiment_name, request.run_name,
            )  # fmt: skip
            if not same or place == self.place or not state.run_id:
                continue
            with suppress(AlreadyRunningError), place.hold():
                self._tell(
                    f"run {state.run_id} is unfinished but was made of something else "
                    f"({self._changes(state)}): this is a new training. The other one goes on with "
                    f"`guardianflow resume {state.run_id}`; it keeps "
                    f"{place.size_bytes() / MEGABYTE:.0f} MB in {place.folder}"
                )

    def _changes(self, state: TrainingState) -> str:
        now = json.dumps(redact_value("", dict(self._plan.identity)), default=str)
        changes = list(differences(state.identity, json.loads(now)))
        return "; ".join(changes[:5]) + (f" and {len(changes) - 5} more" * (len(changes) > 5))

    # --- opening ------------------------------------------------------------------------------

    def _open_new(self, request: RunRequest) -> str:
        store, own = self._context.ports.store, {}
        if self._not:
            old = self._state.run_id if self._state else ""
            self._tell(f"run {old} is not gone on with: {TEXTS[NotResumed(self._not)]}")
            own = {NOT_TAG: str(self._not), OLD_RUN_TAG: old}
        if self._old is not None and self._old.status == RunStatus.RUNNING:
            reason = TEXTS[NotResumed(self._not)] if self._not else "its process is gone"
            end_run(
                store, self._old.run_id, RunStatus.KILLED, f"not gone on with: {reason}", self._tell
            )
        state = self._state_of(uuid.uuid4().hex)
        self._state = self.place.begin(state)
        self._journal = EpochJournal(self.place.journal)
        self._show_output()
        tags = {**request.tags, **own, TRAINING_TAG: state.training_id}
        run_id = store.start_run(replace(request, tags=tags))
        with suppress(OSError):  # it is found by its tag
            self._state = self.place.note(replace(state, run_id=run_id))
        return run_id

    def _open_again(self, request: RunRequest) -> str:
        store, state, old = self._context.ports.store, self._state, self._old
        assert state is not None and old is not None
        self.attempt = state.attempts + 1
        fresh = self._state_of(state.training_id)
        self._state = self.place.note(
            replace(
                fresh,
                run_id=old.run_id,
                created=state.created,
                attempts=self.attempt,
                best=state.best,
                best_files=state.best_files,
            )
        )
        self._prepare_output()
        self._show_output()
        done = self._journal.last_epoch
        if self._snapshot is not None:
            done = self._snapshot.epoch
        tags = {**request.tags, TIMES_TAG: self.attempt - 1, FROM_EPOCH_TAG: done}
        if request.parent_run_id is not None:
            tags[PARENT_TAG] = request.parent_run_id
        store.annotate(old.run_id, tags=tags)
        if request.adopt_launcher:
            store.link_launcher(old.run_id)
        self._tell(
            f"run {old.run_id} goes on after epoch {done} of {self._epochs}, attempt "
            f"{self.attempt}; it keeps {self.place.size_bytes() / MEGABYTE:.0f} MB in "
            f"{self.place.folder}"
        )
        store.reopen_run(old.run_id)  # last: what fails before leaves it ended
        return old.run_id

    def _prepare_output(self) -> None:
        if self._snapshot is not None:
            self.checkpoint = self.snapshots.restore(self._snapshot)
        elif self._begins == Beginning.AGAIN:
            shutil.rmtree(self.output, ignore_errors=True)
            self.output.mkdir()

    def _show_output(self) -> None:
        """The attempt's directory leads to it: who looks at a failed one looks there."""
        with suppress(OSError):
            (self._context.scratch / "training").symlink_to(self.output)

    def _state_of(self, training_id: str) -> TrainingState:
        request = self._context.request
        return owned_now(
            TrainingState(
                training_id=training_id,
                store=with_workspace(shown_address(self._context.ports.store.tracking_uri)),
                experiment_name=request.experiment_name,
                run_name=request.run_name,
                request=redact_value("", asdict(request)),
                identity=redact_value("", dict(self._plan.identity)),
                created=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                directory=str(Path.cwd()),
            )
        )

    # --- what is told -------------------------------------------------------------------------

    @property
    def _epochs(self) -> int:
        return self._context.scenario.training.epochs

    def _tell(self, text: str) -> None:
        self._context.events.notice(text)

    def _tell_what_is_kept(self) -> None:
        state = self._state
        with suppress(OSError):
            if state is not None and state.run_id and self._journal.reports:
                self._tell(
                    f"{self._journal.last_epoch} of {self._epochs} epochs are kept, "
                    f"{self.place.size_bytes() / MEGABYTE:.0f} MB in {self.place.folder}: the same "
                    f"command goes on, and so does `guardianflow resume {state.run_id}`"
                )

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except TrackingError:
            raise
        except OSError as exc:
            raise GuardianFlowError(
                f"the work directory {self._context.settings.work_dir} must be writable but got: "
                f"{exc}. Make room in it, or name another one in GUARDIANFLOW_WORK_DIR"
            ) from exc


def differences(old: object, new: object, where: str = "") -> Iterator[str]:
    """What differs between two values, a text for each part: 'training.epochs 20 → 10'."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            inside = f"{where}.{key}" if where else str(key)
            yield from differences(old.get(key), new.get(key), inside)
    elif old != new:
        yield f"{where} {_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:12]}…"


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(each for each in path.rglob("*") if each.is_file())


def _are_whole(files: Mapping[str, str]) -> bool:
    try:
        return bool(files) and all(sha256_of(Path(p)) == digest for p, digest in files.items())
    except OSError:
        return False
