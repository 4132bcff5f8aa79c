"""The last good checkpoint is whole and holds numbers, whatever lies beside it."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch

from experiments_adapters.failures.checkpoints import Checkpoint, is_whole, last_good


def save(path: Path, age: int, *, value: float = 1.0, **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    layer = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(layer.weight, value)
    torch.save({"ema": layer, **more}, path)
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


def cut(path: Path) -> Path:
    times = path.stat()
    path.write_bytes(path.read_bytes()[:-40])
    os.utime(path, (times.st_atime, times.st_mtime))
    return path


def test_half_a_file_and_one_with_nan_are_passed_over(tmp_path: Path) -> None:
    good = save(tmp_path / "weights/epoch2.pt", 3)
    broken = save(tmp_path / "weights/last.pt", 2, value=math.nan)
    half = cut(save(tmp_path / "weights/newest.pt", 1))
    assert not is_whole(half)
    assert last_good(tmp_path) == Checkpoint(broken), "its numbers were not asked for"
    found = last_good(tmp_path, only_numbers=True)
    assert found is not None
    assert found.path == good


def test_what_a_checkpoint_says_of_itself(tmp_path: Path) -> None:
    def found() -> tuple[int | None, bool]:
        good = last_good(tmp_path, only_numbers=True)
        assert good is not None
        return good.epoch, good.resumable

    state = {"optimizer": {"state": []}, "train_args": {}}
    save(tmp_path / "a.pt", 9, epoch=4, **state)
    assert found() == (5, True)  # Ultralytics counts from 0
    save(tmp_path / "b.pt", 8, epoch=-1, optimizer=None, train_args={})
    assert found() == (None, False)  # stripped, as at the end of a training
    save(tmp_path / "c.pt", 7, epoch=4)
    assert found() == (None, False)  # who knows what this author counts from
    save(tmp_path / "last.pt", 6, epoch=4)
    assert found() == (None, True)


def test_a_directory_without_weights_has_none(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"")
    (tmp_path / "model.onnx").write_bytes(b"")
    assert last_good(tmp_path) is None
    (tmp_path / "model.onnx").write_bytes(b"x")
    assert last_good(tmp_path, only_numbers=True) == Checkpoint(tmp_path / "model.onnx")
