"""Small objects in large pictures: the model looks at tiles, and their boxes are joined.

A tile has the side of the network's input, so that nothing is scaled down. Settings lie in
tiling.yaml, which counts as code: a finished run is not reused once they have changed.
"""

from pathlib import Path

import numpy as np
import yaml

from experiments_adapters.base import BaseBenchmark

SETTINGS = yaml.safe_load((Path(__file__).parent / "tiling.yaml").read_text(encoding="utf-8"))


class Benchmark(BaseBenchmark):
    """Works with every format: `detector` is the model as GuardianFlow opens it."""

    def __init__(self, model_config, benchmark_config, dataset_config, detector=None):
        super().__init__(model_config, benchmark_config, dataset_config)
        self.side = model_config.input_size
        self.detector = detector
        self.tiles = self.images = 0

    def predict(self, images):
        return [self._one(image) for image in images]

    def extra_metrics(self):
        return {"tiles_per_image": self.tiles / self.images} if self.images else {}

    def _one(self, image):
        height, width = image.shape[:2]
        corners = [(x, y) for y in self._starts(height) for x in self._starts(width)]
        boxes, scores, classes = [], [], []
        for x, y in corners:
            tile = np.ascontiguousarray(image[y : y + self.side, x : x + self.side])
            (found,) = self.detector.predict([tile], confidence=0.001, iou=0.7, multi_label=True)
            boxes.append(found.boxes_xyxy + np.array([x, y, x, y], np.float32))
            scores.append(found.scores)
            classes.append(found.class_ids)
        self.tiles += len(corners)
        self.images += 1
        return joined(np.concatenate(boxes), np.concatenate(scores), np.concatenate(classes))

    def _starts(self, length):
        """Left or upper edges of tiles, evenly apart, that cover a side."""
        if length <= self.side:
            return [0]
        step = self.side * (1 - SETTINGS["overlap"])
        count = 1 + int(np.ceil((length - self.side) / step))
        return np.linspace(0, length - self.side, count).round().astype(int).tolist()


def joined(boxes, scores, classes):
    """The best box of each object: a piece that a tile's edge cut off lies within the whole one."""
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        corner = np.maximum(boxes[best, :2], boxes[left, :2])
        size = np.clip(np.minimum(boxes[best, 2:], boxes[left, 2:]) - corner, 0, None)
        smaller = np.minimum(area(boxes[best]), area(boxes[left]))
        same = size.prod(axis=1) > SETTINGS["same_object"] * smaller
        left = left[~(same & (classes[left] == classes[best]))]
    return boxes[kept], scores[kept], classes[kept]


def area(boxes):
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
