"""Sends what stands in a journal: in order per run, many points a call, and nothing twice.

Each call to the store may be made again after an answer that was lost: a run is found by its
client id, a point is the same by key, step, time and value, a text is written over, a file is
compared, and a detector is registered once for the same run and files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...contracts.errors import GuardianFlowError, TrackingError
from ...contracts.results import DetectorPackage, MetricPoint, RegisteredModel
from ..run_records import CLIENT_TAG
from .copies import damaged, upload
from .ids import RunIds
from .journals.entries import (
    Data,
    End,
    Entry,
    Files,
    KeptFiles,
    Points,
    Register,
    Reopen,
    Start,
    Texts,
)
from .journals.journal import Journal, Tell
from .server import Server, ServerStore

POINTS_A_CALL = 1000


class AwayError(TrackingError):
    """The store can't be reached, or fails: what is not sent stays."""


class WaitingError(Exception):
    """An entry can't be sent before something else is; the rest of its run waits with it."""


class Delivery:
    """Sends journals to one store. One thread at a time.

    Args:
        tell: told what the store refuses.
        refused: asked first whether somebody waits for the answer, and takes the refusal.
        registered: told what a registration came to.
    """

    def __init__(
        self,
        server: Server,
        ids: RunIds,
        tell: Tell,
        refused: Callable[[Journal, Entry, GuardianFlowError], bool] = lambda *_: False,
        registered: Callable[[Journal, Entry, RegisteredModel], None] = lambda *_: None,
    ) -> None:
        self._server, self._ids, self._tell = server, ids, tell
        self._refused, self._registered = refused, registered
        self.waiting: dict[str, str] = {}
        """Run → why what is left of it waits, of this pass."""

    def send(
        self,
        journal: Journal,
        go_on: Callable[[], bool] = lambda: True,
        sent: Callable[[int], None] = lambda _records: None,
    ) -> None:
        """Send what can be sent.

        Args:
            go_on: asked between calls; where it says no, the rest is left.
            sent: told how many records each call that went well has carried.

        Raises:
            AwayError: the store can't be reached.
        """
        store = self._open()
        for batch in _batches(journal.entries()):
            if not go_on():
                return
            first = batch[0]
            if first.run in self.waiting:
                continue
            try:
                self._deliver(store, journal, batch)
            except WaitingError as exc:
                self.waiting[first.run] = str(exc)
            except GuardianFlowError as exc:
                if not self._server.refuses(exc):
                    raise AwayError(str(exc)) from exc
                self._take_refusal(journal, batch, exc)
            except OSError as exc:  # a copy that can't be read
                self.waiting[first.run] = f"a file can't be read: {exc}"
            else:
                journal.mark_sent(batch)
                sent(len(batch))

    def _open(self) -> ServerStore:
        try:
            return self._server.store
        except GuardianFlowError as exc:
            raise AwayError(str(exc)) from exc

    def _take_refusal(self, journal: Journal, batch: list[Entry], exc: GuardianFlowError) -> None:
        if len(batch) > 1:  # one of them: the others must not go with it
            for entry in batch:
                self._again_alone(journal, entry)
            return
        entry = batch[0]
        if self._refused(journal, entry, exc):
            journal.mark_sent([entry])
        elif isinstance(entry.what, Start):
            # A person can mend it (an experiment that was deleted, say): nothing of it is given up.
            self.waiting[entry.run] = str(exc)
        else:
            journal.mark_refused(entry, str(exc))
            self._tell(f"the store refuses a record of run {entry.run} for good: {exc}")

    def _again_alone(self, journal: Journal, entry: Entry) -> None:
        try:
            self._deliver(self._server.store, journal, [entry])
        except GuardianFlowError as exc:
            if not self._server.refuses(exc):
                raise AwayError(str(exc)) from exc
            self._take_refusal(journal, [entry], exc)
        else:
            journal.mark_sent([entry])

    # --- one kind each ------------------------------------------------------------------------

    def _deliver(self, store: ServerStore, journal: Journal, batch: list[Entry]) -> None:
        entry = batch[0]
        what = entry.what
        if isinstance(what, Start):
            self._begin(store, what)
            return
        run = self._ids.real(entry.run)
        if run is None:
            raise WaitingError(f"run {entry.run} has not been made yet")
        match what:
            case Points():
                store.log_points(run, [point for each in batch for point in _points(each)])
            case Texts():
                params, tags = self._ids.in_texts(what.params), self._ids.in_texts(what.tags)
                store.annotate(run, params=params, tags=tags)
            case Data():
                store.log_data(run, what.data)
            case Files():
                self._upload(store, journal, run, what)
            case Reopen():
                store.reopen_run(run)
            case End():
                store.end(run, what.status, what.ended_ms)
                if client_id := self._ids.client_of(entry.run):
                    store.remove_twins(client_id, run)
            case Register():
                self._register(journal, run, entry, what)

    def _begin(self, store: ServerStore, start: Start) -> None:
        request = start.request
        parent = request.parent_run_id
        if parent is not None and (parent := self._ids.real(parent)) is None:
            raise WaitingError(f"its parent run {request.parent_run_id} has not been made yet")
        tags = {**self._ids.in_texts(request.tags), CLIENT_TAG: start.client_id}
        params = self._ids.in_texts(request.params)
        request = replace(request, parent_run_id=parent, tags=tags, params=params)
        run = store.begin(replace(start, request=request))
        with suppress(OSError):  # a full disk: the tag on the run leads to it as well
            self._ids.add(start.client_id, run)

    def _upload(self, store: ServerStore, journal: Journal, run: str, what: Files) -> None:
        copies = _intact(journal, what.kept)
        for path in upload(store, run, what, copies, journal.arrived(what.kept)):
            journal.mark_arrived(what.kept, path)

    def _register(self, journal: Journal, run: str, entry: Entry, what: Register) -> None:
        package = DetectorPackage.load(_intact(journal, what.kept))
        tags = self._ids.in_texts(what.tags)
        registry = self._server.registry
        model = registry.register(run, package, what.name, alias=what.alias, tags=tags)
        self._registered(journal, entry, model)


def _intact(journal: Journal, kept: KeptFiles) -> Path:
    """The folder of copies, each compared with its sha256.

    Raises:
        TrackingError: one is missing or damaged; it can't be sent, ever.
    """
    copies = journal.copies(kept)
    if wrong := damaged(kept, copies):
        raise TrackingError(
            f"{', '.join(wrong)} in {copies} must be as it was given but is missing or damaged"
        )
    return copies


def _points(entry: Entry) -> Sequence[MetricPoint]:
    return entry.what.points if isinstance(entry.what, Points) else ()


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Entries one by one, but for points of one run that follow each other."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        points = entry.what.points if isinstance(entry.what, Points) else None
        joins = batch and points is not None and isinstance(batch[0].what, Points)
        if joins and entry.run == batch[0].run and size + len(points or ()) <= POINTS_A_CALL:
            batch.append(entry)
            size += len(points or ())
            continue
        if batch:
            yield batch
        batch, size = [entry], len(points or ())
    if batch:
        yield batch
