"""The store that a journal is sent to: opened when it is there, written to without twins."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...contracts.backends import BackendRuntime
from ...contracts.errors import GuardianFlowError, SourceError, TrackingError
from ...contracts.ports import AliasStore, DetectorRegistry
from ...contracts.results import RegisteredModel, RunRequest
from ...contracts.run_status import RunStatus
from ...support.large_libraries import importing
from ...support.undo import UndoSteps, undo_on_failure
from ..alias_store import MlflowAliasStore
from ..connection import (
    Connection,
    import_sql_store,
    prepare_environment,
    resolve_tracking_uri,
    shown_uri,
)
from ..mlflow_store import MlflowStore
from ..registry import MlflowRegistry, remove_logged
from ..run_records import CLIENT_TAG
from ..services.workspaces import own_workspace
from .journals.entries import Start

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

RuntimeOf = Callable[[str], BackendRuntime]
Refuses = Callable[[BaseException], bool]
# The spool tries again itself, and waits on nobody's behalf: each try may be short.
_ENVIRONMENT_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    # A thread must not write between the lines of whoever has stdout.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# What a server means to say to the same call again, by mlflow's codes.
_REFUSALS = (
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
    "INVALID_STATE",
)


class NotArrivedError(TrackingError):
    """What the store has is not what was sent: it is sent again."""


class ServerStore(MlflowStore):
    """A store in which a call that is made twice changes what it changed once."""

    _starting: Start

    def begin(self, start: Start) -> str:
        """The run of a client id: the one that is there, or a new one."""
        request, self._starting = start.request, start
        launcher = self._running_launcher(start.launcher) if start.launcher else None
        # Nothing is ended where this fails: it is tried again.
        return self._begin(request, launcher, [])

    def _create(self, request: RunRequest, experiment_id: str) -> str:
        start = self._starting
        if known := self.of_client(start.client_id):
            return known[0]
        tags = {**start.context, CLIENT_TAG: start.client_id}
        return self._make_run(request, experiment_id, tags, start.started_ms)

    def remove_twins(self, client_id: str, kept: str) -> None:
        """Delete what a call made that was answered too late, so that another one was made."""
        for run_id in self.of_client(client_id):
            if run_id != kept:
                self.connection.doing(f"delete the unused run {run_id}").delete_run(run_id)

    def end(self, run_id: str, status: RunStatus, ended_ms: int) -> None:
        client = self.connection.doing(f"end run {run_id}")
        client.set_terminated(run_id, status, end_time=ended_ms)

    def upload_file(self, run_id: str, path: Path, folder: str) -> None:
        self._upload(run_id, path, folder, f"upload {path.name} to run {run_id}")

    def sizes(self, run_id: str, folder: str) -> dict[str, int | None]:
        """Path → size of the files in a folder of the run's artifacts; None where it is unknown."""
        client = self.connection.doing(f"list artifacts of run {run_id}")
        found = client.list_artifacts(run_id, folder or None)
        return {entry.path: entry.file_size for entry in found if not entry.is_dir}


class RepeatedRegistry(MlflowRegistry):
    """A registry whose `register` may be called until it went well, and makes one version then.

    What an answer that was lost has left is not taken back but found and gone on with.
    """

    def __init__(self, runtime_of: RuntimeOf, store: ServerStore, refuses: Refuses) -> None:
        super().__init__(None, runtime_of, store)
        self._refuses = refuses

    @contextmanager
    def _undoing(self) -> Iterator[UndoSteps]:
        if_refused: UndoSteps = []
        try:
            yield if_refused
        except GuardianFlowError as exc:
            if not self._refuses(exc):
                raise
            with undo_on_failure() as made:
                made.extend(if_refused)
                raise

    def _logged_detector(self, run_id: str) -> LoggedModel | None:
        ready = None
        for each in self._logged_detectors(run_id):
            if str(each.status) != "READY":
                remove_logged(
                    self._connection, each
                )  # a try that was broken off; nobody else logs this run's
            else:
                ready = ready or each
        return ready

    def _make_version(
        self, name: str, logged: LoggedModel, run_id: str, tags: Mapping[str, str], made: UndoSteps
    ) -> str:
        number = super()._make_version(name, logged, run_id, tags, made)
        return self._version_of(name, logged) or number

    def _version_of(self, name: str, logged: LoggedModel) -> str | None:
        """The first that was made of it; others are a call's whose answer was lost."""
        same = sorted(self._versions_of(name, logged), key=lambda each: int(each.version))
        for twin in same[1:]:
            if not twin.aliases:
                client = self._connection.doing(f"delete the unused version {twin.version}")
                client.delete_model_version(name, twin.version)
        return same[0].version if same else None


