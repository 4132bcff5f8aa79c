from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.contracts.data_warnings import DataWarningKind
from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.results import LocalDataset
from guardianflow.site_data.data_yaml import read_layout
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.sampling import (
    _share_out,
    images_by_class,
    sample_calibration_images,
)

MakeDataset = Callable[..., Path]
Resolve = Callable[..., LocalDataset]


@pytest.fixture
def resolve(tmp_path: Path) -> Resolve:
    def call(reference: object, **options: object) -> LocalDataset:
        return resolve_dataset(str(reference), cache_dir=tmp_path / "cache", **options)  # type: ignore[arg-type]

    return call


def test_a_data_set_is_resolved_from_its_file_and_from_its_directory(
    make_dataset: MakeDataset, resolve: Resolve
) -> None:
    data_yaml = make_dataset({"train": 3, "val": 2, "test": 1})
    found = resolve(data_yaml, version="v4", expected_classes=["head", "helmet"])
    assert found == resolve(data_yaml.parent, version="v4")
    assert (found.name, found.version, found.dvc_hash) == ("set", "v4", None)
    assert found.class_names == ("helmet", "head")
    assert found.image_count == 6
    data_yaml.rename(data_yaml.with_name("site.yml"))
    assert resolve(data_yaml.parent).name == "site"


def test_the_resolved_file_says_the_same_from_anywhere(
    make_dataset: MakeDataset, resolve: Resolve, tmp_path: Path
) -> None:
    data_yaml = make_dataset(folder="공장/set", names="['안전모', 'a: \"b\"']")
    found = resolve(data_yaml)
    assert found.data_yaml.is_relative_to(tmp_path / "cache")
    layout = read_layout(found.data_yaml)
    assert layout.problems == []
    assert layout.class_names == found.class_names == ("안전모", 'a: "b"')
    assert layout.images == found.splits
    assert resolve(data_yaml).data_yaml == found.data_yaml
    image = data_yaml.parent / "images" / "val" / "000.jpg"
    image.rename(image.with_name("9.jpg"))
    label = data_yaml.parent / "labels" / "val" / "000.txt"
    label.rename(label.with_name("9.txt"))
    assert resolve(data_yaml).data_yaml != found.data_yaml


def test_ultralytics_reads_the_resolved_file(make_dataset: MakeDataset, resolve: Resolve) -> None:
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(resolve(make_dataset(folder="공장")).data_yaml))
    assert data["names"] == {0: "helmet", 1: "head"}
    assert Path(data["train"]).read_text().count("\n") == 3


