"""Differences, confusions, call times and cameras are drawn, whatever the names and numbers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.estimates import Estimate
from guardianflow.contracts.measurements import CameraCapacity, CameraStep
from guardianflow.contracts.results import Detections, LabelledImage
from guardianflow.evaluation.accuracy.confusion_matrix import (
    _with_others,
    confusion_matrix,
    confusion_matrix_picture,
)
from guardianflow.evaluation.pictures.comparison import (
    _rows,
    _verdict_mark,
    camera_load,
    differences_forest,
    latency_distribution,
)
from guardianflow.evaluation.pictures.drawing import GREEN, GREY, RED
from guardianflow.evaluation.timing.order_statistics import timing_of

NAMES = ("안전모 (helmet)", "cost_$x$", "_hidden")
BOX, OTHER, FAR = [0, 0, 10, 10], [20, 20, 30, 30], [60, 60, 70, 70]


def size_of(path: Path) -> tuple[int, int]:
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    assert picture.std() > 1, "the picture is blank"
    return picture.shape[1], picture.shape[0]


# --- differences ---------------------------------------------------------------------------------


def differences(classes):
    values = {"recall": 0.01, "mAP50": -0.01, "mAP50_95": 0.0}
    values |= {f"ap.{NAMES[i % 3] * (1 + i % 5)} {i}": (i % 7 - 3) / 100 for i in range(classes)}
    return {key: Estimate(value, value - 0.02, value + 0.01) for key, value in values.items()}


@pytest.mark.parametrize("classes", [0, 3, 80])
def test_differences_of_few_and_many_classes(tmp_path, classes):
    path = differences_forest(
        differences(classes), tmp_path / "새 폴더" / "차이.png", title="v2 − v1 $"
    )
    width, height = size_of(path)
    assert width > 900
    assert height < 1700  # however many classes


def test_the_worst_classes_come_first():
    overall, classes = _rows(differences(80))
    assert overall == ["mAP50_95", "mAP50", "recall"]
    values = [differences(80)[key].value for key in classes]
    assert values == sorted(values)


def test_an_interval_with_zero_in_it_decides_nothing():
    assert _verdict_mark(Estimate(0.02, 0.01, 0.03))[0] == GREEN
    assert _verdict_mark(Estimate(-0.02, -0.03, -0.01))[0] == RED
    assert _verdict_mark(Estimate(0.02, 0.0, 0.03))[0] == GREY
    assert _verdict_mark(Estimate(0.0, 0.0, 0.0))[0] == GREY


# --- confusions ----------------------------------------------------------------------------------


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


def test_small_and_large_matrices_can_be_read(tmp_path):
    small = counted(scene([(BOX, 0), (OTHER, 1)], [(BOX, 0, 0.9)]))
    assert size_of(confusion_matrix_picture(small, NAMES, tmp_path / "혼동.png"))[0] > 600
    large = np.random.default_rng(0).integers(0, 30_000, (81, 81))
    names = [f"a rather long name {i}" for i in range(80)]
    width, height = size_of(confusion_matrix_picture(large, names, tmp_path / "80.png"))
    assert max(width, height) < 2000
    empty = np.zeros((4, 4), np.int64)
    confusion_matrix_picture(empty, NAMES, tmp_path / "empty.png")


def test_the_classes_not_shown_are_counted_together():
    matrix = np.arange(25).reshape(5, 5)
    together = _with_others(matrix, np.array([1]))
    assert together.shape == (3, 3)
    assert together.sum() == matrix.sum()
    assert together[0].tolist() == [matrix[1, 1], matrix[1, [0, 2, 3]].sum(), matrix[1, 4]]


def test_a_matrix_of_other_classes_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match="must be 4×4 for 3 classes"):
        confusion_matrix_picture(np.zeros((3, 3), np.int64), NAMES, tmp_path / "no.png")


# --- times ---------------------------------------------------------------------------------------


def times(count, middle=20.0, spread=0.1):
    return timing_of(np.random.default_rng(0).lognormal(np.log(middle), spread, count).tolist())


def test_call_times_of_many_and_few_calls(tmp_path):
    near = {NAMES[0]: times(400), NAMES[1]: times(60, 25.0), NAMES[2]: times(1)}
    assert size_of(latency_distribution(near, tmp_path / "near.png"))[0] > 900
    wide = {f"{i}": times(30, 3.0**i) for i in range(10)}
    assert size_of(latency_distribution(wide, tmp_path / "wide.png"))[0] > 900
    latency_distribution({"none": timing_of([0.0, 0.0])}, tmp_path / "zero.png")


def step(cameras, middle, holds, frames=200):
    return CameraStep(cameras, frames, times(frames, middle), 0.0, 5.0 * cameras, holds, "")


@pytest.mark.parametrize(
    "capacity",
    [
        CameraCapacity(2, 5.0, 100.0, (step(1, 30, True), step(2, 60, True), step(3, 900, False))),
        CameraCapacity(1, 5.0, 100.0, (step(1, 30, True, 10), step(2, 90, False, 10))),
        CameraCapacity(0, 12.5, 20.0, (step(1, 30, False),)),
        CameraCapacity(40, 1.0, 500.0, tuple(step(i, 9 + i, True) for i in range(1, 41))),
    ],
)
def test_cameras(tmp_path, capacity):
    assert size_of(camera_load(capacity, tmp_path / "cameras.png"))[0] > 900


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: differences_forest({}, path),
        lambda path: latency_distribution({}, path),
        lambda path: camera_load(CameraCapacity(0, 5.0, 100.0, ()), path),
        lambda path: confusion_matrix_picture(np.zeros((1, 1), np.int64), (), path),
    ],
)
def test_nothing_to_draw_is_an_error(tmp_path, draw):
    with pytest.raises(EvaluationError, match="at least one value to draw"):
        draw(tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()
