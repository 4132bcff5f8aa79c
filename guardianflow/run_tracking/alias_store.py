"""Aliases and tags of registered models in MLflow, one write at a time.

MLflow keeps each write in a transaction of its own and has no compare-and-set; what must be done
together is the business of guardianflow/release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..contracts.errors import SourceError
from ..contracts.results import RegisteredModel
from . import references
from .connection import Connection, ResourceMissingError
from .names import model_tag, registered_name
from .run_records import registered_model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel as MlflowModel


class MlflowAliasStore:
    """AliasStore on an MLflow server or a SQLite file.

    Args:
        tracking_uri: as for MlflowStore.
        connection: one that is open already; the tracking URI is not asked then.

    Raises:
        TrackingError: the store can't be opened or the server can't be reached.
    """

    def __init__(
        self, tracking_uri: str | None = None, connection: Connection | None = None
    ) -> None:
        self._connection = connection or Connection(tracking_uri)

    def versions(self, name: str) -> list[RegisteredModel]:
        model = self._model(name)
        aliases = _texts(model.aliases)
        found = self._connection.pages(
            f"list versions of '{model.name}'",
            self._connection.client.search_model_versions,
            filter_string=f"name = '{model.name}'",
        )
        return sorted(
            (registered_model(version, aliases) for version in found),
            key=lambda model: int(model.version),
        )

    def aliases(self, name: str) -> Mapping[str, str]:
        return _texts(self._model(name).aliases)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        registered = registered_name(name)
        references.check_alias(alias)
        client = self._connection.doing(f"set alias '{alias}' of '{registered}'")
        try:
            client.set_registered_model_alias(registered, alias, version)
        except ResourceMissingError as exc:
            known = [each.version for each in self.versions(registered)]
            raise references.unknown_version(registered, version, known) from exc

    def delete_alias(self, name: str, alias: str) -> None:
        with self._known(name, f"unset alias '{alias}' of") as (client, registered):
            client.delete_registered_model_alias(registered, alias)

    def model_tags(self, name: str) -> Mapping[str, str]:
        return _texts(self._model(name).tags)

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        value = model_tag(value)
        references.check_model_tag(key, value)
        with self._known(name, f"set tag '{key}' of") as (client, registered):
            client.set_registered_model_tag(registered, key, value)

    def delete_model_tag(self, name: str, key: str) -> None:
        with self._known(name, f"delete tag '{key}' of") as (client, registered):
            client.delete_registered_model_tag(registered, key)

    # --- inside -------------------------------------------------------------------------------

    def _model(self, name: str) -> MlflowModel:
        with self._known(name, "read model") as (client, registered):
            return client.get_registered_model(registered)

    @contextmanager
    def _known(self, name: str, doing: str) -> Iterator[tuple[MlflowClient, str]]:
        """The client for one call about a model, and its name; SourceError where there is none."""
        registered = registered_name(name)
        try:
            yield self._connection.doing(f"{doing} '{registered}'"), registered
        except ResourceMissingError as exc:
            raise self.unknown_model(registered) from exc

    def unknown_model(self, registered: str) -> SourceError:
        search = self._connection.client.search_registered_models
        models = self._connection.pages("list models", search)
        return references.unknown_model(registered, {model.name for model in models})


def _texts(values: Mapping[str, object] | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (values or {}).items()}
