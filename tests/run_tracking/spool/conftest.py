"""A real MLflow server behind a proxy that can fail in every way, and stores before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_proxy import FaultyProxy, faulty_proxy

from guardianflow.backends.catalogue import runtime_of
from guardianflow.run_tracking.mlflow_store import MlflowStore
from guardianflow.run_tracking.spool.store import SpooledStore


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[FaultyProxy]:
    server = request.getfixturevalue("server")
    with faulty_proxy(server.url) as made:
        yield made


@pytest.fixture
def direct(request: pytest.FixtureRequest) -> MlflowStore:
    """The server, past the proxy."""
    return MlflowStore(request.getfixturevalue("server").url)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def spooled(tmp_path: Path, told: list[str]) -> Iterator[Callable[..., SpooledStore]]:
    """Makes stores that keep their journals in `tmp_path/spool`."""
    made: list[SpooledStore] = []

    def make(url: str, **values: Any) -> SpooledStore:
        store = SpooledStore(tmp_path / "spool", url, runtime_of, told.append, **values)
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()
