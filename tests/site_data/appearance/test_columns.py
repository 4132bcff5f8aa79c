"""Cameras and columns of groups.csv as slices, and gates on those that are not there."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from guardianflow.contracts.recordings.groups import GroupSource, ImageGroups, ImageOrigin
from guardianflow.contracts.results import LocalDataset
from guardianflow.site_data.appearance.columns import slice_problems, sliced_columns

WEATHER = ("rain", "", "맑음")
PATHS = tuple(Path(f"/site/cam{index % 2}_{index}.png") for index in range(6))


@pytest.fixture
def dataset():
    origins = {
        path: ImageOrigin(
            f"cam{index % 2}", f"clip{index // 2}", index, {"weather": WEATHER[index % 3]}
        )
        for index, path in enumerate(PATHS)
    }
    return LocalDataset(
        "site",
        Path("/site/data.yaml"),
        ("helmet",),
        {"val": PATHS},
        "f" * 64,
        groups=ImageGroups(GroupSource.FILE, origins),
    )


def test_every_image_has_a_value_and_an_empty_cell_is_unknown(dataset):
    values, left_out = sliced_columns(dataset, PATHS)
    assert values == {
        "camera": ["cam0", "cam1"] * 3,
        "weather": ["rain", "unknown", "맑음"] * 2,
    }
    assert left_out == []
    assert sliced_columns(replace(dataset, groups=None), PATHS) == ({}, [])


def test_names_are_matched_in_either_form_and_a_dot_in_one_is_told(dataset):
    decomposed = unicodedata.normalize("NFD", "날씨")
    columns = {decomposed: unicodedata.normalize("NFD", "맑음"), "a.b": "c"}
    origins = {path: ImageOrigin("g", "clip", 0, columns) for path in PATHS}
    known = replace(dataset, groups=ImageGroups(GroupSource.FILE, origins))
    values, left_out = sliced_columns(known, PATHS)
    assert values["날씨"] == ["맑음"] * 6
    assert list(slice_problems(["날씨.맑음"], known, PATHS)) == []
    (told,) = left_out
    assert "column 'a.b' of the groups is not sliced: a dot ends a column's name" in told


def test_slices_that_are_there_are_no_problem(dataset):
    names = ("night", "small", "input_px.8to16", "weather.rain", "weather.unknown", "camera.cam1")
    assert list(slice_problems(names, dataset, PATHS)) == []


def test_slices_that_are_not_are_all_told_with_the_nearest_names(dataset):
    names = ("weather.rainn", "wether.rain", "camera.cam7", "night")
    found = dict(slice_problems(names, dataset, PATHS))
    assert list(found) == ["weather.rainn", "wether.rain", "camera.cam7"]
    assert "no image of the split has weather 'rainn'; did you mean 'rain'?" in found[names[0]]
    assert "have no column 'wether'; did you mean 'weather'?" in found[names[1]]
    assert "there are cam0, cam1" in found[names[2]]


def test_a_value_of_another_split_is_not_there(dataset):
    (problem,) = slice_problems(["camera.cam1"], dataset, [PATHS[0], PATHS[2]])
    assert "no image of the split has camera 'cam1'" in problem[1]


def test_without_groups_it_is_said_how_to_name_them(dataset):
    (problem,) = slice_problems(["camera.cam1"], replace(dataset, groups=None), PATHS)
    assert "write dataset.groups: {file: groups.csv}" in problem[1]
