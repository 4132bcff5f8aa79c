"""The dashboard's application over a real store, asked without a network."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from stored_runs import FLEET

from apps.automation.alerts.board import AlertBoard
from apps.automation.ledger.ledger import Ledger
from apps.automation.triggers.file import load_triggers
from apps.dashboard.app import create_app
from apps.dashboard.sources import Sources
from guardianflow.contracts.run_metrics.rows import MetricsRow
from guardianflow.metrics_store.store import MetricsStore
from pipelines.wiring import Ports, in_memory

with warnings.catch_warnings():  # starlette asks for httpx2, which the lock does not have yet
    warnings.filterwarnings("ignore", message=".*httpx2.*")
    from fastapi.testclient import TestClient

HERE = "http://127.0.0.1:8000"


SHIPPED = Path(__file__).resolve().parents[2] / "configs" / "triggers.yaml"


def board_of(folder: Path, metrics: MetricsStore) -> AlertBoard:
    """The alerts of the shipped rules; its ledger lies in the folder."""
    return AlertBoard(metrics, load_triggers(SHIPPED), Ledger(folder / "ledger"))


def sources_of(
    folder: Path,
    rows: Iterable[MetricsRow] = FLEET,
    connect: Callable[[], Ports] | None = None,
) -> Sources:
    """A store of these rows; MLflow is the fake in memory."""
    metrics = MetricsStore(folder / "metrics")
    metrics.save_metrics(rows)
    ports = in_memory()
    board = board_of(folder, metrics)
    return Sources(metrics, connect or (lambda: ports), folder / "experiments.yaml", board)


def client_of(sources: Sources, token: str = "") -> TestClient:
    """Asks as a page of ours would: a browser says of a form where it comes from."""
    return TestClient(create_app(sources, token), base_url=HERE, headers={"Origin": HERE})
