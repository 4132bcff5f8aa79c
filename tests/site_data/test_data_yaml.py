from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.contracts.data_warnings import DataWarningKind
from guardianflow.contracts.errors import DatasetError
from guardianflow.site_data.data_yaml import read_layout

MakeDataset = Callable[..., Path]


def messages(data_yaml: Path) -> str:
    return "\n".join(map(str, read_layout(data_yaml).problems))


def rewrite(data_yaml: Path, text: str) -> Path:
    data_yaml.write_text(text, encoding="utf-8")
    return data_yaml


def test_directories_listings_and_lists_of_both_are_understood(
    make_dataset: MakeDataset, write_image: MakeDataset
) -> None:
    data_yaml = make_dataset({"train": 3, "val": 2, "test": 2})
    root = data_yaml.parent
    write_image(root / "more" / "images" / "deep" / "x.PNG")
    write_image(root / "more" / "images" / ".hidden.png")
    (root / "more" / "images" / "train.cache").write_bytes(b"Ultralytics' own")
    (root / "val.txt").write_text("./images/val/000.jpg\n\nimages/val/001.jpg\n")
    (root / "test.txt").write_text(f"{root}/images/test/001.jpg\n")
    layout = read_layout(
        rewrite(
            data_yaml,
            "train: [images/train, more/images]\nval: val.txt\ntest: test.txt\n"
            "names: {1: b, 0: a}\n",
        )
    )
    assert layout.problems == []
    assert layout.class_names == ("a", "b")
    assert [p.name for p in layout.images["train"]] == ["000.jpg", "001.jpg", "002.jpg", "x.PNG"]
    assert {split: len(images) for split, images in layout.images.items()} == {
        "train": 4, "val": 2, "test": 1,
    }  # fmt: skip
    assert all(image.is_absolute() for images in layout.images.values() for image in images)


@pytest.mark.parametrize("root", ["..", "{absolute}", "../set"])
def test_path_is_absolute_or_relative_to_the_file(make_dataset: MakeDataset, root: str) -> None:
    data_yaml = make_dataset()
    elsewhere = data_yaml.parent / "yaml"
    elsewhere.mkdir()
    given = root.format(absolute=data_yaml.parent).replace("../set", "../../set")
    text = f"path: {given}\ntrain: images/train\nval: images/val\nnames: [a, b]\n"
    layout = read_layout(rewrite(elsewhere / "data.yaml", text))
    assert layout.problems == []
    assert len(layout.images["train"]) == 3


