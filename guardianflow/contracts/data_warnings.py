"""What is odd about a data set without being wrong: causes and numbers, no sentences.

Each face makes its own words: guardianflow/release/report/wording.py for console and report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST_EXAMPLES = 3
LONGEST_EXAMPLE = 160


class DataWarningKind(StrEnum):
    """The causes, with the keys of their numbers.

    WITHOUT_LABELS     without, images: images that have no label file at all
    SHARED_WITH_TRAIN  shared, images: pictures of the split that are in train, told by content
    SAME_PICTURES      copies, images: pictures of the split that are in it under another name too
    REPEATED_LINES     repeats, images: lines of a list, or entries, that name an image again
    ORPHAN_LABELS      orphans, labels: label files whose image is not there
    OTHER_SPELLING     labels: found under another case of '.txt' or another Unicode form
    OTHER_FORMAT       labels: of images without a .txt, an .xml or .json of their name
    SEARCH_CUT_SHORT   entries: so many were looked through for labels in other places, not all
    LINKED_AGAIN       links: to a directory that was read already, or that leads back into itself
    CLIPPED            boxes: reach out of their image by 1 % of its side or less, and are cut
    POLYGONS           rows: outlines, of which the boxes around them are taken
    KEYPOINTS          rows: of poses, of which the boxes are taken
    REPEATED_ROWS      rows: of a label file that say the same as another one
    RECORDINGS_ACROSS  across, groups: recordings with images in several splits
    CAMERAS_ACROSS     across, groups: the same of cameras, where recordings are not known
    SPLIT_ABSENT       the split that is named but not there
    """

    WITHOUT_LABELS = "without_labels"
    SHARED_WITH_TRAIN = "shared_with_train"
    SAME_PICTURES = "same_pictures"
    REPEATED_LINES = "repeated_lines"
    ORPHAN_LABELS = "orphan_labels"
    OTHER_SPELLING = "other_spelling"
    OTHER_FORMAT = "other_format"
    SEARCH_CUT_SHORT = "search_cut_short"
    LINKED_AGAIN = "linked_again"
    CLIPPED = "clipped"
    POLYGONS = "polygons"
    KEYPOINTS = "keypoints"
    REPEATED_ROWS = "repeated_rows"
    RECORDINGS_ACROSS = "recordings_across"
    CAMERAS_ACROSS = "cameras_across"
    SPLIT_ABSENT = "split_absent"


@dataclass(frozen=True)
class DataWarning:
    """One oddity of a data set.

    Args:
        split: the one it is in; '' where it is in none or in several.
        numbers: by the keys that its cause has.
        examples: a few paths.
    """

    cause: DataWarningKind
    split: str = ""
    numbers: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; what is empty is left out."""
        values = {
            "cause": str(self.cause),
            "split": self.split,
            "numbers": dict(self.numbers),
            "examples": list(self.examples),
        }
        return {key: value for key, value in values.items() if value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataWarning:
        """Raises KeyError, ValueError or TypeError for what `to_dict` can't have made."""
        return cls(
            DataWarningKind(values["cause"]),
            str(values.get("split", "")),
            {str(key): int(number) for key, number in values.get("numbers", {}).items()},
            tuple(str(each) for each in values.get("examples", ())),
        )


def few(paths: Sequence[object]) -> tuple[str, ...]:
    """Examples for a warning: the first of them, long ones by their end, where names differ."""
    texts = [str(path) for path in paths[:MOST_EXAMPLES]]
    return tuple(t if len(t) <= LONGEST_EXAMPLE else f"…{t[1 - LONGEST_EXAMPLE :]}" for t in texts)


def as_tag(warnings: Sequence[DataWarning], longest: int = 4000) -> str:
    """All of them as JSON for a tag; without examples where it would be too long with them."""
    text = json.dumps([each.to_dict() for each in warnings], ensure_ascii=False)
    if len(text) <= longest:
        return text
    bare = [DataWarning(each.cause, each.split, each.numbers) for each in warnings]
    return json.dumps([each.to_dict() for each in bare], ensure_ascii=False)
