"""Registering a detector that waits, with its files, until the store has what goes before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ...contracts.detector_package import DetectorPackage
from ...contracts.errors import TrackingError
from ...contracts.ports import DetectorRegistry
from ...contracts.results import DataInput, RegisteredModel
from .. import names, references
from .store import SpooledStore


class SpooledRegistry(DetectorRegistry):
    """DetectorRegistry whose `register` is a record of the journal; all else asks the store."""

    def __init__(self, store: SpooledStore) -> None:
        self._store = store

    def register(
        self,
        run_id: str,
        package: DetectorPackage,
        name: str,
        *,
        alias: str = "candidate",
        tags: Mapping[str, str] | None = None,
        check: Callable[[str], object] | None = None,
    ) -> RegisteredModel:
        """As DetectorRegistry's. While the store is away the answer has no version yet.

        With a `check` the store is needed now.
        """
        if check is not None:
            run_id = self._store.get_run(run_id).run_id
            return self._now().register(run_id, package, name, alias=alias, tags=tags, check=check)
        registered = names.registered_name(name)
        references.check_alias(alias)
        package = DetectorPackage.load(package.directory)
        stored = names.stored_values(tags, references.REGISTRY_TAG_LIMIT)
        model = self._store.register(run_id, package.directory, registered, alias, stored)
        return model or RegisteredModel(
            name=registered, version="", display_name=names.display_name(registered), run_id=run_id
        )

    def fetch(self, reference: str, destination: Path) -> DetectorPackage:
        """As DetectorRegistry's. While the store is away, one that waits here to be registered."""
        try:
            return self._now().fetch(reference, destination)
        except TrackingError:
            references.check_destination(destination)
            run_id = references.parse_reference(reference).run_id
            if run_id is None or not self._store.fetch_waiting(run_id, destination):
                raise
        return DetectorPackage.load(destination, alone=True)

    def describe(self, reference: str) -> RegisteredModel:
        return self._now().describe(reference)

    def list_models(self, pattern: str = "") -> list[RegisteredModel]:
        return self._now().list_models(pattern)

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        self._now().tag_version(name, version, tags)

    def show_metrics(
        self, run_id: str, reference: str, package: DetectorPackage, data: DataInput | None = None
    ) -> int:
        run_id = self._store.get_run(run_id).run_id
        return self._now().show_metrics(run_id, reference, package, data)

    def _now(self) -> DetectorRegistry:
        """The store's own registry, once what was written before is there.

        Raises:
            TrackingError: the store is away.
        """
        return self._store.reach().registry
