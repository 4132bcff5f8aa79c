"""SpoolAccess: this process' journal, the thread that sends it, and the store it is sent to."""

from __future__ import annotations

import atexit
import os
from pathlib import Path

from ...contracts.errors import TrackingError
from ..run_records import CommonStore
from .ids import RunIds
from .journals.journal import Tell, Unsent
from .journals.own_journal import OwnJournal
from .sender import Sender
from .server import RuntimeOf, Server
from .view import LocalRuns

AWAY_WAIT_S = 0.5
"""For what is waited for where the last try failed: a store that refuses does so at once."""
SETTLE_WAIT_S = 10.0
READ_WAIT_S = 30.0
"""What is read decides: a finished run that is not found is trained anew. A slow store is heard."""


class SpoolAccess(CommonStore):
    """Opens journal, thread and store where they are needed, also in a forked child.

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

    def reach(self) -> Server:
        """The store itself, for what is not spooled, once what was written is there.

        Raises:
            TrackingError: it does not answer.
        """
        if not self._reachable():
            raise self._away("reach the store")
        return self._server

    def close(self) -> None:
        """End the thread; a journal that is wholly sent is removed."""
        journal, self._journal_now = self._journal_now, None
        if journal is not None:
            self._sender_now.stop(1.0)
            journal.close(remove=next(journal.entries(), None) is None)

    def _reachable(self) -> bool:
        """Send all first, a bounded time; whether the store answers, if slowly."""
        patience_s = AWAY_WAIT_S if self._sender.away else READ_WAIT_S
        caught_up = self._sender.catch_up(patience_s)
        return caught_up or (self._server.is_open and not self._sender.away)

    def _away(self, doing: str) -> TrackingError:
        why = self._sender.away or f"{self.shown_uri} does not answer"
        return TrackingError(f"could not {doing}: {why}")
