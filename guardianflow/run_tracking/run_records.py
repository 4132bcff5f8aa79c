"""Runs and models as the contracts know them, and what the store and its fake share about runs."""

from __future__ import annotations

import json
import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..contracts.errors import SourceError, TrackingError
from ..contracts.ports import RunHistory, RunReader, RunTracker
from ..contracts.results import MetricPoint, RegisteredModel, RunRecord, RunRequest
from ..contracts.run_status import RunStatus
from .data_inputs import read_entries
from .launcher import (
    LauncherRun,
    adopted_params,
    claim_launcher_run,
    launcher_tags,
    tags_to_clean,
    warn_of_written_secrets,
)
from .names import artifact_path, display_name, legal_key
from .upkeep.ownership import with_owner
from .uploads import cleaned

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

PARENT_TAG = "mlflow.parentRunId"
LAUNCHER_TAG = "launcher.run_id"
ERROR_TAG = "guardianflow.error"
"""Why a run is FAILED or KILLED."""
FAILURE_TAG = "failure.reason"
"""The same for programs: a FailureReason."""
CHECKPOINT_TAG = "failure.last_good_checkpoint"
CHECKPOINT_EPOCH_TAG = "failure.last_good_epoch"
END_TAGS = (ERROR_TAG, FAILURE_TAG, CHECKPOINT_TAG, CHECKPOINT_EPOCH_TAG)
"""Of a run that did not go well; a run that is opened again loses them."""
END_STATUSES = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)

TEXTS_A_CALL = 100
# mlflow's limit for one request is 1 MB, and JSON may write a Hangul letter in six bytes.
TEXT_BYTES_A_CALL = 500_000


CLIENT_TAG = "guardianflow.client_id"
"""On a run that was made through the spool: the name it had before the store gave it an id."""
WAITING_TAG = "guardianflow.registration_waits"
"""Of a run as journals tell it: the name that its detector gets when it is sent. In no store."""
LOCAL_PREFIX = "local-"
"""Of the id of a run that began while the store was away; its client id comes after."""


