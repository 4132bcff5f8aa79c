"""Two made-up detectors on made-up images, as many as one likes.

True boxes of two classes, and two models whose hits, scores, box errors and false alarms go
together, because a hard image is hard for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from guardianflow.contracts.results import Detections, LabelledImage

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

CLASSES = ("person", "helmet")
CELL, SIDE, ROW = 200, 100, 8  # pixels, pixels, cells in a row


@dataclass(frozen=True)
class Skill:
    """What a made-up model can do.

    Args:
        reach: how hard a box may be and still be found; hardness has mean 0 and deviation 1.12.
        box_error: mean shift of a box, pixels of its side of 100.
        false_alarms: of each class, a mean number for an image.
    """

    reach: float
    box_error: float
    false_alarms: float


FIRST = Skill(reach=1.0, box_error=9.0, false_alarms=0.8)
SECOND = Skill(reach=1.2, box_error=10.0, false_alarms=0.6)


@dataclass(frozen=True, eq=False)
class Split:
    images: list[LabelledImage]
    first: list[Detections]
    second: list[Detections]


@dataclass(frozen=True, eq=False)
class Scene:
    """One image and what makes it easy or hard, alike for both models.

    Args:
        boxes: float32, K×4.
        class_ids: int64, K.
        hardness: float64, K: of each box.
        shift: float64, K: how badly its edges can be made out.
        alarms: float64, 2: of each class, how much there is that looks like it.
    """

    boxes: Float32
    class_ids: Int64
    hardness: Float64
    shift: Float64
    alarms: Float64


def made_up_split(count: int, seed: int) -> Split:
    """A split of `count` images with what both models found in them."""
    chance = np.random.default_rng(seed)
    split = Split([], [], [])
    for index in range(count):
        class_ids = np.repeat([0, 1], chance.poisson([1.6, 0.8]))
        boxes = _boxes_in_cells(np.arange(len(class_ids)))
        image_hardness = 0.5 * chance.normal()
        scene = Scene(
            boxes=boxes,
            class_ids=class_ids,
            hardness=image_hardness + chance.normal(size=len(boxes)),
            shift=np.abs(chance.normal(size=len(boxes))),
            alarms=0.7 * chance.normal(size=2) + 0.5 * image_hardness,
        )
        path, side = Path(f"/{index}.jpg"), ROW * CELL
        split.images.append(LabelledImage(path, side, side, boxes, class_ids))
        split.first.append(found_by(FIRST, scene, chance))
        split.second.append(found_by(SECOND, scene, chance))
    return split


def found_by(skill: Skill, scene: Scene, chance: np.random.Generator) -> Detections:
    """Hits, scores and box errors lean on the scene, and have a part of the model's own."""
    ease = skill.reach - scene.hardness + 0.5 * chance.normal(size=len(scene.boxes))
    hit = ease > 0
    own = np.abs(chance.normal(size=len(scene.boxes)))
    boxes = scene.boxes[hit].copy()
    boxes[:, [0, 2]] += (skill.box_error * 0.6 * (scene.shift + own))[hit, None]
    false_ids = np.repeat([0, 1], chance.poisson(skill.false_alarms * np.exp(0.4 * scene.alarms)))
    scores = np.concatenate(
        [
            _squashed(0.9 * ease[hit] - 0.4 + 0.4 * chance.normal(size=int(hit.sum()))),
            _squashed(-1.5 + chance.normal(size=len(false_ids))),
        ]
    )
    order = np.argsort(-scores, kind="stable")
    # False alarms lie in the last cells: there are never so many true boxes.
    false_boxes = _boxes_in_cells(ROW * ROW - 1 - np.arange(len(false_ids)))
    return Detections(
        np.concatenate([boxes, false_boxes])[order],
        scores[order],
        np.concatenate([scene.class_ids[hit], false_ids])[order],
    )


def _boxes_in_cells(cells: Int64) -> Float32:
    """Boxes that never overlap, one in each cell of a grid."""
    corner = np.stack([cells % ROW, cells // ROW], axis=1) * CELL + SIDE // 2
    return np.concatenate([corner, corner + SIDE], axis=1).astype(np.float32)


def _squashed(values: Float64) -> Float32:
    return (1 / (1 + np.exp(-values))).astype(np.float32)
