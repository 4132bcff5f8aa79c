"""A store of each kind, and a tiny real detector."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardianflow.run_tracking import launcher


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store whose tables exist: mlflow takes seconds to make them, a copy none."""
    from guardianflow.run_tracking.mlflow_store import MlflowStore

    path = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    MlflowStore(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_uri(migrated_database: Path, tmp_path: Path) -> str:
    """The URI of an empty store of this test's own."""
    path = tmp_path / "store" / "mlflow.db"
    path.parent.mkdir()
    shutil.copy(migrated_database, path)
    return f"sqlite:///{path}"


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees a launcher's run of another one, in the environment or remembered."""
    monkeypatch.setattr(launcher, "_taken", None)
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        if "MLFLOW" in name:
            del os.environ[name]
