"""A workplace of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from checkpoints import TINY_SIDE, build_checkpoint
from databases import copy_database
from detectors_of_a_site import Make, detectors_of
from inprocess import InProcessExecutor
from mounts import mounted
from once_per_run import OncePerRun
from workplace import Workplace


@pytest.fixture(scope="session")
def shared_work_dir(tmp_path_factory: pytest.TempPathFactory, once_per_run: OncePerRun) -> Path:
    """Drawn data and probe verdicts are made once for all tests; stages lie in it too."""
    work_dir = tmp_path_factory.mktemp("work")
    for name in ("datasets", "probes"):
        (work_dir / name).symlink_to(once_per_run.made(name, lambda _empty: None))
    return work_dir


@pytest.fixture(scope="session")
def tiny_weights(once_per_run: OncePerRun) -> Path:
    """An untrained yolo11n of the demo's classes, as a checkpoint."""
    from demo_scenes.scene import CLASS_NAMES

    def fill(folder: Path) -> None:
        build_checkpoint("yolo11n", folder / "tiny.pt", CLASS_NAMES)

    return once_per_run.made("tiny", fill) / "tiny.pt"


@pytest.fixture(scope="session")
def trained(tiny_weights: Path, once_per_run: OncePerRun) -> Path:
    """The same as a package: its figures are counted once, not for every stage."""
    from guardianflow.backends.weights.packages import package_from_weights

    def fill(folder: Path) -> None:
        package_from_weights(tiny_weights, folder / "package", input_size=TINY_SIDE)

    return once_per_run.made("trained", fill) / "package"


@pytest.fixture(scope="session")
def make(shared_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """(missed share, seed, class names) → a detector of the demo site, made once."""
    return detectors_of(shared_work_dir, tmp_path_factory.mktemp("detectors"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    with mounted(tmp_path / "disk", "2m") as place:
        yield place


@pytest.fixture
def executor(tmp_path: Path, shared_work_dir: Path) -> InProcessExecutor:
    return InProcessExecutor(tmp_path / "stages", shared_work_dir)


@pytest.fixture
def workplace(
    tmp_path: Path, shared_work_dir: Path, empty_store: Path, repository: Path
) -> Workplace:
    copy_database(empty_store, tmp_path / "mlflow.db")
    return Workplace(tmp_path, shared_work_dir, repository)
