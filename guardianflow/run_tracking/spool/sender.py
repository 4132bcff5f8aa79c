"""The thread that sends what this process writes, and what dead ones left.

Who writes goes on at once; who must know waits a bounded time. While the store is away it is tried
again after 1, 2, 4 … seconds, a minute at most, until the process ends.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...contracts.errors import GuardianFlowError
from ...contracts.results import RegisteredModel
from .delivery import Delivery
from .ids import RunIds
from .journals.entries import Entry
from .journals.journal import Journal, Tell
from .journals.left import journals_of, taken
from .journals.own_journal import OwnJournal
from .server import Server

GATHER_S = 0.2
"""In which points gather, to be sent with one call."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
OTHERS_EVERY_S = 30.0
POLL_S = 0.5
"""A signal must be answered while somebody waits."""


class Sender:
    """Sends until it is stopped.

    Attributes:
        away: why the store can't be reached, as of the last try; '' where it answers, or was not
            tried yet.
    """

    def __init__(
        self, root: Path, journal: OwnJournal, server: Server, ids: RunIds, tell: Tell
    ) -> None:
        self.away = ""
        self._root, self._journal, self._server, self._tell = root, journal, server, tell
        self._delivery = Delivery(server, ids, tell, self._refused, self._registered)
        self._awaited: dict[int, GuardianFlowError | RegisteredModel | None] = {}
        self._changed = threading.Condition()
        # All below belongs to the condition.
        self._new = self._hurry = self._needs_others = self._stopping = False
        self._begun = self._done = self._failed = 0  # passes, by their number
        self._not_before, self._others_at = 0.0, 0.0
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    # --- for those who write ------------------------------------------------------------------

    def appended(self, *, foreign: bool = False) -> None:
        """There is a new entry.

        Args:
            foreign: about a run that this process has not begun: what dead processes wrote about
                it is sent before.
        """
        with self._changed:
            self._needs_others |= foreign
            if not self._new:
                self._new = True
                self._changed.notify_all()

    def expect(self, seq: int) -> None:
        """`answer` will ask what came of the entry: call it before the entry is appended."""
        self._awaited[seq] = None

    def answer(self, seq: int) -> RegisteredModel | None:
        """What came of an expected entry, as far as it is known.

        Raises:
            GuardianFlowError: the store refused it.
        """
        answer = self._awaited.pop(seq, None)
        if isinstance(answer, GuardianFlowError):
            raise answer
        return answer

    def wait(self, seq: int, patience_s: float) -> None:
        """Wait until an entry is sent, a try fails, or patience ends."""
        self._wait(lambda: self._journal.is_sent(seq), patience_s)

    def catch_up(self, patience_s: float) -> bool:
        """Wait until all that can be sent is, of dead processes too; whether it is.

        Returns at once where a try fails.
        """
        with self._changed:
            self._needs_others = True
            wanted = self._begun + 1
        return self._wait(lambda: self._done >= wanted, patience_s)

    def stop(self, patience_s: float) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(patience_s)

    def _wait(self, reached: Callable[[], bool], patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        with self._changed:
            wanted = self._begun + 1
            self._hurry = True
            self._changed.notify_all()
            while not reached():
                left_s = deadline - time.monotonic()
                if left_s <= 0 or self._failed >= wanted:
                    return False
                self._changed.wait(min(left_s, POLL_S))
        return True

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while self._rest():
            try:
                self._send()
            except Exception as exc:  # whatever it is must not end the thread: it is tried again
                pause_s = wait_s * random.uniform(0.8, 1.2)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                self._end_pass(str(exc) or type(exc).__name__, pause_s)
            else:
                wait_s = FIRST_WAIT_S
                self._end_pass("", GATHER_S)

    def _rest(self) -> bool:
        """Wait until there is something to do; False where it is time to end."""
        with self._changed:
            while not self._stopping and not self._hurry:
                now = time.monotonic()
                due = now if self._new else self._others_at + OTHERS_EVERY_S
                due = max(due, self._not_before)
                if now >= due:
                    break
                self._changed.wait(due - now)
            self._hurry = self._new = False
            self._begun += 1
            return not self._stopping

    def _end_pass(self, away: str, pause_s: float) -> None:
        with self._changed:
            if away and not self.away:
                self._tell(f"what is logged is kept in {self._journal.folder} for now: {away}")
            self.away = away
            if away:
                self._failed = self._begun
                self._new = True  # what could not be sent still is to be
            else:
                self._done = self._begun
            self._not_before = time.monotonic() + pause_s
            self._changed.notify_all()

    def _send(self) -> None:
        with self._changed:
            forced, self._needs_others = self._needs_others, False
            due = time.monotonic() - self._others_at > OTHERS_EVERY_S
        self._delivery.waiting.clear()
        try:
            if forced:
                self._send_left(lambda: not self._stopping)
            self._delivery.send(self._journal, lambda: not self._stopping, self._notify)
        except Exception:
            with self._changed:
                self._needs_others |= forced
            raise
        if due and not forced:  # in our own time: what is new here goes first
            self._send_left(lambda: not (self._stopping or self._new or self._hurry))
        with suppress(OSError):
            self._journal.prune()

    def _send_left(self, go_on: Callable[[], bool]) -> None:
        """Every journal for our workspace whose writer is gone, the oldest first."""
        store, workspace = self._server.shown_uri, self._server.workspace
        for journal in journals_of(self._root, self._tell, store, workspace):
            if journal.folder == self._journal.folder:
                continue
            with taken(journal) as free:
                if free:
                    self._delivery.send(journal, go_on)
                    if next(journal.entries(), None) is None:
                        journal.remove()
        self._others_at = time.monotonic()

    def _notify(self, _records: int) -> None:
        with self._changed:
            self._changed.notify_all()

    def _refused(self, journal: Journal, entry: Entry, exc: GuardianFlowError) -> bool:
        if journal is not self._journal or entry.seq not in self._awaited:
            return False
        self._awaited[entry.seq] = exc
        return True

    def _registered(self, journal: Journal, entry: Entry, model: RegisteredModel) -> None:
        if journal is self._journal and entry.seq in self._awaited:
            self._awaited[entry.seq] = model
