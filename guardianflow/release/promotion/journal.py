"""The journal of a model's aliases: one tag of the registered model for each change.

An entry is written as 'begun' before the first alias moves and as 'done' after the last, so that
whoever comes after a crash knows what was meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from ...contracts.errors import TrackingError
from ...contracts.ports import AliasStore
from ...contracts.releases import ACTIONS, JournalEntry

JOURNAL_PREFIX = "guardianflow.journal."
BEGUN, DONE, UNDONE = "begun", "done", "undone"


def entry_tag(number: int) -> str:
    return f"{JOURNAL_PREFIX}{number:06d}"


def write_entry(store: AliasStore, name: str, entry: JournalEntry) -> None:
    store.set_model_tag(
        name, entry_tag(entry.number), json.dumps(asdict(entry), ensure_ascii=False)
    )


def history(store: AliasStore, name: str) -> list[JournalEntry]:
    """Every change of the model's aliases, the oldest first; nothing is written.

    Raises:
        SourceError: unknown model.
        TrackingError: the registry refuses, or an entry can't be read; names the tag.
    """
    return entries_in(store.model_tags(name))


def entries_in(tags: Mapping[str, str]) -> list[JournalEntry]:
    """Every change that a registered model's tags tell, the oldest first.

    Raises:
        TrackingError: an entry can't be read; names the tag.
    """
    entries = [_entry(tag, text) for tag, text in tags.items() if tag.startswith(JOURNAL_PREFIX)]
    return sorted(entries, key=lambda entry: entry.number)


def _entry(tag: str, text: str) -> JournalEntry:
    """Unknown fields, of later versions, go."""
    try:
        values = json.loads(text)
        known = {key: values[key] for key in JournalEntry.__dataclass_fields__ if key in values}
        entry = JournalEntry(**known)
        if entry.action not in ACTIONS or entry.state not in (BEGUN, DONE, UNDONE):
            raise ValueError(f"action '{entry.action}', state '{entry.state}'")
        for side in (entry.before, entry.after):
            if not isinstance(side, dict) or not all(isinstance(v, str) for v in side.values()):
                raise ValueError("'before' and 'after' must map aliases to versions")
        if entry_tag(entry.number) != tag:
            raise ValueError(f"its number is {entry.number}")
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise TrackingError(
            f"tag '{tag}' must be an entry of the journal of aliases but can't be read ({exc}). "
            "Mend or delete the tag in MLflow"
        ) from exc
    return entry
