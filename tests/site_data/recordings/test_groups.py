"""Rules → the recording of every image, and rules that say nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.contracts.data_warnings import DataWarningKind
from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.recordings.groups import (
    EvidenceUnit,
    GroupRule,
    GroupSource,
    ImageGroups,
)
from guardianflow.contracts.results import LocalDataset
from guardianflow.site_data.datasets import resolve_dataset

WriteImage = Callable[..., Path]
PATTERN = r"(?P<camera>cam\d+)_(?P<recording>\d{8})_(?P<time>\d{6})"


@pytest.fixture
def site(tmp_path: Path, write_image: WriteImage) -> Path:
    """Two cameras, three recordings, of which one is on both sides; a label that must be mended."""
    root = tmp_path / "현장"
    shades = iter(range(20, 255, 4))
    for split, names in {
        "train": ["cam1_20260104_081500", "cam1_20260104_081501", "cam2_20260104_091500"],
        "val": ["cam1_20260105_081500", "cam2_20260104_091501"],
    }.items():
        for name in names:
            write_image(root / "images" / split / name[:4] / f"{name}.jpg", shade=next(shades))
            label = root / "labels" / split / name[:4] / f"{name}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("0 0.5 0.5 0.2 0.2\n")
    # An outline beside a box: Ultralytics gets a label of ours, and the image by a link.
    (root / "labels/train/cam1/cam1_20260104_081500.txt").write_text(
        "0 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.4 0.1 0.4 0.4 0.1 0.4\n"
    )
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [helmet]\n")
    return root


def resolved(site: Path, source: GroupSource, text: str = "") -> LocalDataset:
    rule = GroupRule(source, text)
    return resolve_dataset(str(site), cache_dir=site.parent / "cache", groups=rule)


def groups_in(dataset: LocalDataset) -> ImageGroups:
    assert dataset.groups is not None
    return dataset.groups


def refusal(site: Path, source: GroupSource, text: str = "") -> str:
    with pytest.raises(DatasetError) as caught:
        resolved(site, source, text)
    return str(caught.value)


def test_a_pattern_gives_every_image_its_origin(site: Path) -> None:
    dataset = resolved(site, GroupSource.PATTERN, PATTERN)
    groups = groups_in(dataset)
    assert groups.names(dataset.splits["train"], EvidenceUnit.RECORDING) == (
        "cam1/20260104",
        "cam1/20260104",
        "cam2/20260104",
    )
    assert groups.names(dataset.splits["val"], EvidenceUnit.CAMERA) == ("cam1", "cam2")
    moments = [groups.origins[path].moment for path in dataset.splits["train"]]
    assert moments == [29_700.0, 29_701.0, 33_300.0]
    assert any("cache" in path.parts for path in dataset.splits["train"])  # the link has its origin


def test_recordings_on_both_sides_are_told_and_no_error(site: Path) -> None:
    plain = resolve_dataset(str(site), cache_dir=site.parent / "cache")
    dataset = resolved(site, GroupSource.PATTERN, PATTERN)
    (told,) = [each for each in dataset.warnings if each not in plain.warnings]
    assert told.cause is DataWarningKind.RECORDINGS_ACROSS
    assert told.numbers == {"across": 1, "groups": 3}
    assert told.examples == ("cam2/20260104",)
    (told,) = [
        each
        for each in resolved(site, GroupSource.PATTERN, r"(?P<camera>cam\d+)_").warnings
        if each not in plain.warnings
    ]
    assert told.cause is DataWarningKind.CAMERAS_ACROSS


def test_groups_are_no_part_of_the_data_s_fingerprint_but_have_their_own(site: Path) -> None:
    plain = resolve_dataset(str(site), cache_dir=site.parent / "cache")
    one = resolved(site, GroupSource.PATTERN, PATTERN)
    other = resolved(site, GroupSource.PATTERN, r"(?P<camera>cam\d+)_")
    assert plain.groups is None
    assert plain.fingerprint == one.fingerprint == other.fingerprint
    assert groups_in(one).fingerprint != groups_in(other).fingerprint
    moved = site.rename(site.with_name("moved"))
    again = resolved(moved, GroupSource.PATTERN, PATTERN)
    assert groups_in(again).fingerprint == groups_in(one).fingerprint


def test_folders_are_recordings(site: Path) -> None:
    dataset = resolved(site, GroupSource.FOLDER)
    names = groups_in(dataset).names(dataset.splits["val"], EvidenceUnit.RECORDING)
    assert names == ("cam1", "cam2")


def test_a_table_is_looked_for_beside_the_scenario_and_beside_the_data(
    site: Path, tmp_path: Path
) -> None:
    names = sorted(path.name for path in site.rglob("*.jpg"))
    rows = "".join(f"{name},{name[:4]},{name[5:13]}\n" for name in names)
    (site / "groups.csv").write_text("image,camera,recording\n" + rows)
    by_table = groups_in(resolved(site, GroupSource.FILE, "groups.csv"))
    by_pattern = groups_in(resolved(site, GroupSource.PATTERN, PATTERN))
    assert {p: o.recording for p, o in by_table.origins.items()} == {
        p: o.recording for p, o in by_pattern.origins.items()
    }
    beside = tmp_path / "scenarios"
    beside.mkdir()
    (site / "groups.csv").rename(beside / "gruppen.csv")
    rule = GroupRule(GroupSource.FILE, "gruppen.csv")
    found = resolve_dataset(str(site), cache_dir=tmp_path / "cache", base_dir=beside, groups=rule)
    assert groups_in(found).origins == by_table.origins
    (site / "gruops.csv").write_text("")
    told = refusal(site, GroupSource.FILE, "groups.csv")
    assert "there is no file 'groups.csv'; did you mean 'gruops.csv'?" in told
    assert str(site / "groups.csv") in told


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(?P<camera>ch\d+)_", "matches none of 5 names; they are like cam1/cam1_2026"),
        (r"(?P<camera>cam1)_", "does not match 2 of 5 names: cam2/cam2_20260104_091500.jpg"),
        (r"(?P<camera>cam)\d", "puts all 5 images in one group, 'cam'"),
        (r"(?P<recording>cam\d+_.*)\.jpg", "puts each of 5 images in a recording of its own"),
        (r"(?P<camera>cam\d+)_(?P<frame>\w+)", "finds no number or time in 5 names"),
        (r"(?P<camera>cam\d+", "is no regular expression"),
    ],
)
def test_patterns_that_say_nothing_are_refused(site: Path, pattern: str, said: str) -> None:
    told = refusal(site, GroupSource.PATTERN, pattern)
    assert said in told
    assert pattern in told


def test_folders_that_say_nothing_are_refused(
    make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    flat = make_dataset().parent
    told = refusal(flat, GroupSource.FOLDER)
    assert "all 5 images lie directly in the folders of their splits" in told
    (flat / "images/train/one").mkdir()
    (flat / "images/train/000.jpg").rename(flat / "images/train/one/000.jpg")
    (flat / "labels/train/one").mkdir()
    (flat / "labels/train/000.txt").rename(flat / "labels/train/one/000.txt")
    assert re.search("4 of 5 images lie in no folder", refusal(flat, GroupSource.FOLDER))
