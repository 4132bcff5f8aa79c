"""Scores of slices: they add up to the whole, and the whole is what evaluate_detections says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_splits import CLASSES, made_split, small_splits

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.contracts.recordings.slices import ImageTraits, SliceName
from guardianflow.contracts.results import Detections, LabelledImage
from guardianflow.evaluation.accuracy.detection import evaluate_detections
from guardianflow.evaluation.accuracy.few_groups import ratio_interval
from guardianflow.evaluation.slices.scores import score_slices
from guardianflow.evaluation.slices.sliced_split import ALL


@settings(max_examples=100, deadline=None)
@given(small_splits(), st.sampled_from([0.0, 0.25, 0.5]))
def test_the_slice_of_everything_is_what_evaluate_detections_says(split, threshold):
    predictions, images = split
    if not any(len(image.class_ids) for image in images):
        return
    whole = evaluate_detections(predictions, images, CLASSES, conf_threshold=threshold)
    table = score_slices(
        predictions,
        images,
        CLASSES,
        ImageTraits({"light": ["night"] * len(images)}),
        input_size=64,
        conf_threshold=threshold,
    )
    for name in (ALL, SliceName("light", "night")):
        rows = {each.class_name: each for each in table.scores if each.name == name}
        assert rows[""].ap50 == pytest.approx(whole.mAP50, abs=1e-12)
        assert rows[""].ap == pytest.approx(whole.mAP50_95, abs=1e-12)
        del rows[""]
        assert {k: row.ap for k, row in rows.items()} == pytest.approx(whole.ap, abs=1e-12)
        assert {k: row.recall for k, row in rows.items()} == pytest.approx(whole.class_recall)
        assert np.mean([row.recall for row in rows.values()]) == pytest.approx(whole.recall)


@settings(max_examples=100, deadline=None)
@given(small_splits(), st.data())
def test_slices_of_whole_images_are_what_judging_those_images_alone_gives(split, data):
    predictions, images = split
    light = data.draw(
        st.lists(st.sampled_from(["day", "night"]), min_size=len(images), max_size=len(images))
    )
    if not any(len(image.class_ids) for image in images):
        return
    table = score_slices(predictions, images, CLASSES, ImageTraits({"light": light}), input_size=64)
    for value in ("day", "night"):
        kept = [index for index, each in enumerate(light) if each == value]
        mine = [images[index] for index in kept]
        rows = {
            each.class_name: each for each in table.scores if each.name == SliceName("light", value)
        }
        if not any(len(image.class_ids) for image in mine):
            assert rows == {}
            continue
        alone = evaluate_detections([predictions[index] for index in kept], mine, CLASSES)
        assert rows.pop("").ap50 == pytest.approx(alone.mAP50, abs=1e-12)
        assert {k: row.ap50 for k, row in rows.items()} == pytest.approx(alone.ap50, abs=1e-12)
        assert {k: row.recall for k, row in rows.items()} == pytest.approx(alone.class_recall)


@settings(max_examples=100, deadline=None)
@given(small_splits(), st.data())
def test_the_slices_of_a_dimension_add_up_to_the_whole(split, data):
    predictions, images = split
    if not any(len(image.class_ids) for image in images):
        return
    values = ["rain", "snow", "unknown"]
    weather = data.draw(
        st.lists(st.sampled_from(values), min_size=len(images), max_size=len(images))
    )
    table = score_slices(
        predictions, images, CLASSES, ImageTraits({"weather": weather}), input_size=64
    )
    whole = table.find(ALL)
    assert whole is not None
    of_weather, of_pixels = (
        [each for each in table.scores if each.name.dimension == dimension and not each.class_name]
        for dimension in ("weather", "input_px")
    )
    assert sum(each.boxes for each in of_weather) == whole.boxes
    assert sum(each.found for each in of_weather) == whole.found
    assert sum(each.boxes for each in of_pixels) == whole.boxes
    for each in table.scores:
        assert 0 <= each.found <= each.boxes


def _night_and_day(missed_at_night, *, recordings=10, images=8):
    """One box an image; at night every so many is missed. Half of the recordings are dark."""
    labelled, predictions, light, groups = [], [], [], []
    for recording in range(recordings):
        dark = recording % 2 == 0
        for index in range(images):
            place = index + recording
            labelled.append(
                LabelledImage(
                    _path(recording, index),
                    640,
                    480,
                    np.array([[10, 10, 110, 210]], np.float32),
                    np.array([place % 2]),
                )
            )
            missed = dark and place % missed_at_night == 0
            box = np.array([[10, 10, 110, 210]], np.float32)
            predictions.append(
                Detections(
                    box[: not missed],
                    np.array([0.9], np.float32)[: not missed],
                    np.array([place % 2])[: not missed],
                )
            )
            light.append("night" if dark else "day")
            groups.append(f"clip{recording}")
    return predictions, labelled, light, groups


def _path(recording, index):
    from pathlib import Path

    return Path(f"/split/clip{recording}/{index:03}.png")


def test_the_worst_slice_is_named_with_the_boxes_and_recordings_it_rests_on():
    predictions, images, light, groups = _night_and_day(missed_at_night=2, recordings=20)
    traits = ImageTraits({"light": light}, EvidenceUnit.RECORDING, groups)
    table = score_slices(predictions, images, CLASSES, traits, input_size=640)
    worst = table.worst
    assert worst is not None
    assert (worst.score.name.short, worst.score.class_name) == ("night", "helmet")
    assert worst.score.recall == 0.0  # of helmets every one is missed at night
    assert (worst.score.boxes, worst.score.units) == (40, 10)
    assert worst.overall == 0.5
    assert worst.certain
    assert worst.looks == 4  # two lights, two classes: boxes of one size have no rest
    assert worst.score.interval is not None
    assert worst.score.interval.high < 0.5


def test_a_slice_that_is_worse_by_chance_is_not_certain():
    rng = np.random.default_rng(3)
    predictions, images, light, groups = _night_and_day(missed_at_night=10**6, recordings=20)
    blind = rng.random(len(images)) < 0.3
    nothing = Detections(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    )
    predictions = [nothing if missed else p for missed, p in zip(blind, predictions, strict=True)]
    traits = ImageTraits({"light": light}, EvidenceUnit.RECORDING, groups)
    table = score_slices(predictions, images, CLASSES, traits, input_size=640)
    assert table.worst is not None
    assert not table.worst.certain


def test_recordings_are_the_units_where_they_are_known():
    predictions, images, light, groups = _night_and_day(missed_at_night=3)
    night = SliceName("light", "night")
    of = {
        unit: score_slices(
            predictions, images, CLASSES, ImageTraits({"light": light}, unit, names), input_size=640
        ).find(night)
        for unit, names in ((EvidenceUnit.IMAGE, None), (EvidenceUnit.RECORDING, groups))
    }
    by_image, by_recording = of[EvidenceUnit.IMAGE], of[EvidenceUnit.RECORDING]
    assert by_image is not None and by_recording is not None
    assert (by_image.units, by_recording.units) == (40, 5)
    found = [
        sum(
            len(p)
            for p, group in zip(predictions, groups, strict=True)
            if group == f"clip{recording}"
        )
        for recording in range(0, 10, 2)
    ]
    bounds = ratio_interval(np.array(found, float), np.full(5, 8.0))
    assert by_recording.interval is not None and bounds is not None
    assert (by_recording.interval.low, by_recording.interval.high) == pytest.approx(bounds)


def test_a_slice_in_too_few_recordings_is_listed_without_an_interval():
    predictions, images, light, groups = _night_and_day(missed_at_night=2, recordings=8)
    traits = ImageTraits({"light": light}, EvidenceUnit.RECORDING, groups)
    table = score_slices(predictions, images, CLASSES, traits, input_size=640)
    night = table.find(SliceName("light", "night"))
    assert night is not None
    assert (night.boxes, night.units) == (32, 4)
    assert night.interval is None and night.ap50_interval is None
    assert night.against_rest is None
    assert table.worst is None


def test_pixels_are_counted_at_the_network_s_input():
    """The letterbox halves a picture of 1280 px for an input of 640: 40 px become 20."""
    image = LabelledImage(
        _path(0, 0), 1280, 720, np.array([[0, 0, 40, 200]], np.float32), np.array([0])
    )
    nothing = Detections(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    )
    of = {
        size: score_slices([nothing], [image], CLASSES, ImageTraits({}), input_size=size)
        for size in (640, 1280, 160)
    }
    shown = {
        size: [s.name.value for s in table.scores if s.name.dimension == "input_px"]
        for size, table in of.items()
    }
    assert shown == {640: ["16to32"] * 2, 1280: ["32to64"] * 2, 160: ["under8"] * 2}


def test_traits_that_do_not_fit_are_all_told_at_once():
    predictions, images = made_split(1, images=4)
    traits = ImageTraits({"light": ["day"], "size": ["small"] * 4}, groups=["a"])
    with pytest.raises(EvaluationError) as told:
        score_slices(predictions, images, CLASSES, traits, input_size=0)
    for part in ("'light'", "'group'", "size can't be a trait", "input_size must be 1"):
        assert part in str(told.value)


@pytest.mark.parametrize("seed", [11, 12])
def test_without_each_block_average_precision_is_that_of_the_other_images(seed):
    """The spread that intervals are made of, by judging the rest anew."""
    from guardianflow.evaluation.slices.sliced_split import SlicedSplit

    predictions, images = made_split(seed, images=12)
    split = SlicedSplit.of(predictions, images, CLASSES, ImageTraits({}), 640, 0.25)
    _, everything = next(iter(split.slices()))
    averages = split.averages(everything)
    for block in range(12):
        rest = [index for index in range(12) if index != block]
        alone = evaluate_detections(
            [predictions[index] for index in rest], [images[index] for index in rest], CLASSES
        )
        found = {
            name: each.left_out[block]
            for name, each in averages.items()
            if np.isfinite(each.left_out[block])
        }
        assert found == pytest.approx(alone.ap50, abs=1e-9)
