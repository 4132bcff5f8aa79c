"""A site with Hangul classes in slices: a champion, and a candidate that is half blind at night."""

from __future__ import annotations

from functools import cache

import numpy as np
from made_splits import made_split

from guardianflow.contracts.recordings.groups import EvidenceUnit
from guardianflow.contracts.recordings.slices import ImageTraits, SliceChanges, SliceTable
from guardianflow.contracts.results import Detections
from guardianflow.evaluation.slices.comparison import compare_slices
from guardianflow.evaluation.slices.scores import score_slices

NAMES = ("helmet", "안전모 미착용", "<b>지게차</b> & 🚜")
RECORDING_IMAGES = 12


@cache
def sliced_site(
    recordings: int = 24, *, unit: EvidenceUnit = EvidenceUnit.RECORDING
) -> tuple[SliceTable, SliceTable, SliceChanges]:
    """(champion, candidate, how they differ). Every third recording is at night."""
    count = recordings * RECORDING_IMAGES
    before, images = made_split(5, images=count)
    places = [index // RECORDING_IMAGES for index in range(count)]
    light = [("day", "dim", "night")[place % 3] for place in places]
    groups = [f"clip{place}" for place in places] if unit is EvidenceUnit.RECORDING else None
    values = {"light": light, "camera": [f"정문 {place % 2}" for place in places]}
    traits = ImageTraits(values, unit, groups)
    after = [
        _half_blind(found) if each == "night" else found
        for found, each in zip(before, light, strict=True)
    ]
    first, second = (
        score_slices(f, images, NAMES, traits, input_size=640) for f in (before, after)
    )
    changes = compare_slices(before, after, images, NAMES, traits, input_sizes=(640, 640))
    return first, second, changes


def _half_blind(found: Detections) -> Detections:
    kept = np.arange(len(found)) % 2 == 0
    return Detections(found.boxes_xyxy[kept], found.scores[kept], found.class_ids[kept])
