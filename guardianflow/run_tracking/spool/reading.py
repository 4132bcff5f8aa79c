"""ReadingSpool: reads what the store says, once all is sent; completed from the journals."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from ...contracts.errors import TrackingError
from ...contracts.results import RunRecord
from ...contracts.run_status import RunStatus
from ...support.child_processes import join
from .. import names
from ..run_records import checked_status
from .access import READ_WAIT_S, SpoolAccess
from .copies import restore

T = TypeVar("T")


class ReadingSpool(SpoolAccess):
    """RunReader and RunHistory, while the store is away too, as far as the journals tell."""

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


def _within(patience_s: float, work: Callable[[], T]) -> T:
    """The answer of work that may hang; it then goes on alone, in a thread that ends nothing.

    Raises:
        TimeoutError: there is none in time.
        whatever the work raises.
    """
    answer: Future[T] = Future()

    def carry_out() -> None:
        try:
            answer.set_result(work())
        except BaseException as exc:
            answer.set_exception(exc)

    thread = threading.Thread(target=carry_out, name="spool-read", daemon=True)
    thread.start()
    join(thread, patience_s)  # a signal is answered meanwhile
    return answer.result(timeout=0)
