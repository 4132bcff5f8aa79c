"""What differs from the last finished run is told by its name, then and now."""

from __future__ import annotations

import os

import pytest
from identified_site import Site
from PIL import Image

from guardianflow.contracts.errors import DatasetError
from pipelines.reuse.explain import (
    Explainer,
    StageExplanation,
    State,
    difference_in_words,
    in_words,
)
from pipelines.settings import Settings


def explained(site: Site, stage: str) -> StageExplanation:
    explainer = Explainer(site.ports, Settings(work_dir=site.work))
    explainer(site.request(stage))
    (told,) = explainer.told
    return told


def texts(told: StageExplanation) -> list[str]:
    return [difference_in_words(each) for each in told.differences]


def test_what_is_unchanged_names_the_run_that_stands_in(site: Site) -> None:
    assert explained(site, "train").state is State.FIRST
    run_id = site.finish("train")
    told = explained(site, "train")
    assert (told.state, told.run_id) == (State.REUSED, run_id)
    assert in_words(told) == [f"train  reused: nothing has changed since run {run_id}"]


def test_each_value_that_differs_is_told_then_and_now(site: Site) -> None:
    run_id = site.finish("train")
    site.words = {
        "epochs: 3": "epochs: 60",
        "mosaic: 0, ": "",
        "name: gate": "name: a\nversion: v2",
    }
    told = explained(site, "train")
    assert (told.state, told.run_id) == (State.CHANGED, run_id)
    assert texts(told) == [
        "training.epochs: 3 → 60",
        "training.options.mosaic: 0 → nothing",
        "version: v1 → v2",
    ]
    assert told.to_dict()["differences"][0] == {
        "path": "training.epochs", "before": 3, "now": 60, "data": None,
    }  # fmt: skip


def test_images_that_came_changed_and_went_are_counted(site: Site) -> None:
    site.finish("infer")
    images, labels = site.data / "images/train", site.data / "labels/train"
    Image.new("RGB", (40, 20), (200, 1, 1)).save(images / "0.png")
    (labels / "1.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    for folder, suffix in ((images, "png"), (labels, "txt")):
        os.rename(folder / f"2.{suffix}", folder / f"9.{suffix}")  # noqa: PTH104
    (told,) = explained(site, "infer").differences
    assert difference_in_words(told) == (
        "data: 1 images changed, 1 images with another label, 1 images new, 1 images gone"
    )
    for path in (site.work / "datasets/manifests").iterdir():
        path.unlink()
    assert texts(explained(site, "infer")) == ["data: images or labels of the data set are others"]


def test_the_latest_run_of_the_same_variant_is_what_one_compares_with(site: Site) -> None:
    site.finish("quant")
    site.words = {"calibration_size: 8": "calibration_size: 4"}
    latest = site.finish("quant")
    site.words = {"calibration_size: 8": "calibration_size: 2"}
    told = explained(site, "quant")
    assert told.run_id == latest
    assert texts(told) == ["variant.calibration_size: 4 → 2"]
    site.words = {"precision: int8": "precision: fp16"}
    assert explained(site, "quant").state is State.FIRST


def test_a_run_that_lost_its_model_is_no_stand_in(site: Site) -> None:
    run_id = site.finish("train", register=False)
    told = explained(site, "train")
    assert (told.state, told.run_id) == (State.UNUSABLE, run_id)


def test_what_starts_from_a_run_to_come_follows_it(site: Site) -> None:
    site.given = {"source": "runs:/<train>"}
    told = explained(site, "infer")
    assert (told.state, told.reason) == (State.FOLLOWS, "train")
    assert in_words(told) == ["infer  runs: train runs before it"]


def test_what_is_forced_and_what_nobody_can_tell_say_so(site: Site) -> None:
    site.given = {"force": True}
    assert explained(site, "train").state is State.FORCED
    site.given = {"source": "model.onnx"}
    told = explained(site, "infer")
    assert told.state is State.UNKNOWN
    assert in_words(told)[0].startswith("infer  may run: the model that it starts from must be")


def test_data_that_can_not_be_read_is_an_error_as_ever(site: Site) -> None:
    (site.data / "labels/train/0.txt").write_text("7 0.5 0.5 0.2 0.2\n")
    with pytest.raises(DatasetError, match="class id 7 is unknown"):
        explained(site, "train")


def test_a_secret_that_differs_is_not_told(site: Site, secrets_forgotten: None) -> None:
    site.words = {"mosaic: 0,": "mosaic: 0, api_token: hunter2hunter2,"}
    site.finish("train")
    site.words = {"mosaic: 0,": "mosaic: 0, api_token: tiger33tiger33,"}
    told = explained(site, "train")
    assert (told.state, told.differences) == (State.CHANGED, ())
    assert in_words(told)[1].strip() == (
        "what differs is not kept with a run: a secret among its values"
    )
