"""Brings what a wrapped script wrote to its run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from experiments_adapters.legacy.changes import Change, Changes
from guardianflow.contracts.ports import RunTracker

SHOWN_LEFT_OUT = 10


def keep_artifacts(
    store: RunTracker, run_id: str, changes: Changes, scratch: Path, note: Callable[[str], None]
) -> tuple[str, ...]:
    """Upload the changed files to `CATEGORY/PATH` of their run, and tell what is not kept.

    `config/changes.json` lists these and what was left out.

    Args:
        note: told lines for people.

    Returns:
        Their paths in the run.

    Raises:
        TrackingError: the store refuses.
    """

    def upload(change: Change) -> str:
        folder, _, name = change.path.rpartition("/")
        place = f"{change.category}/{folder}".rstrip("/")
        store.log_files(run_id, change.place, place)
        return f"{place}/{name}"

    kept = tuple(map(upload, changes.kept))
    path = scratch / "changes.json"
    content = {
        "kept": [change.as_dict() for change in changes.kept],
        "left_out": [{"path": path, "why": why} for path, why in changes.left_out],
    }
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    store.log_files(run_id, path, "config")
    for name, why in changes.left_out[:SHOWN_LEFT_OUT]:
        note(f"not kept: {name} {why}")
    if (more := len(changes.left_out) - SHOWN_LEFT_OUT) > 0:
        note(f"not kept: {more} more, see config/changes.json")
    return kept
