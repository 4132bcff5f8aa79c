"""Two made-up detectors on made-up recordings, as many as one likes, with a truth that is known.

Images of one recording are alike: what makes one hard makes all hard, and how alike they are is
chosen. Matches are made at once, without boxes: the arithmetic from there on is the product's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from guardianflow.evaluation.accuracy.average_precision import ClassMatches, precision_at_recalls
from guardianflow.evaluation.accuracy.matching import IOU_THRESHOLDS
from guardianflow.evaluation.accuracy.resampling import found_images

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

NAMES = ("helmet",)
KEYS = ("recall", "mAP50", "mAP50_95")
CONF_THRESHOLD = 0.25
THRESHOLDS = IOU_THRESHOLDS[::3]  # 0.5, 0.65, 0.8, 0.95: four tell what ten do, in less time
IMAGES, BOXES = 8.0, 2.5  # a mean for each recording, for each image
# Recordings of uneven length: 95 of 100 lie within a quarter and four times the middle one.
UNEVEN = 0.7
# How much of what makes a box hard is so for both models, and for all boxes of an image.
SHARED, OF_IMAGE = 0.8, 0.2


@dataclass(frozen=True)
class Skill:
    """What a made-up model can do.

    Args:
        reach: how hard a box may be and still be found; hardness has mean 0 and deviation 1.
        edges: IoU of a box of mean hardness.
        false_alarms: a mean number for an image.
    """

    reach: float
    edges: float
    false_alarms: float


MODELS = (Skill(0.8, 0.84, 0.8), Skill(0.95, 0.82, 0.6))


@dataclass(frozen=True, eq=False)
class Recordings:
    """Images of several recordings, and what both models found in them.

    Args:
        groups: int64, the recording of each image.
        models: for each model the matches of its one class.
    """

    groups: Int64
    models: tuple[list[ClassMatches], list[ClassMatches]]


def found_together(correlation: float) -> float:
    """How whether one box is found and whether another one of its recording is are correlated.

    Less than their hardness, of which it tells only the side.
    """
    if correlation == 0:
        return 0.0
    reach = sum(each.reach for each in MODELS) / len(MODELS)
    often = float(norm.cdf(reach))
    places, weights = np.polynomial.hermite_e.hermegauss(200)
    found = norm.cdf((reach - np.sqrt(correlation) * places) / np.sqrt(1 - correlation))
    both = float((found**2 * weights).sum() / weights.sum())
    return (both - often**2) / (often * (1 - often))


def made_up_recordings(
    recordings: int, correlation: float, *, uneven: bool, chance: np.random.Generator
) -> Recordings:
    """Recordings with as many images each, or with uneven numbers of them.

    Args:
        correlation: of the hardness of two boxes of one recording.
    """
    sizes = np.full(recordings, IMAGES)
    if uneven:
        sizes = IMAGES * chance.lognormal(-(UNEVEN**2) / 2, UNEVEN, recordings)
    groups = np.repeat(np.arange(recordings), np.maximum(1, np.rint(sizes)).astype(np.int64))
    images = len(groups)
    boxes = np.repeat(np.arange(images), chance.poisson(BOXES, images))

    def latent() -> Float64:
        """One hardness for each box: of its recording, of its image and its own."""
        of_group = chance.normal(size=recordings)[groups[boxes]]
        of_image, own = chance.normal(size=images)[boxes], chance.normal(size=len(boxes))
        apart = np.sqrt(OF_IMAGE) * of_image + np.sqrt(1 - OF_IMAGE) * own
        return np.sqrt(correlation) * of_group + np.sqrt(1 - correlation) * apart

    hardness, shift = latent(), latent()
    busy = np.sqrt(correlation) * chance.normal(size=recordings)[groups]
    busy += np.sqrt(1 - correlation) * chance.normal(size=images)
    found = []
    for skill in MODELS:
        own_hardness = np.sqrt(SHARED) * hardness + np.sqrt(1 - SHARED) * latent()
        own_shift = np.sqrt(SHARED) * shift + np.sqrt(1 - SHARED) * latent()
        found.append([_found_by(skill, own_hardness, own_shift, busy, boxes, chance)])
    return Recordings(groups, (found[0], found[1]))


def _found_by(
    skill: Skill,
    hardness: Float64,
    shift: Float64,
    busy: Float64,
    boxes: Int64,
    chance: np.random.Generator,
) -> ClassMatches:
    """Args: busy: of each image, how much looks like an object. boxes: the image of each."""
    hit = hardness < skill.reach
    ease = skill.reach - hardness[hit]
    overlap = skill.edges - 0.08 * shift[hit]
    # Mean 1 over all images, however alike they are.
    alarms = chance.poisson(skill.false_alarms * np.exp(0.4 * busy - 0.08))
    false_images = np.repeat(np.arange(len(busy)), alarms)
    scores = np.concatenate(
        [
            _squashed(0.9 * ease - 0.4 + 0.4 * chance.normal(size=len(ease))),
            _squashed(-1.5 + chance.normal(size=len(false_images))),
        ]
    )
    hits = np.concatenate(
        [overlap[:, None] >= THRESHOLDS, np.zeros((len(false_images), len(THRESHOLDS)), bool)]
    )
    best_first = np.argsort(-scores, kind="stable")
    return ClassMatches(
        scores=scores[best_first],
        hits=hits[best_first],
        instances=len(boxes),
        image_ids=np.concatenate([boxes[hit], false_images])[best_first],
        true_image_ids=boxes,
    )


def _squashed(values: Float64) -> Float64:
    return 1 / (1 + np.exp(-values))


def metrics_of(matches: ClassMatches) -> dict[str, float]:
    """The class's metrics, under the keys of a mean: it is the only one."""
    average = precision_at_recalls(matches).mean(axis=1)
    recall = len(found_images(matches, CONF_THRESHOLD)) / matches.instances
    return {"mAP50": float(average[0]), "mAP50_95": float(average.mean()), "recall": recall}


def true_metrics(sets: int, recordings: int, seed: int) -> list[Mapping[str, float]]:
    """Of each model: the mean over many sets.

    How alike images are changes nothing about it: each box is as hard as any. A mean over sets, not
    one set of them all: COCO's 101 points round the recall that a set ends at, which sets average
    out, while one ever so large set would always round it to the same side.
    """
    seen: list[list[Mapping[str, float]]] = [[], []]
    for number in range(sets):
        chance = np.random.default_rng([seed, number])
        drawn = made_up_recordings(recordings, 0.0, uneven=False, chance=chance)
        for model, (matches,) in zip(seen, drawn.models, strict=True):
            model.append(metrics_of(matches))
    return [{key: float(np.mean([one[key] for one in each])) for key in KEYS} for each in seen]
