"""Brings rows of other people's runs into the store, and compacts it, beside the pages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from guardianflow.contracts.errors import GuardianFlowError
from pipelines.metrics.catch_up import catch_up

from .sources import Sources

EVERY_S = 60.0


class Upkeep:
    """A thread that catches up with MLflow again and again; what fails is told once, tried anew.

    Args:
        tell: for people.

    Attributes:
        caught_up: when it last went well; None: never yet.
        problem: why it did not the last time; '' where it did.
    """

    def __init__(
        self, sources: Sources, tell: Callable[[str], object], every_s: float = EVERY_S
    ) -> None:
        self._sources, self._tell, self._every_s = sources, tell, every_s
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.caught_up: datetime | None = None
        self.problem = ""

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="metrics-upkeep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; a catch-up that is under way goes on alone, and ends with the process."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def once(self) -> None:
        """Catch up now."""
        try:
            catch_up(self._sources.metrics, self._sources.ports.store)
        except (GuardianFlowError, OSError) as exc:
            if (problem := str(exc)) != self.problem:
                self._tell(f"runs of others can't be brought into the metrics store: {problem}")
            self.problem = problem
        else:
            self.problem, self.caught_up = "", datetime.now(UTC)

    def _work(self) -> None:
        with suppress(GuardianFlowError):  # who asks first is told of it
            self._sources.questions.names()  # nobody waits for libraries and sums of ten years
        while not self._stopped.is_set():
            self.once()
            self._stopped.wait(self._every_s)
