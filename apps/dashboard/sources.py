"""What the dashboard shows is taken from here; MLflow only when it is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from apps.automation.alerts.board import AlertBoard
from guardianflow.contracts.errors import GuardianFlowError, TrackingError
from guardianflow.contracts.results import RegisteredModel
from guardianflow.metrics_store.questions.answers import Place
from guardianflow.metrics_store.questions.asking import Questions
from guardianflow.metrics_store.store import MetricsStore
from guardianflow.support.secrets.redaction import shown_address
from pipelines.wiring import Ports
from pipelines.wrap_batch.status import DirectoryStatus

T = TypeVar("T")
MODELS_S, DIRECTORIES_S = 2.0, 30.0
"""How long an answer of MLflow's is believed."""
AWAY_S = 5.0
"""How long nobody waits again for an MLflow that could not be opened."""


class Kept(Generic[T]):
    """An answer that is made once for all who ask within some seconds."""

    def __init__(self, make: Callable[[], T], seconds: float) -> None:
        self._make, self._seconds = make, seconds
        self._lock = threading.Lock()
        self._made: tuple[float, T] | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._made is None or time.monotonic() - self._made[0] > self._seconds:
                self._made = time.monotonic(), self._make()
            return self._made[1]

    def forget(self) -> None:
        """The next who asks has it made anew."""
        with self._lock:
            self._made = None


@dataclass
class Sources:
    """Where answers come from.

    Args:
        connect: opens MLflow; called once, and again after it failed.
        registry: configs/experiments.yaml; need not be there.
        board: the alerts of automation; None where there are no rules.
    """

    metrics: MetricsStore
    connect: Callable[[], Ports]
    registry: Path
    board: AlertBoard | None = None
    questions: Questions = field(init=False)
    models: Kept[list[RegisteredModel]] = field(init=False)
    directories: Kept[list[DirectoryStatus]] = field(init=False)

    def __post_init__(self) -> None:
        self.questions = Questions(self.metrics)
        self._ports: Ports | None = None
        self._away: tuple[float, TrackingError] | None = None
        self._lock = threading.Lock()
        self.models = Kept(lambda: self.ports.registry.list_models(), MODELS_S)
        self.directories = Kept(self._directories, DIRECTORIES_S)

    @property
    def state(self) -> str:
        """Another text where any row is another, or automation's ledger says more."""
        return f"{self.metrics.state}-{self.board.ledger.size if self.board else 0}"

    def limit(self, metric: str, place: Place | None = None) -> float | None:
        """The threshold that the rules have for a metric, at a place or at all places."""
        return self.board.triggers.limit(metric, place) if self.board else None

    @property
    def ports(self) -> Ports:
        """MLflow. Raises TrackingError where it can't be reached."""
        with self._lock:
            if self._ports is None:
                if self._away is not None and time.monotonic() - self._away[0] < AWAY_S:
                    raise self._away[1]
                try:
                    self._ports = self.connect()
                except TrackingError as exc:
                    self._away = time.monotonic(), exc
                    raise
            return self._ports

    def mlflow_page(self, run_id: str) -> str:
        """Address of a run's page of MLflow; '' where no server shows one, or none was opened."""
        if self._ports is None:
            return ""
        address = self._ports.store.tracking_uri
        http = address.startswith(("http://", "https://"))
        return f"{shown_address(address)}/#/runs/{run_id}" if http else ""

    def _directories(self) -> list[DirectoryStatus]:
        from experiments_adapters.legacy.registry import load_registry
        from pipelines.wrap_batch.status import directory_statuses

        if not self.registry.is_file():
            return []
        return directory_statuses(load_registry(self.registry), self.registry, self.ports)


def read_or_told(read: Callable[[], T]) -> tuple[T | None, str]:
    """What is read and ''; None, and why, where it can't be."""
    try:
        return read(), ""
    except GuardianFlowError as exc:
        return None, str(exc)
