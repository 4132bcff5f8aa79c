"""Brings what a wrapped script wrote to its run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments_adapters.legacy.changes import Change, Changes, category_of, new_files
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

    def keep(self, root: Path, changes: Changes, scratch: Path) -> list[str]:
        """Upload the changed files; `config/changes.json` lists these and what was left out.

        Returns:
            Their paths in the run.

        Raises:
            TrackingError: the store refuses.
        """
        kept = [self._upload(root, change) for change in changes.kept]
        path = scratch / "changes.json"
        content = {
            "kept": [vars(change) for change in changes.kept],
            "left_out": [{"path": path, "why": why} for path, why in changes.left_out],
        }
        path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        self._store.log_files(self._run_id, path, "config")
        for name, why in changes.left_out[:SHOWN_LEFT_OUT]:
            self._note(f"not kept: {name} {why}")
        if (more := len(changes.left_out) - SHOWN_LEFT_OUT) > 0:
            self._note(f"not kept: {more} more, see config/changes.json")
        return kept

    def keep_outside(self, folders: Sequence[Path], since_ns: int) -> list[str]:
        """Results that Ultralytics' own setting sends elsewhere; no model comes from there."""
        kept = []
        for folder in folders:
            room = self._rules.max_total_mb * 1e6
            for each in new_files(folder, since_ns):
                category = category_of(each.path)
                if not category or each.size > min(room, self._rules.max_file_mb * 1e6):
                    continue
                room -= each.size
                change = Change(each.path, category, each.size, each.mtime_ns, is_new=True)
                kept.append(self._upload(folder, change))
            self._note(
                f"it wrote to {folder}, outside its directory: its files are kept, its weights "
                "are not registered. Pass project= to the script's training to keep them inside"
            )
        return kept

    def _upload(self, root: Path, change: Change) -> str:
        folder, _, name = change.path.rpartition("/")
        place = f"{change.category}/{folder}".rstrip("/")
        self._store.log_files(self._run_id, root / change.path, place)
        return f"{place}/{name}"
