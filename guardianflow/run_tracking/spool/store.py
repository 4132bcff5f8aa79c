"""SpooledStore: a store of runs that nobody has to wait for.

    write ──► journal (this process) ──► Sender's thread ──► the store
    read  ──► the store, once all is sent; completed from the journals where it is not

A store that is down, slow, hanging or failing stops no work: a run begins with an id of ours
(`local-…`) and gets the store's id later; both lead to it.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ...contracts.errors import GuardianFlowError, SourceError, TrackingError
from ...contracts.results import DataInput, MetricPoint, RegisteredModel, RunRecord, RunRequest
from ...contracts.run_status import RunStatus
from .. import data_inputs, names
from ..launcher import claim_launcher_run
from ..run_records import (
    LOCAL_PREFIX,
    CommonStore,
    checked_end_status,
    checked_status,
)
from ..upkeep.ownership import owner_tags, with_owner
from ..uploads import cleaned
from .copies import keep, restore
from .entries import Data, End, Files, KeptFiles, Points, Register, Reopen, Start, Texts, What
from .ids import RunIds
from .journal import COPIES, OwnJournal, Tell, Unsent
from .sender import Sender
from .server import RuntimeOf, Server
from .view import LocalRuns

T = TypeVar("T")
logger = logging.getLogger(__name__)

START_WAIT_S = 5.0
"""For a run's id."""
AWAY_WAIT_S = 0.5
"""The same where the last try failed: one that refuses does so at once."""
SETTLE_WAIT_S = 10.0
READ_WAIT_S = 30.0
"""What is read decides: a finished run that is not found is trained anew. A slow store is heard."""
REGISTER_WAIT_S = 600.0
"""For a large upload to a slow store; a try that fails ends the wait."""


