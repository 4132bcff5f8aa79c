"""Slices of two models, paired."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from made_splits import CLASSES, made_split

from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.contracts.recordings.slices import ImageTraits, SliceName
from guardianflow.contracts.results import Detections
from guardianflow.evaluation.slices.comparison import compare_slices
from guardianflow.evaluation.slices.scores import score_slices

SIZES = (640, 640)


def _split():
    predictions, images = made_split(5, images=240)
    light = ["night" if index // 12 % 2 else "day" for index in range(240)]
    groups = [f"clip{index // 12}" for index in range(240)]
    return predictions, images, ImageTraits({"light": light}, EvidenceUnit.RECORDING, groups)


def _blinded_at_night(predictions, traits, share=2):
    """Every second detection at night is gone, all else is as before."""
    worse = []
    for found, light in zip(predictions, traits.values["light"], strict=True):
        kept = np.arange(len(found)) % share != 0 if light == "night" else np.full(len(found), True)
        worse.append(Detections(found.boxes_xyxy[kept], found.scores[kept], found.class_ids[kept]))
    return worse


def test_the_slice_that_got_worse_is_found_and_the_others_are_not():
    predictions, images, traits = _split()
    worse = _blinded_at_night(predictions, traits)
    changes = compare_slices(predictions, worse, images, CLASSES, traits, input_sizes=SIZES)
    found = {(each.name.short, each.class_name) for each in changes.worse}
    assert {("night", ""), ("night", "helmet"), ("night", "머리")} <= found
    assert not any(name == "day" for name, _ in found)
    certain = [each for each in changes.changes if each.p_value < 1 - changes.confidence]
    assert not [each for each in certain if each.difference.low > 0]
    day = next(e for e in changes.changes if e.name == SliceName("light", "day"))
    assert (day.difference.value, day.p_value) == (0.0, 1.0)


def test_a_difference_is_that_of_the_two_recalls():
    predictions, images, traits = _split()
    worse = _blinded_at_night(predictions, traits)
    before, after = (
        score_slices(found, images, CLASSES, traits, input_size=640)
        for found in (predictions, worse)
    )
    changes = compare_slices(predictions, worse, images, CLASSES, traits, input_sizes=SIZES)
    assert changes.changes
    for each in changes.changes:
        was, is_now = (table.find(each.name, each.class_name) for table in (before, after))
        assert was is not None and is_now is not None
        assert abs(each.difference.value - (is_now.recall - was.recall)) < 1e-12
        assert each.boxes == was.boxes == is_now.boxes


def test_a_model_beside_itself_has_lost_nothing():
    predictions, images, traits = _split()
    changes = compare_slices(predictions, predictions, images, CLASSES, traits, input_sizes=SIZES)
    assert changes.worse == ()
    assert all(each.p_value == 1.0 for each in changes.changes)


def test_pixels_at_the_input_are_compared_only_between_inputs_of_one_size():
    predictions, images, traits = _split()
    dimensions = {
        sizes: {
            each.name.dimension
            for each in compare_slices(
                predictions, predictions, images, CLASSES, traits, input_sizes=sizes
            ).changes
        }
        for sizes in ((640, 640), (640, 320))
    }
    assert dimensions[640, 640] - dimensions[640, 320] == {"input_px"}


def test_without_enough_recordings_nothing_is_compared():
    predictions, images, traits = _split()
    few = replace(traits, groups=["clip"] * len(images))
    changes = compare_slices(predictions, predictions, images, CLASSES, few, input_sizes=SIZES)
    assert changes.changes == ()
