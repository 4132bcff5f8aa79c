"""Runs as the journals of this machine tell them: while the store is away, or has not all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ...contracts.results import RunRecord
from ...contracts.run_status import RunStatus
from ..run_records import CLIENT_TAG, END_TAGS, LOCAL_PREFIX, PARENT_TAG, WAITING_TAG
from .ids import RunIds
from .journals.entries import Data, End, Entry, KeptFiles, Points, Register, Reopen, Start, Texts
from .journals.journal import Journal
from .journals.left import journals_of
from .journals.own_journal import OwnJournal


class LocalRuns:
    """Reads the journals of one workspace of a store, of all processes of this machine.

    Args:
        of: the store's address without secrets, and the workspace.
        own: this process' journal, whose entries in memory count too; None where it has none.
    """

    def __init__(
        self, root: Path, of: tuple[str, str], ids: RunIds, own: OwnJournal | None
    ) -> None:
        self._root, self._of, self._ids, self._own = root, of, ids, own

    def get(self, run_id: str) -> RunRecord | None:
        """The run, by any of its ids; None where no journal that is left has its start."""
        names = self._names(run_id)
        return _replayed((e for e in self._entries(sent_too=True) if e.run in names), self._ids)

    def all(self) -> list[RunRecord]:
        """Every run begun through a journal that is left, the newest first."""
        of_run: dict[str, list[Entry]] = {}
        for entry in self._entries(sent_too=True):
            of_run.setdefault(self._ids.real(entry.run) or entry.run, []).append(entry)
        found = [_replayed(entries, self._ids) for entries in of_run.values()]
        return sorted((run for run in found if run), key=lambda run: -run.start_time_ms)

    def with_unsent(self, run: RunRecord) -> RunRecord:
        """The run as the store has it, with what is on its way there."""
        names = self._names(run.run_id, run.tags.get(CLIENT_TAG))
        replay = _Replay(self._ids, run)
        for entry in self._entries():
            if entry.run in names and not isinstance(entry.what, Start):
                replay.take(entry)
        return replay.run or run

    def steps(self, run_id: str, key: str) -> Iterator[int]:
        """Steps of a metric, by its legal key, that stand in a journal, sent or on their way."""
        names = self._names(run_id)
        for entry in self._entries(sent_too=True):
            if entry.run in names and isinstance(entry.what, Points):
                yield from (point.step for point in entry.what.points if point.key == key)

    def waiting_package(self, run_id: str) -> tuple[KeptFiles, Path] | None:
        """The package of a registration that is not sent yet, and the folder of its copies."""
        names = self._names(run_id)
        for journal in self._journals():
            for entry in journal.entries():
                if entry.run in names and isinstance(entry.what, Register):
                    return entry.what.kept, journal.copies(entry.what.kept)
        return None

    def _names(self, run_id: str, client_id: str | None = None) -> Collection[str]:
        client_id = client_id or self._ids.client_of(run_id)
        names = {run_id, self._ids.real(run_id) or run_id}
        return names | {f"{LOCAL_PREFIX}{client_id}"} if client_id else names

    def _entries(self, *, sent_too: bool = False) -> Iterator[Entry]:
        for journal in self._journals():
            yield from journal.entries(sent_too=sent_too)

    def _journals(self) -> Iterator[Journal]:
        own: Journal | None = self._own
        for journal in journals_of(self._root, lambda _text: None, *self._of):
            yield own if own is not None and journal.folder == own.folder else journal


def _replayed(entries: Iterable[Entry], ids: RunIds) -> RunRecord | None:
    replay = _Replay(ids)
    for entry in entries:
        replay.take(entry)
    return replay.run


class _Replay:
    """A run as its entries make it, one after the other."""

    def __init__(self, ids: RunIds, run: RunRecord | None = None) -> None:
        self._ids, self._run = ids, run
        self._metrics = dict(run.metrics) if run else {}
        self._steps: dict[str, int] = {}

    @property
    def run(self) -> RunRecord | None:
        return replace(self._run, metrics=dict(self._metrics)) if self._run else None

    def take(self, entry: Entry) -> None:
        what, run, ids = entry.what, self._run, self._ids
        if isinstance(what, Start):
            self._run = _begun(what, ids)
        elif run is None:  # begun elsewhere: what is known of it is too little to show
            return
        elif isinstance(what, Points):
            for point in what.points:  # as MLflow: of the largest step, the value written last
                if point.step >= self._steps.get(point.key, point.step):
                    self._metrics[point.key], self._steps[point.key] = point.value, point.step
        elif isinstance(what, Texts):
            params, tags = ids.in_texts(what.params), ids.in_texts(what.tags)
            self._run = replace(run, params={**params, **run.params}, tags={**run.tags, **tags})
        elif isinstance(what, Data):
            kept = {(each.name, each.digest): each for each in (what.data, *run.data)}
            self._run = replace(run, data=tuple(kept[key] for key in sorted(kept)))
        elif isinstance(what, Register):  # which version that is, the store alone can tell
            self._run = replace(run, tags={**run.tags, WAITING_TAG: what.name})
        elif isinstance(what, End):
            self._run = replace(run, status=what.status, end_time_ms=what.ended_ms)
        elif isinstance(what, Reopen):
            tags = {key: value for key, value in run.tags.items() if key not in END_TAGS}
            self._run = replace(run, status=RunStatus.RUNNING, end_time_ms=None, tags=tags)


def _begun(start: Start, ids: RunIds) -> RunRecord:
    request = start.request
    parent = request.parent_run_id
    tags = {**start.context, **request.tags, CLIENT_TAG: start.client_id}
    if parent is not None:
        parent = ids.real(parent) or parent
        tags[PARENT_TAG] = parent
    return RunRecord(
        run_id=ids.of_client(start.client_id) or f"{LOCAL_PREFIX}{start.client_id}",
        experiment_name=request.experiment_name,
        run_name=request.run_name,
        status=RunStatus.RUNNING,
        start_time_ms=start.started_ms,
        end_time_ms=None,
        tags=ids.in_texts(tags),
        params=ids.in_texts(request.params),
        metrics={},
        parent_run_id=parent,
    )