class SpooledStore(CommonStore):
    """RunTracker and RunReader, with all that is written kept on this machine until it is sent.

    Args:
        root: WORK_DIR/spool.
        tracking_uri: as for MlflowStore.
        runtime_of: as for MlflowRegistry.
        tell: told of outages, of what is refused or damaged.

    Raises:
        TrackingError: there is no room for a journal, or no right to write one.
    """

    def __init__(
        self, root: Path, tracking_uri: str | None, runtime_of: RuntimeOf, tell: Tell
    ) -> None:
        self._root, self._runtime_of, self._tell = root, runtime_of, tell
        self._given_uri = tracking_uri
        self._own: dict[str, dict[str, str]] = {}  # a run of ours, by each id → its parameters
        self._known: set[str] = set()
        self._open()
        os.register_at_fork(after_in_child=self._forget)
        atexit.register(self.close)

    def _open(self) -> None:
        """A journal and a thread of this process' own."""
        self._server = Server(self._given_uri, self._runtime_of)
        self._server.load_libraries()  # seconds of this machine's, not of the store's
        self.shown_uri = self._server.shown_uri
        try:
            self._journal_now: OwnJournal | None = OwnJournal(
                self._root, self.shown_uri, self._tell, self._server.workspace
            )
        except OSError as exc:
            raise TrackingError(
                f"the journal of what is logged can't be kept in {self._root}: {exc}. Make room "
                "there, name another place in GUARDIANFLOW_WORK_DIR, or set GUARDIANFLOW_SPOOL=off"
            ) from exc
        self._ids = RunIds(self._root)
        self._sender_now = Sender(
            self._root, self._journal_now, self._server, self._ids, self._tell
        )
        of = (self.shown_uri, self._server.workspace)
        self._local = LocalRuns(self._root, of, self._ids, self._journal_now)

    def _forget(self) -> None:
        """In a forked child: journal, lock and thread are the parent's."""
        self._journal_now = None

    @property
    def _journal(self) -> OwnJournal:
        if self._journal_now is None:
            self._open()
        assert self._journal_now is not None
        return self._journal_now

    @property
    def _sender(self) -> Sender:
        self._journal  # noqa: B018 - opened where this process has none
        return self._sender_now

    @property
    def tracking_uri(self) -> str:
        """Absolute: a child process that gets it reaches the same store from any directory."""
        return self._server.tracking_uri

    @property
    def server(self) -> Server:
        """The store itself, for what is not spooled."""
        return self._server

    # --- RunTracker ---------------------------------------------------------------------------

    def start_run(self, request: RunRequest) -> str:
        launcher = claim_launcher_run() if request.adopt_launcher else None
        request = with_owner(request)  # whoever sends it in the end
        client_id = uuid.uuid4().hex
        local = f"{LOCAL_PREFIX}{client_id}"
        stored = replace(
            request,
            run_name=names.stored_text(request.run_name, names.TAG_LIMIT),
            params=names.stored_values(request.params, names.PARAM_LIMIT),
            tags=names.stored_values(request.tags, names.TAG_LIMIT),
        )
        self._own[local] = dict(stored.params)
        start = Start(client_id, stored, _now_ms(), _context(), launcher)
        seq = self._append(local, start, durable=True, expected=True)
        self._sender.wait(seq, self._patience_s)
        try:
            self._sender.answer(seq)
        except GuardianFlowError:
            del self._own[local]
            raise
        run_id = self._ids.of_client(client_id) or local
        self._own[run_id] = self._own[local]
        return run_id

    def log_points(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        kept = [
            MetricPoint(key, value, point.step, point.time_ms)
            for point in points
            for key, value in names.finite_metrics({point.key: point.value}).items()
        ]
        if kept:
            self._append(run_id, Points(tuple(kept)))

    def annotate(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
    ) -> None:
        wanted = names.stored_values(params, names.PARAM_LIMIT)
        written = self._own.get(run_id, {})
        for key, value in wanted.items():
            if written.setdefault(key, value) != value:
                raise TrackingError(
                    f"parameter '{key}' of run {run_id} is '{written[key]}' and can't become "
                    f"'{value}'"
                )
        texts = Texts(wanted, names.stored_values(tags, names.TAG_LIMIT))
        if texts != Texts():
            self._append(run_id, texts)

    def log_data(self, run_id: str, data: DataInput) -> None:
        self._append(run_id, Data(data_inputs.stored(data)))

    def log_files(self, run_id: str, source: Path, folder: str = "") -> None:
        place = names.artifact_path(folder)
        if not source.exists():
            raise TrackingError(f"{source} must be a file or directory to upload: it is missing")
        with cleaned(source) as clean:
            self._append(run_id, Files(place, self.keep_copies(clean)))

    def keep_copies(self, source: Path) -> KeptFiles:
        """Copy files into the journal.

        Raises:
            TrackingError: there is no room.
        """
        try:
            return keep(source, self._journal.folder / COPIES)
        except OSError as exc:
            raise TrackingError(
                f"{source} could not be kept in {self._journal.folder} to be sent: {exc}. Make "
                "room there, or name another place in GUARDIANFLOW_WORK_DIR"
            ) from exc

    def end_run(self, run_id: str, status: RunStatus = RunStatus.FINISHED) -> None:
        self._append(run_id, End(checked_end_status(status), _now_ms()), durable=True)

    def settle(self, patience_s: float = SETTLE_WAIT_S) -> str:
        self._sender.catch_up(AWAY_WAIT_S if self._sender.away else patience_s)
        unsent, lost = self._journal.unsent(), self._journal.lost_points
        said = []
        if unsent != Unsent():
            reason = self._sender.away or f"{self.shown_uri} answers slowly"
            said.append(
                f"{unsent.text} of what was logged could not be sent yet: {reason}. It is kept in "
                f"{self._journal.folder}; `guardianflow sync` sends it"
            )
        if lost:
            said.append(f"{lost} points are lost: there was no room to keep them")
        return "; ".join(said)

    def reopen_run(self, run_id: str) -> None:
        """As MlflowStore.reopen_run; while the store is away, by what the journals say."""
        run = self.get_run(run_id)
        if run.status == RunStatus.FINISHED:
            raise SourceError(f"run {run_id} is FINISHED: there is nothing to resume")
        self.annotate(run_id, tags=owner_tags())  # before it is RUNNING again
        self._append(run_id, Reopen(), durable=True)

    def link_launcher(self, run_id: str) -> None:
        """As BaseStore.link_launcher: of a run that was found, so the store is there."""
        self.reach().store.link_launcher(self._ids.real(run_id) or run_id)

    def close(self) -> None:
        """End the thread; a journal that is wholly sent is removed."""
        journal, self._journal_now = self._journal_now, None
        if journal is not None:
            self._sender_now.stop(1.0)
            journal.close(remove=next(journal.entries(), None) is None)

    def register(
        self, run_id: str, package: Path, name: str, alias: str, tags: Mapping[str, str]
    ) -> RegisteredModel | None:
        """Append a registration and wait while the store takes what goes before it.

        Returns:
            The version; None where the store is away: it is registered when it is sent.

        Raises:
            SourceError, TrackingError: the store refuses it.
        """
        what = Register(name, alias, tags, self.keep_copies(package))
        seq = self._append(run_id, what, durable=True, expected=True)
        self._sender.wait(seq, AWAY_WAIT_S if self._sender.away else REGISTER_WAIT_S)
        return self._sender.answer(seq)

    # --- RunReader ----------------------------------------------------------------------------

    def get_run(self, run_id: str) -> RunRecord:
        def there() -> RunRecord:
            real = self._ids.real(run_id)
            if real is None and (known := self._local.get(run_id)) is not None:
                return known  # it has not been made yet
            return self._local.with_unsent(self._server.store.get_run(real or run_id))

        def here(why: TrackingError) -> RunRecord:
            if (known := self._local.get(run_id)) is None:
                raise why
            return known

        return self._read(f"read run {run_id}", there, here)

    def find_runs(
        self,
        *,
        experiment_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        status: RunStatus | None = None,
        limit: int = 100,
    ) -> list[RunRecord]:
        """As RunReader's; while the store is away, the runs of this machine's journals alone."""
        if status is not None:
            checked_status(status)

        def here(why: TrackingError) -> list[RunRecord]:
            self._tell(
                f"runs are looked for in the journals of this machine alone, and none that only "
                f"the store has is found: {why}"
            )
            wanted = names.stored_values(tags, names.TAG_LIMIT)
            found = [
                run
                for run in self._local.all()
                if experiment_name in (None, run.experiment_name)
                and status in (None, run.status)
                and all(run.tags.get(key) == value for key, value in wanted.items())
            ]
            return found[:limit]

        return self._read(
            "find runs",
            lambda: self._server.store.find_runs(
                experiment_name=experiment_name, tags=tags, status=status, limit=limit
            ),
            here,
        )

    def logged_steps(self, run_id: str, key: str) -> frozenset[int]:
        def steps_here() -> frozenset[int]:
            return frozenset(self._local.steps(run_id, names.legal_key(key)))

        def there() -> frozenset[int]:
            real = self._ids.real(run_id)
            if real is None and self._local.get(run_id) is not None:
                return steps_here()
            return self._server.store.logged_steps(real or run_id, key) | steps_here()

        def here(why: TrackingError) -> frozenset[int]:
            if self._local.get(run_id) is None:
                raise why
            return steps_here()  # also those that were sent before the store went away

        return self._read(f"read metric '{key}' of run {run_id}", there, here)

    def finished_runs(self, ended_since_ms: int | None = None) -> Iterator[RunRecord]:
        """Of the store alone: a run that waits in a journal is not there yet."""
        yield from self.reach().store.finished_runs(ended_since_ms)

    def curve(self, run_id: str, key: str) -> list[tuple[int, float]]:
        return self.reach().store.curve(self._ids.real(run_id) or run_id, key)

    def list_experiments(self) -> list[str]:
        return self.reach().store.list_experiments()

    def download(self, run_id: str, path: str, destination: Path) -> Path:
        store = self.reach().store
        return store.download(self._ids.real(run_id) or run_id, path, destination)

    def remove_files(self, run_id: str, folder: str) -> None:
        """As pipelines.wiring.Store's: of a store that is there, as nothing can be kept of it."""
        self.reach().store.remove_files(self._ids.real(run_id) or run_id, folder)

    def fetch_waiting(self, run_id: str, destination: Path) -> bool:
        """Copy the package of a registration that waits; False where none of the run does."""
        waiting = self._local.waiting_package(run_id)
        if waiting is None:
            return False
        try:
            restore(*waiting, destination)
        except OSError:  # sent meanwhile, or damaged: no half of it is taken for the whole
            shutil.rmtree(destination, ignore_errors=True)
            return False
        return True

    def reach(self) -> Server:
        """The store itself, for what is not spooled, once what was written is there.

        Raises:
            TrackingError: it does not answer.
        """
        if not self._reachable():
            raise self._away("reach the store")
        return self._server

    # --- inside -------------------------------------------------------------------------------

    @property
    def _patience_s(self) -> float:
        return AWAY_WAIT_S if self._sender.away else START_WAIT_S

    def _reachable(self) -> bool:
        """Send all first, a bounded time; whether the store answers, if slowly."""
        patience_s = AWAY_WAIT_S if self._sender.away else READ_WAIT_S
        caught_up = self._sender.catch_up(patience_s)
        return caught_up or (self._server.is_open and not self._sender.away)

    def _append(
        self, run_id: str, what: What, *, durable: bool = False, expected: bool = False
    ) -> int:
        own = run_id in self._own
        if not own and not isinstance(what, Start):
            self._check_known(run_id)
        journal = self._journal
        seq = journal.append(run_id, what, self._sender.expect if expected else None)
        self._sender.appended(foreign=not own)
        if durable:
            journal.commit()
        return seq

    def _check_known(self, run_id: str) -> None:
        """A run that this process has not begun must be there, as far as that can be told.

        Raises:
            TrackingError: the store says that it is not.
        """
        if run_id in self._known:
            return
        try:
            self.get_run(run_id)
        except SourceError as exc:
            raise TrackingError(f"could not log to run {run_id}: {exc}") from exc
        except TrackingError:
            logger.info("run %s is not known here, and the store is away", run_id)
            return
        self._known.add(run_id)

    def _read(self, doing: str, there: Callable[[], T], here: Callable[[TrackingError], T]) -> T:
        """Read from the store, a bounded time, or where it does not answer, from the journals."""
        if not self._reachable():
            return here(self._away(doing))
        try:
            return _within(READ_WAIT_S, there)
        except TimeoutError:
            why = f"{self.shown_uri} has not answered for {READ_WAIT_S:.0f} s"
            return here(TrackingError(f"could not {doing}: {why}"))
        except TrackingError as exc:
            if self._server.refuses(exc):
                raise
            return here(exc)

    def _away(self, doing: str) -> TrackingError:
        why = self._sender.away or f"{self.shown_uri} does not answer"
        return TrackingError(f"could not {doing}: {why}")


def _within(patience_s: float, work: Callable[[], T]) -> T:
    """The answer of work that may hang; it then goes on alone, in a thread that ends nothing.

    Raises:
        TimeoutError: there is none in time.
        whatever the work raises.
    """
    answers: list[T] = []
    failures: list[BaseException] = []

    def carry_out() -> None:
        try:
            answers.append(work())
        except BaseException as exc:
            failures.append(exc)

    thread = threading.Thread(target=carry_out, name="spool-read", daemon=True)
    thread.start()
    deadline = time.monotonic() + patience_s
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(0.2)  # and again: a signal must be answered
    if failures:
        raise failures[0]
    if not answers:
        raise TimeoutError
    return answers[0]


def _now_ms() -> int:
    return int(time.time() * 1000)


def _context() -> dict[str, str]:
    """Who started the run and from which source and commit, as mlflow's own runs say it."""
    from mlflow.tracking.context.registry import resolve_tags

    return names.stored_values(resolve_tags({}), names.TAG_LIMIT)
