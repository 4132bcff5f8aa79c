"""Shared by every test: a private home for caches and settings, and the demo data made once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before any library is imported: nothing of a test may reach the user's own settings or network.
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Tests run side by side on every core: each keeps to one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_TRACKING_URI"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The project's root."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data(repository: Path) -> Path:
    """Real images and a real detector beside the project; the test skips without them."""
    path = repository.parent / "shared" / "data"
    if not (path / "weights").is_dir():
        pytest.skip("needs shared/data beside the project")
    return path
