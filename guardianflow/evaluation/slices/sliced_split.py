"""A model's boxes on a split, paired once, and every slice of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.recordings.slices import (
    BOX_DIMENSIONS,
    INPUT_PX,
    MEASURED_DIMENSIONS,
    SIZE,
    ImageTraits,
    SliceName,
)
from ...contracts.results import Detections, LabelledImage
from ..accuracy.average_precision import Bool, Float64, Int64
from ..accuracy.detection import check_judgeable
from ..accuracy.matching import MatchedBoxes, match_boxes
from ..accuracy.resampling import mean_of_present
from .average import average_precisions, blocks_of, left_out_averages
from .matching import Counted, count_in_images, count_in_range
from .units import UnitCounts, unit_counts, unit_counts_of

ALL = SliceName("all", "all")
"""Every box of every image: what the slices are held against."""
COCO_AREAS: Mapping[str, tuple[float, float]] = {
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
"""Areas in square pixels of the picture as stored, both ends in, as pycocotools has them."""
INPUT_SIDES: Mapping[str, tuple[float, float]] = dict(
    zip(
        BOX_DIMENSIONS[INPUT_PX],
        ((0.0, 8.0), (8.0, 16.0), (16.0, 32.0), (32.0, 64.0), (64.0, np.inf)),
        strict=True,
    )
)
"""Shorter side in pixels of the network's input, upper end out."""

Counts = Mapping[tuple[SliceName, str], UnitCounts]
"""Slice and class, '' for all classes → what each unit holds and found."""


@dataclass(frozen=True, eq=False)
class Average:
    """Average precision of one class in one slice.

    Args:
        left_out: float64, ap50 without each block of units; NaN where no true box is left.
        sizes: float64, true boxes of each block.
    """

    ap50: float
    ap: float
    left_out: Float64
    sizes: Float64


