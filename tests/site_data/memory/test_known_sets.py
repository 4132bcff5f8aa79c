"""A set that has not changed is not read again, and one that has is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.results import LocalDataset
from guardianflow.site_data import datasets
from guardianflow.site_data.memory import file_state, known_sets

WriteImage = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, write_image: WriteImage) -> Path:
    """A set of eight images, in folders."""
    root = tmp_path / "set"
    for split, count in (("train", 5), ("val", 3)):
        for i in range(count):
            write_image(root / "images" / split / f"{i}.png", shade=10 * i + len(split))
            label = root / "labels" / split / f"{i}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("0 0.5 0.5 0.2 0.2\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [a, b]\n")
    return root


class Look:
    """Resolves a set and tells whether its files were read."""

    def __init__(self, home: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.cache, self.reads = home, cache, 0
        read = datasets.read_layout

        def counted(*given: object) -> object:
            self.reads += 1
            return read(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(datasets, "read_layout", counted)

    def __call__(self, reference: Path | None = None) -> tuple[LocalDataset, bool]:
        before = self.reads
        found = datasets.resolve_dataset(str(reference or self.home), cache_dir=self.cache)
        return found, self.reads > before


@pytest.fixture
def look(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    monkeypatch.setattr(file_state, "RACY_NS", -(10**9))
    return Look(home, tmp_path / "cache", monkeypatch)


def test_an_unchanged_set_is_looked_at_and_not_read(look: Look) -> None:
    first, was_read = look()
    assert was_read
    second, was_read = look()
    assert not was_read
    assert second == first
    assert second.splits["val"] == first.splits["val"] and second.image_count == 8


def rewrite_label(home: Path) -> None:
    (home / "labels/train/0.txt").write_text("1 0.5 0.5 0.2 0.2\n")


def restore_older(home: Path) -> None:
    """As a backup does: the same size, an old time."""
    label = home / "labels/train/0.txt"
    label.write_text("1 0.5 0.5 0.2 0.2\n")
    os.utime(label, ns=(1, 1))


def swap_images(home: Path) -> None:
    folder = home / "images/train"
    (folder / "0.png").rename(folder / "x.png")
    (folder / "1.png").rename(folder / "0.png")
    (folder / "x.png").rename(folder / "1.png")


def add_image(home: Path) -> None:
    below = home / "images/train/night"
    below.mkdir()
    shutil.copy(home / "images/train/1.png", below / "9.png")
    (home / "labels/train/night").mkdir()
    (home / "labels/train/night/9.txt").write_text("0 0.5 0.5 0.3 0.3\n")


def take_label(home: Path) -> None:
    (home / "labels/train/2.txt").unlink()


def rename_class(home: Path) -> None:
    place = home / "data.yaml"
    place.write_text(place.read_text().replace("[a, b]", "[a, c]"))


def write_pose(home: Path) -> None:
    place = home / "data.yaml"
    place.write_text(place.read_text() + "kpt_shape: [1, 2]\n")


@pytest.mark.parametrize(
    "change",
    [rewrite_label, restore_older, swap_images, add_image, take_label, rename_class, write_pose],
)
def test_a_change_is_seen_and_is_another_fingerprint(
    look: Look, home: Path, change: Callable[[Path], None]
) -> None:
    first, _ = look()
    change(home)
    second, was_read = look()
    assert was_read
    assert second.fingerprint != first.fingerprint
    assert look() == (second, False)


def touch_all(home: Path) -> None:
    for path in home.rglob("*"):
        os.utime(path)


def comment(home: Path) -> None:
    place = home / "data.yaml"
    place.write_text(f"# of the gate\n{place.read_text()}download: https://example.com\n")


def leave_cache(home: Path) -> None:
    (home / "labels/train.cache").write_bytes(b"of Ultralytics")


@pytest.mark.parametrize("change", [touch_all, comment, leave_cache])
def test_what_says_the_same_is_the_same_fingerprint(
    look: Look, home: Path, change: Callable[[Path], None]
) -> None:
    first, _ = look()
    change(home)
    assert look()[0].fingerprint == first.fingerprint


def test_another_place_is_another_memory_and_the_same_fingerprint(look: Look, home: Path) -> None:
    first, _ = look()
    copied = home.parent / "copied"
    shutil.copytree(home, copied)
    second, was_read = look(copied)
    assert was_read
    assert second.fingerprint == first.fingerprint and second.data_yaml != first.data_yaml


def test_what_was_changed_just_now_is_not_remembered(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may change once more within one tick of the clock."""
    monkeypatch.setattr(file_state, "RACY_NS", 2 * 10**9)
    look()
    assert look()[1]


@pytest.mark.parametrize("damage", ["cut", "digit", "older"])
def test_a_spoilt_memory_costs_time_only(
    look: Look, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = look()
    (file,) = (look.cache / "sets").iterdir()
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-20])
    elif damage == "digit":
        at = file.read_bytes().index(first.fingerprint.encode())
        content = bytearray(file.read_bytes())
        content[at] ^= 1
        file.write_bytes(bytes(content))
    else:
        monkeypatch.setattr(known_sets, "_checking_code", lambda: "another release")
    assert look() == (first, True)


def test_a_resolved_set_that_a_cleaner_took_is_made_anew(look: Look) -> None:
    first, _ = look()
    first.data_yaml.unlink()
    second, was_read = look()
    assert was_read and second.data_yaml.is_file()


def test_a_known_set_is_held_against_the_classes_asked_for(look: Look, home: Path) -> None:
    look()
    with pytest.raises(DatasetError, match=r"the task's are \[a, helmet\]"):
        datasets.resolve_dataset(str(home), cache_dir=look.cache, expected_classes=["a", "helmet"])


def test_a_list_of_absolute_paths_is_remembered_and_one_of_relative_ones_is_not(
    look: Look, home: Path
) -> None:
    for split in ("train", "val"):
        images = sorted((home / "images" / split).iterdir())
        (home / f"{split}.txt").write_text("".join(f"{image}\n" for image in images))
    (home / "data.yaml").write_text("train: train.txt\nval: val.txt\nnames: [a, b]\n")
    first, _ = look()
    assert look() == (first, False)
    rewrite_label(home)
    second, was_read = look()
    assert was_read and second.fingerprint != first.fingerprint

    (home / "val.txt").write_text("images/val/0.png\n")
    look()
    assert look()[1]


def test_a_dvc_file_that_comes_later_is_seen(look: Look, home: Path) -> None:
    first, _ = look()
    assert first.dvc_hash is None
    (home.parent / "set.dvc").write_text("outs:\n- md5: 3f.dir\n  nfiles: 1\n  path: set\n")
    second, _ = look()
    assert second.dvc_hash == "3f.dir"
    assert look() == (second, False)