class CommonStore(RunTracker, RunReader, RunHistory, ABC):
    """What every store of runs does alike, by the other calls of its ports."""

    def log_metrics(
        self, run_id: str, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        now_ms = int(time.time() * 1000)
        points = [MetricPoint(key, value, step or 0, now_ms) for key, value in metrics.items()]
        self.log_points(run_id, points)

    @abstractmethod
    def _upload(self, run_id: str, source: Path, place: str, doing: str) -> None:
        """Upload a file or a directory's content that was cleaned; `doing` is for messages."""

    def log_files(self, run_id: str, source: Path, folder: str = "") -> None:
        place = artifact_path(folder)
        if not source.exists():
            raise TrackingError(f"{source} must be a file or directory to upload: it is missing")
        with cleaned(source) as clean:
            self._upload(run_id, clean, place, f"upload {source} to run {run_id}")

    def fail_running(self, parent_run_id: str, status: RunStatus = RunStatus.FAILED) -> list[str]:
        """End every RUNNING run below a parent, at any depth; returns their ids.

        For a parent that stops early: its children's processes are gone, their runs are not.
        """
        ended: list[str] = []
        for child in self.find_runs(tags={PARENT_TAG: parent_run_id}, limit=100_000):
            ended += self.fail_running(child.run_id, status)
            running = child.status == RunStatus.RUNNING
            if running and self.get_run(child.run_id).status == RunStatus.RUNNING:
                self.end_run(child.run_id, status)
                ended.append(child.run_id)
        return ended


class BaseStore(CommonStore):
    """The part of RunTracker and RunReader that the store and its fake do alike.

    Attributes:
        shown_uri: the store, without secrets, for messages.
    """

    shown_uri: str

    @abstractmethod
    def _experiment_id(self, name: str) -> str:
        """The id of an experiment, made when there is none."""

    @abstractmethod
    def _create(self, request: RunRequest, experiment_id: str) -> str:
        """Make a run with its name, its parent and its owner's tags; returns its id."""

    @abstractmethod
    def _rename(self, run_id: str, name: str) -> None: ...

    def start_run(self, request: RunRequest) -> str:
        made: list[str] = []
        try:
            return self._begin(request, self._launcher() if request.adopt_launcher else None, made)
        except BaseException as exc:
            for run_id in made:
                try:
                    self.end_run(run_id, RunStatus.FAILED)
                except TrackingError as left:
                    exc.add_note(f"Run {run_id} is left RUNNING: {left}")
            raise

    def _begin(self, request: RunRequest, launcher: RunRecord | None, made: list[str]) -> str:
        """Make the run, or adopt the launcher's where it is in the same experiment.

        Args:
            made: gets the run's id as soon as there is one.
        """
        if request.parent_run_id is not None:
            self.get_run(request.parent_run_id)
        request = with_owner(request)
        experiment_id = self._experiment_id(request.experiment_name)
        at_home = launcher is not None and launcher.experiment_name == request.experiment_name
        adopted = launcher if at_home else None
        run_id = adopted.run_id if adopted else self._create(request, experiment_id)
        made.append(run_id)
        params, tags = dict(request.params), dict(request.tags)
        if adopted:
            self._rename(run_id, request.run_name)
            params = adopted_params(request, adopted.params)
            if request.parent_run_id is not None:
                tags[PARENT_TAG] = request.parent_run_id
        self.annotate(run_id, params=params, tags=tags)
        if launcher and not adopted:
            self.annotate(run_id, tags={LAUNCHER_TAG: launcher.run_id})
            self._link(launcher, run_id, request, experiment_id)
        return run_id

    def settle(self, patience_s: float = 10.0) -> str:  # noqa: ARG002
        return ""  # whatever was written is there

    def link_launcher(self, run_id: str) -> None:
        """Point the run that `mlflow run` made to one that stood in for new work.

        Nothing is done where there is none, or where it is that run itself.
        """
        launcher = self._launcher()
        if launcher is not None and launcher.run_id != run_id:
            run = self.get_run(run_id)
            request = RunRequest(run.experiment_name, run.run_name)
            self._link(launcher, run_id, request, self._experiment_id(run.experiment_name))

    def _link(
        self, launcher: RunRecord, run_id: str, request: RunRequest, experiment_id: str
    ) -> None:
        page = run_page(experiment_id, run_id)
        self.annotate(launcher.run_id, tags=launcher_tags(request, run_id, page))

    def _launcher(self) -> RunRecord | None:
        """The run that `mlflow run` made, once; None where there is none, or it has ended."""
        claimed = claim_launcher_run()
        return self._running_launcher(claimed) if claimed is not None else None

    def _running_launcher(self, claimed: LauncherRun) -> RunRecord | None:
        """That run; None where it has ended. Its tags are cleaned of secrets."""
        try:
            launcher = self.get_run(claimed.run_id)
        except SourceError as exc:
            raise TrackingError(
                f"MLFLOW_RUN_ID names run {claimed.run_id}, which is not in {self.shown_uri}. Set "
                "MLFLOW_TRACKING_URI to the launcher's store (an absolute sqlite path or a "
                "server), or unset MLFLOW_RUN_ID"
            ) from exc
        if launcher.status != RunStatus.RUNNING:
            logger.warning(
                "MLFLOW_RUN_ID names run %s, which is %s: it is left alone and a new run is made",
                launcher.run_id,
                launcher.status,
            )
            return None
        # Its parameters can't be changed any more; its tags can.
        warn_of_written_secrets(launcher.run_id, launcher.params)
        self.annotate(launcher.run_id, tags=tags_to_clean(launcher.tags))
        return launcher


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
        data=read_entries(run.inputs.dataset_inputs if run.inputs else ()),
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


def finite_points(points: Iterable[MetricPoint]) -> Iterator[MetricPoint]:
    """The points under legal keys; a NaN or infinity is left out.

    Raises:
        TrackingError: a value is not a number.
    """
    for point in points:
        try:
            value = float(point.value)
        except (TypeError, ValueError) as exc:
            raise TrackingError(
                f"metric '{point.key}' must be a number but got {point.value!r:.80}; log texts as "
                "tags"
            ) from exc
        if math.isfinite(value):
            yield MetricPoint(legal_key(point.key), value, point.step, point.time_ms)


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
