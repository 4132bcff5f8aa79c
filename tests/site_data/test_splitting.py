"""Splitting a data set that has no split of its own."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.contracts.errors import DatasetError
from guardianflow.site_data.datasets import resolve_dataset
from guardianflow.site_data.splitting import DataSplit, deal, split_data_set

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
MakeDataset = Callable[..., Path]
WriteImage = Callable[..., Path]


def split(reference: object, cache: Path, **more: object) -> DataSplit:
    given = {"shares": SHARES, "seed": 42, **more}
    return split_data_set(str(reference), cache_dir=cache, **given)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path, write_image: WriteImage) -> Path:
    """100 images: 70 of class 0, 20 of class 1 (10 with class 0 too), 10 of nothing."""
    place = tmp_path / "현장"
    for i in range(100):
        write_image(place / "images" / f"{i:03d}.jpg", shade=i)
        rows = ["0 0.5 0.5 0.5 0.5\n"] * (i < 80) + ["1 0.2 0.2 0.1 0.1\n"] * (70 <= i < 90)
        label = place / "labels" / f"{i:03d}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("".join(rows))
    (place / "classes.txt").write_text("helmet\nhead\n")
    return place


def test_each_class_has_its_share_in_each_split(folder: Path, tmp_path: Path) -> None:
    made = split(folder, tmp_path / "cache")
    assert made.made
    numbers = {name: [int(Path(i).stem) for i in images] for name, images in made.images.items()}
    assert sorted(itertools.chain(*numbers.values())) == list(range(100))
    counts = {
        name: Counter((i < 80, 70 <= i < 90) for i in images) for name, images in numbers.items()
    }
    only_0, both, only_1, none = (True, False), (True, True), (False, True), (False, False)
    for name, share in SHARES.items():
        of = counts[name]
        assert of[only_1] + of[both] == round(20 * share)
        assert of[only_0] + of[both] == round(80 * share)
        assert of[none] == round(10 * share)
        assert len(numbers[name]) == pytest.approx(100 * share, abs=1)


def test_people_with_keypoints_have_their_share_too(folder: Path, tmp_path: Path) -> None:
    """Rows with key points were taken for malformed ones, and their classes dealt by chance."""
    for label in (folder / "labels").glob("*.txt"):
        label.write_text(label.read_text().replace("\n", " 0.5 0.5 2\n"))
    reference = folder / "data.yaml"
    reference.write_text("train: images\nnames: [helmet, head]\nkpt_shape: [1, 3]\n")
    made = split(reference, tmp_path / "cache")
    for name, share in SHARES.items():
        heads = [i for i in made.images[name] if 70 <= int(Path(i).stem) < 90]
        assert len(heads) == round(20 * share), name


def test_the_split_data_set_resolves_and_its_split_is_in_the_fingerprint(
    folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    found = resolve_dataset(split(folder, cache).reference, cache_dir=cache)
    assert found.class_names == ("helmet", "head")
    assert found.image_count == 100
    again = resolve_dataset(split(folder, tmp_path / "other").reference, cache_dir=cache)
    assert again.fingerprint == found.fingerprint
    other = resolve_dataset(split(folder, cache, seed=7).reference, cache_dir=cache)
    assert other.fingerprint != found.fingerprint
    assert split(folder, cache, seed=7).images != split(folder, cache).images
    moved = folder.rename(tmp_path / "moved")
    assert split(moved, cache).images == split(folder.with_name("moved"), cache).images
    plain = tmp_path / "plain.yaml"  # the same split, written plainly
    lists = {name: tmp_path / f"{name}.txt" for name in SHARES}
    for name, images in split(moved, cache).images.items():
        lists[name].write_text("".join(f"{moved / image}\n" for image in images))
    plain.write_text("".join(f"{n}: {f}\n" for n, f in lists.items()) + "names: [helmet, head]\n")
    assert resolve_dataset(str(plain), cache_dir=cache).fingerprint == found.fingerprint


@pytest.mark.parametrize("val", ["", "val: images\n", "test:\n"])
def test_a_file_that_names_train_alone(folder: Path, tmp_path: Path, val: str) -> None:
    cache, data_yaml = tmp_path / "cache", folder / "site.yaml"
    data_yaml.write_text(f"path: .\ntrain: images\n{val}names: {{0: helmet, 1: head}}\n")
    made = split(data_yaml, cache)
    assert made.images == split(folder, cache).images
    assert Path(made.reference).stem == "site"
    found = resolve_dataset(made.reference, cache_dir=cache)
    assert (found.name, found.image_count) == ("site", 100)


def test_a_set_with_a_split_of_its_own_is_not_split_anew(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    data_yaml = make_dataset({"train": 8, "val": 1, "test": 1})
    kept = split(data_yaml, tmp_path / "cache")
    assert kept == DataSplit(str(data_yaml), made=False, images={})
    with pytest.raises(
        DatasetError, match=r"split of its own \(train 0\.80, val 0\.10, test 0\.10"
    ):
        split(data_yaml, tmp_path / "cache", shares={"train": 0.7, "val": 0.3, "test": 0.0})


def test_what_can_not_be_split(folder: Path, tmp_path: Path, write_image: WriteImage) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(DatasetError, match="does not exist"):
        split(tmp_path / "nowhere", cache)
    few = tmp_path / "few"
    write_image(few / "a.jpg")
    with pytest.raises(DatasetError, match="nothing says what the classes are"):
        split(few, cache)
    with pytest.raises(DatasetError, match="its 1 images are too few for split_ratio: 'val'"):
        split(few, cache, class_names=["helmet"])
    write_image(few / "train" / "a.jpg")
    write_image(few / "valid" / "a.jpg")
    with pytest.raises(DatasetError, match="holds train, valid: it is split already"):
        split(few, cache, class_names=["helmet"])
    (folder / "data.yaml").write_text("names: [helmet, head]\n")
    with pytest.raises(DatasetError, match="must name train"):
        split(folder, cache)


def test_two_shares_leave_no_empty_third_split() -> None:
    images = {Path(f"/set/{i:02d}.jpg"): frozenset({i % 2}) for i in range(10)}
    dealt = deal(images, Path("/set"), {"train": 0.8, "val": 0.2, "test": 0.0}, seed=1)
    assert {name: len(found) for name, found in dealt.items()} == {"train": 8, "val": 2}
    assert Counter(images[i] for i in dealt["val"]) == {frozenset({0}): 1, frozenset({1}): 1}
