"""Who found what: all images at once give what each image and class by itself gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_splits import made_split, small_splits

from guardianflow.evaluation.accuracy import matching
from guardianflow.evaluation.accuracy.matching import (
    IOU_THRESHOLDS,
    assign,
    iou_matrix,
    match_boxes,
)


def test_a_detection_takes_the_free_box_it_overlaps_most():
    overlaps = np.array([[0.6, 0.8], [0.55, 0.9], [0.7, 0.0]])
    given_boxes = assign(overlaps, np.array([0.5, 0.75]))
    assert given_boxes.tolist() == [[1, 1], [0, -1], [-1, -1]]


def test_boxes_without_area_overlap_nothing():
    point = np.array([[3.0, 3.0, 0.0, 0.0]])
    assert iou_matrix(point, point).tolist() == [[0.0]]


def _one_by_one(matched, thresholds):
    """What each detection got, one image and class after the other, each detection looked at."""
    found, truth = matched.found, matched.truth
    expected = np.full((len(found.scores), len(thresholds)), -1)
    keys = found.class_ids * matched.images + found.image_ids
    true_keys = truth.class_ids * matched.images + truth.image_ids
    for key in np.unique(true_keys):
        mine, theirs = np.flatnonzero(keys == key), np.flatnonzero(true_keys == key)
        if not len(mine):
            continue
        got = assign(iou_matrix(found.boxes_xywh[mine], truth.boxes_xywh[theirs]), thresholds)
        expected[mine] = np.where(got >= 0, theirs[got], -1)
    return expected


@settings(max_examples=300, deadline=None)
@given(small_splits(), st.sampled_from([1, 5, 1 << 18]))
def test_all_at_once_is_what_one_by_one_gives(split, pairs_at_once):
    """Boxes of a coarse grid: overlaps fall on thresholds, boxes repeat, scores are equal."""
    predictions, images = split
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "PAIRS_AT_ONCE", pairs_at_once)
        matched = match_boxes(predictions, images)
    assert matched.given.tolist() == _one_by_one(matched, IOU_THRESHOLDS).tolist()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_crowd_is_paired_the_same(seed):
    matched = match_boxes(*made_split(seed, images=40))
    assert matched.disputes
    assert (matched.given >= 0).any()
    assert matched.given.tolist() == _one_by_one(matched, IOU_THRESHOLDS).tolist()