def test_a_relative_reference_is_looked_up_in_the_base_then_here(
    make_dataset: MakeDataset, resolve: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dataset(folder="project/set")
    make_dataset(folder="here/set2")
    monkeypatch.chdir(tmp_path / "here")
    assert resolve("set", base_dir=tmp_path / "project").name == "set"
    assert resolve("set2/data.yaml", base_dir=tmp_path / "project").name == "set2"
    assert resolve("set2").name == "set2"


def test_all_that_is_wrong_is_said_at_once(make_dataset: MakeDataset, resolve: Resolve) -> None:
    data_yaml = make_dataset()
    root = data_yaml.parent
    (root / "labels" / "train" / "000.txt").write_text("0 0.5 0.5 0.5\n7 0.5 0.5 0.5 0.5\n")
    (root / "labels" / "val" / "000.txt").write_text("0 64 64 20 20\n")
    (root / "images" / "val" / "001.jpg").write_bytes(b"noise")
    (root / "images" / "train" / "002.jpg").unlink()
    (root / "labels" / "train" / "001.txt").unlink()
    (root / "labels" / "train" / "001.txt").mkdir()
    data_yaml.write_text(data_yaml.read_text() + "test: [images/test, images/val]\n")
    with pytest.raises(DatasetError) as caught:
        resolve(data_yaml, expected_classes=["helmet", "vest"])
    text = str(caught.value)
    assert len(caught.value.problems) == 8, text
    for said in (
        "train/000.txt:1: a row must have 5 columns",
        "train/000.txt:2: class id 7 is unknown",
        "val/000.txt:1: coordinates must be",
        "001.jpg: can't be read as an image",
        "002.txt: has no image",
        "001.txt: can't be read",
        "no directory or listing",
        "classes are [helmet, head] but the task's are [helmet, vest]",
    ):
        assert said in text


def test_a_spelling_mistake_is_met_with_what_is_there(
    make_dataset: MakeDataset, resolve: Resolve
) -> None:
    data_yaml = make_dataset(folder="site/ppe_welding")
    wrong = data_yaml.parents[1] / "ppe_weldng" / "data.yaml"
    with pytest.raises(DatasetError, match="did you mean 'ppe_welding"):
        resolve(wrong)
    with pytest.raises(DatasetError, match=r"dataa\.yaml does not exist; did you mean 'data\.yaml"):
        resolve(data_yaml.with_name("dataa.yaml"))


def test_a_directory_must_say_which_file_is_meant(
    make_dataset: MakeDataset, resolve: Resolve, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"holds no data\.yaml"):
        resolve(tmp_path / "empty")
    folder = make_dataset().rename(tmp_path / "set" / "a.yaml").parent
    (folder / "b.yml").write_text("")
    with pytest.raises(DatasetError, match=r"give one of them: a\.yaml, b\.yml"):
        resolve(folder)


@pytest.mark.parametrize("reference", ["s3://bucket/ppe/data.yaml", "https://host/data.yaml"])
def test_remote_data_sets_are_refused_plainly(resolve: Resolve, reference: str) -> None:
    with pytest.raises(DatasetError, match="not supported yet"):
        resolve(reference)


def test_an_image_without_a_label_is_background_but_a_lost_folder_is_not(
    make_dataset: MakeDataset, resolve: Resolve
) -> None:
    data_yaml = make_dataset()
    labels = data_yaml.parent / "labels"
    (labels / "train" / "001.txt").unlink()
    (labels / "val" / "000.txt").unlink()
    (labels / "val" / "001.txt").unlink()
    found = resolve(data_yaml)
    assert [len(i.class_ids) for i in read_labelled_images(found, "train")] == [1, 0, 1]
    assert all(not len(i.class_ids) for i in read_labelled_images(found, "val"))
    (labels / "val").rmdir()
    with pytest.raises(DatasetError, match=r"'val': none of its 2 images has labels.*labels/val"):
        resolve(data_yaml)


def test_what_there_is_to_learn_is_counted_and_remembered(
    make_dataset: MakeDataset, resolve: Resolve
) -> None:
    assert resolve(make_dataset(rows="", folder="empty")).train_objects == 0
    data_yaml = make_dataset(rows="1 0.5 0.5 0.5 0.2\n0 0.2 0.2 0.1 0.1\n")
    assert [resolve(data_yaml).train_objects for _ in range(2)] == [6, 6]  # read, then remembered


def test_pixel_boxes_are_read(make_dataset: MakeDataset, resolve: Resolve) -> None:
    data_yaml = make_dataset(rows="1 0.5 0.5 0.5 0.2\n0 0.0 0.0 0.5 0.5\n")
    found = resolve(data_yaml)
    image = read_labelled_images(found, "val")[0]
    assert (image.width, image.height) == (40, 20)
    np.testing.assert_allclose(image.boxes_xyxy, [[10, 8, 30, 12], [0, 0, 10, 5]])
    assert image.class_ids.tolist() == [1, 0] and image.class_ids.dtype == np.int64


def test_an_unknown_split_is_answered_with_the_known_ones(
    make_dataset: MakeDataset, resolve: Resolve
) -> None:
    found = resolve(make_dataset())
    with pytest.raises(DatasetError, match=r"no split 'test'; it has: train, val"):
        read_labelled_images(found, "test")


def test_files_that_went_bad_after_resolving_are_named(
    make_dataset: MakeDataset, resolve: Resolve
) -> None:
    found = resolve(make_dataset())
    found.splits["train"][0].write_bytes(b"noise")
    found.splits["train"][1].unlink()
    label = Path(str(found.splits["train"][2]).replace("images", "labels")).with_suffix(".txt")
    label.write_text("oops\n")
    with pytest.raises(DatasetError) as caught:
        read_labelled_images(found, "train")
    assert len(caught.value.problems) == 3
    with pytest.raises(DatasetError, match="5 columns"):
        sample_calibration_images(found, 1, seed=0)


def test_images_in_two_splits_are_warned_of_and_not_calibrated_on(
    make_dataset: MakeDataset, resolve: Resolve
) -> None:
    data_yaml = make_dataset()
    text = data_yaml.read_text().replace("train: images/train", "train: [images/train, images/val]")
    data_yaml.write_text(text)
    found = resolve(data_yaml)
    (shared,) = found.warnings
    assert shared.cause is DataWarningKind.SHARED_WITH_TRAIN
    assert (shared.split, shared.numbers) == ("val", {"shared": 2, "images": 2})
    picked = sample_calibration_images(found, 10, seed=1)
    assert {p.parent.name for p in picked} == {"train"} and len(picked) == 3
    data_yaml.write_text(text.replace("[images/train, images/val]", "images/val"))
    with pytest.raises(DatasetError, match="no train images of its own"):
        sample_calibration_images(resolve(data_yaml), 10, seed=1)


def test_calibration_shows_rare_classes_and_repeats_itself(
    make_dataset: MakeDataset, resolve: Resolve
) -> None:
    data_yaml = make_dataset({"train": 60, "val": 1})
    rare = [data_yaml.parent / "labels" / "train" / f"{i:03d}.txt" for i in (17, 44)]
    for label in rare:
        label.write_text("1 0.5 0.5 0.2 0.2\n")
    found = resolve(data_yaml)
    for seed in range(5):
        picked = sample_calibration_images(found, 8, seed=seed)
        assert len(picked) == len(set(picked)) == 8
        assert {label.stem for label in rare} <= {p.stem for p in picked}
        assert picked == sample_calibration_images(found, 8, seed=seed)
    assert picked != sample_calibration_images(found, 8, seed=99)
    assert len(sample_calibration_images(found, 500, seed=0)) == 60
    with pytest.raises(DatasetError, match="at least 1 but got 0"):
        sample_calibration_images(found, 0, seed=0)


@settings(max_examples=60)
@given(
    classes=st.lists(st.sets(st.integers(0, 4), max_size=3), min_size=1, max_size=40),
    data=st.data(),
)
def test_shares_are_full_distinct_and_show_every_class_there_is_room_for(
    classes: list[set[int]], data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, len(classes)))
    images = [Path(str(i)) for i in range(len(classes))]
    showing = dict(zip(images, classes, strict=True))
    chosen = _share_out(images, showing, size)
    assert len(chosen) == len(set(chosen)) == size
    known = set().union(*classes)
    shown = set().union(*(showing[image] for image in chosen))
    assert len(shown) >= min(size, len(known))


