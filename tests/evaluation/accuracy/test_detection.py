"""Metrics of predictions against labels, and predictions on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.results import Detections, LabelledImage
from guardianflow.evaluation.accuracy.detection import (
    EVALUATOR,
    collect_predictions,
    evaluate_detections,
    image_names,
    precision_recall_curves,
    save_predictions,
)

A, B, C = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]
FAR = [80, 80, 90, 90]


def labelled(*rows, path="image.jpg"):
    """rows: (box, class id)"""
    return LabelledImage(
        Path(path),
        100,
        100,
        np.array([row[0] for row in rows], dtype=np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], dtype=np.int64),
    )


def found(*rows):
    """rows: (box, class id, score)"""
    return Detections(
        np.array([row[0] for row in rows], dtype=np.float32).reshape(-1, 4),
        np.array([row[2] for row in rows], dtype=np.float32),
        np.array([row[1] for row in rows], dtype=np.int64),
    )


def test_a_perfect_detector_has_ones():
    metrics = evaluate_detections(
        [found((A, 0, 0.9), (B, 1, 0.8))], [labelled((A, 0), (B, 1))], "xy"
    )
    flat = metrics.as_metrics()
    for key in ("mAP50", "mAP50_95", "precision", "recall", "f1", "best_f1", "ap.x", "recall.y"):
        assert flat[f"det.{key}"] == pytest.approx(1), key
    assert metrics.best_f1_confidence == pytest.approx(0.8)
    assert metrics.evaluator == EVALUATOR
    assert (metrics.images, metrics.instances, metrics.predictions) == (1, 2, 2)


def test_rates_are_taken_at_the_deployed_confidence_and_averaged_over_classes():
    """x: 2 of 3 found, 1 false alarm above 0.25. y: 1 of 1 found, but below 0.25. z: no truth."""
    metrics = evaluate_detections(
        [found((A, 0, 0.9), (B, 0, 0.5), (FAR, 0, 0.25), (C, 0, 0.1), (C, 1, 0.2), (A, 2, 0.9))],
        [labelled((A, 0), (B, 0), (C, 0), (C, 1))],
        "xyz",
    )
    assert metrics.precision == pytest.approx((2 / 3 + 0) / 2)
    assert metrics.recall == pytest.approx((2 / 3 + 0) / 2)
    assert metrics.f1 == pytest.approx((2 * 2 / (3 + 3) + 0) / 2)
    assert metrics.class_recall == pytest.approx({"x": 2 / 3, "y": 0})
    # Down at 0.1 all are found and one alarm is false.
    assert metrics.best_f1 == pytest.approx((2 * 3 / (4 + 3) + 1) / 2)
    assert metrics.best_f1_confidence == pytest.approx(0.1)
    assert set(metrics.ap) == set(metrics.ap50) == {"x", "y"}
    assert metrics.predictions == 6


def test_nothing_found_was_measured_all_the_same():
    metrics = evaluate_detections([found(), found()], [labelled((A, 0)), labelled()], "xy")
    assert metrics.predictions == 0
    assert (metrics.mAP50, metrics.mAP50_95, metrics.f1, metrics.best_f1) == (0, 0, 0, 0)
    assert metrics.best_f1_confidence == 1
    assert metrics.ap == {"x": 0}


def test_a_curve_s_mean_is_ap50():
    predictions = [found((A, 0, 0.9), (FAR, 0, 0.8), (B, 0, 0.7))]
    images = [labelled((A, 0), (B, 0), (C, 0))]
    (curve,) = precision_recall_curves(predictions, images, "xy").values()
    metrics = evaluate_detections(predictions, images, "xy")
    assert curve.shape == (101,)
    assert (curve[0], curve[50], curve[100]) == pytest.approx((1, 2 / 3, 0))
    assert curve.mean() == pytest.approx(metrics.ap50["x"])


grid_scores = st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5, 1.0])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([A, B, C, FAR]), st.integers(0, 1), grid_scores)))
@example(  # both thresholds give 1/3, and summing rounds the lower one's a little higher
    [(A, 0, 0.3)] * 3 + [(A, 0, 0.4), (A, 1, 0.3), (C, 1, 0.3), (A, 1, 0.3)] + [(A, 1, 0.4)] * 2
)
def test_best_f1_is_the_best_of_all_thresholds(rows):
    images = [labelled((A, 0), (B, 0), (C, 1))]
    predictions = [found(*rows)]
    metrics = evaluate_detections(predictions, images, "xy")
    at = {
        threshold: evaluate_detections(predictions, images, "xy", conf_threshold=threshold).f1
        for threshold in (0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
    }
    best = max(at.values())
    assert metrics.best_f1 == pytest.approx(best)
    reached = [threshold for threshold, f1 in at.items() if f1 == pytest.approx(best)]
    assert metrics.best_f1_confidence == pytest.approx(max(reached))


NAN = float("nan")


@pytest.mark.parametrize(
    ("predictions", "images", "names", "words"),
    [
        ([], [], "x", "no images to judge"),
        ([found()], [labelled()], "x", "none of the 1 images has a true box"),
        ([], [labelled((A, 0))], "x", "0 for 1 images"),
        ([found()], [labelled((A, 3))], "xy", r"labels of image.jpg: class ids .* 0…1 .* 3 to 3"),
        ([found((A, 2, 0.5))], [labelled((A, 0))], "xy", "predictions of image.jpg: class ids"),
        ([found((A, 0, 0.5))], [labelled((A, 0))], "xx", "class names must differ but x come"),
        ([found(([0, NAN, 1, 1], 0, 0.5))], [labelled((A, 0))], "x", "must be 1×4 finite numbers"),
        ([found(([9, 0, 1, 1], 0, 0.5))], [labelled((A, 0))], "x", "x1 ≤ x2"),
        ([found((A, 0, 1.5))], [labelled((A, 0))], "x", "one score in 0…1"),
        ([found((A, 0, NAN))], [labelled((A, 0))], "x", "one score in 0…1"),
    ],
)
def test_what_can_t_be_judged_is_an_error(predictions, images, names, words):
    with pytest.raises(EvaluationError, match=words):
        evaluate_detections(predictions, images, names)


# --- collecting --------------------------------------------------------------------------------


class BrightestPixel:
    """Reports a box at the brightest pixel; remembers what it was asked."""

    class_names = ("x",)

    def __init__(self):
        self.asked = []

    def predict(self, images, *, confidence=None, iou=None, multi_label=False):
        self.asked.append((len(images), confidence, iou, multi_label))
        answers = []
        for image in images:
            y, x = np.unravel_index(image.sum(axis=2).argmax(), image.shape[:2])
            answers.append(found(([x, y, x + 1, y + 1], 0, 0.5)))
        return answers


@pytest.fixture
def five_images(tmp_path):
    images = []
    for index in range(5):
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[index, 2 * index] = 255
        path = tmp_path / f"{index}.png"
        cv2.imwrite(str(path), pixels)
        images.append(replace(labelled((A, 0), path=str(path)), width=30, height=20))
    return images


def test_each_image_is_inferred_once_in_order(five_images):
    detector, told = BrightestPixel(), []
    predictions = collect_predictions(
        detector, five_images, batch_size=2, progress=lambda *at: told.append(at)
    )
    assert [p.boxes_xyxy[0, :2].tolist() for p in predictions] == [[2 * i, i] for i in range(5)]
    assert detector.asked == [(2, 0.001, 0.7, True), (2, 0.001, 0.7, True), (1, 0.001, 0.7, True)]
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_labels_of_another_size_than_the_image_are_refused(five_images):
    turned = replace(five_images[3], width=20, height=30)
    with pytest.raises(EvaluationError, match=r"3\.png decodes to 30×20 px .* for 20×30 px"):
        collect_predictions(BrightestPixel(), [turned])


@pytest.mark.parametrize(("count", "batch_size"), [(0, 1), (1, 0)])
def test_nothing_to_collect_is_an_error(five_images, count, batch_size):
    with pytest.raises(EvaluationError):
        collect_predictions(BrightestPixel(), five_images[:count], batch_size=batch_size)


# --- on disk -----------------------------------------------------------------------------------


def test_predictions_come_back_as_they_were(tmp_path):
    images = [labelled(path=f"/data/{name}.jpg") for name in ("셋", "하나", "둘")]
    predictions = [found((A, 0, 0.9), (B, 70, 0.001)), found(), found((C, 1, 1.0))]
    path = save_predictions(tmp_path / "new" / "predictions.npz", predictions, images)
    with np.load(path, allow_pickle=False) as stored:
        assert str(stored["format"]) == "guardianflow-predictions/1"
        assert stored["names"].tolist() == ["셋.jpg", "하나.jpg", "둘.jpg"]
        ends = stored["counts"].cumsum()[:-1]
        for name in ("boxes_xyxy", "scores", "class_ids"):
            parts = np.split(stored[name], ends)
            for again, before in zip(parts, predictions, strict=True):
                assert np.array_equal(again, getattr(before, name))
        assert (stored["boxes_xyxy"].dtype, stored["class_ids"].dtype) == (np.float32, np.int32)
    assert [file.name for file in path.parent.iterdir()] == ["predictions.npz"]


def test_images_of_one_name_are_told_apart_by_their_folders():
    paths = ["/data/gate/1.jpg", "/data/hall/1.jpg", "/data/hall/2.jpg"]
    assert image_names([labelled(path=p) for p in paths]) == [
        "gate/1.jpg",
        "hall/1.jpg",
        "hall/2.jpg",
    ]
    assert image_names([labelled(path=p) for p in paths[1:]]) == ["1.jpg", "2.jpg"]
    with pytest.raises(EvaluationError, match="more than once"):
        image_names([labelled(path=p) for p in (*paths, paths[0])])


def test_predictions_that_fit_no_images_are_not_stored(tmp_path):
    with pytest.raises(EvaluationError, match=r"stored as \.npz"):
        save_predictions(tmp_path / "p.json", [], [])
    with pytest.raises(EvaluationError, match="one prediction per image"):
        save_predictions(tmp_path / "q.npz", [], [labelled()])
