"""A tracker of one's own: boxes of neighbouring frames that overlap are one object.

Judged where the scenario says benchmark.use_tracking: true and names sequences.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from experiments_adapters.base import BaseBenchmark

SURE = 0.25  # a track begins with such a score
OVERLAP = 0.3  # IoU of an object with itself in the next frame
PATIENCE_S = 0.5  # for an object that is hidden


class Benchmark(BaseBenchmark):
    def __init__(self, model_config, benchmark_config, dataset_config, detector=None):
        super().__init__(model_config, benchmark_config, dataset_config)
        self.detector = detector
        self.longest = 0

    def predict(self, images):
        found = self.detector.predict(images, confidence=0.001, iou=0.7, multi_label=True)
        return [(each.boxes_xyxy, each.scores, each.class_ids) for each in found]

    def track(self, frames, frame_rate):
        patience = round(PATIENCE_S * (frame_rate or 10))
        known, next_id = {}, 1  # id → box, class, last seen in, seen how often
        for number, frame in enumerate(frames):
            (found,) = self.detector.predict([frame], confidence=SURE)
            ids = np.zeros(len(found.scores), int)
            for track, place in self._pairs(known, found):
                ids[place] = track
            for place in np.flatnonzero(ids == 0):
                ids[place], next_id = next_id, next_id + 1
            for place, track in enumerate(ids.tolist()):
                seen = known.get(track, (None, None, 0, 0))[3] + 1
                box = found.boxes_xyxy[place]
                known[track] = (box, found.class_ids[place], number, seen)
                self.longest = max(self.longest, seen)
            known = {k: v for k, v in known.items() if number - v[2] <= patience}
            yield found.boxes_xyxy, found.scores, found.class_ids, ids

    def _pairs(self, known, found):
        tracks = list(known)
        if not tracks or not len(found.scores):
            return []
        overlap = np.array([iou(known[track][0], found.boxes_xyxy) for track in tracks])
        classes = np.array([known[track][1] for track in tracks])
        overlap[classes[:, None] != found.class_ids[None]] = 0
        chosen = zip(*linear_sum_assignment(-overlap), strict=True)
        return [(tracks[row], place) for row, place in chosen if overlap[row, place] >= OVERLAP]

    def extra_metrics(self):
        return {"longest_track_frames": self.longest} if self.longest else {}


def iou(box, boxes):
    corner = np.maximum(box[:2], boxes[:, :2])
    shared = np.clip(np.minimum(box[2:], boxes[:, 2:]) - corner, 0, None).prod(axis=1)
    sizes = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return shared / np.maximum(sizes - shared, 1e-9)
