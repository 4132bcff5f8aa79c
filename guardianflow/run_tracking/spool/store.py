"""SpooledStore: a store of runs that nobody has to wait for.

    write ──► journal (this process) ──► Sender's thread ──► the store
    read  ──► the store, once all is sent; completed from the journals where it is not

A store that is down, slow, hanging or failing stops no work: a run begins with an id of ours
(`local-…`) and gets the store's id later; both lead to it.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...contracts.errors import GuardianFlowError, SourceError, TrackingError
from ...contracts.results import DataInput, MetricPoint, RegisteredModel, RunRequest
from ...contracts.run_status import RunStatus
from .. import data_inputs, names
from ..launcher import claim_launcher_run
from ..run_records import LOCAL_PREFIX, checked_end_status, finite_points
from ..upkeep.ownership import owner_tags, with_owner
from .access import AWAY_WAIT_S
from .copies import keep
from .journals.entries import (
    Data,
    End,
    Files,
    KeptFiles,
    Points,
    Register,
    Reopen,
    Start,
    Texts,
    What,
)
from .journals.journal import COPIES, Tell
from .reading import ReadingSpool
from .server import RuntimeOf

logger = logging.getLogger(__name__)

START_WAIT_S = 5.0
"""For a run's id; AWAY_WAIT_S where the last try failed."""
REGISTER_WAIT_S = 600.0
"""For a large upload to a slow store; a try that fails ends the wait."""


class SpooledStore(ReadingSpool):
    """RunTracker and RunReader, with all that is written kept on this machine until it is sent.

    Args: as for SpoolAccess.
    """

    def __init__(
        self, root: Path, tracking_uri: str | None, runtime_of: RuntimeOf, tell: Tell
    ) -> None:
        self._own: dict[str, dict[str, str]] = {}  # a run of ours, by each id → its parameters
        self._known: set[str] = set()
        super().__init__(root, tracking_uri, runtime_of, tell)

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
        self._sender.wait(seq, AWAY_WAIT_S if self._sender.away else START_WAIT_S)
        try:
            self._sender.answer(seq)
        except GuardianFlowError:
            del self._own[local]
            raise
        run_id = self._ids.of_client(client_id) or local
        self._own[run_id] = self._own[local]
        return run_id

    def log_points(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        if kept := tuple(finite_points(points)):
            self._append(run_id, Points(kept))

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

    def _upload(self, run_id: str, source: Path, place: str, doing: str) -> None:  # noqa: ARG002
        self._append(run_id, Files(place, self.keep_copies(source)))

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

    # --- inside -------------------------------------------------------------------------------

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


def _now_ms() -> int:
    return int(time.time() * 1000)


def _context() -> dict[str, str]:
    """Who started the run and from which source and commit, as mlflow's own runs say it."""
    from mlflow.tracking.context.registry import resolve_tags

    return names.stored_values(resolve_tags({}), names.TAG_LIMIT)
