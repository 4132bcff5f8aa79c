"""AliasStore in memory. Nothing here imports mlflow."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from ...contracts.errors import SourceError
from ...contracts.results import RegisteredModel
from .. import references
from ..names import display_name, model_tag, registered_name
from ..overview.lines import aliases_of


class Registry(Protocol):
    """As `store.InMemoryRegistry`."""

    models: InMemoryAliasStore


class InMemoryAliasStore:
    """AliasStore without MLflow; gone with the process.

    Args:
        registry: whose models these are; without it an empty one, filled by `add_version`.

    Attributes:
        records: name and version → version; its aliases are not kept there.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        if registry is not None:
            self.__dict__ = registry.models.__dict__
            return
        self.records: dict[tuple[str, str], RegisteredModel] = {}
        self._aliases: dict[str, dict[str, str]] = defaultdict(dict)
        self._tags: dict[str, dict[str, str]] = defaultdict(dict)
        # Of each model ever made: a deleted version's number is not given again.
        self._highest: dict[str, int] = {}
        self._lock = threading.RLock()

    def versions(self, name: str) -> list[RegisteredModel]:
        with self._lock:
            registered = self._known(name)
            return [each for each in self.all_versions() if each.name == registered]

    def aliases(self, name: str) -> Mapping[str, str]:
        with self._lock:
            return dict(self._aliases[self._known(name)])

    def set_alias(self, name: str, alias: str, version: str) -> None:
        references.check_alias(alias)
        with self._lock:
            registered = self._known(name)
            if (registered, version) not in self.records:
                known = [each.version for each in self.versions(registered)]
                raise references.unknown_version(registered, version, known)
            self._aliases[registered][alias] = version

    def delete_alias(self, name: str, alias: str) -> None:
        with self._lock:
            self._aliases[self._known(name)].pop(alias, None)

    def model_tags(self, name: str) -> Mapping[str, str]:
        with self._lock:
            return dict(self._tags[self._known(name)])

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        value = model_tag(value)
        references.check_model_tag(key, value)
        with self._lock:
            self._tags[self._known(name)][key] = value

    def delete_model_tag(self, name: str, key: str) -> None:
        with self._lock:
            self._tags[self._known(name)].pop(key, None)

    def unknown_model(self, registered: str) -> SourceError:
        return references.unknown_model(registered, self._highest)

    # --- what a store of versions does beside the port -----------------------------------------

    def all_versions(self) -> list[RegisteredModel]:
        """Every version of every model, the oldest first, with its aliases."""
        with self._lock:
            return [
                replace(each, aliases=aliases_of(each.version, self._aliases[each.name]))
                for each in self.records.values()
            ]

    def add_version(
        self, name: str, tags: Mapping[str, str] | None = None, run_id: str | None = None
    ) -> str:
        """A new version; returns its number. It has files where its run has logged some."""
        registered = registered_name(name)
        with self._lock:
            self._highest[registered] = self._highest.get(registered, 0) + 1
            number = str(self._highest[registered])
            self.records[registered, number] = RegisteredModel(
                name=registered,
                version=number,
                display_name=display_name(registered),
                run_id=run_id,
                tags=dict(tags or {}),
                created_ms=int(time.time() * 1000),
            )
            return number

    def delete_version(self, name: str, version: str) -> None:
        """As MLflow deletes one: with every alias that points to it."""
        with self._lock:
            registered = self._known(name)
            self.records.pop((registered, version), None)
            kept = {a: v for a, v in self._aliases[registered].items() if v != version}
            self._aliases[registered] = kept

    def _known(self, name: str) -> str:
        registered = registered_name(name)
        if registered not in self._highest:
            raise self.unknown_model(registered)
        return registered
