"""Slices that groups know of: the camera of each image, and the columns of groups.csv.

sliced_columns   camera and columns → a value for each image
slice_problems   gates on cameras and values that the data does not have
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ...contracts.recordings.slices import CAMERA, FIXED_DIMENSIONS, UNKNOWN, SliceName
from ...contracts.results import LocalDataset
from ...support.suggestions import did_you_mean
from ...support.text.spelling import nfc

MOST_VALUES = 50
"""A column of more different values names images, not kinds of them: it is not sliced."""
RESERVED = ("all", "worst", *FIXED_DIMENSIONS)
"""Names that a column can't have as a dimension."""


def sliced_columns(
    dataset: LocalDataset, paths: Sequence[Path]
) -> tuple[dict[str, list[str]], list[str]]:
    """Camera and columns of groups.csv, a value for each image; and why others are left out."""
    if dataset.groups is None:
        return {}, []
    origins = [dataset.groups.origins[path] for path in paths]
    told = {CAMERA: [each.camera for each in origins]}
    for column in dict.fromkeys(column for each in origins for column in each.columns):
        told[nfc(column)] = [each.columns.get(column, "") for each in origins]
    values, left_out = {}, []
    for column, found in told.items():
        different = len(set(found))
        if column in RESERVED:
            left_out.append(
                f"column '{column}' of the groups is not sliced: that name is taken by what is "
                "measured; rename the column"
            )
        elif "." in column:
            left_out.append(
                f"column '{column}' of the groups is not sliced: a dot ends a column's name in "
                "column.value; rename the column"
            )
        elif different > MOST_VALUES:
            left_out.append(
                f"'{column}' of the groups has {different} different values and is not sliced: "
                f"{MOST_VALUES} are the most"
            )
        elif any(found):
            values[column] = [nfc(value) or UNKNOWN for value in found]
    return values, left_out


def slice_problems(
    names: Iterable[str], dataset: LocalDataset, paths: Sequence[Path]
) -> Iterator[tuple[str, str]]:
    """Gates on cameras and columns that the images do not have: the slice, and what is wrong.

    Args:
        names: short names of slices: 'night', 'weather.rain'.
        paths: of the split that is judged.
    """
    for name in names:
        for text in _problems_of(SliceName.read(name), dataset, paths):
            yield name, text


def _problems_of(name: SliceName, dataset: LocalDataset, paths: Sequence[Path]) -> Iterator[str]:
    if name.dimension in FIXED_DIMENSIONS:
        return
    if dataset.groups is None:
        yield (
            f"release.min_recall_in names slice '{name.short}', but nothing says which camera or "
            f"{name.dimension} an image of {dataset.name} has; write dataset.groups: "
            "{file: groups.csv} with such a column"
        )
        return
    values, left_out = sliced_columns(dataset, paths)
    if name.dimension not in values:
        known = [*FIXED_DIMENSIONS, *values]
        why = next((f" ({each})" for each in left_out if f"'{name.dimension}'" in each), "")
        yield (
            f"release.min_recall_in names slice '{name.short}', but the groups of {dataset.name} "
            f"have no column '{name.dimension}'{why}{did_you_mean(name.dimension, known)}; there "
            f"are {', '.join(known)}"
        )
        return
    counts = Counter(values[name.dimension])
    if nfc(name.value) not in counts:
        there = ", ".join(sorted(counts))
        yield (
            f"release.min_recall_in names slice '{name.short}', but no image of the split has "
            f"{name.dimension} '{name.value}'{did_you_mean(name.value, counts)}; there are {there}"
        )
