"""Tells how sure accuracy is, and whether two models really differ: bootstrap over images.

    bootstrap_metrics       one model's metrics, each with its interval
    bootstrap_differences   second model − first model on the same images, the same way

Images are what is drawn anew, because boxes of one image are not independent of each other: a dark
corner hides all of them. Both models are judged on the same draws, so what makes an image hard for
both falls out of their difference.

docs/metrics.md, "How sure the numbers are", says what the intervals mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from ...contracts.errors import EvaluationError
from ...contracts.estimates import MINIMUM_IMAGES, Estimate
from ...contracts.results import Detections, LabelledImage
from .average_precision import Bool, ClassMatches, Float64, Int64
from .detection import evaluate_detections, match_judged
from .resampling import ROUNDING, Draws, draw_all, found_images

CONFIDENCE = 0.95
# Up to so many images that change recall, draws of them say too little about how many there are.
FEW_CHANGES = 10

Progress = Callable[[int, int], None]
Value = TypeVar("Value", float, Float64)


def bootstrap_metrics(
    predictions: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    *,
    conf_threshold: float = 0.25,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    progress: Progress | None = None,
) -> dict[str, Estimate]:
    """One model's accuracy with bootstrap intervals over images, 95 % unless said otherwise.

    Each resample draws as many images as there are, with repetition, and judges the drawn ones
    by the rules of evaluate_detections. The interval is expanded_percentile_interval of what they
    gave. `python -m benchmarks.interval_coverage` measures how often it holds the truth.

    Args:
        predictions: one per image, in the order of `images`, collected at a low confidence.
        images: the split, with and without true boxes.
        class_names: index = class id.
        conf_threshold: the deployed confidence, for recall.
        resamples: how many; 1000 fix the bounds to a few hundredths of the interval's width.
        seed: the same seed gives the same intervals.
        confidence: of the intervals, 0.5 to below 1. Above 0.95 take more resamples: the bounds
            are drawn from 1000 · (1 − confidence) of a thousand.
        progress: called with (resamples done, resamples in all).

    Returns:
        'mAP50', 'mAP50_95', 'recall', and for each class 'ap.{class}', 'ap50.{class}' and
        'recall.{class}'. Values are those of evaluate_detections. A mean is over the classes that
        have a true box in the resample. A key is absent where fewer than MINIMUM_IMAGES images
        hold a true box (of the class; of any class for the means).

    Raises:
        EvaluationError: as evaluate_detections; resamples below 100, a confidence outside 0…1.
    """
    return _bootstrap(
        [predictions], images, class_names, conf_threshold, resamples, seed, confidence, progress
    )


def bootstrap_differences(
    first: Sequence[Detections],
    second: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    *,
    conf_threshold: float = 0.25,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    progress: Progress | None = None,
) -> dict[str, Estimate]:
    """Second model minus first model on the same images: above 0 the second one is better.

    Both are judged on the same resamples (a paired bootstrap), otherwise as bootstrap_metrics.

    Args:
        first: what the model in use found, one per image, in the order of `images`.
        second: what the model that may replace it found.
        images, class_names, conf_threshold, resamples, seed, confidence, progress: as
            bootstrap_metrics.

    Returns:
        The keys of bootstrap_metrics; each value is exactly the second model's metric less the
        first one's.

    Raises:
        EvaluationError: as bootstrap_metrics, for either model.
    """
    return _bootstrap(
        [first, second], images, class_names, conf_threshold, resamples, seed, confidence, progress
    )


def most_images_bound(seen: int, images: int, confidence: float = CONFIDENCE) -> float:
    """The largest share of images of a kind when `seen` of `images` are of it.

    The upper end of a two-sided interval of `confidence`: for 0.95 it is 97.5 % sure.

    The exact binomial bound (Clopper and Pearson, 1934). For none seen it is 1 − 0.025^(1/n), near
    3.7 ÷ n.
    """
    from scipy.special import betaincinv  # scipy.stats takes a second to import

    if seen >= images:
        return 1.0
    return float(betaincinv(seen + 1, images - seen, (1 + confidence) / 2))


def _check(conf_threshold: float, resamples: int, seed: int, confidence: float) -> None:
    problems = []
    if not 0.5 <= confidence < 1:
        problems.append(f"confidence must be from 0.5 to below 1 but is {confidence}")
    if seed < 0:
        problems.append(f"seed must be 0 or more but is {seed}")
    if not 0 <= conf_threshold <= 1:
        problems.append(f"conf_threshold must lie in 0…1 but is {conf_threshold}")
    if resamples < 100:
        problems.append(
            f"resamples must be at least 100, or the interval's bounds are chance, but is "
            f"{resamples}; 1000 is usual"
        )
    if problems:
        raise EvaluationError("; ".join(problems))


def _bootstrap(
    models: Sequence[Sequence[Detections]],
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    conf_threshold: float,
    resamples: int,
    seed: int,
    confidence: float,
    progress: Progress | None,
) -> dict[str, Estimate]:
    """One model's values, or the second's less the first's, on the same draws."""
    _check(conf_threshold, resamples, seed, confidence)
    values = [
        evaluate_detections(each, images, class_names, conf_threshold=conf_threshold).as_metrics("")
        for each in models
    ]
    judged = [match_judged(each, images, class_names) for each in models]
    names, matches = list(judged[0]), [list(each.values()) for each in judged]
    draws = draw_all(
        matches,
        len(images),
        conf_threshold=conf_threshold,
        resamples=resamples,
        seed=seed,
        progress=progress,
    )
    drawn = [_drawn(each, names) for each in draws]
    found = [
        _by_image([found_images(m, conf_threshold) for m in each], len(images)) for each in matches
    ]
    truth = _by_image([m.true_image_ids for m in matches[0]], len(images))
    if len(models) == 1:
        rises, falls, lowest = found[0], truth - found[0], 0.0
    else:
        rises, falls, lowest = found[1] - found[0], found[0] - found[1], -1.0
    unseen = _unseen_recall_changes(
        names, rises=rises, falls=falls, truth=truth, confidence=confidence
    )
    return _estimates(
        values={key: _last_less_first([each[key] for each in values]) for key in drawn[0]},
        drawn={key: _last_less_first([each[key] for each in drawn]) for key in drawn[0]},
        holding=_images_holding(matches[0], names),
        unseen=unseen,
        bounds=(lowest, 1.0),
        confidence=confidence,
    )


