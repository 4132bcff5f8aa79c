"""Brings what a wrapped script wrote to its run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from experiments_adapters.legacy.changes import Change, Changes
from experiments_adapters.legacy.registry_schema import LegacyArtifacts
from guardianflow.contracts.ports import RunTracker

SHOWN_LEFT_OUT = 10


class ArtifactKeeper:
    """Uploads a script's files to `CATEGORY/PATH` of its run and tells what is not kept.

    Args:
        rules: limits of what is kept.
        note: told lines for people.
    """

    def __init__(
        self, store: RunTracker, run_id: str, rules: LegacyArtifacts, note: Callable[[str], None]
    ) -> None:
        self._store, self._run_id, self._rules, self._note = store, run_id, rules, note

    def keep(self, changes: Changes, scratch: Path) -> list[str]:
        """Upload the changed files; `config/changes.json` lists these and what was left out.

        Returns:
            Their paths in the run.

        Raises:
            TrackingError: the store refuses.
        """
        kept = [self._upload(change) for change in changes.kept]
        path = scratch / "changes.json"
        content = {
            "kept": [change.as_dict() for change in changes.kept],
            "left_out": [{"path": path, "why": why} for path, why in changes.left_out],
        }
        path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        self._store.log_files(self._run_id, path, "config")
        for name, why in changes.left_out[:SHOWN_LEFT_OUT]:
            self._note(f"not kept: {name} {why}")
        if (more := len(changes.left_out) - SHOWN_LEFT_OUT) > 0:
            self._note(f"not kept: {more} more, see config/changes.json")
        return kept

    def _upload(self, change: Change) -> str:
        folder, _, name = change.path.rpartition("/")
        place = f"{change.category}/{folder}".rstrip("/")
        self._store.log_files(self._run_id, change.place, place)
        return f"{place}/{name}"
