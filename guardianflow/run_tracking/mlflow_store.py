"""Runs in MLflow, written and read by explicit id: never through the fluent active run.

A run of ours that `mlflow run` launched from another experiment, and the launcher's own run,
name each other by tags: `launcher.run_id` here, `guardianflow.run_id` there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contracts.errors import SourceError, TrackingError
from ..contracts.results import MetricPoint, RunRecord, RunRequest
from ..contracts.run_status import RunStatus
from ..support.suggestions import nearest
from . import names
from .connection import Connection, ResourceMissingError
from .experiments import Experiments
from .launcher import (
    adopted_params,
    claim_launcher_run,
    launcher_tags,
    tags_to_clean,
    warn_of_written_secrets,
)
from .run_records import (
    ERROR_TAG,
    LAUNCHER_TAG,
    PARENT_TAG,
    checked_end_status,
    filter_text,
    run_page,
    run_record,
    text_batches,
)
from .uploads import cleaned

if TYPE_CHECKING:
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

METRICS_A_CALL = 1000
PAGE = 500
IDS_FOR_NEAREST = 2000


class MlflowStore:
    """RunTracker and RunReader on a SQLite file or an MLflow server.

    Args:
        tracking_uri: e.g. 'http://mlflow:5000' or 'sqlite:///runs.db'; None takes
            MLFLOW_TRACKING_URI, else 'mlflow.db' in the working directory. A relative sqlite
            path is made absolute here.

    Raises:
        TrackingError: the store can't be opened or the server can't be reached.
    """

    def __init__(self, tracking_uri: str | None = None) -> None:
        self.connection = Connection(tracking_uri)  # for this room alone
        self._client = self.connection.client
        self._experiments = Experiments(self.connection)

    @property
    def tracking_uri(self) -> str:
        """Absolute: a child process that gets it reaches the same store from any directory."""
        return self.connection.tracking_uri

    # --- RunTracker ---------------------------------------------------------------------------

    def start_run(self, request: RunRequest) -> str:
        """Make a run, or adopt the one that `mlflow run` has made; returns its id.

        Tags and parameters are written before it returns; when that fails the run is ended
        FAILED, so none is left RUNNING.

        Raises:
            SourceError: the parent run is unknown.
            TrackingError: the store refuses; the experiment has been deleted.
        """
        if request.parent_run_id is not None:
            self._run(request.parent_run_id)
        experiment_id = self._experiments.id_of(request.experiment_name)
        launcher = self._launcher() if request.adopt_launcher else None
        if launcher is not None and launcher.info.experiment_id == experiment_id:
            run_id, describe = str(launcher.info.run_id), partial(self._adopt, launcher, request)
        else:
            run_id = self._create(request, experiment_id)
            describe = partial(self._describe, run_id, request, experiment_id, launcher)
        try:
            describe()
        except BaseException as exc:
            try:
                self.end_run(run_id, RunStatus.FAILED)
            except TrackingError as left:
                exc.add_note(f"Run {run_id} is left RUNNING: {left}")
            raise
        return run_id

    def log_metrics(
        self, run_id: str, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        """Log finite values, however many; keys as `names.legal_key` writes them.

        A NaN or infinity is left out, never written as 0. Without a step they stand at 0.
        """
        now_ms = int(time.time() * 1000)
        points = [MetricPoint(key, value, step or 0, now_ms) for key, value in metrics.items()]
        self.log_points(run_id, points)

    def log_points(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        """Log points of any number of curves, 1,000 a call; a NaN or infinity is left out."""
        from mlflow.entities import Metric

        entries = [
            Metric(key, value, point.time_ms, point.step)
            for point in points
            for key, value in names.finite_metrics({point.key: point.value}).items()
        ]
        for start in range(0, len(entries), METRICS_A_CALL):
            self._log(run_id, metrics=entries[start : start + METRICS_A_CALL])

    def annotate(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
    ) -> None:
        """Write parameters and tags as text; a None is left out.

        Keys are written by `names.legal_key`, values by `names.stored_text`. A parameter, once
        written, can't become another value; a tag can.
        """
        from mlflow.entities import Param, RunTag

        for part in text_batches(names.stored_values(params, names.PARAM_LIMIT)):
            entries = [Param(key, value) for key, value in part]
            self._log(run_id, params=entries)
        for part in text_batches(names.stored_values(tags, names.TAG_LIMIT)):
            labels = [RunTag(key, value) for key, value in part]
            self._log(run_id, tags=labels)

    def log_files(self, run_id: str, source: Path, folder: str = "") -> None:
        """Upload a file, or a directory's content, under `folder` of the run's artifacts.

        Secrets in texts are replaced in what is uploaded.
        """
        place = names.artifact_path(folder)
        if not source.exists():
            raise TrackingError(f"{source} must be a file or directory to upload: it is missing")
        upload = self._client.log_artifacts if source.is_dir() else self._client.log_artifact
        with cleaned(source) as clean:
            self.connection.call(
                f"upload {source} to run {run_id}", upload, run_id, str(clean), place or None
            )

    def end_run(self, run_id: str, status: RunStatus = RunStatus.FINISHED) -> None:
        """End a run FINISHED, FAILED or KILLED."""
        ended = checked_end_status(status)
        self.connection.call(f"end run {run_id}", self._client.set_terminated, run_id, ended)

    def reopen_run(self, run_id: str) -> None:
        """Set a FAILED or KILLED run RUNNING again, to resume it; a RUNNING one stays so.

        Why it had ended is forgotten: the tag `guardianflow.error` is removed.

        Raises:
            SourceError: the run is unknown, or FINISHED: nothing is left to resume.
        """
        run = self._run(run_id)
        status = run.info.status
        if status == RunStatus.FINISHED:
            raise SourceError(f"run {run_id} is FINISHED: there is nothing to resume")
        if status != RunStatus.RUNNING:
            self.connection.call(
                f"reopen run {run_id}", self._client.update_run, run_id, status=RunStatus.RUNNING
            )
        if ERROR_TAG in run.data.tags:
            self.connection.call(f"reopen run {run_id}", self._client.delete_tag, run_id, ERROR_TAG)

    def fail_running(self, parent_run_id: str, status: RunStatus = RunStatus.FAILED) -> list[str]:
        """End every RUNNING run below a parent, at any depth; returns their ids.

        For a parent that stops early: its children's processes are gone, their runs are not.
        """
        ended: list[str] = []
        for child in self.find_runs(tags={PARENT_TAG: parent_run_id}, limit=100_000):
            ended += self.fail_running(child.run_id, status)
            if (
                child.status == RunStatus.RUNNING
                and self._run(child.run_id).info.status == RunStatus.RUNNING
            ):
                self.end_run(child.run_id, status)
                ended.append(child.run_id)
        return ended

    # --- RunReader ----------------------------------------------------------------------------

    def get_run(self, run_id: str) -> RunRecord:
        """Raises SourceError when there is no such run (nearest ids named) or it was deleted."""
        run = self._run(run_id)
        experiment = self.connection.call(
            f"read run {run_id}", self._client.get_experiment, run.info.experiment_id
        )
        return run_record(run, experiment.name)

    def find_runs(
        self,
        *,
        experiment_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        status: RunStatus | None = None,
        limit: int = 100,
    ) -> list[RunRecord]:
        """Newest first; tags compared exactly. An unknown experiment gives none."""
        experiments = {
            experiment.experiment_id: experiment.name
            for experiment in self._experiments.all()
            if experiment_name in (None, experiment.name)
        }
        wanted = names.stored_values(tags, names.TAG_LIMIT)
        found: list[RunRecord] = []
        for run in self._search(list(experiments), filter_text(wanted, status)):
            record = run_record(run, experiments[run.info.experiment_id])
            # The server's comparison may ignore case, and some values can't be quoted for it.
            if all(record.tags.get(key) == value for key, value in wanted.items()):
                found.append(record)
            if len(found) >= limit:
                break
        return found[:limit]

    def list_experiments(self) -> list[str]:
        """Names of all experiments that have not been deleted, sorted."""
        return sorted(experiment.name for experiment in self._experiments.all())

    def download(self, run_id: str, path: str, destination: Path) -> Path:
        """Fetch an artifact file or directory to `destination`/`path`; returns where it lies.

        Raises:
            SourceError: the run or the artifact is unknown; names what lies beside it.
        """
        self._run(run_id)
        wanted = names.artifact_path(path)
        folder = wanted.rpartition("/")[0]
        listed = self.connection.call(
            f"list artifacts of run {run_id}",
            self._client.list_artifacts,
            run_id,
            folder or None,
        )
        beside = [entry.path for entry in listed]
        if wanted not in beside:
            there = ", ".join(sorted(beside)[:10]) or "nothing"
            raise SourceError(f"run {run_id} has no artifact '{path}'; beside it lies: {there}")
        destination.mkdir(parents=True, exist_ok=True)
        lies = self.connection.call(
            f"download '{path}' of run {run_id}",
            self._client.download_artifacts,
            run_id,
            wanted,
            str(destination),
        )
        return Path(lies)

    def link_launcher(self, run_id: str) -> None:
        """Point the run that `mlflow run` made to one that stood in for new work.

        Nothing is done where there is none, or where it is that run itself.
        """
        launcher = self._launcher()
        if launcher is None or launcher.info.run_id == run_id:
            return
        run = self._run(run_id)
        request = RunRequest(self.get_run(run_id).experiment_name, str(run.info.run_name))
        page = run_page(run.info.experiment_id, run_id)
        self.annotate(str(launcher.info.run_id), tags=launcher_tags(request, run_id, page))

    # --- inside -------------------------------------------------------------------------------

    def _create(self, request: RunRequest, experiment_id: str) -> str:
        from mlflow.tracking.context.registry import resolve_tags

        # Who and from which source and commit, as mlflow's own runs say it.
        tags = names.stored_values(resolve_tags({}), names.TAG_LIMIT)
        if request.parent_run_id is not None:
            tags[PARENT_TAG] = request.parent_run_id
        run: Run = self.connection.call(
            f"make a run in experiment '{request.experiment_name}'",
            self._client.create_run,
            experiment_id,
            tags=tags,
            run_name=names.stored_text(request.run_name, names.TAG_LIMIT),
        )
        return str(run.info.run_id)

    def _log(self, run_id: str, **batch: Any) -> None:
        # Synchronous whatever MLFLOW_ENABLE_ASYNC_LOGGING says: a failure must reach the caller.
        self.connection.call(
            f"log to run {run_id}", self._client.log_batch, run_id, synchronous=True, **batch
        )

    def _launcher(self) -> Run | None:
        launcher = claim_launcher_run()
        if launcher is None:
            return None
        try:
            run = self._run(launcher.run_id)
        except SourceError as exc:
            raise TrackingError(
                f"MLFLOW_RUN_ID names run {launcher.run_id}, which is not in "
                f"{self.connection.shown_uri}. Set MLFLOW_TRACKING_URI to the launcher's store "
                "(an absolute sqlite path or a server), or unset MLFLOW_RUN_ID"
            ) from exc
        if run.info.status != RunStatus.RUNNING:
            logger.warning(
                "MLFLOW_RUN_ID names run %s, which is %s: it is left alone and a new run is made",
                launcher.run_id,
                run.info.status,
            )
            return None
        # Its parameters can't be changed any more; its tags can.
        warn_of_written_secrets(launcher.run_id, run.data.params)
        self.annotate(launcher.run_id, tags=tags_to_clean(run.data.tags))
        return run

    def _describe(
        self, run_id: str, request: RunRequest, experiment_id: str, launcher: Run | None
    ) -> None:
        self.annotate(run_id, params=request.params, tags=request.tags)
        if launcher is not None:
            self._link(launcher, run_id, request, run_page(experiment_id, run_id))

    def _adopt(self, launcher: Run, request: RunRequest) -> None:
        run_id = str(launcher.info.run_id)
        self.connection.call(
            f"rename run {run_id}",
            self._client.update_run,
            run_id,
            name=names.stored_text(request.run_name, names.TAG_LIMIT),
        )
        tags = dict(request.tags)
        if request.parent_run_id is not None:
            tags[PARENT_TAG] = request.parent_run_id
        self.annotate(run_id, params=adopted_params(request, launcher.data.params), tags=tags)

    def _link(self, launcher: Run, run_id: str, request: RunRequest, page: str) -> None:
        self.annotate(run_id, tags={LAUNCHER_TAG: launcher.info.run_id})
        self.annotate(str(launcher.info.run_id), tags=launcher_tags(request, run_id, page))

    def _run(self, run_id: str) -> Run:
        try:
            run: Run = self.connection.call(f"read run {run_id}", self._client.get_run, run_id)
        except TrackingError as exc:
            unknown = isinstance(exc, ResourceMissingError)
            malformed = getattr(exc.__cause__, "error_code", "") == "INVALID_PARAMETER_VALUE"
            if not (unknown or malformed):
                raise
            raise SourceError(self._unknown_run(run_id)) from exc
        if run.info.lifecycle_stage == "deleted":
            raise SourceError(
                f"run {run_id} has been deleted. Bring it back with "
                f"`mlflow runs restore --run-id {run_id}`, or name another one"
            )
        return run

    def _unknown_run(self, run_id: str) -> str:
        experiments = [experiment.experiment_id for experiment in self._experiments.all()]
        known: list[str] = []
        for run in self._search(experiments, ""):
            known.append(str(run.info.run_id))
            if len(known) >= IDS_FOR_NEAREST:
                break
        near = nearest(run_id, known)
        hint = f"; nearest: {', '.join(near)}" if near else ". `guardianflow list runs` shows all"
        return f"there is no run '{run_id}' in {self.connection.shown_uri}{hint}"

    def _search(self, experiment_ids: list[str], filter_text: str) -> Iterator[Run]:
        if experiment_ids:
            yield from self.connection.pages(
                "search runs",
                self._client.search_runs,
                experiment_ids=experiment_ids,
                filter_string=filter_text,
                max_results=PAGE,
                order_by=["attributes.start_time DESC"],
            )
