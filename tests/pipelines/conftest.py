"""A workplace of its own for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from checkpoints import TINY_SIDE, build_checkpoint
from inprocess import InProcessExecutor
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


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained yolo11n of the demo's classes, as a checkpoint."""
    from guardianflow.site_data.demo import CLASS_NAMES

    return build_checkpoint("yolo11n", tmp_path_factory.mktemp("tiny") / "tiny.pt", CLASS_NAMES)


@pytest.fixture(scope="session")
def trained(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a package: its figures are counted once, not for every stage."""
    from guardianflow.backends.weights.packages import package_from_weights

    place = tmp_path_factory.mktemp("trained") / "package"
    return package_from_weights(tiny_weights, place, input_size=TINY_SIDE).directory


@pytest.fixture
def executor(tmp_path: Path, shared_work_dir: Path) -> InProcessExecutor:
    return InProcessExecutor(tmp_path / "stages", shared_work_dir)


@pytest.fixture
def workplace(
    tmp_path: Path, shared_work_dir: Path, empty_store: Path, repository: Path
) -> Workplace:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return Workplace(tmp_path, shared_work_dir, repository)
