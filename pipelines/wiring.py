"""Joins rooms: MLflow, or the fakes in memory, behind the ports; backends to the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from guardianflow.contracts.ports import AliasStore, DetectorRegistry, RunReader, RunTracker
from guardianflow.contracts.run_status import RunStatus


class Store(RunTracker, RunReader, Protocol):
    """A store with what pipelines need beyond the two ports."""

    @property
    def tracking_uri(self) -> str: ...

    def link_launcher(self, run_id: str) -> None:
        """Point the run that `mlflow run` made to `run_id`; nothing where there is none."""
        ...

    def fail_running(
        self, parent_run_id: str, status: RunStatus = RunStatus.FAILED
    ) -> list[str]: ...

    def reopen_run(self, run_id: str) -> None: ...


@dataclass(frozen=True)
class Ports:
    store: Store
    registry: DetectorRegistry
    aliases: AliasStore


def connect(tracking_uri: str | None = None) -> Ports:
    """Open the MLflow store and registry. Imports mlflow, which takes seconds: call it late.

    Raises:
        TrackingError: the store can't be reached.
    """
    from guardianflow.backends.catalogue import runtime_of
    from guardianflow.run_tracking.alias_store import MlflowAliasStore
    from guardianflow.run_tracking.mlflow_store import MlflowStore
    from guardianflow.run_tracking.registry import MlflowRegistry

    store = MlflowStore(tracking_uri)
    return Ports(
        store,
        MlflowRegistry(store.tracking_uri, runtime_of),
        MlflowAliasStore(store.tracking_uri),
    )


def in_memory() -> Ports:
    """The shipped fakes as one: an empty store with its registry, gone with the process."""
    from guardianflow.run_tracking.fakes.aliases import InMemoryAliasStore
    from guardianflow.run_tracking.fakes.store import InMemoryRegistry, InMemoryStore

    store = InMemoryStore()
    registry = InMemoryRegistry(store)
    return Ports(store, registry, InMemoryAliasStore(registry))
