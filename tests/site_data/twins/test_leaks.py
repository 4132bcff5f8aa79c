"""What crosses splits: files, twins, recordings, neighbouring frames, cameras."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from leaking_data import leaking_data

from guardianflow.contracts.recordings.groups import (
    GroupRule,
    GroupSource,
    ImageGroups,
    ImageOrigin,
)
from guardianflow.contracts.recordings.leaks import (
    DataLeaks,
    Leak,
    LeakKind,
    LeakNote,
    LeakUnknown,
)
from guardianflow.contracts.results import LocalDataset
from guardianflow.site_data.datasets import resolve_dataset
from guardianflow.site_data.twins.leaks import find_leaks
from guardianflow.site_data.twins.table import COLUMNS, write_leaks

K = LeakKind


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> LocalDataset:
    """22 test images: 12 are train's encoded anew, of which one is the very file."""
    data_yaml = leaking_data(tmp_path_factory.mktemp("현장"))
    images = data_yaml.parent / "images"
    same = (images / "train" / "용접_000.jpg").read_bytes()
    (images / "test" / "시험_000.jpg").write_bytes(same)
    return resolve_dataset(str(data_yaml), cache_dir=cache)


@pytest.fixture(scope="module")
def found(dataset: LocalDataset, cache: Path) -> DataLeaks:
    return find_leaks(dataset, cache)


def test_twins_and_the_same_file_are_found_and_nothing_else(found: DataLeaks) -> None:
    test = found.of("test")
    assert test is not None
    assert test.counts == {K.SAME_FILE: 1, K.TWIN: 11}
    assert (test.images, len(test.twins), len(test.touched)) == (22, 12, 12)
    assert test.share == len(test.twins) / test.images == 12 / 22
    pairs = {(leak.image.name, leak.other.name) for leak in found.leaks}
    assert pairs == {(f"시험_{n:03d}.jpg", f"용접_{n:03d}.jpg") for n in range(12)}
    for split, among in (("val", "train"), ("test", "val")):
        other = found.of(split, among)
        assert other is not None
        assert not other.counts
    assert (found.plain, found.unread, found.by_groups) == (0, 0, False)


def test_a_split_that_is_not_asked_for_is_not_looked_at(dataset: LocalDataset, cache: Path) -> None:
    asked = find_leaks(dataset, cache, judged=["val"])
    assert [(each.split, each.among) for each in asked.splits] == [("val", "train")]


def test_progress_is_told_of_both_halves_of_the_work(dataset: LocalDataset, tmp_path: Path) -> None:
    read: list[tuple[int, int]] = []
    compared: list[tuple[int, int]] = []
    find_leaks(
        dataset,
        tmp_path,
        progress=lambda *told: read.append(told),
        searching=lambda *told: compared.append(told),
    )
    assert read[-1] == (56, 56)
    assert compared[-1] == (22, 22)
    assert max(done for done, _ in compared) == 22


def grouped(dataset: LocalDataset) -> LocalDataset:
    """Train is two recordings of cam1; of test, other_0…4 go on in them, other_5…7 are cam1's."""
    origins: dict[Path, ImageOrigin] = {}
    for split, images in dataset.splits.items():
        for path in images:
            kind, _, number = path.stem.partition("_")
            n = int(number)
            if split == "train":
                origins[path] = ImageOrigin("cam1", f"cam1/r{n % 2}", 10.0 * n)
            elif kind == "다른" and n < 5:
                origins[path] = ImageOrigin("cam1", "cam1/r0", 10.0 * n + 5)
            elif kind == "다른" and n < 8:
                origins[path] = ImageOrigin("cam1", "cam1/r9", 1.0)
            else:
                origins[path] = ImageOrigin("cam2", f"cam2/{path.stem}")
    return replace(dataset, groups=ImageGroups(GroupSource.FILE, origins))


def test_recordings_cameras_and_neighbouring_frames_are_told_from_the_groups(
    dataset: LocalDataset, cache: Path
) -> None:
    found = find_leaks(grouped(dataset), cache)
    test = found.of("test")
    assert test is not None
    # r0 of train has moments 0, 20, 40 …; 5 and 15 both lie between 0 and 20.
    assert test.counts == {
        K.SAME_FILE: 1,
        K.TWIN: 11,
        K.NEIGHBOUR: 5,
        K.SAME_RECORDING: 5,
        K.SAME_CAMERA: 8,
    }
    assert len(test.touched) == 12 + 5  # one camera on another day may be judged on
    beside = {leak.image.name: leak.other.name for leak in found.leaks if leak.kind is K.NEIGHBOUR}
    assert beside["다른_000.jpg"] == "용접_000.jpg"  # 5 beside 0
    assert beside["다른_001.jpg"] == "용접_002.jpg"  # 15 beside 20
    nearest = {
        leak.image.name: leak.other.name for leak in found.leaks if leak.kind is K.SAME_RECORDING
    }
    assert nearest["다른_003.jpg"] in ("용접_004.jpg", "용접_003.jpg")  # 35: nearest of r0 is 40
    assert found.by_groups


def test_the_table_has_a_row_a_leak_and_is_read_by_a_korean_spreadsheet(
    found: DataLeaks, dataset: LocalDataset, tmp_path: Path
) -> None:
    top = dataset.splits["train"][0].parents[1]
    file = write_leaks(tmp_path / "results" / "leaks.csv", found.leaks, top)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 12
    assert rows[0]["image"] == "test/시험_000.jpg"
    assert (rows[0]["kind"], rows[0]["other"]) == ("same_file", "train/용접_000.jpg")
    empty = write_leaks(tmp_path / "none.csv", [])
    assert empty.read_text(encoding="utf-8-sig").strip() == ",".join(COLUMNS)


def test_a_path_that_begins_a_formula_is_no_formula(tmp_path: Path) -> None:
    leak = Leak("test", "train", tmp_path / "=1+1.jpg", tmp_path / "b.jpg", K.TWIN, 0.9)
    file = write_leaks(tmp_path / "leaks.csv", [leak], tmp_path)
    assert "'=1+1.jpg" in file.read_text(encoding="utf-8-sig")


def test_a_note_survives_its_dictionary() -> None:
    note = LeakNote(
        "test", 40, 12, 20, 0.05, {"mAP50": (0.5, 0.4, 0.6)}, LeakUnknown.OTHER_DATA, "why"
    )
    assert LeakNote.from_dict(note.to_dict()) == note
    assert (note.share, note.rest, note.leaks) == (0.5, 20, True)
    assert not LeakNote("test", 40, 2, 2).leaks  # exactly 5 %


def test_what_stands_where_another_stood_days_ago_is_no_twin_where_recordings_are_named(
    tmp_path: Path,
) -> None:
    """Drawn footage of two fixed cameras; each recording has its own day and people."""
    rule = GroupRule(GroupSource.PATTERN, r"^(?P<camera>cam\d+)_(?P<recording>\d{8}_\d{6})_")

    def share(reference: str, rule: GroupRule | None) -> tuple[float, float]:
        found = find_leaks(resolve_dataset(reference, cache_dir=tmp_path, groups=rule), tmp_path)
        test = found.of("test")
        assert test is not None
        return test.share, len(test.twins) / test.images

    sound = "demo://cctv"
    assert share(sound, None)[1] > 0, "pictures alone can't tell"
    assert share(sound, rule) == (0, 0)
    leaking, twins = share(f"{sound}?leak=recording", rule)
    assert (leaking, twins > 0.2) == (1, True)
