"""Raw outputs become the detections that Ultralytics' own NMS would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardianflow.contracts.errors import EvaluationError
from guardianflow.evaluation.images.postprocessing import MAX_CANDIDATES, decode, suppress
from guardianflow.evaluation.images.preprocessing import Letterbox

AS_IT_IS = Letterbox(scale=1.0, pad_left=0, pad_top=0, width=640, height=640)


def grid(seed, anchors=900, classes=4, clusters=40):
    """Boxes heaped up on few places, scores all different."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(60, 580, (clusters, 2))[rng.integers(0, clusters, anchors)]
    centres += rng.normal(0, 6, centres.shape)
    sides = rng.uniform(30, 110, (anchors, 2))
    scores = (rng.permutation(anchors * classes) + 1) / (anchors * classes + 1)
    rows = [centres.T, sides.T, scores.reshape(classes, anchors) ** 4]
    return np.concatenate(rows).astype(np.float32)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize(("confidence", "iou"), [(0.25, 0.45), (0.001, 0.7), (0.9, 0.2)])
@pytest.mark.parametrize("seed", [1, 2])
def test_agrees_with_ultralytics(seed, confidence, iou, multi_label):
    import torch
    from ultralytics.utils.nms import non_max_suppression

    raw = grid(seed)
    ours = decode(
        raw, "grid", letterbox=AS_IT_IS, confidence=confidence, iou=iou, multi_label=multi_label
    )
    theirs = non_max_suppression(
        torch.from_numpy(raw[None].copy()), confidence, iou, multi_label=multi_label, max_det=300
    )[0].numpy()
    assert ours.class_ids.tolist() == theirs[:, 5].astype(int).tolist()
    assert ours.scores == pytest.approx(theirs[:, 4])
    assert ours.boxes_xyxy == pytest.approx(theirs[:, :4], abs=1e-3)


def plain_suppress(boxes, scores, class_ids, iou, most):
    """The rule, one pair at a time."""
    kept = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        for j in kept:
            (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = boxes[i].tolist(), boxes[j].tolist()
            shared = max(min(ax2, bx2) - max(ax1, bx1), 0) * max(min(ay2, by2) - max(ay1, by1), 0)
            union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared
            if class_ids[i] == class_ids[j] and union > 0 and shared / union > iou:
                break
        else:
            kept.append(i)
    return kept[:most]


whole_boxes = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(0, 8)] * 2)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(whole_boxes, st.integers(0, 1), st.integers(0, 5)), max_size=40),
    st.sampled_from([0.0, 0.3, 0.45, 0.7, 1.0]),
    st.sampled_from([1, 5, 300]),
)
def test_suppression_follows_the_rule(rows, iou, most):
    boxes = np.array([row[0] for row in rows], dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    class_ids = np.array([row[1] for row in rows], dtype=np.int64)
    scores = np.array([row[2] / 5 for row in rows], dtype=np.float32)  # with ties
    kept = suppress(boxes, scores, class_ids, iou, most)
    assert kept.tolist() == plain_suppress(boxes, scores, class_ids, iou, most)


def test_suppression_reaches_over_its_blocks():
    raw = grid(5, anchors=3000, clusters=10)
    boxes = np.concatenate([raw[:2] - raw[2:4] / 2, raw[:2] + raw[2:4] / 2]).T
    class_ids = np.arange(3000) % 2
    kept = suppress(boxes, raw[4], class_ids, 0.5, 300)
    assert kept.tolist() == plain_suppress(boxes, raw[4], class_ids, 0.5, 300)


def test_boxes_are_mapped_to_the_image():
    fit = Letterbox(scale=0.5, pad_left=0, pad_top=80, width=1280, height=960)
    raw = np.array([[320], [320], [100], [50], [0.9], [0.1]], dtype=np.float32)
    found = decode(raw, "grid", letterbox=fit, confidence=0.25, iou=0.45)
    assert found.boxes_xyxy.tolist() == [[540, 430, 740, 530]]
    assert (found.boxes_xyxy.dtype, found.class_ids.dtype) == (np.float32, np.int64)


def test_a_score_at_the_threshold_counts():
    raw = np.array([[50, 300], [50, 300], [9, 9], [9, 9], [0.25, 0.2499]], dtype=np.float32)
    assert len(decode(raw, "grid", letterbox=AS_IT_IS, confidence=0.25, iou=0.45)) == 1


def test_end_to_end_outputs_are_taken_as_they_come():
    raw = np.array(
        [[1, 2, 30, 40, 0.5, 1], [1, 2, 30, 40, 0.8, 1], [0, 0, 0, 0, 0.01, 0]], dtype=np.float32
    )
    found = decode(raw, "end_to_end", letterbox=AS_IT_IS, confidence=0.1, iou=0.1, classes=2)
    assert found.scores == pytest.approx([0.8, 0.5])
    assert found.class_ids.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("output", "shape"), [("grid", (6, 0)), ("grid", (6, 8)), ("end_to_end", (0, 6))]
)
def test_nothing_found_is_an_empty_answer(output, shape):
    raw = np.zeros(shape, dtype=np.float32)
    found = decode(raw, output, letterbox=AS_IT_IS, confidence=0.25, iou=0.45)
    assert (len(found), found.boxes_xyxy.shape, found.class_ids.shape) == (0, (0, 4), (0,))