def _last_less_first(of_models: Sequence[Value]) -> Value:
    """Of one model its own."""
    return of_models[0] if len(of_models) == 1 else of_models[-1] - of_models[0]


def _drawn(draws: Draws, names: Sequence[str]) -> dict[str, Float64]:
    """Each key's value in each draw; NaN where the draw has no truth for it."""
    drawn = {
        "mAP50": _mean_of_present(draws.ap50),
        "mAP50_95": _mean_of_present(draws.ap),
        "recall": _mean_of_present(draws.recall),
    }
    for kind, rows in (("ap", draws.ap), ("ap50", draws.ap50), ("recall", draws.recall)):
        drawn |= {f"{kind}.{name}": row for name, row in zip(names, rows, strict=True)}
    return drawn


def _mean_of_present(values: Float64) -> Float64:
    """Mean over classes (first axis) of those with truth; NaN where none has."""
    present = np.isfinite(values)
    count = present.sum(axis=0)
    mean = np.full(values.shape[1], np.nan)
    np.divide(np.where(present, values, 0).sum(axis=0), count, out=mean, where=count > 0)
    return mean


def _images_holding(matches: Sequence[ClassMatches], names: Sequence[str]) -> dict[str, int]:
    """Key → how many images hold a true box of what the key is about."""
    by_class = [np.unique(m.true_image_ids) for m in matches]
    holding = dict.fromkeys(
        ("mAP50", "mAP50_95", "recall"), len(np.unique(np.concatenate(by_class)))
    )
    for name, image_ids in zip(names, by_class, strict=True):
        holding |= dict.fromkeys((f"ap.{name}", f"ap50.{name}", f"recall.{name}"), len(image_ids))
    return holding


def _by_image(image_ids: Sequence[Int64], images: int) -> Int64:
    """Classes×images: how often each image is named."""
    return np.stack([np.bincount(ids, minlength=images) for ids in image_ids])


