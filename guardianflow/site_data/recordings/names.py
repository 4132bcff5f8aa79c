"""The path of an image as rules see it: below the root of its split.

    images/train/cam3/000123.jpg, train/images/cam3/000123.jpg  →  cam3/000123.jpg

A list names images anywhere, so the folders of splits are told by their names, too: the same image
has the same name whichever split it is in, and however the splits are written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...support.text.spelling import nfc

_OF_SPLIT = re.compile(r"(train|training|val|valid|validation|test|testing|eval|dev)(20\d\d)?")
IMAGES = "images"
"""The folder that Ultralytics looks for labels beside."""


def is_split_name(text: str) -> bool:
    """Whether a folder of that name holds a split: 'train', 'valid', 'val2017'."""
    return bool(_OF_SPLIT.fullmatch(text.lower()))


def names_below(images: Iterable[Path], root: Path, tops: Sequence[Path] = ()) -> dict[Path, str]:
    """Image → its name, NFC, with '/' between folders.

    Args:
        images: absolute.
        root: of the data set.
        tops: the folder of each split, where each split is one folder: names start below it.
    """
    every = list(images)
    places = sorted(map(str, tops), key=len, reverse=True)
    if not all(path.is_relative_to(root) for path in every):
        root = Path(os.path.commonpath([str(path.parent) for path in every]))
    named = {}
    for path in every:
        text = str(path)
        top = next((each for each in places if text.startswith(f"{each}{os.sep}")), str(root))
        named[path] = nfc(_without_splits([*Path(os.path.relpath(text, top)).parts]))
    return named


def _without_splits(parts: list[str]) -> str:
    folders, name = parts[:-1], parts[-1]
    if IMAGES in folders:
        del folders[len(folders) - 1 - folders[::-1].index(IMAGES)]
    split = next((i for i, each in enumerate(folders) if is_split_name(each)), None)
    if split is not None:
        del folders[split]
    return "/".join([*folders, name])
