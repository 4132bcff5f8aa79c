"""Slices of a split: what is known of its images, gates that the data can't answer, and files."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from sliced_models import sliced_site

from guardianflow.contracts.recordings.evidence import EvidenceBasis
from guardianflow.contracts.recordings.groups import (
    EvidenceUnit,
    GroupSource,
    ImageGroups,
    ImageOrigin,
)
from guardianflow.contracts.results import LabelledImage, LocalDataset
from pipelines.measuring.slices import (
    draw_slices,
    save_slices,
    slice_identity,
    slice_metrics,
    slice_notes,
    slice_tags,
    traits_of,
)

WEATHER = ("rain", "", "맑음")


class Told:
    """The events of a stage: what was said."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.fixture
def site(tmp_path: Path) -> tuple[Any, LocalDataset, list[LabelledImage]]:
    """A stage's context, and a set of six dark and bright pictures with groups."""
    images, origins = [], {}
    for index in range(6):
        path = tmp_path / f"cam{index % 2}_{index}.png"
        level = 20 if index % 3 == 0 else 160
        picture = np.full((48, 64, 3), level, np.uint8)
        picture[::2] += 9
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        images.append(
            LabelledImage(path, 64, 48, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
        )
        columns = {"weather": WEATHER[index % 3], "frame": str(index), "light": "mine"}
        origins[path] = ImageOrigin(f"cam{index % 2}", f"clip{index // 2}", index, columns)
    dataset = LocalDataset(
        "site",
        tmp_path / "data.yaml",
        ("helmet",),
        {"val": tuple(origins)},
        "f" * 64,
        groups=ImageGroups(GroupSource.FILE, origins),
    )
    context = SimpleNamespace(
        settings=SimpleNamespace(datasets_dir=tmp_path / "cache"), events=Told()
    )
    return context, dataset, images


def test_traits_come_from_pixels_and_from_the_groups(
    site: tuple[Any, LocalDataset, list[LabelledImage]],
) -> None:
    context, dataset, images = site
    assert dataset.groups is not None
    names = dataset.groups.names([image.path for image in images], EvidenceUnit.RECORDING)
    basis = EvidenceBasis(EvidenceUnit.RECORDING, names or (), len(images))
    traits = traits_of(context, dataset, images, basis)
    assert traits.values["light"] == ["night", "day", "day"] * 2
    assert traits.values["camera"] == ["cam0", "cam1"] * 3
    assert traits.values["weather"] == ["rain", "unknown", "맑음"] * 2
    assert (traits.unit, traits.groups) == (
        EvidenceUnit.RECORDING,
        ("clip0", "clip0", "clip1", "clip1", "clip2", "clip2"),
    )


def test_a_column_that_cannot_be_sliced_is_told(
    site: tuple[Any, LocalDataset, list[LabelledImage]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardianflow.site_data.appearance.columns.MOST_VALUES", 5)
    context, dataset, images = site
    traits = traits_of(context, dataset, images, EvidenceBasis())
    assert "frame" not in traits.values
    told = "\n".join(context.events.messages)
    assert "'frame' of the groups has 6 different values" in told
    assert "column 'light' of the groups is not sliced: that name is taken" in told


def test_without_groups_images_are_the_units(
    site: tuple[Any, LocalDataset, list[LabelledImage]],
) -> None:
    from dataclasses import replace

    context, dataset, images = site
    traits = traits_of(context, replace(dataset, groups=None), images, EvidenceBasis())
    assert set(traits.values) == {"light", "blur"}
    assert (traits.unit, traits.groups) == (EvidenceUnit.IMAGE, None)


def test_other_groups_are_another_result(
    site: tuple[Any, LocalDataset, list[LabelledImage]],
) -> None:
    from dataclasses import replace

    _, dataset, images = site
    paths = [image.path for image in images]
    assert dataset.groups is not None
    moved = dict(dataset.groups.origins)
    moved[paths[0]] = replace(moved[paths[0]], columns={"weather": "snow"})
    other = replace(dataset, groups=ImageGroups(GroupSource.FILE, moved))
    digests = {slice_identity(each, paths) for each in (dataset, other)}
    assert len(digests) == 2
    assert slice_identity(replace(dataset, groups=None), paths) == ""


def test_a_run_has_one_metric_a_slice_and_every_class_in_its_files(tmp_path: Path) -> None:
    champion, candidate, changes = sliced_site()
    metrics = slice_metrics(candidate)
    night = candidate.find(next(s.name for s in candidate.scores if s.name.value == "night"))
    assert night is not None and night.interval is not None
    key = "det.slice.light.night.recall"
    assert metrics[key] == pytest.approx(night.recall)
    assert metrics[f"{key}_low"] == pytest.approx(night.interval.low)
    assert not any("helmet" in each for each in metrics)
    assert len(metrics) < 80
    assert slice_tags(candidate) == {"det.slice.worst": "night × helmet"}
    assert metrics["det.slice.worst.boxes"] > 0
    save_slices({"original": champion, "quantized": candidate}, {"both": changes}, tmp_path)
    with (tmp_path / "results" / "slices.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(champion.scores) + len(candidate.scores)
    found = next(
        row
        for row in rows
        if (row["model"], row["value"], row["class"]) == ("quantized", "night", "")
    )
    assert float(found["recall"]) == pytest.approx(night.recall)
    assert (found["unit"], found["units"]) == ("recording", "8")
    kept = json.loads((tmp_path / "results" / "slices.json").read_text("utf-8"))
    assert kept["models"]["quantized"]["worst"]["score"]["name"]["value"] == "night"
    assert kept["differences"]["both"]["changes"]


def test_slices_of_too_few_have_no_metric() -> None:
    few, _, _ = sliced_site(12)
    assert not any("light" in key for key in slice_metrics(few))
    assert any(".size.small." in key for key in slice_metrics(few))


def test_the_console_is_told_the_worst_slice() -> None:
    _, candidate, _ = sliced_site()
    (first, *_) = slice_notes(candidate, "openvino_int8")
    assert first.startswith("openvino_int8: Worst slice: night × helmet, recall 0.")


def test_the_picture_is_drawn_with_names_in_hangul(tmp_path: Path) -> None:
    _, candidate, _ = sliced_site()
    path = draw_slices(candidate, tmp_path / "plots" / "slices.png", "조건별 $재현율")
    picture = cv2.imread(str(path))
    assert picture.shape[1] > 900
    assert picture.std() > 5
