"""Answers that are not the metrics store's own."""

from __future__ import annotations

from datetime import datetime

from guardianflow.contracts.run_status import RunStatus
from guardianflow.metrics_store.questions.answers import AnswerModel, Page, SiteTile


class Problem(AnswerModel):
    """Why a question can't be answered.

    Attributes:
        known: the names there are, where one is unknown.
    """

    detail: str
    known: tuple[str, ...] = ()


class RunDetail(AnswerModel):
    """A run: of the store where it has finished, else as MLflow has it.

    Attributes:
        timestamp: when it ended; None while it is under way.
        metrics: key → value, as logged last.
    """

    run_id: str
    status: RunStatus
    timestamp: datetime | None
    started: datetime
    experiment_name: str
    run_name: str
    customer: str | None
    site: str | None
    zone: str | None
    task: str | None
    experiment_type: str | None
    experiment_design: str | None
    model_architecture: str | None
    model_version: str | None
    device: str | None
    backend: str | None
    precision: str | None
    dataset_version: str | None
    evaluator: str | None
    interval_unit: str | None
    parent_run_id: str | None
    source_run_id: str | None
    registered_model_name: str | None
    registered_model_version: str | None
    directory: str | None
    metrics: dict[str, float]


class Runs(AnswerModel):
    """A part of the finished runs, the newest first."""

    offset: int
    next_offset: int | None
    runs: tuple[RunDetail, ...]


class ModelVersion(AnswerModel):
    """A version of a registered model. `name` as people write it, with slashes."""

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str | None
    created: datetime
    uri: str
    verdict: str | None


class Models(Page):
    models: tuple[ModelVersion, ...]


class FleetSite(SiteTile):
    """A place, and the version that is champion there."""

    champion: ModelVersion | None


class Directory(AnswerModel):
    """A directory of old scripts.

    Attributes:
        problem: why it can't be looked at.
        drift: whether its scripts are others than when they were scanned; None: not known.
    """

    name: str
    customer: str
    path: str
    problem: str | None
    todo: tuple[str, ...]
    last_run_id: str | None
    last_status: RunStatus | None
    last_started: datetime | None
    error: str | None
    mAP50: float | None  # noqa: N815 - the field's own spelling
    model: str | None
    drift: bool | None


class Fleet(AnswerModel):
    """All places and all old directories.

    Attributes:
        problems: what could not be looked at, and why: MLflow may be away.
    """

    sites: tuple[FleetSite, ...]
    directories: tuple[Directory, ...]
    problems: tuple[str, ...]


class Health(AnswerModel):
    """Whether the dashboard can do its work.

    Attributes:
        damaged_lines: of journals that are no row; the next rebuild brings those runs back.
        problem: of the last catch-up with MLflow.
    """

    status: str
    journal_bytes: int
    damaged_lines: int
    caught_up: datetime | None
    problem: str | None
