"""Sends what processes have left in their journals, here or from a copy of their directory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..connection import resolve_tracking_uri, shown_uri
from ..services.workspaces import in_workspace, with_workspace
from .delivery import AwayError, Delivery
from .ids import RunIds
from .journals.journal import FORMAT, REFUSED_FOLDER, Journal, Tell, Unsent
from .journals.left import journals, taken
from .server import RuntimeOf, Server

TRIES = 3
PAUSE_S = 2.0
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Left:
    """A journal that could not be sent wholly, and why."""

    journal: Path
    store: str
    unsent: Unsent
    reason: str


@dataclass
class SyncResult:
    """What a sync came to.

    Args:
        sent: what the stores have now that they had not.
        problems: what a store refuses for good, or is damaged.
    """

    sent: Unsent = field(default_factory=Unsent)
    left: list[Left] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Sync:
    """Sends every journal below WORK_DIR/spool to the workspace that it was written for.

    Args:
        root: WORK_DIR/spool.
        tracking_uri: the store of the settings, which may hold a password; of a journal for
            another one, its own address is taken.
        redirect: send every journal to `tracking_uri`: the same store under another address.
            Each goes to its own workspace there.
        progress: told how many records are done, of how many.
    """

    def __init__(
        self,
        root: Path,
        tracking_uri: str | None,
        runtime_of: RuntimeOf,
        progress: Progress,
        *,
        redirect: bool = False,
    ) -> None:
        self._root, self._runtime_of, self._progress = root, runtime_of, progress
        self._address, self._redirect = resolve_tracking_uri(tracking_uri), redirect
        self._ids = RunIds(root)
        self._servers: dict[tuple[str, str], Server] = {}
        self._away: dict[str, str] = {}
        self._result = SyncResult()
        self._done = self._total = 0

    def run(self) -> SyncResult:
        """Send what can be sent; tells what stays."""
        tell: Tell = self._result.problems.append
        found = journals(self._root, tell)
        self._total = sum(1 for journal in found for _ in journal.entries())
        for journal in found:
            with taken(journal) as free:
                if free:
                    with in_workspace(journal.workspace):
                        self._send(journal, tell)
                elif journal.about and journal.about.get("format") != FORMAT:
                    self._leave(journal, "another version of GuardianFlow has written it")
                elif journal.about:
                    writer = journal.about.get("writer", {})
                    self._leave(
                        journal,
                        f"process {writer.get('pid')} on {writer.get('host')} is at work and "
                        "sends it itself",
                    )
        return self._result

    def _send(self, journal: Journal, tell: Tell) -> None:
        before, place = journal.unsent(), with_workspace(journal.store, journal.workspace)
        delivery = Delivery(self._server(journal), self._ids, tell)
        away = self._away.get(place, "")
        for attempt in range(TRIES if not away else 0):
            delivery.waiting.clear()
            try:
                delivery.send(journal, sent=self._count)
                away = ""
                break
            except AwayError as exc:
                away = str(exc)
                if attempt + 1 < TRIES:
                    time.sleep(PAUSE_S)
        if away:
            self._away[place] = away
        after = journal.unsent()
        self._result.sent += before.without(after)
        if after != Unsent():
            waiting = "; ".join(f"run {run}: {why}" for run, why in delivery.waiting.items())
            self._leave(journal, away or waiting, after)
        else:
            journal.remove()

    def _server(self, journal: Journal) -> Server:
        own = self._redirect or journal.store == shown_uri(self._address)
        address = self._address if own else journal.store
        asked = (address, journal.workspace)
        if asked not in self._servers:
            self._servers[asked] = Server(address, self._runtime_of)
        return self._servers[asked]

    def _leave(self, journal: Journal, reason: str, unsent: Unsent | None = None) -> None:
        unsent = journal.unsent() if unsent is None else unsent
        if unsent != Unsent():
            store = with_workspace(journal.store, journal.workspace)
            self._result.left.append(Left(journal.folder, store, unsent, reason))

    def _count(self, records: int) -> None:
        self._done += records
        self._progress(self._done, max(self._total, self._done))


def refused_before(root: Path) -> list[Path]:
    """Folders of what stores have refused for good, and why, until a person removes them."""
    return sorted((root / REFUSED_FOLDER).glob("*"))
