"""Ranges of box sizes against pycocotools, and against pairing anew by the plainest code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_splits import CLASSES, made_split, small_splits

from guardianflow.contracts.recordings.slices import ImageTraits, SliceName
from guardianflow.evaluation.accuracy.matching import IOU_THRESHOLDS, iou_matrix, match_boxes
from guardianflow.evaluation.slices.matching import count_in_range
from guardianflow.evaluation.slices.scores import score_slices


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_average_precision_by_area_is_that_of_pycocotools(pycocotools_by_area, seed):
    predictions, images = made_split(seed, images=40)
    expected = pycocotools_by_area(predictions, images, len(CLASSES))
    table = score_slices(predictions, images, CLASSES, ImageTraits({}), input_size=640)
    for value, (ap, ap50, by_class) in expected.items():
        whole = table.find(SliceName("size", value))
        assert whole is not None
        assert whole.ap == pytest.approx(ap, abs=1e-6)
        assert whole.ap50 == pytest.approx(ap50, abs=1e-6)
        for class_id, of_class in by_class.items():
            mine = table.find(SliceName("size", value), CLASSES[class_id])
            assert mine is not None
            assert mine.ap == pytest.approx(of_class, abs=1e-6)


@pytest.mark.parametrize("seed", [4, 5])
def test_recall_by_area_is_that_of_pycocotools(pycocotools_by_area, seed):
    """Of every detection, whatever its score: COCO's average recall at IoU 0.5."""
    predictions, images = made_split(seed, images=40)
    table = score_slices(
        predictions, images, CLASSES, ImageTraits({}), input_size=640, conf_threshold=0.0
    )
    recalls = pycocotools_by_area(predictions, images, len(CLASSES), recall=True)
    for value, by_class in recalls.items():
        for class_id, expected in by_class.items():
            mine = table.find(SliceName("size", value), CLASSES[class_id])
            assert mine is not None
            assert mine.recall == pytest.approx(expected, abs=1e-6)


@settings(max_examples=300, deadline=None)
@given(small_splits(), st.integers(1, 900), st.integers(1, 900))
def test_a_range_is_what_pairing_anew_by_the_plainest_code_gives(split, one, other):
    predictions, images = split
    least, most = sorted((one, other))
    matched = match_boxes(predictions, images)
    inside = [
        (area >= least) & (area <= most)
        for area in (
            boxes.boxes_xywh[:, 2:].prod(axis=1) for boxes in (matched.truth, matched.found)
        )
    ]
    counted = count_in_range(matched, *inside)
    for threshold, limit in enumerate(IOU_THRESHOLDS):
        hits, known = _plainly(matched, *inside, limit)
        assert counted.hits[:, threshold].tolist() == hits
        assert counted.counted[:, threshold].tolist() == known


def _plainly(matched, truth_inside, found_inside, limit):
    """COCOeval's own loop, for one threshold."""
    hits, known = [False] * len(found_inside), [False] * len(found_inside)
    found, truth = matched.found, matched.truth
    taken = set()
    for d in range(len(found_inside)):  # by class, image, score already
        same = [
            g
            for g in range(len(truth_inside))
            if (truth.class_ids[g], truth.image_ids[g]) == (found.class_ids[d], found.image_ids[d])
        ]
        best, got = min(limit, 1 - 1e-10), -1
        for g in sorted(same, key=lambda g: not truth_inside[g]):
            if g in taken:
                continue
            if got >= 0 and truth_inside[got] and not truth_inside[g]:
                break
            overlap = iou_matrix(found.boxes_xywh[d : d + 1], truth.boxes_xywh[g : g + 1])[0, 0]
            if overlap >= best:
                best, got = overlap, g
        if got >= 0:
            taken.add(got)
            hits[d] = known[d] = bool(truth_inside[got])
        else:
            known[d] = bool(found_inside[d])
    return hits, known


def test_a_detection_takes_the_box_of_the_range_before_a_better_one_outside():
    predictions, images = made_split(1, images=1)
    big, small = [0, 0, 40, 40], [0, 0, 30, 30]
    images = [
        type(images[0])(
            images[0].path, 100, 100, np.array([big, small], np.float32), np.array([0, 0])
        )
    ]
    seen = type(predictions[0])(
        np.array([[0, 0, 38, 38]], np.float32), np.array([0.9], np.float32), np.array([0])
    )
    table = score_slices([seen], images, CLASSES, ImageTraits({}), input_size=640)
    small_score, all_score = (
        table.find(SliceName(*name)) for name in (("size", "small"), ("all", "all"))
    )
    assert small_score is not None and all_score is not None
    assert (small_score.found, all_score.found) == (1, 1)
    medium = table.find(SliceName("size", "medium"))
    assert medium is not None
    assert medium.found == 1  # it would have been the better one there: ranges are judged apart
