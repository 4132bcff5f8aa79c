"""Too little room is an error before the start, and a warning on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from mounts import mounted

from guardianflow.contracts.errors import DiskSpaceError
from pipelines.failures.disk_space import (
    MEBIBYTE,
    DiskNeed,
    DiskWatch,
    needs_of_training,
    refuse_too_little_room,
    store_folder,
)


def needed(architecture: str, weights: Path | None = None) -> int:
    (work,) = needs_of_training(architecture, weights, Path("/w"), "https://mlflow.example")
    return work.needed_bytes


def test_the_estimate_is_below_what_a_training_really_leaves(tmp_path: Path) -> None:
    """Measured: yolo11n with SGD holds last.pt and best.pt of 10.5 MB each, and 3 MB of plots."""
    assert 20e6 < needed("yolo11n") < 2 * 10.5e6 + 3e6
    assert needed("yolo11n.yaml") == needed("yolov8n") == needed("yolo26n")
    assert needed("yolo11x") > 10 * needed("yolo11n")
    assert needed("my-own-network") == 8 * MEBIBYTE, "nothing is known of it"
    weights = tmp_path / "start.pt"
    weights.write_bytes(bytes(30 * MEBIBYTE))
    assert needed("my-own-network", weights) == (40 + 8) * MEBIBYTE


def test_a_store_in_a_file_keeps_the_weights_beside_it(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert store_folder(uri) == tmp_path
    assert store_folder("https://mlflow.example") is None
    assert store_folder("postgresql://host/db") is None
    work, store = needs_of_training("yolo11n", None, tmp_path / "work", uri)
    assert (work.place, store.place) == (tmp_path / "work", tmp_path)


def test_needs_of_one_file_system_are_added_up(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "10m") as disk:
        six = [DiskNeed(disk / "not" / "yet", 6 * MEBIBYTE, "checkpoints")]
        refuse_too_little_room(six)
        here = DiskNeed(disk, 6 * MEBIBYTE, "the run's files")
        with pytest.raises(DiskSpaceError) as caught:
            refuse_too_little_room([*six, here, DiskNeed(tmp_path, 1, "a byte elsewhere")])
    (problem,) = caught.value.problems
    assert "must have at least 12 MiB free" in problem.message
    assert "but has 10 MiB" in problem.message
    assert "the run's files in " in problem.message
    assert (caught.value.exit_code, caught.value.failure_reason) == (2, "disk_full")


def test_a_disk_that_is_nearly_full_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    DiskWatch(tmp_path / "gone", told.append).look()
    assert told == []
    with mounted(tmp_path / "disk", "10m") as disk:
        watch = DiskWatch(disk, told.append)
        watch.look()
        watch.look()
    assert len(told) == 1
    assert "nearly full: 10 MiB are free" in told[0]