def test_a_box_turned_inside_out_has_no_area():
    raw = np.array([[50], [50], [-10], [20], [0.9]], dtype=np.float32)
    found = decode(raw, "grid", letterbox=AS_IT_IS, confidence=0.25, iou=0.45)
    assert found.boxes_xyxy.tolist() == [[55, 40, 55, 60]]


def test_the_number_of_candidates_is_bounded():
    raw = np.ones((5, MAX_CANDIDATES + 10), dtype=np.float32)
    raw[4] = np.linspace(0.3, 0.9, raw.shape[1])
    found = decode(raw, "grid", letterbox=AS_IT_IS, confidence=0.1, iou=0.5)
    assert found.scores == pytest.approx([0.9])


def one_anchor(row, value):
    raw = np.array([[50], [50], [10], [10], [0.9], [0.2]], dtype=np.float32)
    raw[row] = value
    return raw


@pytest.mark.parametrize(
    ("raw", "output", "classes", "words"),
    [
        (np.zeros((84, 10), np.float32), "grid", 3, r"with 7 rows but has shape \(84, 10\)"),
        (np.zeros((4, 10), np.float32), "grid", None, r"at least 5 rows but has shape \(4, 10\)"),
        (np.zeros((1, 6, 10), np.float32), "grid", None, r"has shape \(1, 6, 10\)"),
        (np.zeros((10, 7), np.float32), "end_to_end", None, r"K×6 .* has shape \(10, 7\)"),
        (np.zeros((6, 10), np.float32), "boxes", None, "'grid' or 'end_to_end' but is 'boxes'"),
        (one_anchor(0, np.nan), "grid", None, "boxes must be finite"),
        (one_anchor(2, np.inf), "grid", None, "boxes must be finite"),
        (one_anchor(5, np.nan), "grid", None, "scores must lie in 0…1"),
        (one_anchor(4, 7.5), "grid", None, "from 7.5 to 7.5; .* sigmoid"),
        (np.array([[0, 0, 9, 9, 0.9, 2]], np.float32), "end_to_end", 2, r"in 0…1 but .* \[2.0\]"),
        (np.array([[0, 0, 9, 9, 0.9, 0.5]], np.float32), "end_to_end", 2, "whole numbers"),
        (np.array([[0, 0, 9, 9, np.nan, 0]], np.float32), "end_to_end", 2, "scores must lie"),
    ],
)
def test_a_broken_output_is_an_error(raw, output, classes, words):
    with pytest.raises(EvaluationError, match=words):
        decode(raw, output, letterbox=AS_IT_IS, confidence=0.25, iou=0.45, classes=classes)
