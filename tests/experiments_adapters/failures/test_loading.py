"""Data loaders load in the training's own process, however their processes were asked for."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from experiments_adapters.failures.loading import give_memory_back, loading_in_process


class Pids(Dataset[int]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, _: int) -> int:
        return os.getpid()


def test_no_loader_starts_a_process_and_afterwards_they_may_again() -> None:
    data: Any = Pids()
    with loading_in_process():
        loaders = [
            DataLoader(data, num_workers=2, prefetch_factor=4, persistent_workers=True, timeout=9),
            DataLoader(data, 1, False, None, None, 2),
            DataLoader(data, multiprocessing_context="spawn", num_workers=1),
            ultralytics_loader(data),
        ]
    for loader in loaders:
        assert loader.num_workers == 0
        assert {int(pid) for batch in loader for pid in batch} == {os.getpid()}
    assert DataLoader(data, num_workers=2, prefetch_factor=4).num_workers == 2


def ultralytics_loader(data: Any) -> Any:
    from ultralytics.data.build import InfiniteDataLoader

    return InfiniteDataLoader(dataset=data, batch_size=1, num_workers=2, prefetch_factor=4)


def test_giving_memory_back_needs_no_gpu() -> None:
    give_memory_back()
    assert torch.zeros(1).item() == 0