def test_real_images_resolve(shared_data: Path, resolve: Resolve) -> None:
    found = resolve(shared_data / "coco128" / "coco128.yaml")
    assert found.name == "coco128" and len(found.class_names) == 80
    assert {split: len(images) for split, images in found.splits.items()} == {
        "train": 128, "val": 128,
    }  # fmt: skip
    labelled = read_labelled_images(found, "val")
    assert sum(len(image.class_ids) for image in labelled) > 500
    for image in labelled:
        assert (image.boxes_xyxy[:, 2:] <= [image.width, image.height]).all()
    assert len(sample_calibration_images(found, 64, seed=0)) == 64


# --- which classes a split shows, and which it does not -------------------------------------------


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> LocalDataset:
    place = tmp_path_factory.mktemp("drawn")
    return resolve_dataset("demo://ppe?images=12&size=96", cache_dir=place)


def test_images_are_counted_not_objects(drawn: LocalDataset) -> None:
    counts = images_by_class(drawn, "train")
    assert list(counts) == list(drawn.class_names)
    assert 0 < max(counts.values()) <= len(drawn.splits["train"])


def test_background_shows_no_class(drawn: LocalDataset, tmp_path: Path) -> None:
    empty = replace(drawn, splits={"train": (tmp_path / "images" / "train" / "a.png",)})
    assert set(images_by_class(empty, "train").values()) == {0}


def test_an_unknown_split_is_named(drawn: LocalDataset) -> None:
    with pytest.raises(DatasetError, match="no split 'dev'; it has: train"):
        images_by_class(drawn, "dev")
