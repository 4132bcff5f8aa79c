"""Opening a tracking store, and calling mlflow so that its errors become ours.

Every call of this room goes through `Connection.call`: it tries again while SQLite is locked,
lets Ctrl-C wait for the end of a call to it, and turns what mlflow raises into TrackingError,
chained. mlflow itself is imported here, late:
it takes seconds.
"""

from __future__ import annotations

import importlib
import os
import random
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from urllib.parse import quote, unquote

from ..contracts.errors import GuardianFlowError, TrackingError
from ..support.large_libraries import importing
from ..support.locks import take_lock
from ..support.secrets.redaction import learn_text, redact_text, shown_address
from ..support.stop_signals import held_back
from .upkeep.journal_mode import WriteAheadLog, is_database

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

P = ParamSpec("P")
T = TypeVar("T")

# Read by mlflow when it is imported or called; what the user has set stays.
_ENVIRONMENT_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    # mlflow's own 7 retries of 120 s keep a training waiting for minutes on a dead server; three
    # end within about 15 s when it refuses connections.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
}

# boto3 sends checksums in frames that older S3 servers, SeaweedFS among them, keep as part of the
# file. Our own files are compared by their sha256.
_OWN_S3_DEFAULTS = {
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
}

LOCK_WAIT_S = 120.0
BUSY_WAIT_S = 60.0
FIRST_START_WAIT_S = 10.0
PROBE_TRIES = 3
PROBE_TIMEOUT_S = (5.0, 15.0)


class ResourceMissingError(TrackingError):
    """The store has no such run, model, version or alias; this room turns it into SourceError."""


def prepare_environment() -> None:
    """Quiet mlflow, bound its waiting, send plain bytes to an S3 server of one's own.

    What the user has said otherwise stays.
    """
    own_s3 = os.environ.get("MLFLOW_S3_ENDPOINT_URL", "").strip()
    for name, value in {**_ENVIRONMENT_DEFAULTS, **(_OWN_S3_DEFAULTS if own_s3 else {})}.items():
        os.environ.setdefault(name, value)


def resolve_tracking_uri(tracking_uri: str | None = None) -> str:
    """The absolute URI of the store: the given one, MLFLOW_TRACKING_URI or ./mlflow.db.

    A relative sqlite path is made absolute against the working directory, so that processes
    started elsewhere reach the same file. A server's URI loses its trailing slash.
    """
    uri = (tracking_uri or "").strip() or os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    uri = uri or "sqlite:///mlflow.db"
    prefix = "sqlite:///"
    if uri.startswith(prefix) and not uri.startswith((prefix + "/", prefix + ":memory:")):
        path, question, query = uri[len(prefix) :].partition("?")
        return prefix + quote(str(Path(unquote(path)).absolute())) + question + query
    return uri.rstrip("/") if uri.startswith(("http://", "https://")) else uri


def sqlite_path(tracking_uri: str) -> Path | None:
    """The database file of a sqlite URI; None for every other store."""
    prefix = "sqlite:///"
    path = tracking_uri[len(prefix) :].partition("?")[0]
    if not tracking_uri.startswith(prefix) or path in ("", ":memory:"):
        return None
    return Path(unquote(path))


def shown_uri(tracking_uri: str) -> str:
    """The URI without the user name and password it may hold; it can still be followed."""
    return shown_address(tracking_uri)


