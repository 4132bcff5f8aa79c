"""What a training that broke off has left is kept in its run, as far as the limits allow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guardianflow.contracts.results import RunRequest
from guardianflow.run_tracking.fakes.store import InMemoryStore
from pipelines.failures.partial import Limits, keep_partial


class Noting(InMemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.uploaded: list[str] = []

    def log_files(self, run_id: str, source: Path, folder: str = "") -> None:
        self.uploaded.append(f"{folder}/{source.name}")
        super().log_files(run_id, source, folder)


@pytest.fixture
def left(tmp_path: Path) -> Path:
    import torch

    folder = tmp_path / "training"
    (folder / "weights").mkdir(parents=True)
    torch.save({"w": torch.zeros(9)}, folder / "weights/best.pt")
    half = folder / "weights/last.pt"
    half.write_bytes((folder / "weights/best.pt").read_bytes()[:-30])
    os.utime(half, (2e9, 2e9))
    for name in ("results.csv", "args.yaml", "curve.png"):
        (folder / name).write_text(name)
    return folder


def test_the_curve_first_then_the_newest_whole_checkpoint_then_the_rest(left: Path) -> None:
    store = Noting()
    run_id = store.start_run(RunRequest("demo/a-b/c", "x"))
    keep_partial(store, run_id, left)
    assert store.uploaded == [
        "results/results.csv",
        "weights/partial/best.pt",
        "config/args.yaml",
        "plots/curve.png",
    ]
    tags = store.get_run(run_id).tags
    assert tags["failure.last_good_checkpoint"] == "weights/partial/best.pt"
    assert "failure.last_good_epoch" not in tags, "the file does not say"


def test_limits_of_size_and_time(left: Path, tmp_path: Path) -> None:
    store = Noting()
    run_id = store.start_run(RunRequest("demo/a-b/c", "x"))
    keep_partial(store, run_id, left, Limits(seconds=60, file_bytes=100))
    assert "weights/partial/best.pt" not in store.uploaded
    assert "results/results.csv" in store.uploaded
    assert "failure.last_good_checkpoint" not in store.get_run(run_id).tags
    store.uploaded.clear()
    keep_partial(store, run_id, left, Limits(seconds=-1, file_bytes=1 << 30))
    keep_partial(store, run_id, tmp_path / "not there")
    assert store.uploaded == []
