"""A workplace of its own for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from workplace import Workplace


@pytest.fixture(scope="session")
def shared_work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn data and probe verdicts are made once for all tests."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty store: making one takes seconds, copying it nothing."""
    from guardianflow.run_tracking.mlflow_store import MlflowStore

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowStore(f"sqlite:///{path}").list_experiments()
    return path


@pytest.fixture
def workplace(
    tmp_path: Path, shared_work_dir: Path, empty_store: Path, repository: Path
) -> Workplace:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return Workplace(tmp_path, shared_work_dir, repository)