def test_path_may_also_be_relative_to_the_working_directory(
    make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_yaml = make_dataset()
    monkeypatch.chdir(data_yaml.parent.parent)
    elsewhere = data_yaml.parent / "yaml"
    elsewhere.mkdir()
    text = "path: set\ntrain: images/train\nvalidation: images/val\nnc: 2\n"
    layout = read_layout(rewrite(elsewhere / "data.yaml", text))
    assert layout.problems == []
    assert layout.class_names == ("class_0", "class_1")
    assert len(layout.images["val"]) == 2


def test_an_exporters_leading_dots_are_forgiven(make_dataset: MakeDataset) -> None:
    text = "train: ../images/train\nval: ../images/val\nnames: [a]\n"
    assert read_layout(rewrite(make_dataset(), text)).problems == []


def test_links_keep_their_names(make_dataset: MakeDataset, tmp_path: Path) -> None:
    """DVC links an image to a cache file that is named after its hash."""
    data_yaml = make_dataset()
    image = data_yaml.parent / "images" / "train" / "000.jpg"
    stored = tmp_path / "cache" / "3f9a"
    stored.parent.mkdir()
    shutil.move(image, stored)
    image.symlink_to(stored)
    assert image in read_layout(data_yaml).images["train"]


@pytest.mark.parametrize(
    ("text", "said", "where"),
    [
        ("train: images/train\nval: images/val\n", "'names' is missing", ""),
        ("train: images/train\nval: images/val\nnames: []\n", "'names' is empty", ":3:1"),
        ("train: images/train\nval: images/val\nnames: 5\n", "a list or a mapping", ":3:1"),
        ("train: images/train\nval: images/val\nnames: [a, a]\n", "a more than once", ":3:1"),
        ("train: images/train\nval: images/val\nnames: [a, true]\n", "quote it", ":3:1"),
        ("train: images/train\nval: images/val\nnames: {0: a, 2: b}\n", "must be 0…1", ":3:1"),
        ("train: images/train\nval: images/val\nnames: {a: b}\n", "must be 0…0", ":3:1"),
        ("train: images/train\nval: images/val\nnames: [a]\nnc: 2\n", "'nc' is 2", ":4:1"),
        ("train: images/train\nval: images/val\nnames: [a]\nnc: x\n", "whole number", ":4:1"),
        ("train: images/train\nnames: [a]\n", "the key 'val' is missing", ""),
        ("trian: images/train\nval: images/val\nnames: [a]\n", "did you mean 'trian'?", ""),
        ("train: images/nowhere\nval: images/val\nnames: [a]\n", "no directory", ":1:1"),
        ("train: data.yaml\nval: images/val\nnames: [a]\n", "directory or a .txt", ":1:1"),
        ("train: {a: b}\nval: images/val\nnames: [a]\n", "a path or a list", ":1:1"),
        ("train: labels\nval: images/val\nnames: [a]\n", "'train' has no images", ":1:1"),
        ("path: nowhere\ntrain: t\nval: v\nnames: [a]\n", "'path' is 'nowhere'", ":1:1"),
        ("path: 5\ntrain: images/train\nval: images/val\nnames: [a]\n", "a text", ":1:1"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(
    make_dataset: MakeDataset, text: str, said: str, where: str
) -> None:
    data_yaml = make_dataset()
    problems = read_layout(rewrite(data_yaml, text)).problems
    found = [p for p in problems if said in p.message]
    assert found, problems
    assert found[0].where == f"{data_yaml}{where}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: [a\nval: b\n", "not valid YAML"),
        ("a: 1\na: 2\n", "not valid YAML"),
        ("- a\n", "must be a mapping"),
        ("", "must be a mapping"),
    ],
)
def test_what_is_no_mapping_ends_at_once(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        read_layout(rewrite(tmp_path / "data.yaml", text))


def test_a_listing_names_each_missing_image_and_its_line(make_dataset: MakeDataset) -> None:
    data_yaml = make_dataset()
    listing = data_yaml.parent / "train.txt"
    listing.write_text("./images/train/000.jpg\n./images/train/gone.jpg\ndata.yaml\n")
    text = messages(rewrite(data_yaml, "train: train.txt\nval: images/val\nnames: [a]\n"))
    assert f"{listing}:2: image ./images/train/gone.jpg is missing" in text
    assert f"{listing}:3: data.yaml is not an image" in text


def test_a_label_without_its_image_is_reported(make_dataset: MakeDataset) -> None:
    data_yaml = make_dataset()
    (data_yaml.parent / "images" / "train" / "001.jpg").unlink()
    (data_yaml.parent / "labels" / "train" / "classes.txt").write_text("helmet\nhead\n")
    layout = read_layout(data_yaml)
    assert len(layout.problems) == len(layout.missing) == 1
    assert "001.txt: has no image" in str(layout.problems[0])


def test_a_few_labels_without_images_are_usual_and_only_warned_of(
    make_dataset: MakeDataset,
) -> None:
    data_yaml = make_dataset({"train": 60, "val": 1})
    (data_yaml.parent / "images" / "train" / "001.jpg").unlink()
    layout = read_layout(data_yaml)
    assert layout.problems == [] and len(layout.images["train"]) == 59
    (orphan,) = layout.warnings
    assert orphan.cause is DataWarningKind.ORPHAN_LABELS
    assert orphan.numbers == {"orphans": 1, "labels": 60}
