"""Which classes a split shows, and which it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.results import LocalDataset
from guardianflow.site_data.class_counts import images_by_class
from guardianflow.site_data.datasets import resolve_dataset


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> LocalDataset:
    place = tmp_path_factory.mktemp("drawn")
    return resolve_dataset("demo://ppe?images=12&size=96", cache_dir=place)


def test_images_are_counted_not_objects(drawn: LocalDataset) -> None:
    counts = images_by_class(drawn, "train")
    assert list(counts) == list(drawn.class_names)
    assert 0 < max(counts.values()) <= len(drawn.splits["train"])


def test_background_shows_no_class(drawn: LocalDataset, tmp_path: Path) -> None:
    from dataclasses import replace

    empty = replace(drawn, splits={"train": (tmp_path / "images" / "train" / "a.png",)})
    assert set(images_by_class(empty, "train").values()) == {0}


def test_an_unknown_split_is_named(drawn: LocalDataset) -> None:
    with pytest.raises(DatasetError, match="no split 'dev'; it has: train"):
        images_by_class(drawn, "dev")
