"""The path of an image as rules see it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from guardianflow.site_data.recordings.names import names_below

ROOT = Path("/data/set")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("images/train/cam3/000123.jpg", "cam3/000123.jpg"),
        ("train/images/cam3/000123.jpg", "cam3/000123.jpg"),
        ("valid/images/000123.jpg", "000123.jpg"),
        ("images/val2017/000123.jpg", "000123.jpg"),
        ("siteA/train/images/clip1/1.jpg", "siteA/clip1/1.jpg"),
        ("images/clip1/1.jpg", "clip1/1.jpg"),
        ("test/clip1/1.jpg", "clip1/1.jpg"),
        ("images/clip1/train/1.jpg", "clip1/1.jpg"),
    ],
)
def test_a_name_is_the_same_whichever_split_it_is_in(path: str, name: str) -> None:
    assert list(names_below([ROOT / path], ROOT).values()) == [name]


def test_folders_of_splits_of_any_name_are_told_by_the_data_yaml() -> None:
    one, other = ROOT / "first/clip1/1.jpg", ROOT / "second/clip1/2.jpg"
    tops = [ROOT / "first", ROOT / "second"]
    assert names_below([one, other], ROOT, tops) == {one: "clip1/1.jpg", other: "clip1/2.jpg"}


def test_images_that_lists_name_elsewhere() -> None:
    paths = [Path("/nas/a/clip1/1.jpg"), Path("/nas/a/clip2/1.jpg")]
    assert list(names_below(paths, ROOT).values()) == ["clip1/1.jpg", "clip2/1.jpg"]


def test_hangul_is_composed() -> None:
    path = ROOT / unicodedata.normalize("NFD", "images/정문/1.jpg")
    assert list(names_below([path], ROOT).values()) == ["정문/1.jpg"]
