"""The data of a run as MLflow's inputs: what its page shows in the column Dataset.

MLflow keeps 36 characters of a digest; the whole fingerprint is a tag of the input.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..contracts.results import DataInput
from . import names

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

NAME_LIMIT = 500
DIGEST_LENGTH = 32
SOURCE_LIMIT = 500
CONTEXT_TAG = "mlflow.data.context"
DIGEST_TAG = "guardianflow.data_fingerprint"
SOURCE_TYPE = "guardianflow"


def stored(data: DataInput) -> DataInput:
    """What a store keeps of it: texts without secrets, cut to their limits."""
    return DataInput(
        names.stored_text(data.name, NAME_LIMIT),
        data.digest,
        data.split,
        names.stored_text(data.source, SOURCE_LIMIT),
    )


def to_entry(data: DataInput) -> DatasetInput:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    kept = stored(data)
    source = json.dumps({"uri": kept.source}, ensure_ascii=False)
    dataset = Dataset(kept.name, kept.digest[:DIGEST_LENGTH], SOURCE_TYPE, source)
    tags = {CONTEXT_TAG: kept.split, DIGEST_TAG: kept.digest}
    return DatasetInput(dataset, [InputTag(key, value) for key, value in tags.items()])


def read_entries(entries: Iterable[DatasetInput]) -> tuple[DataInput, ...]:
    """The inputs of a run; those that others logged, with the digest they gave."""
    return tuple(sorted((_read(each) for each in entries), key=lambda d: (d.name, d.digest)))


def _read(entry: DatasetInput) -> DataInput:
    tags = {tag.key: tag.value for tag in entry.tags}
    dataset = entry.dataset
    try:
        source = json.loads(dataset.source)
    except ValueError:
        source = None
    address = source.get("uri", "") if isinstance(source, dict) else ""
    return DataInput(
        str(dataset.name),
        tags.get(DIGEST_TAG, str(dataset.digest)),
        tags.get(CONTEXT_TAG, ""),
        str(address),
    )
