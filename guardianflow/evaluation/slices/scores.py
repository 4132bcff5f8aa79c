"""Scores every slice of a split: predictions and traits of images → SliceTable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ...contracts.errors import EvaluationError
from ...contracts.recordings.slices import (
    BOX_DIMENSIONS,
    ImageTraits,
    SliceName,
    SliceScore,
    SliceTable,
    WorstSlice,
)
from ...contracts.results import Detections, LabelledImage
from .average import average_interval
from .sliced_split import ALL, Average, Counts, SlicedSplit, mean_of
from .units import UnitCounts, difference_to_rest, holm, recall_interval, together


def score_slices(
    predictions: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    traits: ImageTraits,
    *,
    input_size: int,
    conf_threshold: float = 0.25,
    confidence: float = 0.95,
) -> SliceTable:
    """Judge each slice by itself.

    Args:
        predictions: one per image, in the order of `images`, collected at a low confidence.
        class_names: index = class id.
        input_size: side of the network's square input, pixels.
        conf_threshold: the deployed confidence, for recall.
        confidence: of the intervals, 0.5 to below 1.

    Returns:
        Scores of each slice and class with a true box. The table begins with ALL.

    Raises:
        EvaluationError: as evaluate_detections; traits that don't fit the images.
    """
    if not 0.5 <= confidence < 1:
        raise EvaluationError(f"confidence must be from 0.5 to below 1 but is {confidence}")
    split = SlicedSplit.of(predictions, images, class_names, traits, input_size, conf_threshold)
    counts: dict[tuple[SliceName, str], UnitCounts] = {}
    scores: list[SliceScore] = []
    for name, counted in split.slices():
        of_slice = split.counts(name, counted)
        averages = split.averages(counted)
        averages = {"": mean_of(list(averages.values())), **averages}
        counts |= of_slice
        scores += [
            _score(name, class_name, units, averages[class_name], traits, confidence)
            for (_, class_name), units in of_slice.items()
        ]
    scores = list(_beside_the_rest(scores, counts, traits, confidence))
    overall = {each.class_name: each.recall for each in scores if each.name == ALL}
    scenes = [each for each in scores if each.name.dimension not in BOX_DIMENSIONS]
    return SliceTable(
        tuple(scores),
        traits.unit,
        confidence,
        conf_threshold,
        worst=_worst(scores, overall, confidence),
        worst_scene=_worst(scenes, overall, confidence),
    )


def _score(
    name: SliceName,
    class_name: str,
    units: UnitCounts,
    average: Average,
    traits: ImageTraits,
    confidence: float,
) -> SliceScore:
    is_enough = units.suffice(traits.unit)
    ap50 = average.ap50, average.left_out, average.sizes, confidence
    return SliceScore(
        name,
        class_name,
        boxes=int(units.boxes.sum()),
        found=int(units.found.sum()),
        units=len(units.units),
        interval=recall_interval(units, traits.unit, confidence),
        ap50=average.ap50,
        ap=average.ap,
        ap50_interval=average_interval(*ap50) if is_enough else None,
    )


def _beside_the_rest(
    scores: Sequence[SliceScore], counts: Counts, traits: ImageTraits, confidence: float
) -> Iterator[SliceScore]:
    """The scores with how they differ from the rest of their dimension, corrected for all looks.

    The rest of a range of sizes are the other ranges, each with what it found by itself.
    """
    of_dimension: dict[tuple[str, str], list[UnitCounts]] = {}
    for (name, class_name), units in counts.items():
        of_dimension.setdefault((name.dimension, class_name), []).append(units)
    whole = {key: together(parts) for key, parts in of_dimension.items()}
    found = {}
    for (name, class_name), units in counts.items():
        if not units.suffice(traits.unit):
            continue
        rest = whole[name.dimension, class_name].less(units)
        told = difference_to_rest(units, rest, traits.unit, confidence)
        if told is not None:
            found[name, class_name] = told
    # All classes together say again what each class says: not another look.
    looks = [key for key in found if key[1]]
    corrected = dict(zip(looks, holm([found[key][1] for key in looks]), strict=True))
    for each in scores:
        key = each.name, each.class_name
        difference = found[key][0] if key in found else None
        yield replace(each, against_rest=difference, p_value=corrected.get(key))


def _worst(
    scores: Sequence[SliceScore], overall: Mapping[str, float], confidence: float
) -> WorstSlice | None:
    """The lowest recall of those that are worse than the rest for certain; else of all."""
    looked_at = [each for each in scores if each.p_value is not None and each.interval]
    certain = [each for each in looked_at if _is_worse(each, 1 - confidence)]
    if not looked_at:
        return None
    worst = min(certain or looked_at, key=lambda each: each.recall)
    return WorstSlice(worst, overall[worst.class_name], bool(certain), len(looked_at))


def _is_worse(score: SliceScore, chance: float) -> bool:
    against, probability = score.against_rest, score.p_value
    if against is None or probability is None:
        return False
    return against.value < 0 and probability < chance