@dataclass(frozen=True, eq=False)
class SlicedSplit:
    """A model's boxes on a split, paired once.

    Args:
        units, blocks: int64, one for each image.
        by_score: int64, D: rows of detections by class, then score, best first.
        kept: bool, D: detections at the deployed confidence.
    """

    matched: MatchedBoxes
    class_names: Sequence[str]
    traits: ImageTraits
    scales: Float64
    units: Int64
    blocks: Int64
    by_score: Int64
    kept: Bool

    @classmethod
    def of(
        cls,
        predictions: Sequence[Detections],
        images: Sequence[LabelledImage],
        class_names: Sequence[str],
        traits: ImageTraits,
        input_size: int,
        conf_threshold: float,
    ) -> SlicedSplit:
        check_judgeable(predictions, images, class_names)
        _check(traits, len(images), input_size, conf_threshold)
        matched = match_boxes(predictions, images)
        names = traits.groups if traits.groups is not None else range(len(images))
        units: Int64 = np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64)
        found = matched.found
        return cls(
            matched,
            class_names,
            traits,
            np.array([input_size / max(each.width, each.height) for each in images]),
            units,
            blocks_of(units),
            np.lexsort((-found.scores, found.class_ids)),
            # Scores came as float32 and were compared as such when the detector was run.
            found.scores >= np.float64(np.float32(conf_threshold)),
        )

    def slices(self) -> Iterator[tuple[SliceName, Counted]]:
        """Every slice with a true box."""
        for name, counted in self._all_slices():
            if counted.truth.any():
                yield name, counted

    def _all_slices(self) -> Iterator[tuple[SliceName, Counted]]:
        matched = self.matched
        yield ALL, count_in_images(matched, np.ones(matched.images, dtype=bool))
        sides = [boxes.boxes_xywh[:, 2:] for boxes in (matched.truth, matched.found)]
        areas, found_areas = (side[:, 0] * side[:, 1] for side in sides)
        for value, (least, most) in COCO_AREAS.items():
            inside, found = ((a >= least) & (a <= most) for a in (areas, found_areas))
            yield SliceName(SIZE, value), count_in_range(matched, inside, found)
        shorter, found_shorter = (
            side.min(axis=1) * self.scales[boxes.image_ids]
            for side, boxes in zip(sides, (matched.truth, matched.found), strict=True)
        )
        for value, (least, most) in INPUT_SIDES.items():
            inside, found = ((s >= least) & (s < most) for s in (shorter, found_shorter))
            yield SliceName(INPUT_PX, value), count_in_range(matched, inside, found)
        for dimension, of_images in self.traits.values.items():
            values = np.asarray(of_images)
            for value in MEASURED_DIMENSIONS.get(dimension, sorted(set(of_images))):
                yield SliceName(dimension, value), count_in_images(matched, values == value)

    def counts(self, name: SliceName, counted: Counted) -> dict[tuple[SliceName, str], UnitCounts]:
        """What each unit holds and found: all classes together first."""
        truth = self.matched.truth
        is_found = np.zeros(len(truth.class_ids), dtype=bool)
        is_found[counted.given[self.kept & counted.hits[:, 0], 0]] = True
        rows = np.flatnonzero(counted.truth)
        units, found = self.units[truth.image_ids[rows]], is_found[rows]
        parts = unit_counts_of(truth.class_ids[rows], units, found)
        of_class = {(name, self.class_names[class_id]): each for class_id, each in parts.items()}
        return {(name, ""): unit_counts(units, found), **of_class}

    def averages(self, counted: Counted) -> dict[str, Average]:
        """Average precision of each class with a true box in a slice."""
        found, truth = self.matched.found, self.matched.truth
        true_rows = np.flatnonzero(counted.truth)
        present, of_truth = np.unique(truth.class_ids[true_rows], return_inverse=True)
        place = np.full(len(self.class_names), -1)
        place[present] = np.arange(len(present))
        rows = self.by_score[counted.rows[self.by_score]]
        rows = rows[place[found.class_ids[rows]] >= 0]
        classes = place[found.class_ids[rows]]
        blocks = int(self.blocks.max()) + 1
        in_blocks = np.bincount(
            of_truth * blocks + self.blocks[truth.image_ids[true_rows]],
            minlength=len(present) * blocks,
        ).reshape(len(present), blocks)
        hits, known = counted.hits[rows], counted.counted[rows]
        of_threshold = average_precisions(hits, known, classes, in_blocks.sum(axis=1))
        left_out = left_out_averages(
            hits[:, 0], known[:, 0], classes, self.blocks[found.image_ids[rows]], in_blocks
        )
        sizes = in_blocks.astype(np.float64)
        return {
            self.class_names[class_id]: Average(
                float(of_threshold[i, 0]), float(of_threshold[i].mean()), left_out[i], sizes[i]
            )
            for i, class_id in enumerate(present)
        }


def mean_of(averages: Sequence[Average]) -> Average:
    """The mean over classes, also of what is left without each block."""
    return Average(
        float(np.mean([each.ap50 for each in averages])),
        float(np.mean([each.ap for each in averages])),
        mean_of_present(np.stack([each.left_out for each in averages])),
        np.sum([each.sizes for each in averages], axis=0),
    )


def _check(traits: ImageTraits, images: int, input_size: int, conf_threshold: float) -> None:
    problems = [
        f"there must be one '{what}' for each of the {images} images but there are {len(values)}"
        for what, values in {**traits.values, "group": traits.groups or range(images)}.items()
        if len(values) != images
    ]
    if taken := traits.values.keys() & {ALL.dimension, *BOX_DIMENSIONS}:
        problems.append(f"{', '.join(sorted(taken))} can't be a trait of images; rename the column")
    for dimension, known in MEASURED_DIMENSIONS.items():
        if others := sorted({*traits.values.get(dimension, ())} - {*known}):
            problems.append(
                f"'{dimension}' must be one of {', '.join(known)} but got {', '.join(others)}"
            )
    if input_size < 1:
        problems.append(f"input_size must be 1 or more but is {input_size}")
    if not 0 <= conf_threshold <= 1:
        problems.append(f"conf_threshold must lie in 0…1 but is {conf_threshold}")
    if problems:
        raise EvaluationError("; ".join(problems))
