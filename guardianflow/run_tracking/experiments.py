"""Experiments by name: found, made when missing, refused when deleted."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ..contracts.errors import TrackingError
from .connection import Connection, sqlite_path

if TYPE_CHECKING:
    from mlflow.entities import Experiment


class Experiments:
    """The experiments of one store; remembers the ids it has found."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids: dict[str, str] = {}

    def id_of(self, name: str) -> str:
        """The id of the experiment, made when there is none.

        Raises:
            TrackingError: it has been deleted, which only a person may take back.
        """
        if name not in self._ids:
            experiment = self._find(name) or self._make(name)
            if experiment.lifecycle_stage == "deleted":
                number = experiment.experiment_id
                raise TrackingError(
                    f"experiment '{name}' has been deleted, and its name is still taken. Bring "
                    f"it back with `mlflow experiments restore --experiment-id {number}`, or "
                    f"remove it for good with `mlflow gc --experiment-ids {number}`"
                )
            self._ids[name] = str(experiment.experiment_id)
        return self._ids[name]

    def all(self) -> list[Experiment]:
        """Every experiment that has not been deleted."""
        search = self._connection.client.search_experiments
        return list(self._connection.pages("list experiments", search))

    def _find(self, name: str) -> Experiment | None:
        return self._connection.call(
            f"find experiment '{name}'", self._connection.client.get_experiment_by_name, name
        )

    def _make(self, name: str) -> Experiment:
        try:
            self._connection.call(
                f"make experiment '{name}'",
                self._connection.client.create_experiment,
                name,
                artifact_location=self._artifact_location(name),
            )
        except TrackingError as exc:
            # Another process was a moment faster: then its experiment is ours as well.
            if getattr(exc.__cause__, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                raise
        made = self._find(name)
        if made is None:
            raise TrackingError(f"experiment '{name}' was removed while a run was started in it")
        return made

    def _artifact_location(self, name: str) -> str | None:
        """Beside a sqlite file, whatever the working directory is; a server decides itself."""
        database = sqlite_path(self._connection.tracking_uri)
        if database is None:
            return None
        readable = re.sub(r"[^\w\-]+", "_", name)[:60]
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        return (database.absolute().parent / "mlruns" / f"{readable}-{digest}").as_uri()
