"""Our mAP against pycocotools' COCOeval, on made-up cases full of ties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.contracts.results import Detections, LabelledImage
from guardianflow.evaluation.accuracy.detection import evaluate_detections

CLASSES = ("a", "b", "c")

# A coarse grid: IoUs fall on thresholds exactly, boxes repeat, some have no area.
boxes = st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 5), st.integers(0, 5))
fine_boxes = st.tuples(*[st.floats(0, 60, width=32)] * 2, *[st.floats(0, 40, width=32)] * 2)
scores = st.one_of(st.sampled_from([0.25, 0.5, 0.75, 1.0]), st.floats(0, 1, width=32))


def as_xyxy(xywh, scale=1.0):
    array = np.array(xywh, dtype=np.float32).reshape(-1, 4) * np.float32(scale)
    array[:, 2:] += array[:, :2]
    return array


@st.composite
def cases(draw):
    shapes = draw(st.sampled_from([boxes, fine_boxes]))
    truth_classes = draw(st.sampled_from([[0], [0, 2], [0, 1, 2]]))
    images, predictions = [], []
    for index in range(draw(st.integers(1, 4))):
        truth = draw(st.lists(st.tuples(shapes, st.sampled_from(truth_classes)), max_size=6))
        found = draw(st.lists(st.tuples(shapes, st.integers(0, 2), scores), max_size=12))
        # Some detections lie exactly on a true box.
        found += [(box, class_id, draw(scores)) for box, class_id in truth if draw(st.booleans())]
        images.append(
            LabelledImage(
                Path(f"{index}.jpg"),
                1000,
                1000,
                as_xyxy([t[0] for t in truth]),
                np.array([t[1] for t in truth], dtype=np.int64),
            )
        )
        predictions.append(
            Detections(
                as_xyxy([f[0] for f in found]),
                np.array([f[2] for f in found], dtype=np.float32),
                np.array([f[1] for f in found], dtype=np.int64),
            )
        )
    return predictions, images


@settings(max_examples=200, deadline=None)
@given(cases())
def test_agrees_with_pycocotools(pycocotools_map, case):
    predictions, images = case
    if not any(len(image.class_ids) for image in images):
        return
    ours = evaluate_detections(predictions, images, CLASSES)
    expected, expected50, by_class = pycocotools_map(predictions, images, len(CLASSES))
    assert ours.mAP50_95 == pytest.approx(expected, abs=1e-6)
    assert ours.mAP50 == pytest.approx(expected50, abs=1e-6)
    assert ours.ap == pytest.approx({CLASSES[k]: v for k, v in by_class.items()}, abs=1e-6)


def test_agrees_with_pycocotools_on_a_crowded_set(pycocotools_map):
    """Hundreds of overlapping boxes of each class and image, scores in steps so that many tie."""
    rng = np.random.default_rng(7)
    images, predictions = [], []
    for index in range(40):
        count = int(rng.integers(0, 25))
        truth = rng.integers(0, 80, (count, 4)).astype(np.float32)
        truth[:, 2:] = truth[:, :2] + rng.integers(5, 40, (count, 2))
        class_ids = rng.integers(0, 3, count)
        near = rng.integers(0, max(count, 1), 60 if count else 0)
        found = truth[near] + rng.integers(-3, 4, (len(near), 4))
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2])
        images.append(LabelledImage(Path(f"{index}.png"), 120, 120, truth, class_ids))
        predictions.append(
            Detections(
                found.astype(np.float32),
                (rng.integers(1, 20, len(near)) / 20).astype(np.float32),
                class_ids[near],
            )
        )
    ours = evaluate_detections(predictions, images, CLASSES)
    expected, expected50, _ = pycocotools_map(predictions, images, 3)
    assert 0.05 < ours.mAP50_95 < 0.95
    assert ours.mAP50_95 == pytest.approx(expected, abs=1e-9)
    assert ours.mAP50 == pytest.approx(expected50, abs=1e-9)
