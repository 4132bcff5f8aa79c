"""demo://cctv: frames of recordings as a data set, split soundly or so that it leaks."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.results import LocalDataset
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.demo import demo_data_set

SMALL = "demo://cctv?recordings=6&images=20&size=160&seed=3"
NAME = re.compile(r"(?P<camera>cam\d)_(?P<recording>\d{8}_\d{6})_(?P<frame>\d{6})")


def resolved(cache: Path, leak: str) -> LocalDataset:
    return resolve_dataset(f"{SMALL}&leak={leak}", cache_dir=cache)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocalDataset]:
    cache = tmp_path_factory.mktemp("cache")
    return {leak: resolved(cache, leak) for leak in ("none", "recording", "twins")}


def recordings(dataset: LocalDataset, split: str) -> set[str]:
    found = [NAME.fullmatch(path.stem) for path in dataset.splits[split]]
    return {f"{m['camera']} {m['recording']}" for m in found if m}


def thumbnail(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Without noise and mean light: 32×32."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small[:29] - small[:29].mean()  # the recorder's clock left out


def correlation(one: Path, other: Path) -> float:
    return float(np.corrcoef(thumbnail(one).ravel(), thumbnail(other).ravel())[0, 1])


def nearest(dataset: LocalDataset) -> list[float]:
    """For each test image, how like it is to the train image that is most like it."""
    return [
        max(correlation(test, train) for train in dataset.splits["train"])
        for test in dataset.splits["test"]
    ]


def test_names_tell_camera_recording_and_frame(sets: dict[str, LocalDataset]) -> None:
    dataset = sets["none"]
    assert dataset.name == "demo-cctv"
    assert dataset.class_names == ("helmet", "head", "vest", "person")
    paths = [path for images in dataset.splits.values() for path in images]
    assert len(paths) == 120 and all(NAME.fullmatch(path.stem) for path in paths)
    per_recording = Counter(path.stem.rpartition("_")[0] for path in paths)
    assert set(per_recording.values()) == {20} and len(per_recording) == 6


def test_a_sound_split_shares_no_recording(sets: dict[str, LocalDataset]) -> None:
    found = {split: recordings(sets["none"], split) for split in ("train", "val", "test")}
    assert {split: len(names) for split, names in found.items()} == {
        "train": 2,
        "val": 2,
        "test": 2,
    }
    for one, other in itertools.combinations(found.values(), 2):
        assert not one & other


def test_a_split_that_leaks_recordings_has_neighbours_of_test_images_in_train(
    sets: dict[str, LocalDataset],
) -> None:
    leaking, sound = sets["recording"], sets["none"]
    shared = recordings(leaking, "test") & recordings(leaking, "train")
    assert len(shared) >= 5
    images = {path.name: path for split in leaking.splits.values() for path in split}
    assert set(images) == {path.name for split in sound.splits.values() for path in split}

    # A camera's own view on another day is alike too, but never so much.
    assert max(nearest(sound)) < 0.9 < np.median(nearest(leaking))


def test_twins_are_in_train_under_names_that_tell_nothing(sets: dict[str, LocalDataset]) -> None:
    twinned, sound = sets["twins"], sets["none"]
    extra = [path for path in twinned.splits["train"] if not NAME.fullmatch(path.stem)]
    tests = twinned.splits["test"]
    assert [path.name for path in tests] == [path.name for path in sound.splits["test"]]
    assert 0.2 * len(tests) <= len(extra) <= 0.8 * len(tests)
    bytes_of = {path.read_bytes() for path in tests}
    assert not bytes_of & {twin.read_bytes() for twin in extra}
    alike = [max(correlation(twin, test) for test in tests) for twin in extra]
    assert np.median(alike) > 0.99 and min(alike) > max(nearest(sound))


def test_labels_are_those_of_the_pictures(sets: dict[str, LocalDataset]) -> None:
    names: Counter[str] = Counter()
    for split in ("train", "val", "test"):
        for image in read_labelled_images(sets["none"], split):
            names.update(sets["none"].class_names[i] for i in image.class_ids)
            assert (image.boxes_xyxy >= 0).all() and (image.boxes_xyxy <= 160).all()
    assert all(names[name] >= 5 for name in ("helmet", "vest", "person")), names


def test_the_same_seed_draws_the_same_bytes(sets: dict[str, LocalDataset], tmp_path: Path) -> None:
    again = resolved(tmp_path, "twins")
    for split, images in sets["twins"].splits.items():
        assert [path.read_bytes() for path in images] == [
            path.read_bytes() for path in again.splits[split]
        ]


def test_bad_options_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        demo_data_set("demo://cctv?leak=twin&images=1&record=3", tmp_path)
    said = str(caught.value)
    assert len(caught.value.problems) == 3 and list(tmp_path.iterdir()) == []
    assert "'leak' must be one of none, recording, twins but got 'twin'" in said
    with pytest.raises(DatasetError, match="demo://incidents is for alarms"):
        demo_data_set("demo://incidents", tmp_path)
