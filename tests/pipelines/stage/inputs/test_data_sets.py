"""A stage on a data set that the scenario splits."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from contexts import RememberingSink, context_of, request_of
from PIL import Image

from guardianflow.contracts.errors import DatasetError, ScenarioError
from guardianflow.contracts.results import DetectorPackage
from pipelines.stage.inputs.data_sets import (
    load_dataset,
)
from pipelines.stage.inputs.sources import (
    check_split,
    resolve_weights,
)
from pipelines.stage.stage import StageContext
from scenario import build_scenario


def images(place: Path) -> Path:
    """20 images, each half of one class, in a directory without data.yaml."""
    for i in range(20):
        for folder in ("images", "labels"):
            (place / folder).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (i * 12, 255 - i * 12, 60)).save(place / f"images/{i:02d}.png")
        (place / f"labels/{i:02d}.txt").write_text(f"{i % 2} 0.5 0.5 0.5 0.5\n")
    return place


def stage(folder: Path, name: str, **sections: Any) -> tuple[StageContext, list[str]]:
    scratch, said = folder / name, RememberingSink()
    scratch.mkdir()
    values = {
        "name": "demo",
        "site": {"customer": "demo", "region": "seoul"},
        "task": {"type": "ppe", "classes": ["helmet", "head"]},
        "model": {"architecture": "yolo11n"},
        "dataset": {"path": "cctv", "name": "정문", "split_ratio": [0.6, 0.2, 0.2]},
        **sections,
    }
    request = request_of("train", folder, folder / "work")
    return context_of(request, build_scenario(values), scratch, events=said), said.messages


def package(fingerprint: str) -> DetectorPackage:
    spec = SimpleNamespace(lineage={"data_fingerprint": fingerprint} if fingerprint else {})
    return cast(DetectorPackage, SimpleNamespace(spec=spec))


def test_the_split_is_told_and_kept_with_the_run(tmp_path: Path) -> None:
    images(tmp_path / "cctv")
    context, said = stage(tmp_path, "one")
    dataset = load_dataset(context)
    assert dataset.name == "정문"
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 12, "val": 4, "test": 4}
    lists = {each.stem: each.read_text() for each in (tmp_path / "one/config/split").iterdir()}
    for split, found in dataset.splits.items():
        assert lists[split] == "".join(f"images/{image.name}\n" for image in found)
    (message,) = said
    assert "with seed 42, image by image: train 12, val 4, test 4. Frames of one" in message


def test_with_groups_recordings_are_kept_whole(tmp_path: Path) -> None:
    images(tmp_path / "cctv")
    pattern = r"(?P<recording>\d)(?P<frame>\d)\.png"
    rows = [f"{i:02d}.png,clip{i // 2},{i % 2}" for i in range(20)]
    (tmp_path / "g.csv").write_text("\n".join(["image,recording,frame", *rows]))
    data = {"path": "cctv", "split_ratio": [0.6, 0.2, 0.2], "groups": {"file": "g.csv"}}
    context, said = stage(tmp_path, "one", dataset=data)
    dataset = load_dataset(context)
    assert {k: len(v) for k, v in dataset.splits.items()} == {"train": 12, "val": 4, "test": 4}
    assert dataset.groups is not None
    sides = [
        {dataset.groups.origins[image].recording for image in images}
        for images in dataset.splits.values()
    ]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 10
    assert dataset.warnings == ()
    (message,) = said
    assert "with recordings kept whole by dataset.groups: train 12, val 4, test 4" in message
    few, _ = stage(tmp_path, "few", dataset={**data, "groups": {"pattern": pattern}})
    with pytest.raises(DatasetError, match=r"2 recordings \(0, 1\) are too few for 3 splits"):
        load_dataset(few)


def test_a_model_is_not_judged_on_a_split_that_it_learnt_otherwise(tmp_path: Path) -> None:
    images(tmp_path / "cctv")
    trained = load_dataset(stage(tmp_path, "train")[0])
    same, _ = stage(tmp_path, "same")
    check_split(same, package(trained.fingerprint), load_dataset(same))
    check_split(same, package(""), load_dataset(same))  # nobody knows what it learnt
    other, _ = stage(tmp_path, "other", environment={"seed": 7})
    dataset = load_dataset(other)
    assert dataset.fingerprint != trained.fingerprint
    with pytest.raises(DatasetError, match="it learnt may be among those that judge"):
        check_split(other, package(trained.fingerprint), dataset)


def test_weights_named_as_the_architecture_are_looked_for_and_never_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    context, _ = stage(tmp_path, "one", model={"architecture": "yolov8s.pt"})
    with pytest.raises(ScenarioError, match="and weights are not downloaded") as told:
        resolve_weights(context)
    assert "(architecture: yolov8s)" in str(told.value) and told.value.exit_code == 2
    weights = tmp_path / "yolov8s.pt"
    weights.write_bytes(b"weights")
    assert resolve_weights(context) == weights