class Server:
    """A store and its registry, opened together at the first use that succeeds.

    Args:
        tracking_uri: as for MlflowStore.
        runtime_of: as for MlflowRegistry.

    Attributes:
        workspace: of the store, the one that was this process' own when it was named.
    """

    def __init__(self, tracking_uri: str | None, runtime_of: RuntimeOf) -> None:
        for name, value in _ENVIRONMENT_DEFAULTS.items():
            os.environ.setdefault(name, value)
        self.tracking_uri = resolve_tracking_uri(tracking_uri)
        self.shown_uri = shown_uri(self.tracking_uri)
        self.workspace = own_workspace()
        self._runtime_of = runtime_of
        self._opening = threading.Lock()
        self._store: ServerStore | None = None

    def load_libraries(self) -> None:
        """All that opening it will import; nothing is asked of the store."""
        prepare_environment()
        if self.over_http:
            with importing():
                importlib.import_module("mlflow.tracking.client")
        else:
            import_sql_store()

    @property
    def over_http(self) -> bool:
        return self.tracking_uri.startswith(("http://", "https://"))

    @property
    def is_open(self) -> bool:
        return self._store is not None

    @property
    def store(self) -> ServerStore:
        """Raises TrackingError while it can't be reached."""
        with self._opening:
            if self._store is None:
                self._store = ServerStore(connection=Connection(self.tracking_uri, probe_tries=1))
            return self._store

    @property
    def registry(self) -> DetectorRegistry:
        return RepeatedRegistry(self._runtime_of, self.store, self.refuses)

    @property
    def aliases(self) -> AliasStore:
        return MlflowAliasStore(connection=self.store.connection)

    def refuses(self, exc: BaseException) -> bool:
        """Whether the same call would be refused again; if not, it is worth trying later."""
        if isinstance(exc, NotArrivedError):
            return False
        chain, at = [exc], exc.__cause__
        while at is not None:
            chain.append(at)
            at = at.__cause__
        foreign = next((each for each in chain if hasattr(each, "error_code")), None)
        if foreign is None:  # our own words about what the store has answered
            return isinstance(exc, SourceError) or len(chain) == 1
        if self.over_http and type(foreign).__name__ != "RestException":
            return False  # something between us and the server has answered
        return str(foreign.error_code) in _REFUSALS


class LazyAliasStore:
    """AliasStore of a server that is asked for at each call, and may be away until then.

    Args:
        reach: gives the server, or raises TrackingError where it is away.
    """

    def __init__(self, reach: Callable[[], Server]) -> None:
        self._reach = reach

    def versions(self, name: str) -> Sequence[RegisteredModel]:
        return self._reach().aliases.versions(name)

    def aliases(self, name: str) -> Mapping[str, str]:
        return self._reach().aliases.aliases(name)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        self._reach().aliases.set_alias(name, alias, version)

    def delete_alias(self, name: str, alias: str) -> None:
        self._reach().aliases.delete_alias(name, alias)

    def model_tags(self, name: str) -> Mapping[str, str]:
        return self._reach().aliases.model_tags(name)

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        self._reach().aliases.set_model_tag(name, key, value)

    def delete_model_tag(self, name: str, key: str) -> None:
        self._reach().aliases.delete_model_tag(name, key)
