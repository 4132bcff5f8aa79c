"""AliasStore in memory, over the registry of fake.py. Nothing here imports mlflow."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from ...contracts.results import RegisteredModel
from .. import references
from ..names import display_name, model_tag, registered_name
from .store import InMemoryRegistry, InMemoryStore, _Version


class InMemoryAliasStore:
    """AliasStore without MLflow; gone with the process.

    Args:
        registry: whose models these are; without it an empty one, filled by `add_version`.
    """

    tracking_uri = "memory:"

    def __init__(self, registry: InMemoryRegistry | None = None) -> None:
        self._registry = registry or InMemoryRegistry(InMemoryStore())
        self._tags: dict[str, dict[str, str]] = {}
        self._highest: dict[str, int] = {}  # a deleted version's number is not given again
        self._lock = threading.RLock()

    def versions(self, name: str) -> list[RegisteredModel]:
        with self._lock:
            registered = self._known(name)
            return [
                self._registry._with_aliases(each.model) for each in self._registry._of(registered)
            ]

    def aliases(self, name: str) -> Mapping[str, str]:
        with self._lock:
            registered = self._known(name)
            return {
                alias: version
                for (model, alias), version in self._registry._aliases.items()
                if model == registered
            }

    def set_alias(self, name: str, alias: str, version: str) -> None:
        references.check_alias(alias)
        with self._lock:
            registered = self._known(name)
            known = [each.version for each in self.versions(registered)]
            if version not in known:
                raise references.unknown_version(registered, version, known)
            self._registry._aliases[registered, alias] = version

    def delete_alias(self, name: str, alias: str) -> None:
        with self._lock:
            self._registry._aliases.pop((self._known(name), alias), None)

    def model_tags(self, name: str) -> Mapping[str, str]:
        with self._lock:
            return dict(self._tags.get(self._known(name), {}))

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        value = model_tag(value)
        references.check_model_tag(key, value)
        with self._lock:
            self._tags.setdefault(self._known(name), {})[key] = value

    def delete_model_tag(self, name: str, key: str) -> None:
        with self._lock:
            self._tags.get(self._known(name), {}).pop(key, None)

    # --- what a store of versions does beside the port -----------------------------------------

    def add_version(self, name: str, tags: Mapping[str, str] | None = None) -> str:
        """A new version without files, for what needs none; returns its number."""
        registered = registered_name(name)
        with self._lock:
            taken = [int(each.model.version) for each in self._registry._of(registered)]
            self._highest[registered] = max(*taken, self._highest.get(registered, 0), 0) + 1
            number = str(self._highest[registered])
            model = RegisteredModel(
                name=registered,
                version=number,
                display_name=display_name(registered),
                tags=dict(tags or {}),
                created_ms=int(time.time() * 1000),
            )
            self._registry._versions.append(_Version(model, {}))
            return number

    def delete_version(self, name: str, version: str) -> None:
        """As MLflow deletes one: with every alias that points to it."""
        with self._lock:
            registered = self._known(name)
            self._tags.setdefault(registered, {})  # the model stays when its last version goes
            registry = self._registry
            registry._versions = [
                each
                for each in registry._versions
                if (each.model.name, each.model.version) != (registered, version)
            ]
            for alias, target in self.aliases(registered).items():
                if target == version:
                    self.delete_alias(registered, alias)

    def _has(self, registered: str) -> bool:
        return bool(self._registry._of(registered)) or registered in self._tags

    def _known(self, name: str) -> str:
        registered = registered_name(name)
        if not self._has(registered):
            known = {each.model.name for each in self._registry._versions} | set(self._tags)
            raise references.unknown_model(registered, known)
        return registered
