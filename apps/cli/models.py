"""Carries out the commands about registered models, and prints what they find."""

from __future__ import annotations

import fnmatch
import shlex
from dataclasses import asdict

from guardianflow.contracts.releases import (
    CANDIDATE,
    CHAMPION,
    COMPARED_TAG,
    OUTCOME_TAG,
    ROLLBACK,
    JournalEntry,
)
from guardianflow.contracts.results import RegisteredModel
from guardianflow.release.promotion.alias_changes import now
from guardianflow.support.terminal import print_answer, print_json, write
from pipelines.registered_models.registry import ModelRegistry

from .listing import Row, show_rows, when
from .options import ModelCommand


def opened() -> ModelRegistry:
    return ModelRegistry(tell=lambda text: write(f"note: {text}", error=True))


def show_models(asked: ModelCommand) -> int:
    """One row a model, the newest first."""
    pattern, customer = asked.pattern, asked.customer
    wild = any(sign in pattern for sign in "*?[")
    found = opened().list_models("" if wild else pattern, customer)
    rows: list[Row] = [
        {
            "model": model.name,
            **{alias: model.aliases.get(alias) for alias in (CANDIDATE, CHAMPION, ROLLBACK)},
            "versions": model.versions,
            "newest": when(model.created_ms),
        }
        for model in found
        if not wild or fnmatch.fnmatchcase(model.name, pattern.replace(".", "/"))
    ]
    wanted = f" like '{pattern}'" * bool(pattern) + f" of {customer}" * bool(customer)
    return show_rows(rows, asked.as_json, f"there is no registered model{wanted}")


def show_versions(asked: ModelCommand) -> int:
    """One row a version, the newest first."""
    found = list(reversed(opened().list_versions(asked.name)))
    if asked.as_json:
        print_json([version_row(model) | {"tags": dict(model.tags)} for model in found])
        return 0
    rows = [version_row(model) for model in found]
    for row in rows:
        del row["model"], row["uri"]
        row["aliases"] = ", ".join(f"@{alias}" for alias in row["aliases"])
        row["judged_against"] = against(row)
    return show_rows(rows, asked.as_json, f"model '{asked.name}' has no version")


def version_row(model: RegisteredModel) -> Row:
    return {
        "model": model.display_name,
        "version": model.version,
        "aliases": list(model.aliases),
        "verdict": model.tags.get(OUTCOME_TAG),
        "judged_against": model.tags.get(COMPARED_TAG) if OUTCOME_TAG in model.tags else None,
        "created": when(model.created_ms),
        "uri": model.uri,
        "run_id": model.run_id,
    }


def against(row: Row) -> str | None:
    if row["verdict"] is None:
        return None
    return f"v{row['judged_against']}" if row["judged_against"] else "no champion"


def promote_model(asked: ModelCommand) -> int:
    decided_at = now()  # before the libraries load, which takes seconds
    entry = opened().promote(
        asked.name, asked.version, reason=asked.reason, force=asked.force, decided_at=decided_at
    )
    return show_change(asked, entry)


def roll_back(asked: ModelCommand) -> int:
    decided_at = now()
    entry = opened().rollback(asked.name, reason=asked.reason, decided_at=decided_at)
    return show_change(asked, entry)


def show_change(asked: ModelCommand, entry: JournalEntry) -> int:
    """Print what is at the site now, and how to go back."""
    dotted, shown = asked.name.replace("/", "."), asked.name.replace(".", "/")
    uri = f"models:/{dotted}@{CHAMPION}"
    if asked.as_json:
        print_json({"model": shown, "uri": uri, "entry": asdict(entry)})
        return 0
    old = entry.before.get(CHAMPION)
    write(
        f"{shown}: v{entry.after[CHAMPION]} is @{CHAMPION} now"
        f"{f' (before: v{old})' if old else ', the first'}"
        f"{', forced' if entry.forced else ''}. Change {entry.number}"
    )
    rest = [
        f"@{alias} = v{entry.after[alias]}"
        for alias in (ROLLBACK, CANDIDATE)
        if alias in entry.after
    ]
    write(f"  {', '.join([uri, *rest])}")
    if entry.note:
        write(f"  {entry.note}")
    if ROLLBACK in entry.after:
        write(f"  back: guardianflow rollback {shlex.quote(shown)}")
    return 0


def show_history(asked: ModelCommand) -> int:
    """One row a change, the oldest first."""
    entries = opened().history(asked.name)
    if asked.as_json:
        print_json([asdict(entry) for entry in entries])
        return 0
    rows: list[Row] = [
        {
            "change": entry.number,
            "what": entry.action + (" (forced)" if entry.forced else ""),
            "champion": moved(entry),
            "state": entry.state,
            "when": entry.when[:19] + "Z",  # always UTC; --json has it as it is kept
            "who": entry.who,
            "why": entry.reason or None,
            "evidence run": entry.evidence_run_id or None,
            "note": entry.note or None,
        }
        for entry in entries
    ]
    shown = asked.name.replace(".", "/")
    return show_rows(rows, asked.as_json, f"the aliases of {shown} have not been moved yet")


def moved(entry: JournalEntry) -> str:
    old, new = (side.get(CHAMPION) for side in (entry.before, entry.after))
    return f"{f'v{old}' if old else 'none'} → {f'v{new}' if new else 'none'}"


def show_uri(asked: ModelCommand) -> int:
    """The resolved URI alone on stdout, for scripts."""
    uri, model = opened().resolve(asked.name, asked.alias)
    answer = {
        "model": model.display_name,
        "alias": asked.alias,
        "version": model.version,
        "uri": uri,
        "resolved": model.uri,
    }
    print_answer(asked.as_json, answer, model.uri)
    return 0
