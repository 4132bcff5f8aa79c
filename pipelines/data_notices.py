"""What a stage says of its data: on the console, in tags, in a summary.

Which image lacks what is for the log and the report; here are counts, and one example each.
"""

from __future__ import annotations

from collections.abc import Iterable

from guardianflow.contracts.data_warnings import DataWarning, as_tag
from guardianflow.contracts.results import LocalDataset, StageResult
from guardianflow.release.report.wording import Wording

WARNINGS_TAG = "data.warnings"
"""JSON: a list of DataWarning.to_dict()."""
WITHOUT_LABELS_TAG = "data.images_without_labels"
"""For each split, `data.images_without_labels.val`: images that have no label file at all."""


def notices(dataset: LocalDataset) -> list[str]:
    """Lines for the console: how many images have no label, always, and what is odd."""
    counts = ", ".join(
        f"{split} {dataset.without_labels.get(split, 0)} of {len(images)}"
        for split, images in dataset.splits.items()
    )
    told = [f"{dataset.name}: images without a label file: {counts}"]
    return told + [f"warning: {text}" for text in warning_texts(dataset.warnings)]


def warning_texts(warnings: Iterable[DataWarning]) -> list[str]:
    """A sentence a warning, in English."""
    words = Wording("en")
    return [words.data_warning(each) for each in warnings]


def warning_tags(dataset: LocalDataset) -> dict[str, str]:
    """Tags of a run on this data."""
    tags = {
        f"{WITHOUT_LABELS_TAG}.{split}": str(count)
        for split, count in dataset.without_labels.items()
    }
    return tags | ({WARNINGS_TAG: as_tag(dataset.warnings)} if dataset.warnings else {})


def warnings_of(results: Iterable[StageResult]) -> tuple[DataWarning, ...]:
    """Those of several stages, each once."""
    found: list[DataWarning] = []
    for result in results:
        found += [each for each in result.data_warnings if each not in found]
    return tuple(found)
