"""Accuracy, confusions and differences are drawn, whatever the names and however many values."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import size_of

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.estimates import Estimate
from guardianflow.evaluation.pictures.accuracy import (
    _rows,
    _verdict_mark,
    _with_others,
    average_precision_bars,
    confusion_matrix_picture,
    differences_forest,
    precision_recall_curve,
)
from guardianflow.evaluation.pictures.drawing import GREEN, GREY, RED

NAMES = ("안전모 (helmet)", "cost_$x$", "_hidden")


def curve(top):
    return np.linspace(top, 0, 101)


@pytest.mark.parametrize("count", [1, 3, 8, 9, 40])
def test_precision_recall(tmp_path, count):
    curves = {f"{NAMES[i % 3]} {i}": curve(1 - i / 50) for i in range(count)}
    path = precision_recall_curve(curves, tmp_path / "새 폴더" / "곡선.png")
    assert size_of(path)[0] > 900


def test_average_precision(tmp_path):
    few = average_precision_bars(
        dict.fromkeys(NAMES, 0.4), dict.fromkeys(NAMES, 0.7), tmp_path / "few.png"
    )
    many_values = {f"class {i}": i / 80 for i in range(80)}
    many = average_precision_bars(many_values, many_values, tmp_path / "many.png")
    assert size_of(many)[1] > 3 * size_of(few)[1]


def test_small_and_large_matrices_can_be_read(tmp_path):
    small = np.diag([1, 0, 0, 0])
    small[1, 3] = 1  # missed
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


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: precision_recall_curve({}, path),
        lambda path: average_precision_bars({}, {}, path),
        lambda path: differences_forest({}, path),
        lambda path: confusion_matrix_picture(np.zeros((1, 1), np.int64), (), path),
    ],
)
def test_nothing_to_draw_is_an_error(tmp_path, draw):
    with pytest.raises(EvaluationError, match="at least one value to draw"):
        draw(tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()
