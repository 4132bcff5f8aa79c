"""Runs and models as the contracts know them, and what the store and its fake share about runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..contracts.errors import TrackingError
from ..contracts.results import RegisteredModel, RunRecord
from ..contracts.run_status import RunStatus
from .names import display_name

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

PARENT_TAG = "mlflow.parentRunId"
LAUNCHER_TAG = "launcher.run_id"
ERROR_TAG = "guardianflow.error"
"""Why a run is FAILED or KILLED."""
END_STATUSES = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)

TEXTS_A_CALL = 100
# mlflow's limit for one request is 1 MB, and JSON may write a Hangul letter in six bytes.
TEXT_BYTES_A_CALL = 500_000


def run_record(run: Run, experiment_name: str) -> RunRecord:
    tags = dict(run.data.tags)
    running = run.info.status == RunStatus.RUNNING
    return RunRecord(
        run_id=str(run.info.run_id),
        experiment_name=experiment_name,
        run_name=str(run.info.run_name),
        status=RunStatus(run.info.status),
        start_time_ms=int(run.info.start_time),
        # A reopened run keeps the end of its first life in the store.
        end_time_ms=None if running or run.info.end_time is None else int(run.info.end_time),
        tags=tags,
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
        parent_run_id=tags.get(PARENT_TAG),
    )


def registered_model(version: ModelVersion, aliases: Mapping[str, object]) -> RegisteredModel:
    """A version as the contracts know it.

    Args:
        aliases: of its model, alias → version.
    """
    number = str(version.version)
    return RegisteredModel(
        name=version.name,
        version=number,
        aliases=tuple(sorted(a for a, v in aliases.items() if str(v) == number)),
        display_name=display_name(version.name),
        run_id=version.run_id or None,
        tags=dict(version.tags),
        created_ms=int(version.creation_timestamp),
    )


def run_page(experiment_id: str, run_id: str) -> str:
    """A run's place in the MLflow UI, relative to the server's address."""
    return f"#/experiments/{experiment_id}/runs/{run_id}"


def checked_end_status(status: RunStatus) -> RunStatus:
    if status not in END_STATUSES:
        raise TrackingError(f"a run ends {', '.join(END_STATUSES)}, not '{status}'")
    return status


def checked_status(status: RunStatus) -> RunStatus:
    if status != RunStatus.RUNNING and status not in END_STATUSES:
        raise TrackingError(f"a run's status is RUNNING, {', '.join(END_STATUSES)}, not '{status}'")
    return status


def filter_text(tags: Mapping[str, str], status: RunStatus | None) -> str:
    """The part of a search that the server can do; the caller compares the tags again.

    A value with a quote or a line break can't be written in mlflow's filter language, and is
    left to the caller.
    """
    conditions = [
        f"tags.`{key}` = '{value}'"
        for key, value in tags.items()
        if "'" not in value and "\\" not in value and value.isprintable()
    ]
    if status is not None:
        conditions.append(f"attributes.status = '{checked_status(status)}'")
    return " and ".join(conditions)


def text_batches(values: Mapping[str, str]) -> Iterator[Sequence[tuple[str, str]]]:
    """Parts of at most TEXTS_A_CALL entries and TEXT_BYTES_A_CALL bytes of JSON."""
    part: list[tuple[str, str]] = []
    size = 0
    for key, value in values.items():
        weight = len(json.dumps([key, value]))
        if part and (len(part) == TEXTS_A_CALL or size + weight > TEXT_BYTES_A_CALL):
            yield part
            part, size = [], 0
        part.append((key, value))
        size += weight
    if part:
        yield part
