"""Runs in MLflow, written and read by explicit id: never through the fluent active run.

A run of ours that `mlflow run` launched from another experiment, and the launcher's own run,
name each other by tags: `launcher.run_id` here, `guardianflow.run_id` there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contracts.errors import SourceError, TrackingError
from ..contracts.results import DataInput, MetricPoint, RunRecord, RunRequest
from ..contracts.run_status import RunStatus
from ..support.suggestions import nearest
from . import data_inputs, names
from .connection import Connection, ResourceMissingError, error_code, sqlite_path
from .run_records import (
    CLIENT_TAG,
    END_TAGS,
    LOCAL_PREFIX,
    PARENT_TAG,
    BaseStore,
    checked_end_status,
    filter_text,
    finite_points,
    run_record,
    text_batches,
)
from .upkeep.ownership import owner_of_request, owner_tags

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Metric, Run

METRICS_A_CALL = 1000
PAGE = 500
IDS_FOR_NEAREST = 2000


class MlflowStore(BaseStore):
    """RunTracker and RunReader on a SQLite file or an MLflow server.

    Args:
        tracking_uri: e.g. 'http://mlflow:5000' or 'sqlite:///runs.db'; None takes
            MLFLOW_TRACKING_URI, else 'mlflow.db' in the working directory. A relative sqlite
            path is made absolute here.
        connection: one that is open already; the tracking URI is not asked then.

    Raises:
        TrackingError: the store can't be opened or the server can't be reached.
    """

    def __init__(
        self, tracking_uri: str | None = None, connection: Connection | None = None
    ) -> None:
        self.connection = connection or Connection(tracking_uri)  # for this room alone
        self.shown_uri = self.connection.shown_uri
        self._client = self.connection.client
        self._experiment_ids: dict[str, str] = {}

    @property
    def tracking_uri(self) -> str:
        """Absolute: a child process that gets it reaches the same store from any directory."""
        return self.connection.tracking_uri

    # --- RunTracker ---------------------------------------------------------------------------

    def log_points(self, run_id: str, points: Sequence[MetricPoint]) -> None:
        from mlflow.entities import Metric

        entries = [Metric(p.key, p.value, p.time_ms, p.step) for p in finite_points(points)]
        for start in range(0, len(entries), METRICS_A_CALL):
            self._log(run_id, metrics=entries[start : start + METRICS_A_CALL])

    def annotate(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
    ) -> None:
        from mlflow.entities import Param, RunTag

        for part in text_batches(names.stored_values(params, names.PARAM_LIMIT)):
            self._log(run_id, params=[Param(key, value) for key, value in part])
        for part in text_batches(names.stored_values(tags, names.TAG_LIMIT)):
            self._log(run_id, tags=[RunTag(key, value) for key, value in part])

    def log_data(self, run_id: str, data: DataInput) -> None:
        from mlflow.entities import DatasetInput

        entry: DatasetInput = data_inputs.to_entry(data)
        client = self.connection.doing(f"log the data set of run {run_id}")
        client.log_inputs(run_id, datasets=[entry])

    def end_run(self, run_id: str, status: RunStatus = RunStatus.FINISHED) -> None:
        ended = checked_end_status(status)
        self.connection.doing(f"end run {run_id}").set_terminated(run_id, ended)

    def reopen_run(self, run_id: str) -> None:
        """Set a FAILED or KILLED run RUNNING again, to resume it; a RUNNING one stays so.

        It is this process' from now on, and before it is RUNNING: nobody may take it for dead.
        Why it had ended is forgotten: the tag `guardianflow.error` is removed.

        Raises:
            SourceError: the run is unknown, or FINISHED: nothing is left to resume.
        """
        run, client = self._run(run_id), self.connection.doing(f"reopen run {run_id}")
        status = run.info.status
        if status == RunStatus.FINISHED:
            raise SourceError(f"run {run_id} is FINISHED: there is nothing to resume")
        self.annotate(run_id, tags=owner_tags())
        if status != RunStatus.RUNNING:
            client.update_run(run_id, status=RunStatus.RUNNING)
        for tag in set(END_TAGS) & set(run.data.tags):
            client.delete_tag(run_id, tag)

    def remove_files(self, run_id: str, folder: str) -> None:
        """As pipelines.wiring.Store's; a file that is gone already is no error."""
        run, place = self._run(run_id), names.artifact_path(folder)
        repository = self.connection.files_at(run.info.artifact_uri)
        doing = f"remove '{folder}' of run {run.info.run_id}"
        if self.connection.call(doing, repository.list_artifacts, place):
            self.connection.call(doing, repository.delete_artifacts, place)

    # --- RunReader ----------------------------------------------------------------------------

    def get_run(self, run_id: str) -> RunRecord:
        run, client = self._run(run_id), self.connection.doing(f"read run {run_id}")
        return run_record(run, client.get_experiment(run.info.experiment_id).name)

    def find_runs(
        self,
        *,
        experiment_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        status: RunStatus | None = None,
        limit: int = 100,
    ) -> list[RunRecord]:
        known = self._names()
        experiments = {i: name for i, name in known.items() if experiment_name in (None, name)}
        wanted = names.stored_values(tags, names.TAG_LIMIT)
        found = (
            run_record(run, experiments[run.info.experiment_id])
            for run in self._search(experiments, filter_text(wanted, status))
            # The server's comparison may ignore case, and some values can't be quoted for it.
            if all(run.data.tags.get(key) == value for key, value in wanted.items())
        )
        return list(islice(found, limit))

    def finished_runs(self, ended_since_ms: int | None = None) -> Iterator[RunRecord]:
        experiments = self._names()
        wanted = filter_text({}, RunStatus.FINISHED)
        if ended_since_ms is not None:
            wanted += f" and attributes.end_time >= {ended_since_ms}"
        for run in self._search(experiments, wanted):
            yield run_record(run, experiments[run.info.experiment_id])

    def logged_steps(self, run_id: str, key: str) -> frozenset[int]:
        return frozenset(int(point.step) for point in self._history(run_id, key))

    def curve(self, run_id: str, key: str) -> list[tuple[int, float]]:
        in_order = sorted(self._history(run_id, key), key=lambda point: point.timestamp)
        return sorted({int(point.step): float(point.value) for point in in_order}.items())

    def list_experiments(self) -> list[str]:
        return sorted(self._names().values())

    def download(self, run_id: str, path: str, destination: Path) -> Path:
        run_id = str(self._run(run_id).info.run_id)
        wanted = names.artifact_path(path)
        folder = wanted.rpartition("/")[0]
        client = self.connection.doing(f"list artifacts of run {run_id}")
        beside = [entry.path for entry in client.list_artifacts(run_id, folder or None)]
        if wanted not in beside:
            there = ", ".join(sorted(beside)[:10]) or "nothing"
            raise SourceError(f"run {run_id} has no artifact '{path}'; beside it lies: {there}")
        destination.mkdir(parents=True, exist_ok=True)
        client = self.connection.doing(f"download '{path}' of run {run_id}")
        return Path(client.download_artifacts(run_id, wanted, str(destination)))

    # --- inside -------------------------------------------------------------------------------

    def _history(self, run_id: str, key: str) -> list[Metric]:
        run_id = str(self._run(run_id).info.run_id)
        client = self.connection.doing(f"read metric '{key}' of run {run_id}")
        return list(client.get_metric_history(run_id, names.legal_key(key)))

    def _names(self) -> dict[str, str]:
        """Id → name of every experiment that has not been deleted."""
        every = self.connection.pages("list experiments", self._client.search_experiments)
        return {each.experiment_id: each.name for each in every}

    def _experiment_id(self, name: str) -> str:
        """The id of the experiment, made when there is none.

        Raises:
            TrackingError: it has been deleted, which only a person may take back.
        """
        if name not in self._experiment_ids:
            experiment = self._experiment(name) or self._make_experiment(name)
            number = experiment.experiment_id
            if experiment.lifecycle_stage == "deleted":
                raise TrackingError(
                    f"experiment '{name}' has been deleted, and its name is still taken. Bring "
                    f"it back with `mlflow experiments restore --experiment-id {number}`, or "
                    f"remove it for good with `mlflow gc --experiment-ids {number}`"
                )
            self._experiment_ids[name] = str(number)
        return self._experiment_ids[name]

    def _experiment(self, name: str) -> Experiment | None:
        return self.connection.doing(f"find experiment '{name}'").get_experiment_by_name(name)

    def _make_experiment(self, name: str) -> Experiment:
        client, place = self.connection.doing(f"make experiment '{name}'"), None
        # Beside a sqlite file, whatever the working directory is; a server decides itself.
        if (database := sqlite_path(self.tracking_uri)) is not None:
            readable = re.sub(r"[^\w\-]+", "_", name)[:60]
            digest = hashlib.sha256(name.encode()).hexdigest()[:8]
            place = (database.absolute().parent / "mlruns" / f"{readable}-{digest}").as_uri()
        try:
            client.create_experiment(name, artifact_location=place)
        except TrackingError as exc:
            # Another process was a moment faster: then its experiment is ours as well.
            if error_code(exc) != "RESOURCE_ALREADY_EXISTS":
                raise
        made = self._experiment(name)
        if made is None:
            raise TrackingError(f"experiment '{name}' was removed while a run was started in it")
        return made

    def _create(self, request: RunRequest, experiment_id: str) -> str:
        from mlflow.tracking.context.registry import resolve_tags

        # Who and from which source and commit, as mlflow's own runs say it.
        # With its owner: killed before its other tags are written, it can be told to be gone.
        made = {**resolve_tags({}), **owner_of_request(request)}
        return self._make_run(request, experiment_id, names.stored_values(made, names.TAG_LIMIT))

    def _make_run(
        self,
        request: RunRequest,
        experiment_id: str,
        tags: Mapping[str, str],
        started_ms: int | None = None,
    ) -> str:
        """A run of the request's name and parent; None: it starts now."""
        if request.parent_run_id is not None:
            tags = {**tags, PARENT_TAG: request.parent_run_id}
        client = self.connection.doing(f"make a run in experiment '{request.experiment_name}'")
        name = names.stored_text(request.run_name, names.TAG_LIMIT)
        made = client.create_run(experiment_id, start_time=started_ms, tags=tags, run_name=name)
        return str(made.info.run_id)

    def _upload(self, run_id: str, source: Path, place: str, doing: str) -> None:
        client = self.connection.doing(doing)
        upload = client.log_artifacts if source.is_dir() else client.log_artifact
        upload(run_id, str(source), place or None)

    def _rename(self, run_id: str, name: str) -> None:
        client = self.connection.doing(f"rename run {run_id}")
        client.update_run(run_id, name=names.stored_text(name, names.TAG_LIMIT))

    def _log(self, run_id: str, **batch: Any) -> None:
        # Synchronous whatever MLFLOW_ENABLE_ASYNC_LOGGING says: a failure must reach the caller.
        client = self.connection.doing(f"log to run {run_id}")
        client.log_batch(run_id, synchronous=True, **batch)

    def of_client(self, client_id: str) -> list[str]:
        """The runs that were made for a client id, the oldest first."""
        found = list(self._search(self._names(), filter_text({CLIENT_TAG: client_id}, None)))
        return [str(run.info.run_id) for run in reversed(found)]

    def _run(self, run_id: str) -> Run:
        if run_id.startswith(LOCAL_PREFIX):
            known = self.of_client(run_id.removeprefix(LOCAL_PREFIX))
            if not known:
                raise SourceError(
                    f"run {run_id} began while {self.connection.shown_uri} was away, and has not "
                    "been sent there yet. Run `guardianflow sync` where it ran"
                )
            run_id = known[0]
        try:
            run = self.connection.doing(f"read run {run_id}").get_run(run_id)
        except TrackingError as exc:
            unknown = isinstance(exc, ResourceMissingError)
            malformed = error_code(exc) == "INVALID_PARAMETER_VALUE"
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
        runs = islice(self._search(self._names(), ""), IDS_FOR_NEAREST)
        near = nearest(run_id, (str(run.info.run_id) for run in runs))
        hint = f"; nearest: {', '.join(near)}" if near else ". `guardianflow list runs` shows all"
        return f"there is no run '{run_id}' in {self.connection.shown_uri}{hint}"

    def _search(self, experiment_ids: Iterable[str], filter_text: str) -> Iterator[Run]:
        if wanted := list(experiment_ids):
            yield from self.connection.pages(
                "search runs",
                self._client.search_runs,
                experiment_ids=wanted,
                filter_string=filter_text,
                max_results=PAGE,
                order_by=["attributes.start_time DESC"],
            )
