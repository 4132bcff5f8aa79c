"""`guardianflow migrate`: a draft of a Trainer and a scenario around an old script."""

from __future__ import annotations

import shlex
from pathlib import Path

from experiments_adapters.legacy import DEFAULT_FILE
from experiments_adapters.legacy.migrate import Draft, make_draft, write_draft
from experiments_adapters.legacy.registry import load_registry
from guardianflow.contracts.given import given_path
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.terminal import print_answer
from pipelines.settings import load_settings

from ..options import MigrateCommand

DEFAULT_TARGET = Path("experiments")


def show_migration(asked: MigrateCommand) -> int:
    """Write the draft, and say what is left to do.

    Raises:
        ConfigurationError: all that is in the way; nothing is written then.
    """
    load_settings()  # .env may name ${EXPERIMENTS_BASE}
    file = given_path(asked.experiments) if asked.experiments else DEFAULT_FILE
    experiment = load_registry(file).get(asked.name)
    folder = given_path(asked.target) if asked.target else DEFAULT_TARGET / experiment.name
    draft = make_draft(experiment, folder.absolute(), asked.version or None, asked.script or None)
    write_draft(draft)
    answer = {
        "status": RunStatus.FINISHED,
        "script": str(draft.script),
        "directory": str(draft.target),
        "files": sorted(draft.files),
        "way": draft.way,
        "why": draft.why,
        "todo": list(draft.todos),
    }
    print_answer(asked.as_json, answer, "\n".join(lines_of(draft)))
    return 0


def lines_of(draft: Draft) -> list[str]:
    place = draft.target
    try_it = ["guardianflow", "train", str(place / "scenario.yaml"), "-e", str(place), "--dry-run"]
    return [
        f"{draft.script} was read; it stays as it is. {draft.why}",
        f"A draft to review is in {place}: {', '.join(sorted(draft.files))}",
        *([f"TODO ({len(draft.todos)}):"] if draft.todos else []),
        *(f"  {each}" for each in draft.todos),
        f"Then: {shlex.join(try_it)}",
    ]