def _unseen_recall_changes(
    names: Sequence[str], *, rises: Int64, falls: Int64, truth: Int64, confidence: float
) -> dict[str, tuple[float, float]]:
    """Recall key → how far below and above its value the interval must reach at least.

    Where hardly an image changes recall, draws repeat those few and know of no others: the more
    so, the rarer the change is. The exact bound on how many there may be takes over then.

    Args:
        rises, falls: classes×images, boxes by which an image raises or lowers the value if above 0.
        truth: classes×images, true boxes.
    """
    share = 1 / truth.sum(axis=1, keepdims=True)
    rises_by, falls_by, holds = rises * share, falls * share, truth > 0
    unseen = {
        f"recall.{name}": (
            _unseen_change(falls_by[index], holds[index], confidence),
            _unseen_change(rises_by[index], holds[index], confidence),
        )
        for index, name in enumerate(names)
    }
    # A class in a handful of images can't be bounded, here as little as alone.
    common = holds.sum(axis=1) >= MINIMUM_IMAGES
    if common.any():
        weight = float(common.mean())
        any_holds = np.logical_or.reduce(holds[common], axis=0)
        unseen["recall"] = (
            weight * _unseen_change(falls_by[common].mean(axis=0), any_holds, confidence),
            weight * _unseen_change(rises_by[common].mean(axis=0), any_holds, confidence),
        )
    return unseen


def _unseen_change(changes: Float64, holding: Bool, confidence: float) -> float:
    """By how much images like those that change the value may change it beyond what was seen.

    Args:
        changes: by how much each image changes the value; those above 0 count.
        holding: the images that could.
    """
    images, seen = int(holding.sum()), changes[changes > 0]
    if len(seen) > FEW_CHANGES:
        return 0.0
    # Of a change that was never seen the worst is assumed: all boxes of an image at once.
    size = float(seen.mean()) if len(seen) else 1 / images
    bound = most_images_bound(len(seen), images, confidence)
    return (bound - len(seen) / images) * images * size


def _estimates(
    values: Mapping[str, float],
    drawn: Mapping[str, Float64],
    holding: Mapping[str, int],
    unseen: Mapping[str, tuple[float, float]],
    bounds: tuple[float, float],
    confidence: float,
) -> dict[str, Estimate]:
    """Intervals of the keys that enough images speak about.

    Draws can't show what no image shows: where none changes a value they all agree, and the
    interval is the bound on what may have gone unseen.
    """
    estimates = {}
    for key, value in values.items():
        if holding[key] < MINIMUM_IMAGES:
            continue
        low, high = expanded_percentile_interval(drawn[key], holding[key], confidence)
        below, above = unseen.get(key, (0.0, 0.0))
        if high - low < ROUNDING:
            below = above = most_images_bound(0, holding[key], confidence)
        low, high = min(low, value - below), max(high, value + above)
        # A draw's rounding, or its bias, must not leave the value outside its own interval.
        estimates[key] = Estimate(
            value, max(bounds[0], min(low, value)), min(bounds[1], max(high, value))
        )
    return estimates


def expanded_percentile_interval(
    drawn: Float64, images: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The middle part of what the draws gave: `confidence`, and slightly more for few images.

    The plain percentile interval (Efron, "Bootstrap methods: another look at the jackknife", 1979)
    is too narrow for small samples, by the factor by which Student's t with the unbiased variance
    exceeds the normal distribution. Taking that much more of the draws mends it (Hesterberg, "What
    teachers should know about the bootstrap", The American Statistician 69, 2015, section 4).

    On made-up splits of 200 images both held the true difference in 94 to 96 of 100 cases, on 40
    images the plain one in 93 and this one in 94. Correcting for bias as well (Efron, "Better
    bootstrap confidence intervals", 1987, without acceleration) held it less often than either,
    so it is not done.

    Args:
        drawn: one value a draw; NaN where a draw has none, which is left out.
        images: that speak about the value, at least 2.
        confidence: of the interval.
    """
    from scipy.special import ndtr, stdtrit  # of the normal distribution and of Student's t

    known = drawn[np.isfinite(drawn)]
    factor = float(stdtrit(images - 1, (1 + confidence) / 2)) * math.sqrt(images / (images - 1))
    tail = float(ndtr(-factor))
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)
