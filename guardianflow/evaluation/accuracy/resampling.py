"""Scores a detector on other draws of the same images, many draws at once.

    draw_all         images drawn anew, with repetition
    leave_each_out   all images but those of one group, for each group

A draw takes as many images as there are, with repetition: it is a weight for each image, how often
it came. Detections are matched once; a draw only changes how often each counts. Between two
correct detections nothing but false alarms comes in, which lower precision and leave recall where
it is. So precision is worked out at the correct detections alone, a few per image, and all that
lies between them is one number: how many detections came in.

A draw's average precision is what COCO's rules give for the drawn images put side by side (the
copies of an image next to each other): of equal detections in a row only the last can carry the
highest precision, and it is the one looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..timing.process_load import usable_cores
from .average_precision import RECALL_POINTS, ClassMatches, Float64, Int64

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Small enough that one class's arrays stay in a processor's cache, large enough to be vectorised.
DRAWS_AT_ONCE = 64
# A recall such as 0.29 times 100 may come out just below 29; true gaps are above 1 / boxes.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Draws:
    """Values of each draw; R draws, C classes. NaN where a class has no true box in a draw.

    Args:
        ap, ap50, recall: float64, C×R.
    """

    ap: Float64
    ap50: Float64
    recall: Float64

    def by_key(self, names: Sequence[str]) -> dict[str, Float64]:
        """Each metric's value in each draw; NaN where the draw has no truth for it.

        Args:
            names: of the C classes.

        Returns:
            'mAP50', 'mAP50_95', 'recall', and for each class 'ap.{class}', 'ap50.{class}' and
            'recall.{class}'. A mean is over the classes that have truth in the draw.
        """
        drawn = {
            "mAP50": mean_of_present(self.ap50),
            "mAP50_95": mean_of_present(self.ap),
            "recall": mean_of_present(self.recall),
        }
        for kind, rows in (("ap", self.ap), ("ap50", self.ap50), ("recall", self.recall)):
            drawn |= {f"{kind}.{name}": row for name, row in zip(names, rows, strict=True)}
        return drawn


def draw_weights(images: int, draws: int, seed: np.random.SeedSequence) -> Float64:
    """Count how often each image comes in each draw.

    Returns:
        float64, images×draws: whole numbers, each column adding up to `images`.
    """
    drawn = np.random.default_rng(seed).integers(0, images, (images, draws))
    drawn *= draws
    drawn += np.arange(draws)
    counts = np.bincount(drawn.ravel(), minlength=images * draws)
    return counts.reshape(images, draws).astype(np.float64)


def draw_all(
    models: Sequence[Sequence[ClassMatches]],
    images: int,
    *,
    conf_threshold: float,
    resamples: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Draws]:
    """Judge every model on the same draws.

    Args:
        models: for each model the matches of each class, all classes with truth, same truth.
        images: how many there are.
        conf_threshold: the deployed confidence, for recall.
        resamples: draws.
        progress: called with (draws done, draws in all), in the caller's thread.

    Returns:
        One Draws per model. The same seed gives the same values, whatever the machine.
    """
    sizes = _portions(resamples)
    # Each portion has its own stream of chance, so it doesn't matter which thread is first.
    seeds = np.random.SeedSequence(seed).spawn(len(sizes))

    def weights(portion: int) -> Float64:
        return draw_weights(images, sizes[portion], seeds[portion])

    return _judge_all(models, images, conf_threshold, sizes, weights, progress)


def leave_each_out(
    models: Sequence[Sequence[ClassMatches]],
    groups: Int64,
    *,
    conf_threshold: float,
    progress: Callable[[int, int], None] | None = None,
) -> list[Draws]:
    """Judge every model on all images, and on all but those of one group, once for each group.

    Average precision is the area under the curve here. The mean at 101 points, which estimates it,
    steps wherever a recall passes one of them. That is nothing beside what drawing images anew
    changes, but leaving out one of 100 groups changes less than such steps: the spread of the
    values without one group each came out up to four times too wide, and that of areas right.

    Args:
        models, conf_threshold, progress: as draw_all.
        groups: int64, one for each image: 0…G−1, none of them empty.

    Returns:
        One Draws of 1 + G values per model: of all images, then in the order of groups.
    """
    sizes = _portions(int(groups.max()) + 2)
    starts = np.cumsum([-1, *sizes])  # no image is of group −1

    def weights(portion: int) -> Float64:
        left_out = np.arange(starts[portion], starts[portion + 1])
        kept: Float64 = (groups[:, None] != left_out).astype(np.float64)
        return kept

    return _judge_all(models, len(groups), conf_threshold, sizes, weights, progress, smooth=True)


def _portions(draws: int) -> list[int]:
    rest = draws % DRAWS_AT_ONCE
    return [DRAWS_AT_ONCE] * (draws // DRAWS_AT_ONCE) + [rest] * bool(rest)


def _judge_all(
    models: Sequence[Sequence[ClassMatches]],
    images: int,
    conf_threshold: float,
    sizes: Sequence[int],
    weights_of: Callable[[int], Float64],
    progress: Callable[[int, int], None] | None,
    *,
    smooth: bool = False,
) -> list[Draws]:
    """Every model on the same weights of images, portion after portion.

    Args:
        sizes: draws of each portion.
        weights_of: portion → float64, images×draws: how often each image counts.
    """
    prepared = [_Model.of(matches, images, conf_threshold) for matches in models]
    truth = _counts_by_image([m.true_image_ids for m in models[0]], images)

    def judge(portion: int) -> list[Draws]:
        weights = weights_of(portion)
        instances = truth @ weights
        return [model.judge(weights, instances, smooth=smooth) for model in prepared]

    done, draws = 0, sum(sizes)
    portions: list[list[Draws]] = []
    # NumPy lets other threads run during its large operations.
    with ThreadPoolExecutor(max_workers=math.ceil(usable_cores())) as pool:
        try:
            for size, portion in zip(sizes, pool.map(judge, range(len(sizes))), strict=True):
                portions.append(portion)
                done += size
                if progress is not None:
                    progress(done, draws)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [_joined(parts) for parts in zip(*portions, strict=True)]


@dataclass(frozen=True, eq=False)
class Curve:
    """One class's detections, ready to be counted in many draws.

    Args:
        between: S×images: detections of each image after the correct one before, up to this one.
        image_ids: int64, S: image of each detection that is correct at any IoU threshold.
        rows: for each IoU threshold, which of the S are correct at it.
    """

    between: csr_array[Any, Any]
    image_ids: Int64
    rows: tuple[Int64, ...]

    @classmethod
    def of(cls, matches: ClassMatches, images: int) -> Curve:
        correct = np.flatnonzero(matches.hits.any(axis=1))
        last = correct[-1] + 1 if len(correct) else 0
        segment = np.searchsorted(correct, np.arange(last))  # the correct one at or after it
        return cls(
            between=_counted(segment, matches.image_ids[:last], len(correct), images),
            image_ids=matches.image_ids[correct],
            rows=tuple(np.flatnonzero(column) for column in matches.hits[correct].T),
        )

    def judge(self, weights: Float64, instances: Float64, *, smooth: bool = False) -> Float64:
        """Average precision of the class in each draw.

        Args:
            weights: float64, images×draws.
            instances: float64, draws: true boxes of the class in each.
            smooth: the area under the curve of precision instead of its mean at COCO's 101 points.

        Returns:
            float64, thresholds×draws; NaN where a draw has no true box of the class.
        """
        result = np.zeros((len(self.rows), weights.shape[1]))
        found = (self.between @ weights).cumsum(axis=0) + np.spacing(1.0)
        drawn = weights[self.image_ids]
        boxes = np.where(instances > 0, instances, 1.0)
        for threshold, rows in enumerate(self.rows):
            if not len(rows):
                continue
            true_positives = drawn[rows].cumsum(axis=0)
            precision = true_positives / found[rows]
            envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
            true_positives /= boxes
            points = 1 if smooth else len(RECALL_POINTS)
            reached = true_positives if smooth else _points_reached(true_positives)
            reached[1:] -= reached[:-1].copy()
            result[threshold] = np.einsum("ij,ij->j", envelope, reached) / points
        result[:, instances == 0] = np.nan
        return result


@dataclass(frozen=True, eq=False)
class _Model:
    """All classes of one model."""

    curves: tuple[Curve, ...]
    found: csr_array[Any, Any]  # C×images: correct at IoU 0.5 and the deployed confidence

    @classmethod
    def of(cls, classes: Sequence[ClassMatches], images: int, conf_threshold: float) -> _Model:
        return cls(
            curves=tuple(Curve.of(matches, images) for matches in classes),
            found=_counts_by_image([found_images(m, conf_threshold) for m in classes], images),
        )

    def judge(self, weights: Float64, instances: Float64, *, smooth: bool) -> Draws:
        by_threshold = np.stack(
            [
                curve.judge(weights, boxes, smooth=smooth)
                for curve, boxes in zip(self.curves, instances, strict=True)
            ]
        )
        recall = np.full(instances.shape, np.nan)
        np.divide(self.found @ weights, instances, out=recall, where=instances > 0)
        return Draws(by_threshold.mean(axis=1), by_threshold[:, 0], recall)


def found_images(matches: ClassMatches, conf_threshold: float) -> Int64:
    """Image of each true box found at IoU 0.5 and the deployed confidence."""
    # Scores came as float32 and were compared as such when the detector was run.
    kept = matches.scores >= np.float64(np.float32(conf_threshold))
    return matches.image_ids[kept & matches.hits[:, 0]]


def _points_reached(recall: Float64) -> Float64:
    """Count the 101 recall points that lie at or below each recall."""
    below = (recall * (len(RECALL_POINTS) - 1) + ROUNDING).astype(np.int64)
    return (below + (RECALL_POINTS[below] <= recall)).astype(np.float64)


def _counts_by_image(image_ids: Sequence[Int64], images: int) -> csr_array[Any, Any]:
    """Classes×images: how often each image is named for each class."""
    class_ids = np.repeat(np.arange(len(image_ids)), [len(ids) for ids in image_ids])
    return _counted(class_ids, np.concatenate(list(image_ids)), len(image_ids), images)


def _counted(rows: Int64, columns: Int64, height: int, width: int) -> csr_array[Any, Any]:
    from scipy.sparse import coo_array

    counts = coo_array((np.ones(len(rows)), (rows, columns)), shape=(height, width))
    return counts.tocsr()  # adds up what stands twice


def mean_of_present(values: Float64) -> Float64:
    """Mean over classes (first axis) of those with truth, whose value is no NaN; NaN of none."""
    present = np.isfinite(values)
    count = present.sum(axis=0)
    mean = np.full(values.shape[1], np.nan)
    np.divide(np.where(present, values, 0).sum(axis=0), count, out=mean, where=count > 0)
    return mean


def _joined(parts: Sequence[Draws]) -> Draws:
    return Draws(
        ap=np.concatenate([part.ap for part in parts], axis=1),
        ap50=np.concatenate([part.ap50 for part in parts], axis=1),
        recall=np.concatenate([part.recall for part in parts], axis=1),
    )
