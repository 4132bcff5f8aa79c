"""Images of a data set by class, and those that a quantised model is calibrated on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ..contracts.errors import DatasetError, Problems
from ..contracts.results import LocalDataset
from .datasets import images_of
from .labels import read_labels


def images_by_class(dataset: LocalDataset, split: str) -> dict[str, int]:
    """Class name → images of the split that show at least one object of it.

    Raises:
        DatasetError: no such split, or a label file that became malformed or unreadable.
    """
    shown = _classes_by_image(dataset, images_of(dataset, split)).values()
    return {name: sum(i in ids for ids in shown) for i, name in enumerate(dataset.class_names)}


def _classes_by_image(dataset: LocalDataset, images: Iterable[Path]) -> dict[Path, set[int]]:
    """Ids of the classes that each image shows. Raises DatasetError: labels malformed since."""
    problems, count = Problems(), len(dataset.class_names)
    classes = {i: set(read_labels(i, count, problems)[0].class_ids.tolist()) for i in images}
    if problems:
        raise DatasetError(problems)
    return classes


def sample_calibration_images(dataset: LocalDataset, size: int, *, seed: int) -> tuple[Path, ...]:
    """Pick images of the train split to calibrate a quantised model on.

    Half of them are shared out evenly over the classes, rarest first, so that a class that few
    images show is there too; the rest are drawn at random. Pictures that are in another split
    too, told by their content, are left out: nobody calibrates on what judges.

    Args:
        size: how many are wanted; all there are come back when there are fewer.
        seed: the same seed picks the same images in the same order.

    Raises:
        DatasetError: `size` is below 1, or the train split has no image of its own.
    """
    if size < 1:
        raise DatasetError(f"the calibration size must be at least 1 but got {size}")
    train = [p for p in dataset.splits.get("train", ()) if p not in dataset.judged_pictures]
    if not train:
        raise DatasetError(
            f"data set '{dataset.name}' has no train images of its own to calibrate on "
            f"({len(dataset.splits.get('train', ()))} in train, all of them in another split too)"
        )
    order = np.random.default_rng(seed).permutation(len(train))
    shuffled = [train[i] for i in order]
    if size >= len(shuffled):
        return tuple(shuffled)
    return tuple(_share_out(shuffled, _classes_by_image(dataset, shuffled), size))


def _share_out(shuffled: Sequence[Path], classes: Mapping[Path, set[int]], size: int) -> list[Path]:
    """Images for each class, rarest first, up to its quota; then others in the order given."""
    showing: dict[int, list[Path]] = {}
    for image in shuffled:
        for class_id in classes[image]:
            showing.setdefault(class_id, []).append(image)
    quota = max(1, size // (2 * max(1, len(showing))))
    chosen: dict[Path, None] = {}
    for class_id in sorted(showing, key=lambda c: (len(showing[c]), c)):
        have = sum(class_id in classes[image] for image in chosen)
        for image in showing[class_id]:
            if have >= quota or len(chosen) == size:
                break
            if image not in chosen:
                chosen[image] = None
                have += 1
    others = (image for image in dict.fromkeys(shuffled) if image not in chosen)
    return [*chosen, *islice(others, size - len(chosen))]
