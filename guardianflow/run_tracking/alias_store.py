"""Aliases and tags of registered models in MLflow, one write at a time.

MLflow keeps each write in a transaction of its own and has no compare-and-set; what must be done
together is the business of guardianflow/release.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..contracts.errors import SourceError
from ..contracts.results import RegisteredModel
from . import references
from .connection import Connection, ResourceMissingError
from .names import model_tag, registered_name
from .run_records import registered_model

if TYPE_CHECKING:
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
        self._client = self._connection.client

    @property
    def tracking_uri(self) -> str:
        return self._connection.tracking_uri

    def versions(self, name: str) -> list[RegisteredModel]:
        model = self._model(name)
        aliases = _texts(model.aliases)
        found = self._connection.pages(
            f"list versions of '{model.name}'",
            self._client.search_model_versions,
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
        try:
            self._connection.call(
                f"set alias '{alias}' of '{registered}'",
                self._client.set_registered_model_alias,
                registered,
                alias,
                version,
            )
        except ResourceMissingError as exc:
            known = [each.version for each in self.versions(registered)]
            raise references.unknown_version(registered, version, known) from exc

    def delete_alias(self, name: str, alias: str) -> None:
        self._write(
            name, f"unset alias '{alias}'", self._client.delete_registered_model_alias, alias
        )

    def model_tags(self, name: str) -> Mapping[str, str]:
        return _texts(self._model(name).tags)

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        value = model_tag(value)
        references.check_model_tag(key, value)
        self._write(name, f"set tag '{key}'", self._client.set_registered_model_tag, key, value)

    def delete_model_tag(self, name: str, key: str) -> None:
        self._write(name, f"delete tag '{key}'", self._client.delete_registered_model_tag, key)

    # --- inside -------------------------------------------------------------------------------

    def _model(self, name: str) -> MlflowModel:
        registered = registered_name(name)
        try:
            model: MlflowModel = self._connection.call(
                f"read model '{registered}'", self._client.get_registered_model, registered
            )
        except ResourceMissingError as exc:
            raise self.unknown_model(registered) from exc
        return model

    def _write(self, name: str, doing: str, write: Callable[..., Any], *arguments: str) -> None:
        registered = registered_name(name)
        try:
            self._connection.call(f"{doing} of '{registered}'", write, registered, *arguments)
        except ResourceMissingError as exc:
            raise self.unknown_model(registered) from exc

    def unknown_model(self, registered: str) -> SourceError:
        models = self._connection.pages("list models", self._client.search_registered_models)
        return references.unknown_model(registered, {model.name for model in models})


def _texts(values: Mapping[str, object] | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (values or {}).items()}