class Connection:
    """An opened tracking store.

    Args:
        tracking_uri: see `resolve_tracking_uri`.
        probe_tries: how often a server is asked whether it is there.

    Raises:
        TrackingError: the store can't be opened or the server can't be reached.
    """

    def __init__(self, tracking_uri: str | None = None, probe_tries: int = PROBE_TRIES) -> None:
        prepare_environment()
        self.tracking_uri = resolve_tracking_uri(tracking_uri)
        learn_text(self.tracking_uri)  # before a library can put it into its messages
        self.shown_uri = shown_uri(self.tracking_uri)
        self._log: WriteAheadLog | None = None
        self._is_database = self.tracking_uri.startswith("sqlite:")
        database = sqlite_path(self.tracking_uri)
        if database is not None:
            _check_database_file(database)
            # Seconds of work, longer on a busy machine, in which the others must not wait for us.
            self.call("load mlflow", import_sql_store)
            with _locked(database.with_name(database.name + "-lock")):
                self.client = self._open(FIRST_START_WAIT_S)
                self._log = WriteAheadLog.of(database)
        else:
            if self.tracking_uri.startswith(("http://", "https://")):
                _probe(self.tracking_uri, probe_tries)
            self.client = self._open(0.0)

    def call(self, doing: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call into mlflow, again and again for a bounded time while the database is taken.

        A locked write was rolled back as a whole, and one without a connection had not begun, so
        trying again can't write it twice.

        Ctrl-C waits for the end of a call to a database of this machine: cut, it would keep its
        lock, and what ends the run would wait for that.

        Args:
            doing: what the call does, for the message: 'log metrics of run 1234'.

        Raises:
            ResourceMissingError: mlflow knows no such thing.
            TrackingError: all else that mlflow, its database or its network raised.
        """
        deadline = time.monotonic() + BUSY_WAIT_S
        pause_s = 0.02
        whole = self._is_database and not _may_be_cut(function)
        while True:
            try:
                with held_back() if whole else nullcontext():
                    answer = function(*args, **kwargs)
                break
            except GuardianFlowError:
                raise
            except Exception as exc:
                if not _is_busy(exc) or time.monotonic() > deadline:
                    raise self._translated(doing, exc) from exc
            time.sleep(pause_s * random.uniform(0.5, 1.5))
            pause_s = min(2 * pause_s, 2.0)
        if self._log is not None:
            self._log.bring_in_now_and_then()
        return answer

    def doing(self, what: str) -> MlflowClient:
        """The client for one call, which goes through `call`.

        Args:
            what: the call does, for the message.
        """
        return cast("MlflowClient", _Called(self, what))

    def pages(self, doing: str, search: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
        """All that a search of mlflow finds, page after page."""
        token = None
        while True:
            page = self.call(doing, search, page_token=token, **arguments)
            yield from page
            token = page.token
            if not token:
                return

    def files_at(self, place: str) -> ArtifactRepository:
        """What reaches the files at an artifact's place; nothing is asked of it yet."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        return get_artifact_repository(place, tracking_uri=self.tracking_uri)

    def _open(self, patience_s: float) -> MlflowClient:
        # Another program that uses mlflow without our lock (its own UI, say) may be creating the
        # tables at this very moment: what fails now holds a moment later.
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return self.call("open the store", _open_client, self.tracking_uri)
            except TrackingError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def _translated(self, doing: str, exc: Exception) -> TrackingError:
        reason = _short_reason(exc)
        if getattr(exc, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
            return ResourceMissingError(f"could not {doing} in {self.shown_uri}: {reason}")
        if _is_unreachable(exc):
            return TrackingError(
                f"could not {doing}: the MLflow server at {self.shown_uri} does not answer "
                f"({reason}). Start it, or correct MLFLOW_TRACKING_URI"
            )
        return TrackingError(f"could not {doing} in {self.shown_uri}: {reason}")


def error_code(exc: TrackingError) -> str:
    """mlflow's own code for what went wrong; '' where it gave none."""
    return str(getattr(exc.__cause__, "error_code", ""))


class _Called:
    """A client whose methods go through `Connection.call`."""

    def __init__(self, connection: Connection, doing: str) -> None:
        self._connection, self._doing = connection, doing

    def __getattr__(self, name: str) -> Callable[..., Any]:
        connection = self._connection
        return partial(connection.call, self._doing, getattr(connection.client, name))


def import_sql_store() -> None:
    """All that mlflow loads, some of it late, to open a database."""
    with _quiet_tables(), importing():
        for module in ("tracking", "model_registry"):
            importlib.import_module(f"mlflow.store.{module}.sqlalchemy_store")


def _open_client(tracking_uri: str) -> MlflowClient:
    import logging

    from mlflow import MlflowClient

    # mlflow prints a stack trace for each locked write, which `call` then repeats in peace.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    with _quiet_tables():
        client = MlflowClient(tracking_uri=tracking_uri)
        # The registry's tables are checked at its first use: do it here, under the lock.
        client.search_registered_models(max_results=1)
    return client


@contextmanager
def _quiet_tables() -> Iterator[None]:
    """mlflow's own table definitions use what SQLAlchemy 2.1 means to drop ('noload')."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*noload.*", category=DeprecationWarning)
        yield


def _short_reason(exc: Exception) -> str:
    """The first paragraph of a foreign message, bounded; SQL and manuals left out."""
    text = re.sub(r"\(raised as a result of Query-invoked autoflush[^)]*\)\s*", "", str(exc))
    text = re.split(r"\n\s*\n|\n\[SQL|\n\(Background", text.strip())[0].strip()
    text = redact_text(text)
    return (text[:400] + "…" if len(text) > 400 else text) or type(exc).__name__


def _may_be_cut(function: Callable[..., Any]) -> bool:
    """Whether it may take minutes, copying files or importing, and holds no lock."""
    name = getattr(function, "__name__", "")
    return "artifact" in name or function is import_sql_store


def _is_busy(exc: Exception) -> bool:
    """Whether others are at the database, and nothing was written.

    With a log and many at it, SQLite says it otherwise. A server whose connections are all taken
    answers with 400, as to a call that is wrong.
    """
    words = ("is locked", "locking protocol", "QueuePool limit")
    return any(each in str(exc) for each in words)


def _is_unreachable(exc: BaseException | None) -> bool:
    from requests.exceptions import ConnectionError as NoConnection
    from requests.exceptions import Timeout

    while exc is not None:
        if isinstance(exc, (NoConnection, Timeout)) or "Max retries exceeded" in str(exc):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _probe(uri: str, tries: int) -> None:
    """Find out in seconds that no server answers; any answer at all will do."""
    import requests

    for attempt in range(tries):
        try:
            requests.get(f"{uri}/health", timeout=PROBE_TIMEOUT_S, stream=True).close()
            return
        except requests.exceptions.SSLError:
            return  # a server is there; whether to trust it is in mlflow's own settings
        except requests.exceptions.RequestException as exc:
            if attempt == tries - 1:
                raise TrackingError(
                    f"the MLflow server at {shown_uri(uri)} can't be reached "
                    f"({type(exc).__name__}). Start it, or correct MLFLOW_TRACKING_URI"
                ) from exc
        time.sleep(1.0)


def _check_database_file(path: Path) -> None:
    """Say at once what mlflow would find out after a minute and a half of retries."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError("it is a directory")
        for place in (path, path.parent):  # SQLite keeps its journal beside the file
            if place.exists() and not os.access(place, os.W_OK):
                raise PermissionError(f"no right to write in {place}")
        if path.exists() and not is_database(path):
            raise TrackingError(
                f"{path} is not a SQLite database. Name another file in MLFLOW_TRACKING_URI"
            )
    except OSError as exc:
        raise TrackingError(
            f"the tracking database {path} can't be written: {exc}. Free or rename it, or name "
            "another one in MLFLOW_TRACKING_URI"
        ) from exc


def _locked(path: Path) -> AbstractContextManager[object]:
    """Hold an inter-process lock: two first starts must not migrate one database at once."""
    try:
        return take_lock(path, LOCK_WAIT_S)
    except TimeoutError as exc:
        raise TrackingError(
            f"another process has held {path} for {LOCK_WAIT_S:.0f} s. End it and try again"
        ) from exc
    except OSError as exc:
        raise TrackingError(
            f"{path} can't be locked ({exc}): a database needs a file system with locks. "
            "Name a local file, or a server, in MLFLOW_TRACKING_URI"
        ) from exc
