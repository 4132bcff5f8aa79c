"""Which slices differ between two models, on the same boxes."""

from __future__ import annotations

from collections.abc import Sequence

from ...contracts.recordings.slices import (
    INPUT_PX,
    ImageTraits,
    SliceChange,
    SliceChanges,
    SliceName,
)
from ...contracts.results import Detections, LabelledImage
from .sliced_split import Counts, SlicedSplit
from .units import UnitCounts, holm, paired_difference


def compare_slices(
    first: Sequence[Detections],
    second: Sequence[Detections],
    images: Sequence[LabelledImage],
    class_names: Sequence[str],
    traits: ImageTraits,
    *,
    input_sizes: tuple[int, int],
    conf_threshold: float = 0.25,
    confidence: float = 0.95,
) -> SliceChanges:
    """Second model less first, slice by slice, paired by recording or image.

    Args:
        first: what the model in use found, one per image.
        second: what the model that may replace it found.
        input_sizes: side of the first and of the second network's square input. Slices by pixels
            at the input are left out where they differ: they would hold other boxes.

    Raises:
        EvaluationError: as score_slices, for either model.
    """
    before, after = (
        _counts(SlicedSplit.of(found, images, class_names, traits, size, conf_threshold))
        for found, size in zip((first, second), input_sizes, strict=True)
    )
    same_input = input_sizes[0] == input_sizes[1]
    found = {}
    for key, counts in before.items():
        if key[0].dimension != INPUT_PX or same_input:
            told = paired_difference(counts, after[key], traits.unit, confidence)
            if told is not None:
                found[key] = told
    corrected = holm([chance for _, chance in found.values()])
    changes = [
        SliceChange(
            name,
            class_name,
            boxes=int(before[name, class_name].boxes.sum()),
            units=len(before[name, class_name].units),
            difference=difference,
            p_value=chance,
        )
        for ((name, class_name), (difference, _)), chance in zip(
            found.items(), corrected, strict=True
        )
    ]
    return SliceChanges(tuple(sorted(changes, key=lambda c: c.difference.value)), confidence)


def _counts(split: SlicedSplit) -> Counts:
    found: dict[tuple[SliceName, str], UnitCounts] = {}
    for name, counted in split.slices():
        found |= split.counts(name, counted)
    return found
