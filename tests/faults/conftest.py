"""A campaign's stores and directory, for the rounds of one test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.faults.rounds import Campaign
from benchmarks.faults.stores import open_stores

SEED = 14


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    folder = tmp_path_factory.mktemp("campaign")
    with open_stores(folder / "stores") as stores:
        yield Campaign(folder, stores, SEED)
