"""The place of a sweep's study: a SQLite file in the work directory, or the PostgreSQL of the runs.

A sweep has a file of its own, WORK_DIR/sweeps/PARENT_RUN_ID.db, so that sweeps at once never wait
for each other's locks. In PostgreSQL the studies have a schema of their own: Optuna and MLflow each
keep the version of their tables in a table of the same name.
"""

from __future__ import annotations

import hashlib
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import AlreadyRunningError, GuardianFlowError, SourceError
from guardianflow.support.locks import take_lock
from guardianflow.support.secrets.files import make_private_folder
from guardianflow.support.secrets.redaction import shown_address

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy import Connection

FOLDER = "sweeps"
SCHEMA = "guardianflow_sweeps"
POSTGRES = "postgresql"
BEAT_S, GRACE_S = 15, 90
"""In PostgreSQL whoever is at a trial says so that often; silent for so long, it is given up."""


@dataclass(frozen=True)
class StudyPlace:
    """Where the study of one sweep is kept.

    Args:
        store: PostgreSQL's address; every other store leaves the study to a file.
    """

    work_dir: Path
    store: str
    parent_run_id: str

    @property
    def name(self) -> str:
        """Of the study; the parent run is known by it."""
        return f"sweep-{self.parent_run_id}"

    @property
    def shown(self) -> str:
        """For people and for the parent's tag."""
        where = shown_address(self.store) if self.is_shared else str(self._file)
        return f"{where} {self.name}"

    @property
    def is_shared(self) -> bool:
        """Whether other machines can reach it."""
        return self.store.startswith(POSTGRES)

    @property
    def _file(self) -> Path:
        return self.work_dir / FOLDER / f"{self.parent_run_id}.db"

    def open(self, *, make: bool) -> RDBStorage:
        """Open the storage.

        Args:
            make: where it is missing; else that is an error.

        Raises:
            SourceError: it is missing, and was not to be made.
            GuardianFlowError: it can't be opened.
        """
        import optuna
        from sqlalchemy.exc import SQLAlchemyError

        optuna.logging.set_verbosity(optuna.logging.ERROR)  # what matters is told by us
        if not (make or self.is_shared or self._file.is_file()):
            raise SourceError(
                f"sweep {self.parent_run_id} can't be gone on with here: {self._file} is missing. "
                "Give the command on the machine that began it, or name its work directory in "
                "GUARDIANFLOW_WORK_DIR"
            )
        try:
            if self.is_shared:
                return self._open_postgres()
            make_private_folder(self._file.parent)
            return optuna.storages.RDBStorage(
                f"sqlite:///{self._file}", engine_kwargs={"creator": self._connect}
            )
        except (OSError, SQLAlchemyError) as exc:
            raise GuardianFlowError(
                f"the study of the sweep must be writable but got: {exc}. It lies in "
                f"{self.shown}: make room there, or name another place in GUARDIANFLOW_WORK_DIR"
            ) from exc

    def _connect(self) -> sqlite3.Connection:
        """A trial is written in a dozen commits: a killed process loses none of them so, and a
        power cut the last ones at most."""
        connection = sqlite3.connect(self._file, timeout=60, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def _open_postgres(self) -> RDBStorage:
        import optuna
        from sqlalchemy import text

        options = {"connect_args": {"options": f"-csearch_path={SCHEMA}"}}
        with _connection(self.store) as connection, warnings.catch_warnings(action="ignore"):
            _locked(connection, "pg_advisory_lock", SCHEMA)  # two would make tables at once
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            connection.commit()
            return optuna.storages.RDBStorage(
                self.store, engine_kwargs=options, heartbeat_interval=BEAT_S, grace_period=GRACE_S
            )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep other machines from asking the study meanwhile."""
        if not self.is_shared:
            yield
            return
        with _connection(self.store) as connection:
            _locked(connection, "pg_advisory_lock", self.name)
            yield


@contextmanager
def alone(work_dir: Path, runs: str, experiment: str, name: str, store: str = "") -> Iterator[None]:
    """Keep other sweeps of the same name and experiment away meanwhile.

    Args:
        runs: address of the store of runs.
        store: of the study; from PostgreSQL they are kept away on every machine.

    Raises:
        AlreadyRunningError: one is at work; nothing was made.
    """
    known_by = f"{runs}\n{experiment}\n{name}"
    digest = hashlib.sha256(known_by.encode()).hexdigest()
    folder = work_dir / FOLDER
    try:
        make_private_folder(folder)
        lock = take_lock(folder / f"{digest[:16]}.lock")
    except TimeoutError as exc:
        raise AlreadyRunningError(
            f"a sweep '{name}' of experiment {experiment} is at work on this machine. Wait for its "
            "end, or give this one another name: -p name=…"
        ) from exc
    except OSError as exc:
        raise GuardianFlowError(
            f"the work directory {work_dir} must be writable but got: {exc}. Make room in it, or "
            "name another one in GUARDIANFLOW_WORK_DIR"
        ) from exc
    with lock, _alone_in(store, known_by) as free:
        if not free:
            raise AlreadyRunningError(
                f"a sweep '{name}' of experiment {experiment} is at work on another machine. Take "
                "trials of it (--join), wait for its end, or give this one another name: -p name=…"
            )
        yield


@contextmanager
def _alone_in(store: str, known_by: str) -> Iterator[bool]:
    """Whether no other machine is at the same; it is known there that this one is, meanwhile."""
    if not store.startswith(POSTGRES):
        yield True
        return
    with _connection(store) as connection:
        yield bool(_locked(connection, "pg_try_advisory_lock", known_by))


@contextmanager
def _connection(store: str) -> Iterator[Connection]:
    """A connection of its own: what is locked by it is free when it closes, however it does."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    try:
        connection = create_engine(store, poolclass=NullPool).connect()
    except SQLAlchemyError as exc:
        raise GuardianFlowError(
            f"the study of the sweep must be in reach but got: {exc}. It lies in "
            f"{shown_address(store)}"
        ) from exc
    with connection:
        yield connection


def _locked(connection: Connection, function: str, known_by: str) -> object:
    from sqlalchemy import text

    key = int.from_bytes(hashlib.sha256(known_by.encode()).digest()[:7])
    answer = connection.execute(text(f"SELECT {function}(:key)"), {"key": key}).scalar()
    connection.commit()  # the lock is the session's, not the transaction's
    return answer
