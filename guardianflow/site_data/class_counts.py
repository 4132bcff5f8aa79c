"""Counts the images that show each class."""

from __future__ import annotations

import numpy as np

from ..contracts.errors import DatasetError, Problems
from ..contracts.results import LocalDataset
from .labels import read_labels


def images_by_class(dataset: LocalDataset, split: str) -> dict[str, int]:
    """Class name → images of the split that show at least one object of it.

    Raises:
        DatasetError: no such split, or a label file that became malformed or unreadable.
    """
    images = dataset.splits.get(split)
    if images is None:
        raise DatasetError(
            f"data set '{dataset.name}' has no split '{split}'; it has: {', '.join(dataset.splits)}"
        )
    counts = np.zeros(len(dataset.class_names), dtype=np.int64)
    problems = Problems()
    for image in images:
        counts[np.unique(read_labels(image, len(counts), problems)[0].class_ids)] += 1
    if problems:
        raise DatasetError(problems)
    return dict(zip(dataset.class_names, counts.tolist(), strict=True))
