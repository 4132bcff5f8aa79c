"""Splits by recording: what is written loads here and in Ultralytics, and nothing is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.contracts.errors import ConfigurationError, DatasetError
from guardianflow.contracts.recordings.groups import (
    EvidenceUnit,
    GroupRule,
    GroupSource,
)
from guardianflow.site_data.datasets import resolve_dataset
from guardianflow.site_data.recordings.splits import GroupedSplit, split_by_groups, write_split

WriteImage = Callable[..., Path]
PATTERN = r"(?P<camera>cam\d+)_(?P<recording>\d+)_(?P<frame>\d+)"
SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


@pytest.fixture
def site(tmp_path: Path, write_image: WriteImage) -> Path:
    """Two cameras, ten recordings of six frames; frames of each lie in train and in valid."""
    root = tmp_path / "현장"
    for number in range(60):
        recording, frame = divmod(number, 6)
        split = "valid" if frame == 5 else "train"
        stem = f"cam{recording % 2}_{recording}_{frame:03d}"
        write_image(root / split / "images" / f"{stem}.jpg", shade=number * 4)
        label = root / split / "labels" / f"{stem}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 0.5 0.5\n" if recording % 3 else "")
    (root / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\n"
        "names: [안전모, head]\nroboflow: {project: site, version: 3}\n"
    )
    return root


def split(place: Path, text: str = PATTERN, **more: object) -> GroupedSplit:
    given = {"unit": EvidenceUnit.RECORDING, "shares": SHARES, "seed": 42, **more}
    source = GroupSource.PATTERN if "?P" in text else GroupSource(text)
    rule = GroupRule(source, text if source is GroupSource.PATTERN else "")
    cache = place.parent / "cache"
    return split_by_groups(str(place), rule, cache_dir=cache, **given)  # type: ignore[arg-type]


def test_recordings_are_whole_and_shares_are_kept(site: Path) -> None:
    made = split(site)
    assert {name: len(part.images) for name, part in made.parts.items()} == {
        "train": 36,
        "val": 12,
        "test": 12,
    }
    names = [name for part in made.parts.values() for name in part.groups]
    assert len(names) == len(set(names)) == 10
    assert made.shown == {"안전모": 36, "": 24}
    assert made.lacking() == {}
    assert made.image_count == 60


def test_what_is_written_resolves_with_its_groups_and_nothing_is_moved(
    site: Path, tmp_path: Path
) -> None:
    before = sorted(os.walk(site))
    made = split(site)
    data_yaml = write_split(made, tmp_path / "나눔" / "new")
    assert sorted(os.walk(site)) == before
    assert sorted(p.name for p in data_yaml.parent.iterdir()) == [
        "data.yaml",
        "groups.csv",
        "test.txt",
        "train.txt",
        "val.txt",
    ]
    rule = GroupRule(GroupSource.FILE, str(data_yaml.parent / "groups.csv"))
    found = resolve_dataset(str(data_yaml), cache_dir=tmp_path / "cache", groups=rule)
    assert {name: set(images) for name, images in found.splits.items()} == {
        name: set(part.images) for name, part in made.parts.items()
    }
    assert found.class_names == ("안전모", "head")
    assert found.warnings == ()  # no recording is in two splits, and no image lacks a label
    assert found.groups is not None
    for name, part in made.parts.items():
        names = found.groups.names(found.splits[name], EvidenceUnit.RECORDING)
        assert names is not None
        assert {*names} == {*part.groups}
    assert "roboflow" in data_yaml.read_text(encoding="utf-8")


def test_ultralytics_reads_the_same_images_and_labels(site: Path, tmp_path: Path) -> None:
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    made = split(site)
    data_yaml = write_split(made, tmp_path / "new")
    data = check_det_dataset(str(data_yaml), autodownload=False)
    assert data["names"] == {0: "안전모", 1: "head"}
    for name, part in made.parts.items():
        read = YOLODataset(img_path=data[name], data=data, imgsz=32, augment=False)
        assert {*read.im_files} == {*map(str, part.images)}
        assert sum(len(each["cls"]) > 0 for each in read.labels) == part.shown["안전모"]
    assert all(path.suffix != ".npy" for path in site.rglob("*"))


def test_the_same_seed_gives_the_same_split_wherever_the_set_lies(site: Path) -> None:
    one = split(site)
    assert split(site).parts == one.parts
    assert any(split(site, seed=seed).parts != one.parts for seed in range(4))
    moved = split(site.rename(site.with_name("moved")))
    for name, part in moved.parts.items():
        assert part.groups == one.parts[name].groups


def test_cameras_are_kept_whole_where_that_is_asked(site: Path) -> None:
    shares = {"train": 0.5, "val": 0.5}
    made = split(site, unit=EvidenceUnit.CAMERA, shares=shares)
    assert {part.groups for part in made.parts.values()} == {("cam0",), ("cam1",)}


def test_too_few_groups_are_refused(site: Path) -> None:
    with pytest.raises(DatasetError, match=r"2 cameras \(cam0, cam1\) are too few for 3 splits"):
        split(site, unit=EvidenceUnit.CAMERA)


def test_a_unit_that_nobody_named_is_refused(site: Path) -> None:
    with pytest.raises(DatasetError, match="60 of 60 images have no recording") as caught:
        split(site, r"(?P<camera>cam\d+)_")
    assert "they have a camera: split by it" in str(caught.value)


def test_a_directory_without_a_data_yaml_is_split_by_its_folders(
    tmp_path: Path, write_image: WriteImage
) -> None:
    place = tmp_path / "raw"
    for number in range(12):
        write_image(place / "images" / f"clip{number // 2}" / f"{number}.jpg", shade=number * 9)
    (place / "labels").mkdir()
    (place / "classes.txt").write_text("helmet\n")
    made = split(place, "folder")
    assert sum(len(part.groups) for part in made.parts.values()) == 6


def test_labels_that_are_malformed_are_told_before_anything_is_written(site: Path) -> None:
    (site / "train/labels/cam0_0_000.txt").write_text("0 0.5 0.5\n")
    (site / "train/labels/cam1_1_000.txt").write_text("9 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DatasetError) as caught:
        split(site)
    assert len(caught.value.problems) == 2


def test_nothing_is_written_over(site: Path, tmp_path: Path) -> None:
    made = split(site)
    place = tmp_path / "there"
    place.mkdir()
    with pytest.raises(ConfigurationError, match="nothing is written over"):
        write_split(made, place)
    assert list(place.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="can't be written"):
        write_split(made, tmp_path / "file" / "new")
    assert (tmp_path / "file").read_text() == ""
