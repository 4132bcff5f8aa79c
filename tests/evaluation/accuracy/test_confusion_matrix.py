"""Every true box and every detection is counted once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from guardianflow.contracts.results import Detections, LabelledImage
from guardianflow.evaluation.accuracy.confusion_matrix import confusion_matrix

NAMES = ("안전모 (helmet)", "cost_$x$", "_hidden")
BOX, OTHER, FAR = [0, 0, 10, 10], [20, 20, 30, 30], [60, 60, 70, 70]


def scene(truth, found):
    boxes = np.array([b for b, _ in truth], np.float32).reshape(-1, 4)
    image = LabelledImage(
        Path("/0.jpg"), 100, 100, boxes, np.array([c for _, c in truth], np.int64)
    )
    return image, Detections(
        np.array([b for b, _, _ in found], np.float32).reshape(-1, 4),
        np.array([s for _, _, s in found], np.float32),
        np.array([c for _, c, _ in found], np.int64),
    )


def counted(*scenes, confidence=0.25):
    images, predictions = zip(*scenes, strict=True)
    return confusion_matrix(predictions, images, NAMES, conf_threshold=confidence)


def test_every_true_box_and_every_detection_is_counted_once():
    matrix = counted(
        scene([(BOX, 0), (OTHER, 1)], [(BOX, 0, 0.9), (OTHER, 2, 0.8), (FAR, 1, 0.7)]),
        scene([(BOX, 2)], []),
        scene([], [(FAR, 1, 0.5)]),
    )
    expected = np.zeros((4, 4), np.int64)
    expected[0, 0] = 1
    expected[1, 2] = 1  # taken for another
    expected[2, 3] = 1  # missed
    expected[3, 1] = 2  # false alarms
    assert matrix.dtype == np.int64
    assert (matrix == expected).all()


def test_the_best_score_takes_the_box_whatever_its_class():
    nearly = [0, 0, 10, 9]
    matrix = counted(scene([(BOX, 0)], [(BOX, 0, 0.6), (nearly, 1, 0.7)]))
    assert matrix[0, 1] == 1
    assert matrix[3, 0] == 1
    assert matrix.sum() == 2


def test_a_box_reported_for_two_classes_counts_for_its_best():
    matrix = counted(scene([(BOX, 0)], [(BOX, 1, 0.5), (BOX, 0, 0.9)]))
    assert matrix[0, 0] == matrix.sum() == 1


def test_the_deployed_confidence_is_compared_as_it_was_stored():
    """0.3 as float32 is above 0.3: a detection exactly there is shown."""
    assert counted(scene([(BOX, 0)], [(BOX, 0, 0.3)]), confidence=0.3)[0, 0] == 1
    assert counted(scene([(BOX, 0)], [(BOX, 0, 0.29)]), confidence=0.3)[0, 3] == 1
