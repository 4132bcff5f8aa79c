"""The journal of a model's aliases: one tag of the registered model for each change.

An entry is written as 'begun' before the first alias moves and as 'done' after the last, so that
whoever comes after a crash knows what was meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...contracts.errors import TrackingError
from ...contracts.ports import AliasStore
from ...contracts.releases import ACTIONS, JournalEntry

JOURNAL_PREFIX = "guardianflow.journal."
BEGUN, DONE, UNDONE = "begun", "done", "undone"


def entry_tag(number: int) -> str:
    return f"{JOURNAL_PREFIX}{number:06d}"


def write_entry(store: AliasStore, name: str, entry: JournalEntry) -> None:
    store.set_model_tag(name, entry_tag(entry.number), entry_text(entry))


def entry_text(entry: JournalEntry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False)


def read_journal(store: AliasStore, name: str) -> list[JournalEntry]:
    """Every entry, the oldest first.

    Raises:
        SourceError: unknown model.
        TrackingError: an entry can't be read; names the tag.
    """
    tags = store.model_tags(name)
    entries = [_entry(tag, text) for tag, text in tags.items() if tag.startswith(JOURNAL_PREFIX)]
    return sorted(entries, key=lambda entry: entry.number)


def entry_from_dict(values: Mapping[str, Any]) -> JournalEntry:
    """Raises ValueError or TypeError: it is no entry. Unknown fields, of later versions, go."""
    known = {key: values[key] for key in JournalEntry.__dataclass_fields__ if key in values}
    entry = JournalEntry(**known)
    if entry.action not in ACTIONS or entry.state not in (BEGUN, DONE, UNDONE):
        raise ValueError(f"action '{entry.action}', state '{entry.state}'")
    for side in (entry.before, entry.after):
        if not isinstance(side, dict) or not all(isinstance(v, str) for v in side.values()):
            raise ValueError("'before' and 'after' must map aliases to versions")
    return entry


def _entry(tag: str, text: str) -> JournalEntry:
    try:
        entry = entry_from_dict(json.loads(text))
        if entry_tag(entry.number) != tag:
            raise ValueError(f"its number is {entry.number}")
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise TrackingError(
            f"tag '{tag}' must be an entry of the journal of aliases but can't be read ({exc}). "
            "Mend or delete the tag in MLflow"
        ) from exc
    return entry
