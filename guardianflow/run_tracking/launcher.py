"""The run that `mlflow run` has made before it started this process.

`mlflow run` exports its id to us, and mlflow's fluent API, which an experiment's own code may
use, would write into it. So the id is read once, kept here, and removed from the environment
before any code of the user's runs.

When our process ends, `mlflow run` sets that run FINISHED (exit code 0) or FAILED (any other),
whatever status it has by then: mlflow 3.17 means to keep an ended run's status, and compares a
text with a number. So an adopted run that we ended KILLED reads FAILED in the end, and a linked
launcher's run needs no ending from us. The exit code must agree with the status.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..contracts.results import RunRequest
from ..support.secrets.redaction import learn_mapping
from . import names
from .upkeep.ownership import owner_tags

logger = logging.getLogger(__name__)

# All that would make mlflow's fluent API write into a run, experiment or model not of its own.
_ACTIVE_RUN_VARIABLES = (
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_EXPERIMENT_NAME",
    "MLFLOW_ACTIVE_MODEL_ID",
    "_MLFLOW_ACTIVE_MODEL_ID",
)


@dataclass(frozen=True)
class LauncherRun:
    """The run in MLFLOW_RUN_ID; `experiment_id` is None where MLFLOW_EXPERIMENT_ID was unset."""

    run_id: str
    experiment_id: str | None = None


def environment_manager(prefix: Path | None = None) -> str:
    """What `mlflow run --env-manager` must be given to run in this process' environment again.

    Args:
        prefix: of the environment; None takes this process'.
    """
    here = prefix or Path(sys.prefix)
    if (here / "conda-meta").is_dir() and here.name.startswith("mlflow-"):
        return "conda"
    root = os.environ.get("MLFLOW_ENV_ROOT") or Path.home() / ".mlflow" / "envs"
    if here.parent != Path(root):
        return "local"
    settings = (here / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    return "uv" if any(line.startswith("uv =") for line in settings) else "virtualenv"


_lock = threading.Lock()
_taken: LauncherRun | None = None


def take_launcher_run() -> LauncherRun | None:
    """Read the launcher's run and remove every active-run variable from `os.environ`.

    Call it at the start of the process. The answer is kept, so that a later call, and the store
    when it starts a run with `adopt_launcher`, get the same one; None when there is none.
    """
    global _taken
    with _lock:
        found = {name: os.environ.pop(name, "") for name in _ACTIVE_RUN_VARIABLES}
        if found["MLFLOW_RUN_ID"]:
            _taken = LauncherRun(found["MLFLOW_RUN_ID"], found["MLFLOW_EXPERIMENT_ID"] or None)
        return _taken


def claim_launcher_run() -> LauncherRun | None:
    """As `take_launcher_run`, and forget it: one launcher's run serves one run of ours."""
    global _taken
    launcher = take_launcher_run()
    with _lock:
        _taken = None
    return launcher


def adopted_params(request: RunRequest, written: Mapping[str, str]) -> dict[str, str]:
    """The request's parameters, where `mlflow run` has `written` the entry point's already.

    A parameter can't be changed: one that stands there with another value goes beside it, as
    'resolved.' + its key.
    """
    wanted = names.stored_values(request.params, names.PARAM_LIMIT)
    return {
        key if written.get(key, value) == value else f"resolved.{key}": value
        for key, value in wanted.items()
    }


def launcher_tags(request: RunRequest, run_id: str, page: str) -> dict[str, str]:
    """Tags that lead from the launcher's run to ours; `page` is our run's place in the UI.

    It is this process' as well: `mlflow run` ends it soon after us, or else is gone.
    """
    return {
        **owner_tags(),
        "guardianflow.run_id": run_id,
        "guardianflow.experiment": request.experiment_name,
        "mlflow.note.content": (
            f"`mlflow run` launched the run [{request.run_name}]({page}) in experiment "
            f"`{request.experiment_name}`. What it logged stands there."
        ),
    }


def tags_to_clean(tags: Mapping[str, str]) -> dict[str, str]:
    """Of the tags that `mlflow run` wrote, those with a secret, as they may stand."""
    learn_mapping(tags)
    cleaned = {key: names.stored_text(value, names.TAG_LIMIT) for key, value in tags.items()}
    return {key: value for key, value in cleaned.items() if value != tags[key]}


def warn_of_written_secrets(run_id: str, params: Mapping[str, str]) -> None:
    """Say which parameters `mlflow run` has written that hold a secret: none can be changed."""
    learn_mapping(params)
    stored = names.stored_values(params, names.PARAM_LIMIT)
    if written := [key for key, value in params.items() if stored.get(key, value) != value]:
        logger.warning(
            "`mlflow run` has written a secret into run %s, in the parameter %s, and a parameter "
            "can't be changed. Delete the run for good (mlflow runs delete, mlflow gc), revoke "
            "the secret, and give it by the environment: see docs/secrets.md",
            run_id,
            ", ".join(written),
        )
