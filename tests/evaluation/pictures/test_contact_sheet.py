"""The images where a detector does worst are drawn, and counted as the metrics count."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn import size_of

from guardianflow.contracts.errors import EvaluationError
from guardianflow.contracts.results import Detections, LabelledImage
from guardianflow.evaluation.pictures.contact_sheet import _judge, detections_contact_sheet
from guardianflow.evaluation.pictures.drawing import BLUE, GREEN, RED

NAMES = ("안전모 (helmet)\n", "cost_$x$", "_hidden")


def scene(tmp_path, index, boxes, found, scores):
    pixels = np.full((60, 80, 3), 90, np.uint8)
    path = tmp_path / f"작업장\udcff\n {index}{'긴 이름' * 15}.png"
    cv2.imencode(".png", pixels)[1].tofile(path)
    return (
        LabelledImage(
            path,
            80,
            60,
            np.array(boxes, np.float32).reshape(-1, 4),
            np.zeros(len(boxes), np.int64),
        ),
        Detections(
            np.array(found, np.float32).reshape(-1, 4),
            np.array(scores, np.float32),
            np.zeros(len(found), np.int64),
        ),
    )


def test_contact_sheet(tmp_path):
    box, other = [5, 5, 30, 30], [40, 5, 70, 50]
    scenes = [
        scene(tmp_path, 0, [box], [box], [0.9]),
        scene(tmp_path, 1, [box, other], [[5, 6, 30, 31], [50, 40, 79, 59]], [0.8, 0.7]),
        scene(tmp_path, 2, [], [], []),
        scene(tmp_path, 3, [[i, 0, i + 3, 9] for i in range(20)], [], []),
        scene(tmp_path, 4, [box], [box], [0.1]),
    ]
    images, predictions = zip(*scenes, strict=True)
    path = detections_contact_sheet(images, predictions, NAMES, tmp_path / "sheet.png")
    one = detections_contact_sheet(images, predictions, NAMES, tmp_path / "1.png", count=1)
    assert size_of(path)[1] > size_of(one)[1]
    with pytest.raises(EvaluationError, match="one prediction per image but has 4 for 5"):
        detections_contact_sheet(images, predictions[1:], NAMES, tmp_path / "no.png")


def test_boxes_have_the_colours_of_the_legend_also_at_the_edges_and_without_area(tmp_path):
    box, edge, flat = [20, 20, 50, 50], [0, 0, 90, 70], [60, 40, 60, 30]
    for name, true, found, colours in (
        ("found", [box], [box], {"green"}),
        ("missed", [edge, flat], [], {"red"}),
        ("false", [], [edge, flat], {"blue"}),
        ("nothing", [], [], set()),
    ):
        image, prediction = scene(tmp_path, 0, true, found, [0.9] * len(found))
        path = detections_contact_sheet([image], [prediction], NAMES, tmp_path / f"{name}.png")
        picture = cv2.imread(str(path))[130:-60]  # without what is written above and below
        seen = {
            each
            for each, colour in {"green": GREEN, "red": RED, "blue": BLUE}.items()
            if (picture == list(bytes.fromhex(colour[1:]))[::-1]).all(axis=2).any()
        }
        assert seen == colours


def test_the_sheet_counts_what_the_metrics_count(tmp_path):
    box, other = [5, 5, 30, 30], [40, 5, 70, 50]
    image, prediction = scene(
        tmp_path, 0, [box, other], [[50, 40, 79, 59], box, box, other], [0.7, 0.6, 0.9, 0.1]
    )
    judged = _judge(image, prediction, 0.25)
    assert judged.true_box.tolist() == [0, -1, -1]  # by score: 0.9, 0.7, 0.6
    assert (judged.missed_count, judged.false_count) == (1, 2)


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(EvaluationError, match="at least one value to draw"):
        detections_contact_sheet([], [], NAMES, tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()
