"""gt/gt.txt → what is truly in a sequence, and what its class ids mean.

gt/labels.txt there          'own': line i names class id i, as CVAT and Datumaro export it
no class column, or -1s      'none': MOT15, or a file of one kind of object; class 1
else                         'motchallenge': class ids 1 to 13 as MOTChallenge numbers them
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...contracts.errors import Problems
from ...contracts.sequences import Classes
from ...support.text.encodings import NotUtf8Error, decode_utf8
from .track_rows import CLASS, SHOWN_PROBLEMS, WORLD_COLUMNS, TrackTable, read_table

MOTCHALLENGE_CLASSES = {
    1: "pedestrian",
    2: "person on vehicle",
    3: "car",
    4: "bicycle",
    5: "motorbike",
    6: "non motorised vehicle",
    7: "static person",
    8: "distractor",
    9: "occluder",
    10: "occluder on the ground",
    11: "occluder full",
    12: "reflection",
    13: "crowd",
}
ONLY_CLASS = 1


class GroundTruth:
    """A sequence's ground truth and its classes.

    Args:
        file: gt.txt; labels.txt is looked for beside it.
        problems: everything wrong with the two files is added to it.

    Attributes:
        rows, class_names, classes: as in TrackingSequence.
        table: the file's rows, for messages.
    """

    def __init__(self, file: Path, problems: Problems) -> None:
        self.table = read_table(file, problems)
        labels = file.with_name("labels.txt")
        names = _read_labels(labels, problems) if labels.is_file() else None
        self.classes: Classes
        self.class_names: Mapping[int, str]
        if names is not None:
            self.classes, self.class_names = "own", names
        elif _names_no_class(self.table, problems):
            self.classes, self.class_names = "none", {ONLY_CLASS: MOTCHALLENGE_CLASSES[ONLY_CLASS]}
        else:
            self.classes, self.class_names = "motchallenge", MOTCHALLENGE_CLASSES
        self.rows = self.table.rows(self._class_ids(problems))

    def _class_ids(self, problems: Problems) -> npt.NDArray[np.int64]:
        """Class of each row; one that has no name is a problem."""
        count = len(self.table.values)
        unnamed = self.table.columns <= CLASS
        if unnamed and count and len(self.class_names) > 1:
            problems.add(
                f"has no class column (the eighth), but labels.txt beside it names "
                f"{len(self.class_names)} classes; export it with classes",
                self.table.path,
            )
        if unnamed or self.classes == "none":
            return np.full(count, ONLY_CLASS, dtype=np.int64)
        class_ids = self.table.class_column()
        wrong = np.flatnonzero(~np.isin(class_ids, list(self.class_names)))
        known = (
            f"labels.txt names 1 to {len(self.class_names)}"
            if self.classes == "own"
            else "MOTChallenge has 1 to 13; name classes of your own in gt/labels.txt, one a line"
        )
        problems += [
            self.table.at(int(i), f"class {self.table.values[i, CLASS]:g} is unknown: {known}")
            for i in wrong[:SHOWN_PROBLEMS]
        ]
        return class_ids


def _names_no_class(table: TrackTable, problems: Problems) -> bool:
    """Whether no row names a class, MOT15's way or by leaving the column out."""
    if table.columns <= CLASS or not len(table.values):
        return True
    column = table.values[:, CLASS]
    if (column == -1).all():
        return True
    if table.columns != WORLD_COLUMNS:
        return False
    visibility = table.values[:, CLASS + 1]
    like_classes = np.isin(column, list(MOTCHALLENGE_CLASSES)).all()
    if like_classes and ((visibility == -1) | ((visibility >= 0) & (visibility <= 1))).all():
        # Taken for a place in the world, classes would silently be thrown together.
        problems.add(
            "has ten columns, of which MOT15 means the last three as a place in the world, but "
            "the eighth looks like class ids; leave the tenth column out, or name the classes "
            "in gt/labels.txt",
            table.path,
        )
    return True


def _read_labels(path: Path, problems: Problems) -> dict[int, str]:
    """Class names by id, the first line being 1."""
    try:
        lines = decode_utf8(path.read_bytes(), path.name).rstrip().splitlines()
    except (OSError, NotUtf8Error) as exc:
        problems.add(str(exc), path)
        return {ONLY_CLASS: "unknown"}
    names = {number: line.strip() for number, line in enumerate(lines, start=1)}
    for number, name in names.items():
        first = next(n for n, other in names.items() if other == name)
        if not name:
            problems.add("a class name must not be empty", f"{path}:{number}")
        elif first != number:
            problems.add(f"class '{name}' is in line {first} too", f"{path}:{number}")
    if not names:
        problems.add("names no class; write one a line, or remove the file", path)
        return {ONLY_CLASS: "unknown"}
    return names
