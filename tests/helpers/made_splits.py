"""Made-up splits: boxes of every size, crowds among them, and detections near and far."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from guardianflow.contracts.results import Detections, LabelledImage

CLASSES = ("helmet", "머리", "person")


def made_split(seed, *, images=60, classes=3, most=8):
    """Predictions and images; some detections lie on true boxes, some nowhere near."""
    rng = np.random.default_rng(seed)
    labelled, predictions = [], []
    for index in range(images):
        count = int(rng.integers(0, most))
        sides = np.exp(rng.uniform(np.log(4), np.log(300), (count, 1))) * rng.uniform(
            0.6, 1.4, (count, 2)
        )
        corner = rng.uniform(0, 200, (count, 2))
        truth = np.hstack([corner, corner + sides]).astype(np.float32)
        class_ids = rng.integers(0, classes, count)
        near = rng.integers(0, count, count * 2) if count else np.zeros(0, np.int64)
        size = np.hstack([sides, sides])[near]
        found = truth[near] + rng.normal(0, 0.12, (len(near), 4)) * size
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2])
        far = rng.uniform(0, 200, (3, 4))
        far[:, 2:] = far[:, :2] + rng.uniform(2, 150, (3, 2))
        labelled.append(LabelledImage(Path(f"/split/{index:04}.png"), 800, 600, truth, class_ids))
        predictions.append(
            Detections(
                np.vstack([found, far]).astype(np.float32),
                (rng.integers(1, 20, len(near) + 3) / 20).astype(np.float32),
                np.concatenate([class_ids[near], rng.integers(0, classes, 3)]),
            )
        )
    return predictions, labelled


boxes = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 30), st.integers(0, 30))
scores = st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0])


@st.composite
def small_splits(draw):
    """A few images with boxes on a coarse grid: overlaps tie, areas lie on the bounds."""
    images, predictions = [], []
    for index in range(draw(st.integers(1, 3))):
        truth = draw(st.lists(st.tuples(boxes, st.integers(0, 2)), max_size=5))
        found = draw(st.lists(st.tuples(boxes, st.integers(0, 2), scores), max_size=6))
        found += [(box, class_id, draw(scores)) for box, class_id in truth if draw(st.booleans())]
        images.append(
            LabelledImage(
                Path(f"/split/{index}.png"),
                64,
                64,
                _corners([box for box, _ in truth]),
                np.array([class_id for _, class_id in truth], dtype=np.int64),
            )
        )
        predictions.append(
            Detections(
                _corners([box for box, _, _ in found]),
                np.array([score for *_, score in found], dtype=np.float32),
                np.array([class_id for _, class_id, _ in found], dtype=np.int64),
            )
        )
    return predictions, images


def _corners(xywh):
    array = np.array(xywh, dtype=np.float32).reshape(-1, 4)
    array[:, 2:] += array[:, :2]
    return array
